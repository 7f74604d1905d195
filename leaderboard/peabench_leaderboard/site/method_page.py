"""The method: how truth is certified and how scores are calibrated."""

from collections.abc import Iterable
from typing import Any

from peabench.certification.checks import Check
from peabench_leaderboard.site.contents import Contents


def method_context(contents: Contents, certificates: Iterable[tuple[Check, ...]]) -> dict[str, Any]:
    """What the template of the method names: every check that occurs, with its claim and its null."""
    found: dict[str, dict[str, Any]] = {}
    for certificate in certificates:
        for check in certificate:
            summary = found.setdefault(check.name, {"name": check.name, "claim": check.claim, "cases": 0, "errors": 0})
            summary["null"] = check.null.description if check.null else summary.get("null", "")
            summary["cases"] += check.cases
            summary["errors"] += check.errors
            summary["tasks"] = summary.get("tasks", 0) + 1
    return {
        "checks": list(found.values()),
        "boards": contents.boards,
        "nulls": {
            board.key: [row.label for row in board.rows if row.standing.role == "null"] for board in contents.boards
        },
    }
