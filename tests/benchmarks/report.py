"""Measure every row, ours against the peers that are installed, and write `docs/performance.md`.

Usage: python tests/benchmarks/report.py [--peers FOLDER] [--quick] [--threads N]
FOLDER holds the environments made by `tests/benchmarks/peers/make_environments.sh` (default: ../peers).
Run it on a machine with nothing else to do: two threads on shared cores wait for each other, and ratios suffer.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE / "peers")]

import numpy as np  # noqa: E402  # after the path
import ours  # noqa: E402
import torch  # noqa: E402
import workload  # noqa: E402
from scaling import AXES, edge_count  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

SCRIPTS = (
    (None, "loops.py"),
    ("auto_circuit", "peers/with_hooked_transformer.py"),
    ("transformer_lens", "peers/with_transformer_lens.py"),
    ("pyvene", "peers/with_pyvene.py"),
    ("nnsight", "peers/with_nnsight.py"),
    ("auto_circuit", "peers/with_auto_circuit.py"),
)
"""For each comparison the environment that it needs (None: this one)."""
TARGETS = {
    ("120 sites, batch 32, last position", "TransformerLens"): 45,
    ("120 sites, batch 32, last position", "pyvene"): 45,
    ("120 sites, batch 32, last position", "nnsight"): 30,
    ("120 sites, batch 512, last position", "TransformerLens"): 35,
    ("120 sites, batch 512, last position", "pyvene"): 35,
    ("120 sites, batch 512, last position", "nnsight"): 28,
    ("every edge exactly, batch 512", "auto-circuit"): 60,
    ("edge attribution patching, batch 512", "auto-circuit"): 4,
    ("DAS, 300 steps", "pyvene"): 6,
    ("DAS, 300 steps, 16 seeds at once against one after another", "pyvene"): 25,
    ("64 MLPs 32 → 64 → 1, 500 steps, batch 256", "hand-written"): 18,
}
FLOOR_TARGET = 4


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, default=ROOT.parent / "peers")
    parser.add_argument("--quick", action="store_true", help="repeat only what takes less than five seconds")
    parser.add_argument("--threads", type=int, default=2, help="targets are for 2")
    arguments = parser.parse_args()
    os.environ["PEABENCH_BENCHMARK_THREADS"] = str(arguments.threads)
    torch.set_num_threads(arguments.threads)
    results: list[dict[str, Any]] = []
    missing: list[str] = []
    head: list[str] = []
    for environment, script in SCRIPTS:
        python = arguments.peers / environment / "bin" / "python" if environment else Path(sys.executable)
        found = run_script(python, HERE / script, arguments.quick) if python.exists() else None
        if found is None or not found["complete"]:
            missing.append(f"`{script}`" + (" (it stopped midway)" if found and found["rows"] else ""))
        if found is not None and found["rows"]:
            results.append(found)
        head = page([row for r in results for row in r["rows"]], [r["versions"] for r in results], missing)
        write(head)  # what was measured stays if the rest is cut off
    repeats = 1 if arguments.quick else 5
    distances = floors(repeats)
    write(head + distances)
    write(head + distances + scaling(repeats))


def write(lines: list[str]) -> None:
    """The page as far as it is measured."""
    (ROOT / "docs" / "performance.md").write_text("\n".join(lines))


def run_script(python: Path, script: Path, quick: bool) -> dict[str, Any]:
    """Run a comparison in an environment of its own; what it had measured when it ended, for whatever reason."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows.json"
        paths = [str(HERE), str(HERE / "peers"), str(ROOT / "benchmark")]
        ended = subprocess.run(
            [str(python), str(script), str(out), *(["--quick"] if quick else [])],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            check=False,
        )
        done: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {"rows": [], "versions": {}}
        return done | {"complete": ended.returncode == 0}


def page(rows: list[dict[str, Any]], versions: list[dict[str, str]], missing: list[str]) -> list[str]:
    """The page's head and its table of ratios."""
    packages = {name: v for found in versions for name, v in found.items()}
    named = ", ".join(f"{k} {v}" for k, v in sorted(packages.items()) if k != "python")
    lines = [
        "# Performance",
        "",
        "Written by `python tests/benchmarks/report.py`; the peers' environments are made by",
        "`tests/benchmarks/peers/make_environments.sh`. Every ratio is of two runs that alternate in one process with",
        f"{torch.get_num_threads()} thread(s), and is only taken after both were seen to give the same numbers;",
        "seconds are medians. Targets are those of the issue, for two threads on a quiet machine.",
        "",
        f"Machine: {machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end; "
        f"Python {platform.python_version()}; {named}.",
        *([f"Not measured in full, environments absent or failing: {', '.join(missing)}."] if missing else []),
        "",
        "Workload: a 2-layer transformer (attention and MLP, d_model 64, 4 heads, 12 positions, vocabulary 64). The",
        "120 sites are every (layer, head, position) and (layer, MLP, position). With the metric at the last position",
        "55 of them cannot reach it and cost nothing here; the rows *live sites* give peers only the 65 others.",
        "",
        "## Against other tools",
        "",
        "| work | peer | peer's seconds | ours | ratio | target | results differ by |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda r: (order(r["row"]), r["row"], r["peer"])):
        target = next(
            (t for (name, peer), t in TARGETS.items() if name == row["row"] and row["peer"].startswith(peer)), None
        )
        verdict = "" if target is None else f"{target}" + ("" if row["ratio"] >= target else " (missed)")
        lines.append(
            f"| {row['row']} | {row['peer']} | {row['peer_seconds']:.3g} | {row['ours_seconds']:.3g} "
            f"| **{row['ratio']:.1f}** | {verdict} | {row['difference']:.0e} |"
        )
    return [*lines, ""]


def order(row: str) -> int:
    """Rows in the order of the issue's table."""
    starts = (
        "120 sites, batch 32",
        "live sites, batch 32",
        "120 sites, batch 512",
        "live sites, batch 512",
        "every",
        "edge",
    )
    return next((i for i, start in enumerate(starts) if row.startswith(start)), len(starts))


def seconds(run: Callable[[], object], repeats: int = 5) -> float:
    """Median seconds after one run to warm up; what takes less than a second is repeated five times anyhow."""
    run()
    times: list[float] = []
    while len(times) < repeats or (len(times) < 5 and sum(times) < 1):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def floors(repeats: int) -> list[str]:
    """Each row's arithmetic floor: its floating-point operations over the measured rate of matrix products."""
    network = workload.network()
    start = torch.randn(16, workload.WIDTH, 1, generator=torch.Generator().manual_seed(0))
    small, large = workload.Data(32), workload.Data(512)
    work: dict[str, Callable[[], Tensor]] = {
        "120 sites, batch 32, last position": lambda: ours.sites(network, small),
        "120 sites, batch 32, all positions": lambda: ours.sites(network, small, workload.EVERY),
        "120 sites, batch 512, last position": lambda: ours.sites(network, large),
        "120 sites, batch 512, all positions": lambda: ours.sites(network, large, workload.EVERY),
        "every edge exactly, batch 512": lambda: ours.edges(network, large),
        "edge attribution patching, batch 512": lambda: ours.attributions(network, large),
        "DAS, 300 steps": lambda: ours.das(network, start[:1]),
        "DAS, 300 steps, 16 seeds": lambda: ours.das(network, start),
    }
    lines = [
        "## Distance to the arithmetic",
        "",
        "Floor: matrix products of our own dependency-tracked computation (no work is counted that it skips), over the",
        f"rate of a 2048 by 2048 product measured beside each row. Target: a ratio of at most {FLOOR_TARGET}.",
        "",
        "| work | GFLOP | GFLOP/s of the machine | floor, s | ours, s | ratio |",
        "|---|---|---|---|---|---|",
    ]
    square = torch.randn(2048, 2048)
    for name, run in work.items():
        with FlopCounterMode(display=False) as counter:
            run()
        operations = counter.get_total_flops()
        rate = 2 * 2048**3 / seconds(lambda: square @ square)
        ours_seconds = seconds(run, repeats)
        floor = operations / rate
        lines.append(
            f"| {name} | {operations / 1e9:.2f} | {rate / 1e9:.0f} | {floor:.3g} | {ours_seconds:.3g} "
            f"| {ours_seconds / floor:.1f} |"
        )
    return [*lines, ""]


def scaling(repeats: int) -> list[str]:
    """Seconds and floating-point operations of all edges against size, with fitted exponents."""
    lines = [
        "## Scaling",
        "",
        "Every edge exactly. Exponents are slopes of log seconds, and of log floating-point operations, over log size;",
        "where seconds do not grow faster than operations, nothing but the arithmetic grows.",
        "",
        "| axis | size | edges | seconds | GFLOP | exponent of seconds | of operations |",
        "|---|---|---|---|---|---|---|",
    ]
    for axis, (sizes, build) in AXES.items():
        taken, operations = [], []
        for size in sizes:
            run = build(size)
            with FlopCounterMode(display=False) as counter:
                run()
            operations.append(counter.get_total_flops())
            taken.append(seconds(run, min(3, repeats)))
        slopes = [np.polyfit(np.log(sizes), np.log(values), 1)[0] for values in (taken, operations)]
        for size, duration, count in zip(sizes, taken, operations, strict=True):
            ends = f"{slopes[0]:.2f} | {slopes[1]:.2f}" if size == sizes[-1] else " | "
            lines.append(
                f"| {axis} | {size:,} | {edge_count(axis, size)} | {duration:.3g} | {count / 1e9:.2f} | {ends} |"
            )
    return [*lines, ""]


def machine() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
