"""Where a mechanism says that variables live in the residual stream, and how near an answer comes to that."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from peabench.errors import InvalidAnswer, PeabenchError
from peabench.mechanism import Location, Mechanism, MechanismError, SiteAddress


def candidates(mechanism: Mechanism) -> list[str]:
    """Variables other than inputs and output that have a certified subspace of a residual site."""
    model = mechanism.causal_model
    return [
        alignment.variable
        for alignment in mechanism.alignments
        if alignment.variable not in (*model.inputs, model.output) and residual_locations(mechanism, alignment.variable)
    ]


def residual_locations(mechanism: Mechanism, variable: str) -> list[tuple[str, Float[Tensor, "d_model k"]]]:
    """Certified residual sites of a variable, each with its basis."""
    return [
        (location.site, mechanism.tensor(location.basis))
        for location in mechanism.alignment(variable).locations
        if location.basis is not None and _is_residual(location)
    ]


def answered_site(site: str, sites: Sequence[str]) -> str:
    """The site of an answer in canonical form.

    Args:
        site: what a scorer gave.
        sites: the question's.

    Raises:
        InvalidAnswer: it is none of them.
    """
    try:
        found = str(SiteAddress.parse(site))
    except (MechanismError, TypeError):
        found = ""
    if found not in sites:
        raise InvalidAnswer(
            f"Expected a site of the question ({sites[0]} ... {sites[-1]}), got {site!r}; answer one of them."
        )
    return found


def layer_of(site: str) -> int:
    """L of a residual site `resid.L@P`."""
    place = SiteAddress.parse(site).place
    if not isinstance(place, int):
        raise PeabenchError(f"expected a residual site, got {site!r}")
    return place


def overlap(one: Float[Tensor, "d_model k"], other: Float[Tensor, "d_model l"]) -> float:
    """Mean squared cosine of the principal angles between two subspaces; angles that the smaller one lacks count 0.

    >>> import torch
    >>> axes = torch.eye(3)
    >>> overlap(axes[:, :1], axes[:, :2])
    0.5
    """
    cosines = (one.double().T @ other.double()).square().sum()
    return float(cosines / max(one.shape[1], other.shape[1]))


def _is_residual(location: Location) -> bool:
    address = SiteAddress.parse(location.site)
    return isinstance(address.place, int) and isinstance(address.position, int)
