"""What is true of a network of the family: the sum, and by which frequencies and in which form it is found."""

from collections.abc import Sequence
from itertools import product

import torch

from peabench.certification.adder import Adder
from peabench.certification.frequencies import ASTRAY, worst_claim
from peabench.certification.rivals import REFUTED
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

TOLERANCE = 0.04
"""Share of the outputs that may be wrong when the embedding keeps the key frequencies alone."""
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
    """The frequencies at which the logits' component points at the sum, on all but 5% of the pairs.

    The one that does so most often where none does: a claim that no certificate bears out.
    """
    astray = {k: adder.astray(k) for k in adder.all_frequencies}
    least = min(astray, key=lambda k: astray[k])
    return tuple(k for k in astray if astray[k] <= ASTRAY * adder.pairs) or (least,)


def explain(
    adder: Adder, form: Form | None, exchanges: Sequence[int], tempting: Sequence[Frequencies], seed: int
) -> Mechanism:
    """The mechanism of a network.

    Args:
        adder: the network on all pairs.
        form: which form it is taken for; None where forms do not apply.
        exchanges: how many frequencies are rivals for one place in the set, for each place that is asked about.
        tempting: key frequencies of networks like it.
        seed: of the choice of rivals.
    """
    keys = key_frequencies(adder)
    sets = rival_sets(adder, keys, form, exchanges, tempting, torch.Generator().manual_seed(seed))
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
        tolerance=TOLERANCE,
        causal_model=causal_model(adder.modulus, adder.sign),
        algorithm=AlgorithmClaim(hypotheses=tuple(hypotheses)),
        gauge=Gauge(symmetries=("neuron_permutation", "neuron_scaling", *attention, "residual_rotation")),
    )


def described(keys: Frequencies, form: Form | None) -> str:
    """A hypothesis in words."""
    words = f"The sum is found by the frequencies {', '.join(map(str, keys))}"
    return f"{words}: {WORDS[form]}." if form else f"{words}."


def rival_sets(
    adder: Adder,
    keys: Frequencies,
    form: Form | None,
    exchanges: Sequence[int],
    tempting: Sequence[Frequencies],
    generator: torch.Generator,
) -> list[Frequencies]:
    """Sets of frequencies of which one is the true one, no more in the middle of them than any other.

    In some places of the set one of several frequencies stands, and one further frequency is in it or is not. The sets
    are all combinations, so that each has the same neighbours as any other, and which of them is true does not follow
    from them. What stands in for a key frequency is one that the embedding holds much of or, where possible, a key
    frequency of another network. A coin says whether what may be missing is a key frequency or one too many.
    """
    order = [keys[i] for i in torch.randperm(len(keys), generator=generator).tolist()]
    strangers = iter(_strangers(adder, keys, tempting, generator))
    missed = next((key for key in order if is_missed(adder, keys, key, form)), None)
    missing = bool(torch.randint(2, (), generator=generator)) and missed is not None and len(keys) > len(exchanges)
    if missing:
        order.remove(missed)
    choices: list[list[Frequencies]] = [[(), (missed,) if missing and missed is not None else (next(strangers),)]]
    for key, count in zip(order, exchanges, strict=False):
        choices.append([(key,), *((next(strangers),) for _ in range(count - 1))])
    asked = {k for options in choices for option in options for k in option}
    fixed = set(keys) - asked
    return [tuple(sorted({*fixed, *(k for option in some for k in option)})) for some in product(*choices)]


def is_missed(adder: Adder, keys: Frequencies, key: int, form: Form | None) -> bool:
    """Whether the set without one of the key frequencies fails, by twice what is asked of a rival."""
    errors, cases = worst_claim(adder, tuple(k for k in keys if k != key), form)
    return errors / cases > 2 * REFUTED


def _strangers(
    adder: Adder, keys: Frequencies, tempting: Sequence[Frequencies], generator: torch.Generator
) -> list[int]:
    """Frequencies that are not key ones and fail as such: two that the embedding holds most of, then those of networks
    like it, then others.
    """
    rest = [adder.all_frequencies[i] for i in torch.randperm(adder.modulus // 2, generator=generator).tolist()]
    failing = [k for k in rest if k not in keys and fails(adder, k)]
    embedded = sorted(failing, key=lambda k: adder.embedded_power[k], reverse=True)[:2]
    liked = [k for some in tempting for k in some if k in failing]
    return list(dict.fromkeys([*embedded, *liked, *failing]))


def fails(adder: Adder, frequency: int) -> bool:
    """Whether the logits' component of a frequency points elsewhere than at the sum often enough."""
    return adder.astray(frequency) / adder.pairs > 2 * REFUTED
