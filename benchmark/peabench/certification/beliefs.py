"""Checks of beliefs: outputs follow from the exact ones, which are read where it is said, and are swapped there."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from peabench.affine import ridge
from peabench.belief_states import (
    Tracked,
    can_occur,
    expected_outputs,
    explained,
    first_of_each,
    histories,
    moved,
    probabilities,
    read_at,
    states,
    swap_basis,
    swapped_outputs,
    tracked_by,
)
from peabench.certification.checks import Check, NullCheck, judged, totals
from peabench.certification.subject import PairIndex, Subject
from peabench.interventions import run_with_cache
from peabench.mechanism import HiddenMarkovProcess, Readout
from peabench.networks import Network

MISPLACED = 0.1
"""Of a probability of 1, how much may be given to other states or tokens of a process than the exact ones."""
WRONG = 0.5
"""The same where one value or class is right."""
RIDGE = 1e-6
"""Penalty of the read-outs of the twin, which are fitted to the very inputs that they are tested on."""


def predictions_check(subject: Subject, twin: Network | None) -> Check | None:
    """The network says of the next token what follows from the exact belief."""
    beliefs = subject.mechanism.beliefs
    if beliefs is None or beliefs.process is None:
        return None
    exact = beliefs.process.next_tokens(beliefs.process.beliefs(subject.rows))
    seen = first_of_each(histories(subject.rows, everywhere=True))
    errors = _wrong(probabilities(subject.activations.logits), exact, MISPLACED)[seen]
    null = None
    if twin is not None:
        guessed = _wrong(probabilities(twin(subject.rows)), exact, MISPLACED)[seen]
        null = NullCheck(description="the random-init twin", cases=len(guessed), errors=int(guessed.sum()))
    return judged(
        "behaviour",
        f"after every sequence of tokens that can occur, the probabilities of the next one are those of Bayes' belief, "
        f"but for {MISPLACED} of them (half the sum of absolute differences)",
        int(errors.sum()),
        len(errors),
        exhaustive=subject.exhaustive,
        null=null,
        bar=subject.tolerance,
    )


def readouts_check(subject: Subject, twin: Network | None) -> Check | None:
    """The read-outs give the exact state."""
    if subject.mechanism.beliefs is None:
        return None
    tracked = tracked_by(subject.mechanism)
    exact, allowed = states(tracked, subject.rows), _allowed(tracked)
    seen = first_of_each(tracked.histories(subject.rows))
    parts, recorded = {}, {}
    for readout in subject.mechanism.beliefs.readouts:
        matrix, offset = (subject.mechanism.tensor(part).double() for part in (readout.matrix, readout.offset))
        guess = read_at(subject.network, subject.activations, readout.site) @ matrix + offset
        wrong = _wrong(guess, exact, allowed)[seen]
        parts[readout.site] = int(wrong.sum()), len(wrong)
        recorded[f"{readout.site} R²"] = round(explained(exact[seen], guess[seen]), 5)
    null = None
    if twin is not None:
        site = subject.mechanism.beliefs.readout.site
        rows = read_at(twin, run_with_cache(twin, subject.rows), site)[seen]
        guess = ridge(rows, exact[seen], RIDGE)(rows)
        wrong = _wrong(guess, exact[seen], allowed)
        null = NullCheck(
            description="the best read-out of the random-init twin", cases=len(wrong), errors=int(wrong.sum())
        )
        recorded["twin R²"] = round(explained(exact[seen], guess), 5)
    return judged(
        "beliefs",
        f"the read-outs give the exact state, but for {allowed} (half the sum of absolute differences)",
        *totals(parts),
        exhaustive=subject.exhaustive,
        null=null,
        bar=subject.tolerance,
        recorded=recorded,
        parts=parts,
    )


def swaps_check(subject: Subject) -> Check | None:
    """All that a read-out reads, taken from another input, brings that input's state with it and nothing else."""
    if subject.mechanism.beliefs is None:
        return None
    parts, recorded = {}, {}
    told = first_of_each(tracked_by(subject.mechanism).histories(subject.rows))
    sources = told[:, -1].nonzero()[:, 0]
    for readout in subject.mechanism.beliefs.readouts:
        matrix = subject.mechanism.tensor(readout.matrix)
        tried = [_swapped(subject, readout, matrix, pair) for pair in subject.pairs(sources)]
        parts[readout.site] = sum(int(wrong.sum()) for wrong, _ in tried), sum(wrong.numel() for wrong, _ in tried)
        recorded[f"{readout.site} moved"] = round(sum(share for _, share in tried) / len(tried), 5)
    readout = subject.mechanism.beliefs.readout
    matrix = subject.mechanism.tensor(readout.matrix)
    shape = len(matrix), swap_basis(matrix).shape[1]
    random = torch.linalg.qr(torch.randn(shape, generator=subject.generator)).Q
    wrong, share = _swapped(subject, readout, random, subject.some_pairs())
    recorded["random directions moved"] = round(share, 5)
    return judged(
        "belief swap",
        "what a read-out reads, taken from another input, gives the output that follows from the other input's state; "
        "moved: the share of the squared distance between the two outputs that is removed",
        *totals(parts),
        exhaustive=subject.exhaustive,
        null=NullCheck(description="as many random directions", cases=wrong.numel(), errors=int(wrong.sum())),
        bar=subject.tolerance,
        recorded=recorded,
        parts=parts,
    )


def _swapped(
    subject: Subject, readout: Readout, matrix: Float[Tensor, "d_model k"], pair: PairIndex
) -> tuple[Bool[Tensor, " output"], float]:
    """Which outputs of the pairs are wrong after a swap, of those that can occur, and how far they moved."""
    tracked = tracked_by(subject.mechanism)
    base, source = (subject.activations.select(rows) for rows in pair)
    expected = expected_outputs(tracked, base.inputs, source.inputs)
    got = swapped_outputs(base, source, readout.site, matrix)
    wrong = _wrong(got[:, -expected.shape[1] :], expected, _allowed(tracked))[can_occur(expected)]
    return wrong, moved(got, probabilities(base.logits), expected)


def _wrong(guess: Float[Tensor, "*row k"], exact: Float[Tensor, "*row k"], allowed: float) -> Bool[Tensor, "*row"]:
    """Whether a guess of a state or of probabilities misplaces more than is allowed."""
    return (guess - exact).abs().sum(-1) / (2 if exact.shape[-1] > 1 else 1) > allowed


def _allowed(tracked: Tracked) -> float:
    return MISPLACED if isinstance(tracked.definition, HiddenMarkovProcess) else WRONG
