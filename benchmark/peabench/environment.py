"""What a result was made with: versions, machine, and the commit of the code."""

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

PACKAGES = ("peabench", "torch", "numpy", "scipy", "scikit-learn")
CODE = ("benchmark", "tasks", "baselines")
PLATFORM = ("python", "machine", "processor", "device", *PACKAGES[1:])
"""What must agree for two runs to give the same answers bit by bit."""


@cache
def environment(device: str) -> dict[str, str]:
    """Versions and machine that a result is made with, and the commit where the code is a checkout."""
    found = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.platform()}
    found["processor"] = _processor()
    found["device"] = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found | {"commit": commit()}


def same_platform(one: dict[str, str], other: dict[str, str]) -> bool:
    """Whether a deterministic method gives the same bits in two environments."""
    return all(one.get(name) == other.get(name) is not None for name in PLATFORM)


@cache
def commit() -> str:
    """Commit of the checkout that this code runs from, with `+changes` where its code differs; empty if it is none."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists() or not (root / "benchmark" / "peabench").is_dir():
        return ""
    git = ("git", "-C", str(root))
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10)
        status = [*git, "status", "--porcelain", "--", *CODE]
        changed = subprocess.run(status, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return head.stdout.strip() + ("+changes" if changed.stdout.strip() else "")


def _processor() -> str:
    """Name, family and model of the processor, and the widest instructions that torch uses on it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    told = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    names = [told.get("model name") or platform.processor()]
    names += [f"{field.removeprefix('cpu ')} {told[field]}" for field in ("cpu family", "model") if field in told]
    return ", ".join(filter(None, [*names, torch.backends.cpu.get_cpu_capability()]))
