"""What a method says of a network that holds an illusion, and what is true: both measured on the network itself.

Each measure gives two numbers from 0 to 1: what the method says, as those who use it read it, and what is true of the
same claim by an intervention. Where a method is right they are near each other: on plain networks, or where there are
none (`NULLS`) on that of the same network which is as it seems.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Any

import torch

from peabench import tracks
from peabench.answering import ask_one
from peabench.catalogue import content_hash, installed_tasks
from peabench.discovery import ScorerEntry, known_scorers
from peabench.errors import PeabenchError
from peabench.illusions.entries import Illusion, Measure
from peabench.interventions import (
    Activations,
    EdgePatch,
    attention_patterns,
    run_patched,
    run_with_cache,
    site_values,
)
from peabench.questions import TWIN, answering_seed, index_of, is_twin, questions_of
from peabench.results import SCORE, CellKey, mean_metrics
from peabench.scorers import Scorer
from peabench.tasks import Task, load_task
from peabench.tracks.pairs import generator_from, predicted_class
from peabench.tracks.ranking import best_match, targets

SEED = 0
"""Of the questions and the scorers, as in a run."""
ROWS = 4096
"""Domains up to this size are gone through as a whole."""
WORDS: dict[Measure, tuple[str, str]] = {
    "read-out": ("R² of the read-out", "share of the state's effect that swapping it moves"),
    "interchange": ("interchange accuracy on the domain", "the same, whatever the rest of the site holds"),
    "missed edges": ("share of the circuit ranked below as many absent edges", "share of it that is not needed"),
    "attention": ("nearer to the pattern of a head of the circuit than heads at large", "outputs it changes"),
    "untrained": ("a probe tells the variable in a random network", "interchange accuracy along the probe there"),
    "absorption": ("share of the parent gone from its latent where the child fires", "share of it that is gone"),
}
"""What the two numbers of each measure are."""


@dataclass(frozen=True)
class Measured:
    """What a method says of a network, and what is true."""

    says: float
    true: float

    @property
    def wrong(self) -> float:
        """How far apart they are."""
        return abs(self.says - self.true)


def measured(illusion: Illusion) -> Measured:
    """The means over an illusion's tasks.

    Raises:
        PeabenchError: a task or the method is not installed.
    """
    return _mean(illusion, illusion.tasks, MEASURES[illusion.measure])


def measured_on_null(illusion: Illusion) -> Measured:
    """The same where nothing deceives: on the plain tasks, else on that of the same tasks which is as it seems.

    Raises:
        PeabenchError: a task or the method is not installed.
    """
    if illusion.plain:
        return _mean(illusion, illusion.plain, MEASURES[illusion.measure])
    if illusion.measure not in NULLS:
        raise PeabenchError(f"The illusion {illusion.name} needs plain tasks to compare with; name some.")
    return _mean(illusion, illusion.tasks, NULLS[illusion.measure])


def read_out(task: Task, entry: ScorerEntry) -> Measured:
    """R² of a read-out of a belief against what swapping it moves."""
    metrics = _graded(task, entry)
    return Measured(metrics["r2"], max(0.0, metrics["moved"]))


def interchange(task: Task, entry: ScorerEntry) -> Measured:
    """Interchange accuracy on the domain against that with all that is certified to be irrelevant taken from others."""
    metrics = _graded(task, entry)
    return Measured(metrics["on_domain"], max(0.0, metrics[SCORE]))


def missed_edges(task: Task, entry: ScorerEntry) -> Measured:
    """The share of a circuit's edges outside of as many highest ones, against the share that can be done without.

    The circuit is the minimal one that the answer fits best. What can be done without, all else being resampled, is
    what the certificate's check of necessity says.
    """
    circuit = task.mechanism.circuit
    if circuit is None:
        raise PeabenchError(f"{task.record.id} has no circuit.")
    ((_, question, answer),) = _answers(task, entry)
    scores = answer().scores.double()
    candidates = targets(question.edges, circuit.sufficient, frozenset(item.edge for item in circuit.edges))
    target = candidates[best_match(scores, candidates)[1]]
    members = target.circuit.nonzero()[:, 0].tolist()
    highest = scores.masked_fill(~target.ranked, -torch.inf).argsort(descending=True)[: len(members)].tolist()
    broken = next(check.recorded for check in task.certificate if check.name == "necessity")
    needless = [i for i in members if not broken.get(f"{question.edges[i]} with the complement resampled")]
    return Measured(len(set(members) - set(highest)) / len(members), len(needless) / len(members))


def attention(task: Task, entry: ScorerEntry) -> Measured:
    """How much a head outside the circuit looks like one of it, against what swapping it changes.

    What is said is what whoever reads patterns sees, and no scorer's answer: how much nearer than others the head is
    that looks most nearly where one of the circuit does. What is true is how often the output changes when all that it
    writes is another input's.
    """
    base, source, alike = _look_alikes(task)
    head, like = min(alike, key=lambda pair: alike[pair])
    apart = {other: distance for (other, of), distance in alike.items() if of == like}
    return Measured(nearness(apart)[head], changed_by_swapping(base, source, head))


def attention_of_the_circuit(task: Task, entry: ScorerEntry) -> Measured:
    """The same of the head of the circuit that it is like, which looks where it looks itself."""
    base, source, alike = _look_alikes(task)
    _, head = min(alike, key=lambda pair: alike[pair])
    return Measured(1.0, changed_by_swapping(base, source, head))


def nearness(apart: Mapping[str, float]) -> dict[str, float]:
    """1 less each distance as a share of their mean: 0 in expectation for one drawn at random, and if all are alike.

    >>> nearness({"a": 0.0, "b": 2.0}), nearness({"a": 0.5, "b": 0.5})
    ({'a': 1.0, 'b': -1.0}, {'a': 0.0, 'b': 0.0})
    """
    mean = fmean(apart.values())
    return {head: 1 - distance / mean if mean else 0.0 for head, distance in apart.items()}


def untrained(task: Task, entry: ScorerEntry) -> Measured:
    """How well the answered direction tells the variable in the random-init twin, against interchange along it."""
    return _decoded(task, entry, twin=True)


def trained(task: Task, entry: ScorerEntry) -> Measured:
    """The same in the network itself."""
    return _decoded(task, entry, twin=False)


def absorption(task: Task, entry: ScorerEntry) -> Measured:
    """How much of a parent's latent is missing where its child fires, against how much of the parent is: nothing."""
    return Measured(_graded(task, entry)["absorption"], 0.0)


def absorption_of_the_truth(task: Task, entry: ScorerEntry) -> Measured:
    """The same of the certified features."""
    track = tracks.get("features")
    oracle = next(reference for reference in track.references if reference.role == "oracle")
    found = [
        track.grade(task, index, question, oracle.answer(question, task, []))["absorption"]
        for index, question in enumerate(track.questions(task, SEED))
    ]
    return Measured(fmean(found), 0.0)


def changed_by_swapping(base: Activations, source: Activations, node: str) -> float:
    """Share of the inputs whose output changes when all that a node writes is another input's."""
    graph = base.network.graph
    mask = torch.zeros(1, len(graph.readers), len(graph.nodes))
    mask[0, :, graph.nodes.index(node)] = 1
    swapped = run_patched(base.network, base, [EdgePatch(mask, source.nodes[:, None])])[0]
    return float((predicted_class(swapped) != predicted_class(base.logits)).double().mean())


MEASURES: dict[Measure, Callable[[Task, ScorerEntry], Measured]] = {
    "read-out": read_out,
    "interchange": interchange,
    "missed edges": missed_edges,
    "attention": attention,
    "untrained": untrained,
    "absorption": absorption,
}
NULLS: dict[Measure, Callable[[Task, ScorerEntry], Measured]] = {
    "attention": attention_of_the_circuit,
    "untrained": trained,
    "absorption": absorption_of_the_truth,
}


def _mean(illusion: Illusion, tasks: Sequence[str], of: Callable[[Task, ScorerEntry], Measured]) -> Measured:
    entries = [e for e in known_scorers()[0] if (e.track, e.name) == (illusion.track, illusion.method)]
    folders = {task.id: task.folder for task in installed_tasks()}
    missing = [task for task in tasks if task not in folders]
    if missing or not entries:
        lacking = f"the task {missing[0]}" if missing else f"the scorer {illusion.method}"
        raise PeabenchError(f"The illusion {illusion.name} needs {lacking}, which no installed package has.")
    found = [of(load_task(folders[task]), entries[0]) for task in tasks]
    return Measured(fmean(one.says for one in found), fmean(one.true for one in found))


def _answers(task: Task, entry: ScorerEntry) -> Iterator[tuple[str, Any, Callable[[], Any]]]:
    """The name of each question about a task, the question, and what gives the answer: the very one of a run.

    Raises:
        PeabenchError: the scorer is a reference, which needs the truth.
    """
    scorer, track = entry.create(), tracks.get(entry.track)
    if not isinstance(scorer, Scorer):
        raise PeabenchError(f"{entry.name} is no method but a reference of its track; name a method.")
    key = CellKey(
        track=track.name,
        track_version=track.version,
        scorer=entry.name,
        scorer_version=entry.version,
        source_hash=entry.content_hash,
        task=task.record.id,
        content_hash=content_hash(task.folder),
        others_hash="",
        seed=SEED,
        device="cpu",
    )
    for name, question in questions_of(key, task).items():
        yield name, question, partial(_answer, scorer, question, answering_seed(key, name))


def _answer(scorer: Scorer[Any, Any], question: Any, seed: int) -> Any:
    return ask_one(question, seed, "cpu", scorer.score)[0]


def _graded(task: Task, entry: ScorerEntry) -> dict[str, float]:
    """The metrics of a scorer's answers, each the mean over the task's questions that have it."""
    track = tracks.get(entry.track)
    graded = [
        track.grade(task, index_of(name), question, answer())
        for name, question, answer in _answers(task, entry)
        if not is_twin(name)
    ]
    return mean_metrics(graded)


def _look_alikes(task: Task) -> tuple[Activations, Activations, dict[tuple[str, str], float]]:
    """A run, the same in another order, and how far each head outside the circuit looks from each within it."""
    circuit, domain = task.mechanism.circuit, task.record.domain
    if circuit is None:
        raise PeabenchError(f"{task.record.id} has no circuit.")
    generator = generator_from(task.record.model_dump_json(), "attention")
    writers = {item.edge.partition(" <- ")[2] for item in circuit.edges}
    rows = domain.all() if domain.size <= ROWS else domain.sample(ROWS, generator)
    with torch.inference_mode():
        base = run_with_cache(task.network(), rows)
        source = base.select(torch.randperm(len(rows), generator=generator))
        patterns = attention_patterns(base)
        apart = {
            (head, other): float((patterns[head] - patterns[other]).abs().sum(-1).mean() / 2)
            for head in patterns
            for other in patterns
            if head not in writers and other in writers
        }
    return base, source, apart


def _decoded(task: Task, entry: ScorerEntry, *, twin: bool) -> Measured:
    """2 · AUROC - 1 of the variable along the answered direction, and interchange accuracy along it on the domain."""
    from sklearn.metrics import roc_auc_score

    from peabench.tracks.variables import TRACK, held_out

    asked = {name: (question, answer) for name, question, answer in _answers(task, entry)}
    if f"0{TWIN}" not in asked:
        raise PeabenchError(f"{task.record.id} has no random-init twin.")
    question, answering = asked[f"0{TWIN}" if twin else "0"]
    answer, pairs = answering(), held_out(task, asked["0"][0])
    with torch.inference_mode():
        held = site_values(question.network, run_with_cache(question.network, pairs.base), answer.site)[:, 0]
        area = float(roc_auc_score(pairs.base_value.numpy(), (held @ answer.basis[:, 0]).numpy()))
    metrics = TRACK.grade(task, 0, question, answer)
    return Measured(abs(2 * area - 1), max(0.0, metrics["on_domain"]))
