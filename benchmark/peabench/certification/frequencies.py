"""Checks of what is claimed of a network that adds by frequencies: that these carry the sum, and nothing else does."""

from peabench.certification.adder import Adder, sign_of
from peabench.certification.checks import Check, NullCheck, judged, totals
from peabench.certification.derived import SETTLED
from peabench.certification.rivals import REFUTED
from peabench.certification.subject import Subject
from peabench.fourier import closed_form, explained
from peabench.mechanism import Hypothesis
from peabench.networks import Network, ResidualMLP

LEFT = 0.15
"""Share of the outputs that may be right without the claimed frequencies."""
ASTRAY = REFUTED
"""Share of the pairs at which a claimed frequency's component may point elsewhere: above it, a rival that claims the
frequency fails."""
EXPLAINED = 0.8
"""Least share of the logits' variance that a closed form explains."""
CLUSTERED = 0.85
"""Least share of a neuron's variance that one frequency explains."""
STRAY_NEURONS = 0.25
"""Share of the neurons that may be of no one frequency."""
OFF_PHASE = 0.1
"""Share of the neurons whose phases may not add up."""
NAMES = ("the claimed frequencies", "the claimed frequencies and their doubles")
FORM_SETTLED = 0.15
"""Largest change of a form's metrics over the last half of training: a small part of what lies between two forms."""
FORMS: dict[str, dict[str, tuple[float, float]]] = {
    "clock": {
        "gradient symmetricity": (-1.0, 0.8),
        "distance irrelevance": (0.6, 2.0),
        "wrong with even attention": (0.1, 1.0),
    },
    "pizza": {
        "gradient symmetricity": (0.9, 1.0),
        "distance irrelevance": (0.0, 0.75),
        "wrong with even attention": (0.0, 0.0),
    },
}
"""Where a form's metrics lie. Symmetricity and irrelevance tell the forms apart jointly, neither of them alone."""


def frequency_checks(subject: Subject, halfway: Network | None, twin: Network | None) -> list[Check]:
    """All that apply; none where nothing is claimed of frequencies."""
    algorithm, sign = subject.mechanism.algorithm, sign_of(subject)
    found = [h for h in (algorithm.hypotheses if algorithm else ()) if h.frequencies is not None]
    true = [hypothesis for hypothesis in found if hypothesis.holds]
    if not true or sign is None:
        return []
    modulus = subject.domain.sizes[0]
    adder = Adder.of(subject.network, modulus, sign)
    untrained, before = (None if n is None else Adder.of(n, modulus, sign) for n in (twin, halfway))
    (claim,) = true
    rivals = [hypothesis for hypothesis in found if not hypothesis.holds]
    checks = [
        restricted(adder, claim, subject.tolerance),
        excluded(adder, claim),
        unclaimed(adder, claim, subject.tolerance),
        phases(adder, claim),
        closed_form_of_frequencies(adder, claim),
        neurons(adder, claim, untrained),
        form(adder, claim),
        neuron_phases(adder, claim, untrained),
        settled(adder, claim, before, untrained),
        rivals_fail(adder, claim, rivals, untrained),
    ]
    return [check for check in checks if check is not None]


def restricted(adder: Adder, claim: Hypothesis, tolerance: float) -> Check:
    """The claimed frequencies of the embedding suffice."""
    keys = carried(adder, claim.frequencies or (), claim.form)
    logits = adder.with_only(keys)
    return judged(
        "restricted",
        f"the output is right when the embedding keeps nothing but its mean and {NAMES[claim.form == 'pizza']}",
        adder.wrong(logits),
        adder.pairs,
        exhaustive=True,
        null=NullCheck(
            description="all other frequencies",
            cases=adder.pairs,
            errors=adder.wrong(adder.with_only(others(adder, keys))),
        ),
        bar=tolerance,
        recorded={"loss": round(adder.loss(adder.logits), 6), "restricted loss": round(adder.loss(logits), 6)},
    )


def excluded(adder: Adder, claim: Hypothesis) -> Check:
    """Without the claimed frequencies nothing is left that tells the sum."""
    keys = carried(adder, claim.frequencies or (), claim.form)
    logits = adder.without(keys)
    right, spared = adder.right(logits), adder.right(adder.without(others(adder, keys)))
    return judged(
        "excluded",
        f"the output is wrong when the embedding loses {NAMES[claim.form == 'pizza']}",
        right,
        adder.pairs,
        exhaustive=True,
        null=NullCheck(description="when it loses all others", cases=adder.pairs, errors=spared),
        bar=LEFT,
        recorded={"excluded loss": round(adder.loss(logits), 6), "chance": round(1 / adder.modulus, 5)},
    )


def unclaimed(adder: Adder, claim: Hypothesis, tolerance: float) -> Check:
    """No other frequency of the embedding is needed."""
    keys = carried(adder, claim.frequencies or (), claim.form)
    parts = {f"frequency {k}": (adder.wrong(adder.without((k,))), adder.pairs) for k in others(adder, keys)}
    return judged(
        "unclaimed",
        f"the output stays right when the embedding loses one frequency beside {NAMES[claim.form == 'pizza']}",
        *totals(parts),
        exhaustive=True,
        null=NullCheck(
            description="when it loses the claimed ones", cases=adder.pairs, errors=adder.wrong(adder.without(keys))
        ),
        bar=tolerance,
        parts=parts,
    )


def phases(adder: Adder, claim: Hypothesis) -> Check:
    """The logits' component of each claimed frequency points at the sum."""
    keys = claim.frequencies or ()
    parts = {f"frequency {k}": (adder.astray(k), adder.pairs) for k in keys}
    rest = others(adder, keys)
    return judged(
        "phases",
        "the component of the logits at each claimed frequency points at the sum, to an eighth of a turn",
        sum(errors for errors, _ in parts.values()),
        len(keys) * adder.pairs,
        exhaustive=True,
        null=NullCheck(
            description="all other frequencies",
            cases=len(rest) * adder.pairs,
            errors=sum(adder.astray(k) for k in rest),
        ),
        bar=ASTRAY,
        recorded={
            f"amplitude of frequency {k}, share": round(share, 5)
            for k, share in zip(keys, adder.shares(keys), strict=True)
        }
        | {
            "largest amplitude of another, share": round(max(adder.shares(rest), default=0.0), 5),
            "least share of the pairs at which another points elsewhere": round(
                min((adder.astray(k) for k in rest), default=0) / adder.pairs, 5
            ),
        },
        parts=parts,
    )


def closed_form_of_frequencies(adder: Adder, claim: Hypothesis) -> Check:
    """The logits are what the formula says, up to amplitudes."""
    keys = claim.frequencies or ()
    terms = closed_form(adder.modulus, keys, "clock", adder.sign)
    share = {
        "sum of cosines": explained(adder.logits, terms)[1],
        "sum of cosines times |cos(w d / 2)|": explained(
            adder.logits, closed_form(adder.modulus, keys, "pizza", adder.sign)
        )[1],
    }
    elsewhere = explained(adder.logits, closed_form(adder.modulus, others(adder, keys), "clock", adder.sign))[1]
    return judged(
        "closed form",
        f"a sum over the claimed frequencies of cosines at the sum explains {EXPLAINED:.0%} of the logits' variance, "
        "each amplitude positive (cases: amplitudes)",
        len(keys) if max(share.values()) < EXPLAINED else sum(adder.amplitudes[k] <= 0 for k in keys),
        len(keys),
        exhaustive=True,
        null=NullCheck(
            description="all other frequencies",
            cases=len(others(adder, keys)),
            errors=len(others(adder, keys)) if elsewhere < EXPLAINED else 0,
        ),
        recorded={f"share of the logits' variance, {name}": round(value, 5) for name, value in share.items()}
        | {"share of the logits' variance, all other frequencies": round(elsewhere, 5)},
    )


def neurons(adder: Adder, claim: Hypothesis, untrained: Adder | None) -> Check | None:
    """Neurons of an MLP that acts on tokens already mixed come in clusters of one frequency each."""
    if claim.form is None:
        return None
    keys = claim.frequencies or ()
    shares = adder.neurons(keys)
    null = None
    if untrained is not None:
        theirs = untrained.neurons(keys)
        null = NullCheck(description="the random-init twin", cases=len(theirs), errors=int((theirs < CLUSTERED).sum()))
    return judged(
        "neurons",
        f"one claimed frequency explains {CLUSTERED:.0%} of a hidden neuron's variance (cases: neurons)",
        int((shares < CLUSTERED).sum()),
        len(shares),
        exhaustive=True,
        null=null,
        bar=STRAY_NEURONS,
        recorded={"mean share of a neuron's variance": round(float(shares.mean()), 5)},
    )


def neuron_phases(adder: Adder, claim: Hypothesis, untrained: Adder | None) -> Check | None:
    """Phases of squaring neurons add up."""
    network = adder.network
    if not isinstance(network, ResidualMLP) or network.config.activation != "square":
        return None
    wrong, cases = adder.neurons_off_phase()
    null = None
    if untrained is not None:
        theirs = untrained.neurons_off_phase()
        null = NullCheck(description="the random-init twin", cases=theirs[1], errors=theirs[0])
    return judged(
        "neuron phases",
        "a hidden neuron's output phase is the sum (of a difference, the difference) of its two input phases, to an "
        "eighth of a turn (cases: neurons)",
        wrong,
        cases,
        exhaustive=True,
        null=null,
        bar=OFF_PHASE,
        recorded={
            "mean share of a neuron's variance that one claimed frequency explains": round(
                float(adder.neurons(claim.frequencies or ()).mean()), 5
            )
        },
    )


def form(adder: Adder, claim: Hypothesis) -> Check | None:
    """The network's own metrics lie where those of its form do."""
    if claim.form is None:
        return None
    metrics = adder.form_metrics
    (other,) = set(FORMS) - {claim.form}
    return judged(
        "form",
        f"symmetricity of gradients, irrelevance of distance and the need for attention are those of a {claim.form} "
        "(cases: metrics)",
        outside(metrics, claim.form),
        len(metrics),
        exhaustive=True,
        null=NullCheck(description=f"those of a {other}", cases=len(metrics), errors=outside(metrics, other)),
        recorded=metrics,
    )


def settled(adder: Adder, claim: Hypothesis, before: Adder | None, untrained: Adder | None) -> Check | None:
    """The mechanism's own metrics were at the half of training what they are at its end."""
    if before is None:
        return None
    end, half = _metrics(adder, claim), _metrics(before, claim)
    null = None
    if untrained is not None:
        null = NullCheck(
            description="from the random-init twin to the end",
            cases=len(end),
            errors=moved(_metrics(untrained, claim), end),
        )
    return judged(
        "settled",
        f"over the last half of training no metric of the mechanism moved by more than {SETTLED}, none of its form by "
        f"more than {FORM_SETTLED} (cases: metrics)",
        moved(half, end),
        len(end),
        exhaustive=True,
        null=null,
        recorded={f"{name}, {when}": some[name] for name in end for when, some in (("halfway", half), ("end", end))},
    )


def moved(before: dict[str, float], after: dict[str, float]) -> int:
    """How many metrics moved by more than they may."""
    form_metrics = FORMS["clock"]
    return sum(abs(after[name] - before[name]) > (FORM_SETTLED if name in form_metrics else SETTLED) for name in after)


def rivals_fail(adder: Adder, claim: Hypothesis, rivals: list[Hypothesis], untrained: Adder | None) -> Check | None:
    """What each rival says is wrong of these weights; what the hypothesis that holds says is wrong of the twin's."""
    if not rivals:
        return None
    worst = {
        hypothesis.name: worst_claim(adder, hypothesis.frequencies or (), hypothesis.form)
        for hypothesis in (claim, *rivals)
    }
    recorded = {
        f"{name} {what}": float(value)
        for name, (errors, cases) in worst.items()
        for what, value in (("wrong", round(errors / cases, 5)), ("errors", errors), ("cases", cases))
    }
    wrong = sum(not refuted(worst[rival.name]) for rival in rivals) + refuted(worst[claim.name])
    if untrained is not None:
        errors, cases = worst_claim(untrained, claim.frequencies or (), claim.form)
        recorded[f"{claim.name} wrong in the random-init twin"] = round(errors / cases, 5)
        wrong += not refuted((errors, cases))
    return judged(
        "rivals",
        f"of each rival hypothesis some claim is wrong in more than {REFUTED:.0%} of its cases: that its frequencies "
        "suffice, that nothing is left without them, that the logits' component of each of them points at the sum, or "
        "its form; no claim of the one "
        "that holds is, but in the random-init twin it is (cases: hypotheses)",
        wrong,
        len(worst) + (untrained is not None),
        exhaustive=True,
        null=NullCheck(
            description="the hypothesis that holds, taken for a rival", cases=1, errors=not refuted(worst[claim.name])
        ),
        recorded=recorded,
    )


def refuted(worst: tuple[int, int]) -> bool:
    """Whether a hypothesis with so many errors in so many cases of its worst claim fails."""
    return worst[0] / worst[1] > REFUTED


def worst_claim(adder: Adder, keys: tuple[int, ...], form: str | None) -> tuple[int, int]:
    """Errors and cases of what a hypothesis claims and is wrong about most often.

    Outputs that are wrong with its frequencies alone; outputs that are right without them, beyond those that may be;
    pairs at which the component of one of its frequencies points elsewhere than at the sum, for each of them; metrics
    outside of its form.
    """
    embedded = carried(adder, keys, form)
    right = adder.right(adder.without(embedded))
    found = [(adder.wrong(adder.with_only(embedded)), adder.pairs)]
    found.append((max(0, right - int(LEFT * adder.pairs)), adder.pairs))
    found += [(adder.astray(frequency), adder.pairs) for frequency in keys]
    if form is not None:
        found.append((outside(adder.form_metrics, form), len(adder.form_metrics)))
    return max(found, key=lambda errors: errors[0] / errors[1])


def carried(adder: Adder, keys: tuple[int, ...], form: str | None) -> tuple[int, ...]:
    """Frequencies of the embedding that take part: the claimed ones, and in a pizza their doubles.

    Adding two circles leaves their sum with an amplitude |cos(w d / 2)|; by doubles the MLP makes up for that.
    """
    doubles = [min(2 * key % adder.modulus, -2 * key % adder.modulus) for key in keys] if form == "pizza" else []
    return tuple(sorted({*keys, *doubles} - {0}))


def outside(metrics: dict[str, float], name: str) -> int:
    """How many metrics lie outside of those of a form."""
    return sum(not low <= metrics[metric] <= high for metric, (low, high) in FORMS[name].items())


def others(adder: Adder, keys: tuple[int, ...]) -> list[int]:
    """All frequencies but the claimed ones."""
    return [frequency for frequency in adder.all_frequencies if frequency not in keys]


def _metrics(adder: Adder, claim: Hypothesis) -> dict[str, float]:
    keys = claim.frequencies or ()
    shares = dict(zip(keys, adder.shares(keys), strict=True))
    metrics = {f"amplitude of frequency {k}, share": round(share, 5) for k, share in shares.items()}
    metrics["right"] = round(1 - adder.wrong(adder.logits) / adder.pairs, 5)
    alone = adder.with_only(carried(adder, keys, claim.form))
    metrics[f"right with {NAMES[claim.form == 'pizza']} alone"] = round(1 - adder.wrong(alone) / adder.pairs, 5)
    return metrics | adder.form_metrics
