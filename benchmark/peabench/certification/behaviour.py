"""Checks of what the network computes, and of what it holds and does not use."""

import torch

from peabench.certification.checks import Check, NullCheck, judged
from peabench.certification.runs import interchanged
from peabench.certification.subject import CHUNK_ROWS, Subject
from peabench.mechanism import evaluate
from peabench.networks import Network

LARGEST_LISTED_DOMAIN = 1 << 24
"""Inputs on each of which behaviour is checked."""
LARGEST_DOMAIN_OF_A_NULL = 1 << 20
DECODABLE = 0.85
"""Share of the inputs on which a threshold along a decoy must tell whether its feature fires."""


def behaviour_check(subject: Subject, twin: Network | None) -> Check:
    """The network's output is the causal model's output, on every input where they can be listed.

    Where inputs differ in frequency they are drawn as the domain draws them, and a mechanism's tolerance holds here
    too: what is rare enough is wrong in networks that hold many features in few dimensions.
    """
    errors, cases = _wrong(subject, subject.network, LARGEST_LISTED_DOMAIN)
    null = None
    if twin is not None:
        wrong, tried = _wrong(subject, twin, LARGEST_DOMAIN_OF_A_NULL)
        null = NullCheck(description="the random-init twin", cases=tried, errors=wrong)
    return judged(
        "behaviour",
        "the network's output is the causal model's output",
        errors,
        cases,
        exhaustive=_listed(subject, LARGEST_LISTED_DOMAIN),
        null=null,
        bar=subject.tolerance if subject.domain.frequency is not None else 0.0,
    )


def _listed(subject: Subject, largest: int) -> bool:
    """Whether every input of the domain is looked at, each as often as any other."""
    return subject.domain.frequency is None and subject.domain.size <= largest


def _wrong(subject: Subject, network: Network, largest: int) -> tuple[int, int]:
    """Wrong outputs and outputs, on every input of a domain up to the largest size, else on the subject's rows."""
    whole = _listed(subject, largest)
    count = subject.domain.size if whole else len(subject.rows)
    errors = 0
    for numbers in torch.arange(count).split(CHUNK_ROWS):
        chunk = subject.domain.rows(numbers) if whole else subject.rows[numbers]
        truth = subject.model.run(subject.model.read_inputs(chunk))[subject.model.output].long()
        got = subject.finish(0, network.start(network.embedding_nodes(chunk)), network)
        errors += int((got != truth).reshape(len(chunk), -1).any(1).sum())
    return errors, count


def decoy_check(subject: Subject) -> Check | None:
    """Features that the mechanism lists as decoys are there, strongly, and swapping them changes nothing."""
    decoys = [feature for feature in subject.mechanism.features if feature.name.startswith("decoy")]
    if not decoys or not subject.mechanism.alignments:
        return None
    errors = cases = null_errors = null_cases = 0
    recorded: dict[str, float] = {}
    directions = {}
    for feature in decoys:
        direction = subject.mechanism.tensor(feature.direction)
        directions[feature.name] = direction[:, None] / direction.norm()
        stages = subject.activations.stage_inputs
        stream = stages[subject.stage_of(feature.site)][:, subject.position_of(feature.site)]
        fires = evaluate(feature.activation, subject.values, subject.model.kinds)
        along = stream @ directions[feature.name][:, 0]
        middle = (along[fires].mean() + along[~fires].mean()) / 2
        agrees = ((along > middle) == fires).float().mean()
        recorded[f"{feature.name} decoded rightly"] = round(float(torch.maximum(agrees, 1 - agrees)), 5)
        recorded[f"{feature.name} share of the variance"] = round(float(along.var() / stream.var(0).sum()), 5)
        for pair in subject.pairs():
            got = interchanged(subject, feature.site, directions[feature.name], pair)
            errors += int((got != subject.truth[pair[0]]).sum())
            cases += len(pair[0])
    used = [place for alignment in subject.mechanism.alignments for place in alignment.locations if place.basis]
    for location in [place for place in used if place.site == decoys[0].site] or used:
        if location.basis is not None:
            pair = subject.some_pairs()
            got = interchanged(subject, location.site, subject.mechanism.tensor(location.basis), pair)
            null_errors += int((got != subject.truth[pair[0]]).sum())
            null_cases += len(pair[0])
    weak = sum(value < DECODABLE for name, value in recorded.items() if name.endswith("rightly"))
    return judged(
        "decoys",
        "swapping a decoy changes nothing, though a threshold along it decodes it on 85% of the inputs or more",
        cases if weak else errors,
        cases,
        exhaustive=subject.exhaustive,
        null=NullCheck(
            description="the variables that are used, at a decoy's site if any is there",
            cases=null_cases,
            errors=null_errors,
        ),
        recorded=recorded,
    )
