"""A task's certificate as it is stored, and its card: a README written for people."""

from collections.abc import Sequence
from pathlib import Path

from peabench.certification import Check
from peabench.feature_picture import feature_picture
from peabench.tasks import Task, load_task, save_certificate
from peabench.tracks.trivial_edges import trivial_edges

LONGEST_FORMULA = 2000
"""Characters of the longest formula that is written out whole beside its steps."""


def write_certificate(folder: Path, checks: Sequence[Check]) -> None:
    """Write a task's certificate and card into its folder."""
    save_certificate(folder, checks)
    (folder / "README.md").write_text(card(load_task(folder), checks))


def card(task: Task, checks: Sequence[Check]) -> str:
    """Markdown that says what the task is, what is true of it, and how that was measured."""
    record, mechanism = task.record, task.mechanism
    model = mechanism.causal_model
    expanded = model.expanded_text(model.output)
    lines = [
        f"# {record.id}",
        "",
        record.description + (f" Hard because {record.difficulty}." if record.difficulty else ""),
        "",
        f"Output: `{expanded if len(expanded) <= LONGEST_FORMULA else model.output}`",
        "",
        "```",
        model.to_text(),
        "```",
    ]
    if features := feature_picture(mechanism, record.domain):
        lines += ["", "Features:", "", "```", *features, "```"]
    if mechanism.alignments:
        lines += ["", "| variable | sites |", "|---|---|"]
    for alignment in mechanism.alignments:
        sites = sorted({place.site for place in (alignment.location, *alignment.alternatives)})
        lines.append(f"| {alignment.variable} | {', '.join(sites)} |")
    if "circuits" in record.tracks and (trivial := trivial_edges(task.network(), record.domain)):
        lines += ["", f"Trivial edges, left out of the ranking: {', '.join(f'`{edge}`' for edge in trivial)}."]
    lines += ["", "| check | cases | errors | 95% bound | on its null |", "|---|---:|---:|---:|---:|"]
    for check in checks:
        bound = "exhaustive" if check.exhaustive else f"{check.upper_bound:.1e}"
        null = f"{check.null.errors} of {check.null.cases}" if check.null else ""
        lines.append(f"| {check.name} | {check.cases:,} | {check.errors} | {bound} | {null} |")
    lines += ["", f"Measured by `peabench certify {record.id}`.", ""]
    return "\n".join(lines)
