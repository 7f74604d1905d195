"""Track `variables`: where, and in which subspace, does a variable of the causal model live?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.errors import InvalidAnswer, PeabenchError
from peabench.interventions import Activations, SubspacePatch, interchange, run_patched, run_with_cache
from peabench.interventions.sites import locate
from peabench.live import live_subspaces
from peabench.mechanism import CausalModel, Mechanism
from peabench.networks import Graph, Network
from peabench.plain import refuse_odd_tensors
from peabench.tasks import Task
from peabench.tracks.locations import answered_site, candidates, layer_of, overlap, residual_locations
from peabench.tracks.pairs import (
    Pairs,
    balanced_accuracy,
    draw_pairs,
    generator_from,
    held_out_pairs,
    outputs,
    predicted_class,
)
from peabench.tracks.track import Reference, Track

QUESTIONS = 3
"""Most questions per task."""
VALIDATION_SHARE = 0.2
DRAWS_TO_LOOK = 16_384
FEWEST_OF_A_KIND = 8
"""Of 16,384 uniform pairs, at least so many must change the output, so many keep it, and so many give another output
than the source's own, or the variable is left out."""
ORTHONORMAL_TOLERANCE = 1e-4


@dataclass(frozen=True)
class VariableQuestion:
    """Find `variable` in `network`. The pairs are all the data that a method may learn from."""

    network: Network
    causal_model: CausalModel
    variable: str
    dimension: int
    """Most columns of the answer's basis."""
    sites: tuple[str, ...]
    """Candidate sites `resid.L@P`, in order of depth and position: all from the block at which the variable is first
    written, so that `sites[0]` gives that block away (docs/decisions/candidate-sites.md)."""
    training: Pairs
    validation: Pairs
    """For choosing between sites, or between anything else."""
    generator: torch.Generator


@dataclass(frozen=True)
class VariableAnswer:
    """A subspace of a site."""

    site: str
    basis: Float[Tensor, "d_model k"] | None
    """Orthonormal columns, at most as many as the question's dimension; None swaps the whole site."""


class Oracle(Reference):
    """The certified alignment."""

    name = "oracle"
    track = "variables"
    role = "oracle"
    reference = "The task's certified mechanism."

    def answer(self, question: VariableQuestion, task: Task, others: Sequence[Task]) -> VariableAnswer:
        """The first certified location."""
        site, basis = residual_locations(task.mechanism, question.variable)[0]
        return VariableAnswer(site, basis)


class SitePrior(Reference):
    """A random subspace at the first candidate site: the block that the question gives away."""

    name = "site-prior"
    track = "variables"
    role = "null"
    reference = "What the order of the candidate sites says, and nothing else."
    version = "2"

    def answer(self, question: VariableQuestion, task: Task, others: Sequence[Task]) -> VariableAnswer:
        """The first candidate site, and orthonormal columns drawn at random."""
        generator = question.generator
        shape = (question.network.config.d_model, question.dimension)
        noise = torch.randn(shape, generator=generator, device=generator.device)
        return VariableAnswer(question.sites[0], torch.linalg.qr(noise).Q)


class VariablesTrack(Track[VariableQuestion, VariableAnswer]):
    """Balanced interchange accuracy on held-out pairs: the mean over pairs whose output should change and pairs whose
    output should stay, 2a - 1, so that copying the base earns 0 (interchange: Geiger et al. 2021, arXiv:2106.02997).

    It is the lower of two: on the domain, and with what is certified to be irrelevant at the site taken from other
    inputs first, one for the base and another for the source. On the domain alone a subspace that leans on a bystander
    of the variable is as good as the variable's own (the illusion of Makelov et al. 2023, arXiv:2311.17030); see
    docs/decisions/whatever-the-rest-of-the-site-holds.md.

    Beside it: `on_domain`, the first of the two; `accuracy_change` and `accuracy_stay`, the score's two halves;
    `overlap`, mean squared cosine of the principal angles to the nearest certified subspace of that site, 0 if none is
    certified there; `leakage`, the share of pairs *with the same value of the variable* whose output changes all the
    same.
    """

    name = "variables"
    version = 2
    headline = "balanced interchange accuracy, whatever the rest of the site holds"
    question_type = VariableQuestion
    answer_type = VariableAnswer
    bounds = (-1.0, 1.0)
    references = (Oracle(), SitePrior())
    nulls = ("random-subspace",)

    def questions(self, task: Task, generator_seed: int) -> list[VariableQuestion]:
        """One question for each of `asked_variables`; 80% of the record's examples for training, 20% for validation."""
        mechanism = task.mechanism
        model = without_descriptions(mechanism.causal_model)
        found = []
        for variable in asked_variables(task):
            generator = generator_from("variables", str(generator_seed), variable)
            pairs = draw_pairs(model, variable, task.record.domain, task.record.examples, generator)
            validation = max(1, round(VALIDATION_SHARE * len(pairs)))
            network = task.network()
            certified = residual_locations(mechanism, variable)
            found.append(
                VariableQuestion(
                    network=network,
                    causal_model=model,
                    variable=variable,
                    dimension=certified[0][1].shape[1],
                    sites=candidate_sites(mechanism, variable, network.graph),
                    training=pairs.select(torch.arange(validation, len(pairs))),
                    validation=pairs.select(torch.arange(validation)),
                    generator=generator,
                )
            )
        return found

    def grade(self, task: Task, index: int, question: VariableQuestion, answer: VariableAnswer) -> dict[str, float]:
        """See the class."""
        site, basis = checked(question, answer)
        pairs = held_out(task, question)
        network = question.network
        with torch.no_grad():
            base, source = run_with_cache(network, pairs.base), run_with_cache(network, pairs.source)
            on_domain = predicted_class(interchange(network, base, source, site, basis[None])[0])
            live = live_subspaces(task.mechanism, network.graph).get(site)
            predicted = on_domain
            if live is not None:
                content = (task.record.model_dump_json(), question.variable, "complement", pairs.base, pairs.source)
                others = task.record.domain.sample(2 * len(pairs), generator_from(*content))
                beside = run_with_cache(network, others.to(pairs.base.device))
                among = predicted_class(_interchange_among(base, source, beside, site, basis, live))
                predicted = min(among, on_domain, key=lambda some: float(balanced_accuracy(some, pairs)))
        right = (predicted == pairs.counterfactual).double()
        metrics = {"score": float(balanced_accuracy(predicted, pairs))}
        metrics["on_domain"] = float(balanced_accuracy(on_domain, pairs))
        for name, kind in (("accuracy_change", pairs.should_change), ("accuracy_stay", ~pairs.should_change)):
            metrics |= {name: float(right[kind].mean())} if bool(kind.any()) else {}
        certified = residual_locations(task.mechanism, question.variable)
        metrics["overlap"] = max((overlap(basis, truth) for at, truth in certified if at == site), default=0.0)
        if bool(pairs.same_value.any()):
            changed = predicted != predicted_class(base.logits)
            metrics["leakage"] = float(changed[pairs.same_value].double().mean())
        return metrics

    def twin_question(self, question: VariableQuestion, task: Task) -> VariableQuestion | None:
        """The same question about the random-init twin: same pairs, same labels, a network that computes none of it.

        Only a task's first question has one, for it costs a scorer as much as the question itself.
        """
        twin = task.twin("random_init")
        if twin is None or question.variable != asked_variables(task)[0]:
            return None
        return replace(question, network=twin)


def candidate_sites(mechanism: Mechanism, variable: str, graph: Graph) -> tuple[str, ...]:
    """The sites that a question about a variable offers: the residual stream from where the variable is written on.

    Behind the last block only the last position is left, at which the output is read.
    """
    written = min(layer_of(site) for site, _ in residual_locations(mechanism, variable))
    return tuple(
        f"resid.{layer}@{position}"
        for layer in range(written, graph.n_blocks + 1)
        for position in range(graph.n_positions)
        if layer < graph.n_blocks or position == graph.n_positions - 1
    )


def asked_variables(task: Task) -> list[str]:
    """What the record's focus names; without one, variables in an order drawn from its content; at most three.

    A task that is hard because of some variables asks about these alone: the others are as easy as in a clean task.

    Variables whose interchange changes the output too rarely to be graded (never, for one of three copies) are
    left out, and so are those that fix the output, which a swap of a whole residual stream transplants.

    Raises:
        PeabenchError: none is left.
    """
    mechanism, record = task.mechanism, task.record
    content = record.model_dump_json()
    others = sorted(candidates(mechanism), key=lambda name: generator_from(content, name).initial_seed())
    found = []
    for name in [name for name in record.focus if name in others] or others:
        generator = generator_from(content, name, "look")
        pairs = draw_pairs(mechanism.causal_model, name, record.domain, DRAWS_TO_LOOK, generator)
        beside = pairs.counterfactual != outputs(mechanism.causal_model, pairs.source)
        counts = [int(kind.sum()) for kind in (pairs.should_change, ~pairs.should_change, beside)]
        if min(counts) >= FEWEST_OF_A_KIND:
            found.append(name)
        if len(found) == QUESTIONS:
            break
    if not found:
        raise PeabenchError(f"The task {record.id} has no aligned inner variable that could be asked about.")
    return found


def held_out(task: Task, question: VariableQuestion) -> Pairs:
    """The pairs that answers to a question are graded on: as fresh as its own, and none of them."""
    known = Pairs(
        *(
            torch.cat([getattr(question.training, name), getattr(question.validation, name)])
            for name in Pairs.__dataclass_fields__
        )
    )
    generator = generator_from(task.record.model_dump_json(), question.variable, known.base, known.source)
    return held_out_pairs(task.mechanism.causal_model, question.variable, task.record.domain, known, generator)


def _interchange_among(
    base: Activations,
    source: Activations,
    beside: Activations,
    site: str,
    basis: Float[Tensor, "d_model k"],
    live: Float[Tensor, "d_model j"],
) -> Float[Tensor, "batch position output"]:
    """Logits after an interchange of a subspace between base and source, outside of whose live part both hold others'.

    `beside` has the other inputs: first one for each base, then one for each source.
    """
    network, count = base.network, len(base.inputs)
    stage, _, at = locate(network, site)
    others = [other[:, at] for other in beside.stage_inputs[stage].split(count)]
    ours, theirs = (
        other + (run.stage_inputs[stage][:, at] - other) @ live @ live.T
        for run, other in zip((base, source), others, strict=True)
    )
    stream = base.stage_inputs[stage].clone()
    stream[:, at] = ours + (theirs - ours) @ basis @ basis.T
    patch = SubspacePatch(stage, torch.eye(len(basis), device=basis.device)[None], stream[None])
    return run_patched(network, base, subspaces=[patch])[0]


def checked(question: VariableQuestion, answer: VariableAnswer) -> tuple[str, Float[Tensor, "d_model k"]]:
    """The answer's site in canonical form and its basis, the identity for a whole site.

    Raises:
        InvalidAnswer: it is not an answer to this question.
    """
    if not isinstance(answer, VariableAnswer):
        raise InvalidAnswer(f"Expected a VariableAnswer, got a {type(answer).__name__}; answer a site and a basis.")
    refuse_odd_tensors(answer)
    site = answered_site(answer.site, question.sites)
    d_model = question.network.config.d_model
    basis = answer.basis
    if basis is None:
        return site, torch.eye(d_model)
    if not isinstance(basis, Tensor) or basis.dim() != 2 or not basis.is_floating_point():
        raise InvalidAnswer(f"Expected a floating-point basis [{d_model}, k], got {_shape(basis)}; answer a tensor.")
    if basis.shape[0] != d_model or not 1 <= basis.shape[1] <= question.dimension:
        raise InvalidAnswer(
            f"Expected a basis of shape [{d_model}, 1 to {question.dimension}], got {_shape(basis)}; reshape it."
        )
    if not bool(torch.isfinite(basis).all()):
        raise InvalidAnswer("Expected a finite basis, got NaN or infinity; answer finite numbers only.")
    columns = basis.double()
    gap = float((columns.T @ columns - torch.eye(columns.shape[1], dtype=torch.float64)).abs().max())
    if not gap <= ORTHONORMAL_TOLERANCE:  # nor is a gap that overflowed to NaN
        raise InvalidAnswer(
            f"Expected orthonormal columns (to {ORTHONORMAL_TOLERANCE:g}), got a deviation of {gap:.2g}; "
            "orthonormalise the basis, for instance with torch.linalg.qr."
        )
    return site, basis.float()


def without_descriptions(model: CausalModel) -> CausalModel:
    """The causal model without its free text, which might say more than a question should."""
    plain = tuple(variable.model_copy(update={"description": ""}) for variable in model.variables)
    return model.model_copy(update={"description": "", "variables": plain})


def _shape(value: object) -> str:
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"


TRACK = VariablesTrack()
