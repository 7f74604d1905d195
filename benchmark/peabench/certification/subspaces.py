"""Checks of where variables live: interchange, joint interchange, minimality of the basis, isolation."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from peabench.certification.checks import Check, NullCheck, judged, totals
from peabench.certification.runs import interchanged
from peabench.certification.subject import NULL_PAIRS, Subject
from peabench.interventions import SubspacePatch, run_patched
from peabench.live import live_subspaces

JOINT_SETS = 64
JOINT_ROWS = 512
ANGLES = 24
COMPLEMENT_PAIRS = 16_384
"""Triples of base, source and third input drawn for each place."""


@dataclass(frozen=True)
class Place:
    """One certified location of a variable."""

    variable: str
    site: str
    basis: Float[Tensor, "d_model k"]


def places(subject: Subject) -> Iterator[Place]:
    """Every location, alternatives included, of every aligned variable."""
    for alignment in subject.mechanism.alignments:
        for location in (alignment.location, *alignment.alternatives):
            if location.basis is not None:
                yield Place(alignment.variable, location.site, subject.mechanism.tensor(location.basis))


def random_basis(subject: Subject, like: Float[Tensor, "d_model k"]) -> Float[Tensor, "d_model k"]:
    """A random subspace of the same size: where the variable is not."""
    basis: Tensor = torch.linalg.qr(torch.randn(like.shape, generator=subject.generator)).Q
    return basis


def alignment_check(subject: Subject) -> Check:
    """Interchange on each aligned variable gives the causal model's counterfactual."""
    null_errors = null_cases = 0
    parts: dict[str, tuple[int, int]] = {}
    for place in places(subject):
        expected = subject.outputs_when_set([place.variable])
        errors = cases = 0
        for pair in subject.pairs():
            errors += int((interchanged(subject, place.site, place.basis, pair) != expected.of(pair)).sum())
            cases += len(pair[0])
        parts[f"{place.variable} at {place.site}"] = errors, cases
        pair = subject.some_pairs()
        elsewhere = random_basis(subject, place.basis)
        null_errors += int((interchanged(subject, place.site, elsewhere, pair) != expected.of(pair)).sum())
        null_cases += len(pair[0])
    return judged(
        "alignment",
        "interchange on each aligned variable, at each certified site, gives the causal model's counterfactual",
        *totals(parts),
        exhaustive=subject.exhaustive,
        null=NullCheck(description="random subspaces of the same sizes", cases=null_cases, errors=null_errors),
        bar=subject.tolerance,
        parts=parts,
    )


def alignment_with_complement_check(subject: Subject) -> Check:
    """Interchange while the complement of the live subspaces is another input's: a variable is read without the rest.

    A random subspace would fail with or without that; the null is the aligned subspace tilted by 45 degrees towards
    what goes together with the variable in the complement, as right as the aligned one while the base keeps its own.
    """
    live = live_subspaces(subject.mechanism, subject.network.graph)
    errors = cases = null_errors = null_cases = 0
    for place in places(subject):
        if place.site not in live:
            continue
        pair, (other, _) = subject.some_pairs(COMPLEMENT_PAIRS), subject.some_pairs(COMPLEMENT_PAIRS)
        want = subject.outputs_when_set([place.variable]).of(pair)
        got = interchanged(subject, place.site, place.basis, pair, beside=(live[place.site], other))
        errors += int((got != want).sum())
        cases += len(other)
        few, tilted = (pair[0][:NULL_PAIRS], pair[1][:NULL_PAIRS]), _tilted(subject, place, live[place.site])
        got = interchanged(subject, place.site, tilted, few, beside=(live[place.site], other[:NULL_PAIRS]))
        null_errors += int((got != want[:NULL_PAIRS]).sum())
        null_cases += len(few[0])
    return judged(
        "alignment with complement",
        "interchange on each aligned variable gives the causal model's counterfactual while everything at the site but "
        "the aligned subspaces is taken from a third input",
        errors,
        cases,
        exhaustive=False,
        null=NullCheck(
            description="the aligned subspaces, tilted towards what goes together with the variable",
            cases=null_cases,
            errors=null_errors,
        ),
        bar=subject.tolerance,
    )


def _tilted(subject: Subject, place: Place, live: Float[Tensor, "d_model j"]) -> Float[Tensor, "d_model k"]:
    """The basis, its first column tilted towards the direction of the complement that covaries with the variable."""
    stream = subject.activations.stage_inputs[subject.stage_of(place.site)][:, subject.position_of(place.site)]
    values = subject.values[place.variable].reshape(len(stream), -1)[:, 0].to(stream.dtype)
    bystander = (stream - stream.mean(0)).T @ (values - values.mean())
    bystander = torch.nn.functional.normalize(bystander - live @ (live.T @ bystander), dim=0)
    tilted = place.basis.clone()
    tilted[:, 0] = (tilted[:, 0] + bystander) / (1 + bystander.square().sum()).sqrt()
    return tilted


def joint_alignment_check(subject: Subject) -> Check:
    """Random sets of variables, each from a source of its own, each at one of its sites."""
    errors, cases = _joint(subject, shuffled=False)
    null_errors, null_cases = _joint(subject, shuffled=True)
    return judged(
        "joint alignment",
        "joint interchange on random sets of variables, each from its own source, gives the counterfactual",
        errors,
        cases,
        exhaustive=False,
        null=NullCheck(description="random subspaces of the same sizes", cases=null_cases, errors=null_errors),
        bar=subject.tolerance,
    )


def _joint(subject: Subject, *, shuffled: bool) -> tuple[int, int]:
    by_variable: dict[str, list[Place]] = {}
    for place in places(subject):
        by_variable.setdefault(place.variable, []).append(place)
    names = [n for n in by_variable if subject.model.variable(n).function is not None] or list(by_variable)
    errors = cases = 0
    for _ in range(JOINT_SETS if not shuffled else 8):
        size = int(torch.randint(2, 5, (), generator=subject.generator))
        order = torch.randperm(len(names), generator=subject.generator).tolist()
        chosen = [
            by_variable[names[i]][int(torch.randint(0, len(by_variable[names[i]]), (), generator=subject.generator))]
            for i in order[:size]
        ]
        chosen = _separate(subject, chosen)
        rows = torch.randint(0, len(subject.rows), (len(chosen) + 1, JOINT_ROWS), generator=subject.generator)
        base = subject.activations.select(rows[0])
        patches, settings = [], {}
        for place, source in zip(chosen, rows[1:], strict=True):
            stage, at = subject.stage_of(place.site), subject.position_of(place.site)
            basis = random_basis(subject, place.basis) if shuffled else place.basis
            stream = subject.activations.stage_inputs[stage]
            values = stream[source] @ basis
            select = torch.zeros(1, 1, values.shape[1], 1)
            select[:, :, at] = 1
            patches.append(SubspacePatch(stage, basis[None], values[None], select))
            settings[place.variable] = subject.values[place.variable][source]
        got = subject.classes(run_patched(subject.network, base, subspaces=patches))[0]
        inputs = {name: value[rows[0]] for name, value in subject.inputs.items()}
        want = subject.model.run(inputs, settings)[subject.model.output].long()
        errors += int((got != want).sum())
        cases += JOINT_ROWS
    return errors, cases


def _separate(subject: Subject, chosen: Sequence[Place]) -> list[Place]:
    """The places, without those whose subspace overlaps another's: setting both would contradict itself."""
    kept: list[Place] = []
    for place in chosen:
        if all(float((place.basis.T @ other.basis).abs().max()) < 1e-3 for other in kept):
            kept.append(place)
    return kept


def minimal_basis_check(subject: Subject) -> Check:
    """No proper subspace of an aligned one passes; subspaces of codimension 1 are tried at a grid of angles.

    Of a line the only one is the empty subspace, and a single pair that it gets wrong is a proof.

    A variable that never changes the output alone (a copy that two others outvote) is left to the joint check: for it
    the empty subspace is as good as any.
    """
    passing = tried = null_passing = null_tried = only_jointly = 0
    first: dict[str, Place] = {}
    for place in places(subject):
        first.setdefault(place.variable, place)
    for place in first.values():
        expected = subject.outputs_when_set([place.variable])
        if expected.never_matter():
            only_jointly += 1
            continue
        pair = subject.some_pairs(4 * NULL_PAIRS)
        want = expected.of(pair)
        for smaller in _smaller(place.basis, subject):
            passing += _passes(subject, interchanged(subject, place.site, smaller, pair) == want)
            tried += 1
        null_passing += _passes(subject, interchanged(subject, place.site, place.basis, pair) == want)
        null_tried += 1
    return judged(
        "minimal basis",
        "no smaller subspace of an aligned one passes the alignment check (cases: subspaces; errors: those that pass)",
        passing,
        tried,
        exhaustive=all(place.basis.shape[1] == 1 for place in first.values()),
        null=NullCheck(
            description="the aligned subspace itself, taken for the smaller one", cases=null_tried, errors=null_passing
        ),
        recorded={"variables that matter only jointly": float(only_jointly)},
    )


def _passes(subject: Subject, right: Bool[Tensor, " pair"]) -> bool:
    return bool(right.all()) if not subject.tolerance else float(right.double().mean()) >= 1 - subject.tolerance


def _smaller(basis: Float[Tensor, "d_model k"], subject: Subject) -> Iterator[Float[Tensor, "d_model j"]]:
    size = basis.shape[1]
    if size == 1:
        yield basis[:, :0]
    elif size == 2:
        for step in range(ANGLES):
            angle = math.pi * step / ANGLES
            yield basis @ torch.tensor([[math.cos(angle)], [math.sin(angle)]])
    else:
        yield from (basis[:, [j for j in range(size) if j != i]] for i in range(size))
        for _ in range(ANGLES):
            yield basis @ torch.linalg.qr(torch.randn(size, size - 1, generator=subject.generator))[0]


def isolation_check(subject: Subject) -> Check:
    """Swapping everything at a site except the live aligned subspaces changes nothing."""
    errors = cases = null_errors = null_cases = 0
    for site, basis in live_subspaces(subject.mechanism, subject.network.graph).items():
        for pair in subject.pairs():
            got = interchanged(subject, site, basis, pair, complement=True)
            errors += int((got != subject.truth[pair[0]]).sum())
            cases += len(pair[0])
        pair = subject.some_pairs()
        got = interchanged(subject, site, random_basis(subject, basis), pair, complement=True)
        null_errors += int((got != subject.truth[pair[0]]).sum())
        null_cases += len(pair[0])
    return judged(
        "isolation",
        "swapping everything at a site but the aligned subspaces changes nothing",
        errors,
        cases,
        exhaustive=subject.exhaustive,
        null=NullCheck(description="random subspaces of the same sizes kept", cases=null_cases, errors=null_errors),
        bar=subject.tolerance,
    )
