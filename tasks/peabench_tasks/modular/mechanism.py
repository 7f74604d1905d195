"""What is true of a network of the family: the sum, and by which frequencies and in which form it is found."""

from collections.abc import Sequence
from itertools import product

import torch

from peabench.certification.adder import Adder
from peabench.certification.frequencies import ASTRAY, RIVAL
from peabench.fourier import Form
from peabench.mechanism import (
    Add,
    AlgorithmClaim,
    CausalModel,
    Gauge,
    Hypothesis,
    Integer,
    Mechanism,
    Modulo,
    Subtract,
    Variable,
    VariableReference,
)

FORMS: tuple[Form, ...] = ("clock", "pizza")
WORDS: dict[Form, str] = {
    "clock": "attention multiplies what the two tokens' circles say",
    "pizza": "what the two tokens' circles say is added up, and the MLP makes the sum of it",
}

Frequencies = tuple[int, ...]


def causal_model(modulus: int, sign: int) -> CausalModel:
    """Two integers and their sum (or, where the sign is -1, their difference) modulo n."""
    kind = Integer(modulus=modulus)
    first, second = VariableReference(name="first"), VariableReference(name="second")
    total = Add(arguments=(first, second)) if sign == 1 else Subtract(left=first, right=second)
    name = "sum" if sign == 1 else "difference"
    return CausalModel(
        variables=(
            Variable(name="first", kind=kind, columns=(0,)),
            Variable(name="second", kind=kind, columns=(1,)),
            Variable(
                name=name,
                kind=kind,
                parents=("first", "second"),
                function=Modulo(argument=total, modulus=modulus),
            ),
        ),
        output=name,
    )


def key_frequencies(adder: Adder) -> Frequencies:
    """The frequencies at which the logits' component points at the sum, on all but 1% of the pairs."""
    return tuple(k for k in adder.all_frequencies if adder.astray(k) <= ASTRAY * adder.pairs)


def explain(adder: Adder, form: Form | None, slots: int, tempting: Sequence[Frequencies], seed: int) -> Mechanism:
    """The mechanism of a network.

    Args:
        adder: the network on all pairs.
        form: which form it is taken for; None where forms do not apply.
        slots: frequency sets are asked about in twos to this power.
        tempting: key frequencies of networks like it.
        seed: of the choice of rivals.
    """
    keys = key_frequencies(adder)
    sets = rival_sets(adder, keys, slots, tempting, torch.Generator().manual_seed(seed))
    forms: tuple[Form | None, ...] = FORMS if form else (None,)
    hypotheses = [
        Hypothesis(
            name="-".join([other or "frequencies", *map(str, some)]),
            kind="frequencies",
            description=described(some, other),
            holds=some == keys and other == form,
            level="implementation",
            frequencies=some,
            form=other,
        )
        for some in sets
        for other in forms
    ]
    if form:
        hypotheses.append(
            Hypothesis(name=form, kind="form", description=f"{WORDS[form]}.", holds=True, level="algorithm", form=form)
        )
    attention: tuple[str, ...] = ("head_basis",) if form else ()
    return Mechanism(
        provenance="derived",
        causal_model=causal_model(adder.modulus, adder.sign),
        algorithm=AlgorithmClaim(hypotheses=tuple(hypotheses)),
        gauge=Gauge(symmetries=("neuron_permutation", "neuron_scaling", *attention, "residual_rotation")),
    )


def described(keys: Frequencies, form: Form | None) -> str:
    """A hypothesis in words."""
    words = f"The sum is found by the frequencies {', '.join(map(str, keys))}"
    return f"{words}: {WORDS[form]}." if form else f"{words}."


def rival_sets(
    adder: Adder, keys: Frequencies, slots: int, tempting: Sequence[Frequencies], generator: torch.Generator
) -> list[Frequencies]:
    """Sets of frequencies of which one is the true one, no more in the middle of them than any other.

    In each slot either of two things is in the set: one frequency or another in its place, or a frequency or nothing.
    The sets are all combinations, so that each has the same neighbours as any other, and which of them is true does not
    follow from them. What stands in for key frequencies are, where possible, the key frequencies of another network; a
    coin says whether what may be missing is a key frequency.
    """
    order = [keys[i] for i in torch.randperm(len(keys), generator=generator).tolist()]
    strangers = _strangers(adder, keys, tempting, generator)
    swaps = min(len(keys), slots - 1)
    choices: list[tuple[Frequencies, Frequencies]] = [
        ((key,), (stranger,)) for key, stranger in zip(order[:swaps], strangers[:swaps], strict=True)
    ]
    left = iter(strangers[swaps:])
    for _ in range(slots - swaps):
        missed = next((key for key in order[swaps:] if is_missed(adder, keys, key)), None)
        if missed is not None and bool(torch.randint(2, (), generator=generator)):
            order.remove(missed)
            choices.append(((missed,), ()))
        else:
            choices.append(((), (next(left),)))
    fixed = set(keys) - {k for ours, _ in choices for k in ours}
    return [tuple(sorted({*fixed, *(k for part in some for k in part)})) for some in product(*choices)]


def is_missed(adder: Adder, keys: Frequencies, key: int) -> bool:
    """Whether the outputs go wrong often enough without one of the key frequencies for a set without it to fail."""
    return adder.wrong(adder.with_only(set(keys) - {key})) / adder.pairs > RIVAL


def _strangers(
    adder: Adder, keys: Frequencies, tempting: Sequence[Frequencies], generator: torch.Generator
) -> list[int]:
    """Frequencies that are not key ones and fail as such, those of networks like it first, then doubles of key ones."""
    doubled = [min(2 * key % adder.modulus, -2 * key % adder.modulus) for key in keys]
    rest = [adder.all_frequencies[i] for i in torch.randperm(adder.modulus // 2, generator=generator).tolist()]
    ordered = dict.fromkeys([*(k for some in tempting for k in some), *doubled, *rest])
    return [k for k in ordered if k not in keys and fails(adder, k)]


def fails(adder: Adder, frequency: int) -> bool:
    """Whether the logits' component of a frequency points elsewhere than at the sum often enough."""
    return adder.astray(frequency) / adder.pairs > 2 * RIVAL
