"""A task's certificate as it is stored, and its card: a README written for people.

`python -m peabench_tasks.card [GLOB ...]` writes the cards of bundled tasks anew from what is stored.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from peabench.belief_lines import belief_lines
from peabench.catalogue import COMPANIONS, bundled_tasks, select
from peabench.certification import Check
from peabench.feature_picture import feature_picture
from peabench.hypothesis_rows import LONGEST_FORMULA, hypothesis_rows, network_rows, training_lines
from peabench.mechanism import AlgorithmClaim
from peabench.steering_lines import steering_lines
from peabench.tasks import Task, load_task, save_certificate
from peabench.tracks.trivial_edges import trivial_edges
from peabench_tasks.commands import run


def write_certificate(folder: Path, checks: Sequence[Check]) -> None:
    """Write a task's certificate and card into its folder."""
    save_certificate(folder, checks)
    write_card(folder)


def write_card(folder: Path) -> None:
    """Write a task's card, or that of one of its companions, into its folder from what is stored there."""
    task = load_task(folder)
    (folder / "README.md").write_text(card(task, task.certificate))


def card(task: Task, checks: Sequence[Check]) -> str:
    """Markdown that says what the task is, what is true of it, and how that was measured."""
    record, mechanism = task.record, task.mechanism
    model = mechanism.causal_model
    lines = [
        f"# {record.id}",
        "",
        record.description + (f" Hard because {record.difficulty}." if record.difficulty else ""),
        "",
        f"Output: `{model.formula(LONGEST_FORMULA)}`",
        "",
        "```",
        model.to_text(),
        "```",
    ]
    if features := feature_picture(mechanism, record.domain):
        lines += ["", "Features:", "", "```", *features, "```"]
    if beliefs := belief_lines(mechanism.beliefs, checks):
        lines += ["", "Beliefs:", "", "```", *beliefs, "```"]
    if steering := steering_lines(mechanism, checks):
        lines += ["", "Held at fixed values:", "", "```", *steering, "```"]
    if mechanism.alignments:
        lines += ["", "| variable | sites |", "|---|---|"]
    for alignment in mechanism.alignments:
        sites = sorted({place.site for place in (alignment.location, *alignment.alternatives)})
        lines.append(f"| {alignment.variable} | {', '.join(sites)} |")
    if "circuits" in record.tracks and (trivial := trivial_edges(task.network(), record.domain)):
        lines += ["", f"Trivial edges, left out of the ranking: {', '.join(f'`{edge}`' for edge in trivial)}."]
    lines += [*_hypotheses(mechanism.algorithm, checks), *_networks(task)]
    lines += ["", "| check | cases | errors | 95% bound | on its null |", "|---|---:|---:|---:|---:|"]
    for check in checks:
        bound = "exhaustive" if check.exhaustive else f"{check.upper_bound:.1e}"
        null = f"{check.null.errors} of {check.null.cases}" if check.null else ""
        lines.append(f"| {check.name} | {check.cases:,} | {check.errors} | {bound} | {null} |")
    lines += ["", f"Measured by `peabench certify {certified_with(task)}`.", ""]
    return "\n".join(lines)


def certified_with(task: Task) -> str:
    """The id to certify for a network's checks: its own, or of a companion that of the task in whose folder it is."""
    record, folder = task.record, task.folder
    return f"{record.family}/{folder.parents[1].name}" if folder.parent.name == COMPANIONS else record.id


def _hypotheses(claim: AlgorithmClaim | None, checks: Sequence[Check]) -> list[str]:
    """The rival hypotheses, which of them hold, and how far each fails."""
    rows = hypothesis_rows(claim, checks)
    if not rows:
        return []
    lines = ["", "| hypothesis | level | says | holds | wrong at worst |", "|---|---|---|---|---:|"]
    for row in rows:
        wrong = "" if row.wrong is None else f"{row.wrong:.1%}"
        lines.append(f"| {row.name} | {row.level} | `{row.claim}` | {'yes' if row.holds else 'no'} | {wrong} |")
    return lines


def _networks(task: Task) -> list[str]:
    """The networks that are asked about together."""
    rows = network_rows(task)
    if not rows:
        return []
    if all(row.departs is None for row in rows):
        lines = ["", "| network | made | what holds of it |", "|---|---|---|"]
        return lines + [f"| {row.name} | {row.provenance} | {', '.join(row.held)} |" for row in rows]
    trained = training_lines(task)
    lines = ["", *trained, "", "| network | made | what holds of it | departs from the rule on |", "|---|---|---|---:|"]
    for row in rows:
        departs = "" if row.departs is None else f"{row.departs:,}"
        lines.append(f"| {row.name} | {row.provenance} | {', '.join(row.held)} | {departs} |")
    return lines


def main() -> None:
    """Write anew every card of a task or of one of its companions."""
    for summary in select(bundled_tasks(), sys.argv[1:] or ["*"]):
        for file in sorted(summary.folder.rglob("README.md")):
            write_card(file.parent)


if __name__ == "__main__":
    run(main)
