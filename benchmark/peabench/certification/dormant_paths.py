"""Check of a dormant path: a line whose interchange sets a variable, in a plane that the network uses on no input."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.certification.checks import Check, NullCheck, judged, totals
from peabench.certification.runs import interchanged
from peabench.certification.subject import Subject

STILL = 1e-4
"""How far a dormant direction may vary over the inputs, as a share of the disconnected one's standard deviation."""


def dormant_path_check(subject: Subject) -> Check | None:
    """Swapping the line gives the counterfactual of the variable; each of its two parts alone, and both, do nothing.

    The null takes the line for a subspace that the network does not use.
    """
    path = subject.mechanism.dormant_path
    if path is None:
        return None
    disconnected, dormant, line = (subject.mechanism.tensor(reference) for _, reference in path.places())
    expected = subject.outputs_when_set([path.variable])
    parts: dict[str, tuple[int, int]] = {}
    null_errors = null_cases = 0
    recorded: dict[str, float] = {}
    for site in path.sites:
        unused = {
            "disconnected": disconnected,
            "dormant": dormant,
            "plane": torch.linalg.qr(torch.cat([disconnected, dormant], 1)).Q,
        }
        wrong = dict.fromkeys([*unused, "line"], 0)
        cases = 0
        for pair in subject.pairs():
            before = subject.truth[pair[0]]
            for name, basis in unused.items():
                wrong[name] += int((interchanged(subject, site, basis, pair) != before).sum())
            moved = interchanged(subject, site, line, pair)
            wrong["line"] += int((moved != expected.of(pair)).sum())
            null_errors += int((moved != before).sum())
            cases += len(pair[0])
        null_cases += cases
        still = _varies(subject, site, dormant) <= STILL * _varies(subject, site, disconnected)
        parts |= {f"{name} at {site}": (errors if still else cases, cases) for name, errors in wrong.items()}
        recorded[f"{site} dormant direction varies"] = round(_varies(subject, site, dormant), 8)
    return judged(
        "dormant path",
        "swapping a line gives the counterfactual of a variable, though swapping the plane that it lies in, or either "
        "of the two directions that it lies between, changes nothing, and one of these never varies",
        *totals(parts),
        exhaustive=subject.exhaustive,
        null=NullCheck(
            description="the line, taken for what the network does not use", cases=null_cases, errors=null_errors
        ),
        recorded=recorded,
    )


def _varies(subject: Subject, site: str, direction: Float[Tensor, "d_model 1"]) -> float:
    """Standard deviation over the inputs of what a site holds along a direction."""
    stream = subject.activations.stage_inputs[subject.stage_of(site)][:, subject.position_of(site)]
    return float((stream @ direction).std(0))
