"""What the residual stream holds at every candidate site, with the exact state, in two parts: to fit and to choose."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.affine import AffineMap
from peabench.belief_states import explained, read_at
from peabench.interventions import run_with_cache
from peabench.tracks.beliefs import BeliefAnswer, BeliefQuestion

VALIDATION_SHARE = 0.25
"""Of the question's inputs."""

Readouts = Mapping[str, AffineMap]
"""An affine read-out for each site."""


@dataclass(frozen=True)
class LabelledStreams:
    """Points: positions of inputs. No history is among those to choose by that is among those to fit to."""

    fit: dict[str, Float[Tensor, "point d_model"]]
    fit_states: Float[Tensor, "point k"]
    choose: dict[str, Float[Tensor, "other d_model"]]
    choose_states: Float[Tensor, "other k"]

    def quality(self, readouts: Readouts) -> dict[str, float]:
        """R² of each site's read-out on the points to choose by."""
        return {site: explained(self.choose_states, found(self.choose[site])) for site, found in readouts.items()}


def label_streams(question: BeliefQuestion) -> LabelledStreams:
    """The question's inputs, run once."""
    inputs, generator = question.inputs, question.generator
    held = torch.zeros(len(inputs), dtype=torch.bool, device=inputs.device)
    order = torch.randperm(len(inputs), generator=generator, device=generator.device)
    held[order[: max(1, round(VALIDATION_SHARE * len(inputs)))]] = True
    numbers = question.tracked.histories(inputs)
    fresh = held[:, None] & ~torch.isin(numbers, numbers[~held])
    chosen = fresh if bool(fresh.any()) else held[:, None].expand_as(fresh)  # where inputs repeat each other
    with torch.inference_mode():
        run = run_with_cache(question.network, inputs)
        streams = {site: read_at(question.network, run, site).clone() for site in question.sites}
    return LabelledStreams(
        fit={site: stream[~held].flatten(0, 1) for site, stream in streams.items()},
        fit_states=question.states[~held].flatten(0, 1),
        choose={site: stream[chosen] for site, stream in streams.items()},
        choose_states=question.states[chosen],
    )


def answer_of(site: str, readout: AffineMap) -> BeliefAnswer:
    """An affine read-out as an answer."""
    return BeliefAnswer(site, readout.matrix.float().contiguous(), readout.offset.float())


def best_read(streams: LabelledStreams, readouts: Readouts) -> BeliefAnswer:
    """The site whose read-out explains most of the states to choose by."""
    quality = streams.quality(readouts)
    best = max(quality, key=lambda site: quality[site])
    return answer_of(best, readouts[best])
