"""`peabench show`: the card of one task, with its formula, its causal model and its circuit drawn in the terminal."""

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from peabench.catalogue import (
    COMPANIONS,
    RECORD,
    TaskSummary,
    content_hash,
    installed_tasks,
    is_sealed,
    select,
    summarise,
)
from peabench.cli.output import JsonOption, display, print_json, table
from peabench.errors import PeabenchError

if TYPE_CHECKING:
    from rich.table import Table
    from rich.tree import Tree

    from peabench.certification.checks import Check
    from peabench.hypothesis_rows import HypothesisRow, NetworkRow
    from peabench.mechanism import CausalModel, Circuit, Mechanism
    from peabench.tasks import Task


def show(
    name: Annotated[
        str, typer.Argument(metavar="TASK", help="Id of the task, a glob that only it matches, or its folder.")
    ],
    json: JsonOption = False,
) -> None:
    """Show a task: what it computes, where in the network, and how that was checked."""
    task = _only_match(name)
    from peabench.tasks import load_task

    loaded = load_task(task.folder)
    if is_sealed(task.folder):
        _show_sealed(task, loaded, json)
        return
    from peabench.belief_lines import belief_lines
    from peabench.feature_picture import feature_picture
    from peabench.hypothesis_rows import hypothesis_rows, network_rows, training_lines
    from peabench.steering_lines import steering_lines

    mechanism, certificate = loaded.mechanism, loaded.certificate
    if json:
        print_json(
            task.listing()
            | {"description": task.description, "content_hash": content_hash(task.folder)}
            | {"formula": mechanism.causal_model.formula()}
            | {"mechanism": mechanism.model_dump(mode="json", exclude_none=True)}
            | {"certificate": [check.model_dump(mode="json") for check in certificate]}
        )
        return
    picture = feature_picture(mechanism, loaded.record.domain) if mechanism.features else []
    hypotheses = hypothesis_rows(mechanism.algorithm, certificate)
    together = (task.folder / COMPANIONS).is_dir()
    networks, trained = (network_rows(loaded), training_lines(loaded)) if together else ([], [])
    tables = [*_hypothesis_table(hypotheses), *_network_table(networks)]
    beliefs, steering = belief_lines(mechanism.beliefs, certificate), steering_lines(mechanism, certificate)
    words = [picture, beliefs, steering, trained]
    _print_card(task, mechanism, certificate, words, tables)


def _show_sealed(task: TaskSummary, loaded: "Task", json: bool) -> None:
    """What is published of a task whose truth is withheld."""
    from peabench import tracks
    from peabench.question_files import list_questions

    questions = {track: list_questions(loaded, tracks.get(track)) for track in task.tracks}
    facts = {"content_hash": content_hash(task.folder), "sealed": True, "questions": questions}
    if json:
        print_json(task.listing() | facts | {"network": loaded.record.network.model_dump(mode="json")})
        return
    from rich.text import Text

    lines = [
        "Its truth is sealed until its maintainer reveals it.",
        f"Tracks: {', '.join(task.tracks)}",
        f"Inputs: {task.domain_size:,}, of which scorers get {loaded.record.examples:,} pairs",
        f"Network: {', '.join(f'{name} {value}' for name, value in loaded.record.network.model_dump().items())}",
        *(f"Questions of {track}: {', '.join(names)}" for track, names in questions.items()),
        f"Content: {content_hash(task.folder)[:16]}",
    ]
    display(Text(task.id, style="bold"), Text("\n".join(lines)))


def _only_match(name: str) -> TaskSummary:
    if (Path(name) / RECORD).is_file():
        return summarise(Path(name))
    found = select(installed_tasks(), [name])
    if len(found) > 1:
        some = ", ".join(task.id for task in found[:3])
        raise PeabenchError(f"{name!r} matches {len(found)} tasks ({some}, ...); name one of them.")
    return found[0]


def _print_card(
    task: TaskSummary,
    mechanism: "Mechanism",
    certificate: "tuple[Check, ...]",
    words: list[list[str]],
    tables: "list[Table]",
) -> None:
    from rich.text import Text

    model = mechanism.causal_model
    facts = {
        "Made": task.provenance,
        "Tracks": ", ".join(task.tracks),
        "Inputs": f"{task.domain_size:,}",
        "Hard because": task.difficulty or "nothing was made hard",
        "Content": content_hash(task.folder)[:16],
    }
    places = {
        alignment.variable: " or ".join(f"{place.site} ({place.dimension}d)" for place in alignment.locations)
        for alignment in mechanism.alignments
    }
    lines = [*([task.description] if task.description else []), *(f"{name}: {value}" for name, value in facts.items())]
    display(
        Text(task.id, style="bold"),
        Text("\n".join(lines)),
        Text("\n".join(["", *model.formula_lines(), ""])),
        causal_tree(model, places),
        "",
        circuit_tree(mechanism.circuit) if mechanism.circuit else "No circuit is claimed.",
        "",
        *(Text("\n".join([*lines, ""])) for lines in words if lines),
        *(part for one in tables for part in (one, "")),
        _checks_table(certificate),
    )


def causal_tree(model: "CausalModel", places: dict[str, str]) -> "Tree":
    """A causal model from its output down to the inputs; a variable with several children is opened up once."""
    from rich.text import Text
    from rich.tree import Tree

    from peabench.mechanism import to_text

    opened: set[str] = set()

    def label(name: str) -> Text:
        function = model.variable(name).function
        text = Text(name, style="bold")
        if function is not None:
            text.append(f" = {to_text(function)}", style="not bold")
        if name in places:
            text.append(f"  at {places[name]}", style="not bold dim")
        if name in opened and function is not None:
            text.append("  (opened above)", style="not bold dim")
        return text

    def grow(tree: Tree, name: str) -> None:
        if name in opened:
            return
        opened.add(name)
        for parent in model.variable(name).parents:
            grow(tree.add(label(parent)), parent)

    root = Tree(label(model.output))
    grow(root, model.output)
    return root


def circuit_tree(circuit: "Circuit") -> "Tree":
    """A circuit from the output back to the embeddings, with what each edge carries; a node is opened up once."""
    from rich.text import Text
    from rich.tree import Tree

    from peabench.mechanism import EdgeAddress

    incoming = defaultdict(list)
    for item in circuit.edges:
        address = EdgeAddress.parse(item.edge)
        incoming[str(address.reader.node)].append((address, item))
    opened: set[str] = set()

    def grow(tree: Tree, node: str) -> None:
        if node in opened:
            return
        opened.add(node)
        for address, item in incoming[node]:
            source = str(address.source)
            text = Text(f"{address.reader.port} <- " if address.reader.port else "<- ").append(source, style="bold")
            carried = ", ".join(
                parent if parent == child else f"{parent} for {child}" for parent, child in item.carries
            )
            text.append(f"  {carried}" if carried else "", style="dim")
            text.append("  optional" if item.status == "optional" else "", style="italic")
            text.append("  (opened above)" if source in opened and incoming.get(source) else "", style="dim")
            grow(tree.add(text), source)

    root = Tree(Text("output", style="bold"))
    grow(root, "output")
    return root


def _hypothesis_table(rows: "list[HypothesisRow]") -> "list[Table]":
    if not rows:
        return []
    columns = [("Hypothesis", "fold"), ("Level", "left"), ("Says", "fold"), ("Holds", "left"), ("Wrong", "right")]
    listed = [
        (row.name, row.level, row.claim, "yes" if row.holds else "no", "" if row.wrong is None else f"{row.wrong:.1%}")
        for row in rows
    ]
    return [table("Hypotheses", columns, listed)]


def _network_table(rows: "list[NetworkRow]") -> "list[Table]":
    if not rows:
        return []
    columns = [("Network", "left"), ("Made", "left"), ("What holds of it", "fold"), ("Departs on", "right")]
    listed = [
        (row.name, row.provenance, ", ".join(row.held), "" if row.departs is None else f"{row.departs:,}")
        for row in rows
    ]
    shown = 4 if any(row.departs is not None for row in rows) else 3
    title = "Networks that are asked about together"
    return [table(title, columns[:shown], [cells[:shown] for cells in listed])]


def _checks_table(certificate: "tuple[Check, ...]") -> "Table":
    columns = [
        ("Check", "fold"),
        ("Cases", "right"),
        ("Errors", "right"),
        ("Exhaustive", "left"),
        ("95% bound", "right"),
        ("On null", "right"),
        ("Passed", "left"),
    ]
    rows = [
        (
            check.name,
            f"{check.cases:,}",
            f"{check.errors:,}",
            "yes" if check.exhaustive else "no",
            f"{check.upper_bound:.1e}" if check.upper_bound else "0",
            f"{check.null.errors / max(check.null.cases, 1):.1%}" if check.null else "-",
            "yes" if check.passed else "NO",
        )
        for check in certificate
    ]
    return table("Certificate", columns, rows)
