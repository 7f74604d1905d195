"""Results joined with what is installed."""

from typing import Any

import pytest

from peabench.catalogue import TaskSummary, installed_tasks
from peabench.illusions import Illusion
from peabench.results import CellResult
from peabench_leaderboard.site.contents import gather, mean_by
from peabench_leaderboard.site.home_page import badges, board_data, home_context
from peabench_leaderboard.site.pages import Pages
from peabench_leaderboard.site.profiles import extremes, failures, scale_variants

COST = {"forward_passes": 1, "backward_passes": 0, "wall_seconds": 0.1, "peak_memory_bytes": 0}


def result(scorer: str, task: str, score: float, **changes: Any) -> CellResult:
    key: dict[str, Any] = {"track": "circuits", "track_version": 1, "scorer": scorer, "scorer_version": "1"}
    key |= {"source_hash": "", "task": task, "content_hash": "0", "others_hash": "", "seed": 0, "device": "cpu"}
    for name in set(changes) & set(key):
        key[name] = changes.pop(name)
    fields = {"key": key, "role": "method", "suite": "x 1", "status": "ok", "metrics": {"score": score}, "cost": COST}
    return CellResult.model_validate(fields | changes)


def gathered(results: list[CellResult], installed: list[TaskSummary] = []) -> Any:  # noqa: B006 - it is only read
    return gather(results, installed, [], {"circuits": "edges"}, "0")


def test_rows_that_differ_in_source_alone_keep_their_own_cells() -> None:
    results = [
        result("s", f"f/a-s-{i}", score, source_hash=h) for i in range(2) for h, score in (("x", 0.2), ("y", 0.9))
    ]
    (board,) = gathered(results).boards
    assert [sorted(row.scores.values()) for row in board.rows] == [[0.9, 0.9], [0.2, 0.2]]
    assert [row.standing.score for row in board.rows] == pytest.approx([0.9, 0.2])


def test_rows_of_one_scorer_are_told_apart_by_what_differs() -> None:
    results = [result("s", "f/a-s-0", 0.5, seed=seed, scorer_version=v) for seed, v in ((0, "1"), (1, "1"), (1, "2"))]
    (board,) = gathered(results).boards
    assert sorted(row.label for row in board.rows) == [
        "s (version 1, seed 0)",
        "s (version 1, seed 1)",
        "s (version 2, seed 1)",
    ]


def test_each_row_says_whether_its_results_are_verified() -> None:
    results = [result(name, f"f/a-s-{i}", 0.5) for name in ("mine", "theirs", "mixed") for i in range(2)]
    claims = ("verified", "verified", "self-reported", "self-reported", "verified", "self-reported")
    claimed = [one.model_copy(update={"verification": claim}) for one, claim in zip(results, claims, strict=True)]
    (board,) = gathered(claimed).boards
    told = {row.name: [word for word, _ in badges(row)] for row in board.rows}
    assert told == {"mine": ["verified"], "theirs": ["self-reported"], "mixed": ["self-reported"]}


def test_a_task_of_another_content_has_no_page() -> None:
    task = next(task for task in installed_tasks() if task.id == "boolean/tree-s-0")
    (place,) = gathered([result("s", task.id, 0.5)], [task]).tasks
    assert place.page is None
    assert place.provenance == "unknown"


def test_tasks_are_ordered_from_small_to_large() -> None:
    results = [result("s", f"f/a-{size}-0", 0.5) for size in ("l", "xs", "odd", "m")]
    assert [place.size for place in gathered(results).tasks] == ["xs", "m", "l", "odd"]


def test_means_are_over_families_of_means_over_tasks() -> None:
    scores = {"f/a-s-0": 0.0, "f/a-s-1": 0.2, "f/b-m-0": 1.0, "g/a-s-0": 0.7}
    (board,) = gathered([result("s", task, score) for task, score in scores.items()]).boards
    means = mean_by(board.rows[0], board.tasks, "size")
    assert means == pytest.approx({"s": (0.1 + 0.7) / 2, "m": 1.0})


def test_a_scale_curve_compares_variants_that_come_in_the_most_sizes() -> None:
    from peabench_leaderboard.site.profiles import scale_tasks

    tasks = ["f/tree-xs-0", "f/tree-s-0", "f/tree-m-0", "f/decoy-s-0", "f/decoy-m-0", "g/one-s-0"]
    (board,) = gathered([result("s", task, 0.5) for task in tasks]).boards
    assert scale_variants(scale_tasks(board.tasks)) == ["f/tree"]


def test_best_and_worst_tasks_do_not_overlap_and_failures_keep_their_reason() -> None:
    results = [result("s", f"f/a-s-{i}", i / 10) for i in range(3)]
    results.append(result("s", "f/a-s-9", 0, status="failed", reason="why", metrics={}, cost=None))
    (board,) = gathered(results).boards
    best, worst = extremes(board.rows[0], 5)
    assert ([task for task, _, _ in best], [task for task, _, _ in worst]) == (["f/a-s-2"], ["f/a-s-0"])
    assert failures(board.rows[0]) == [("f/a-s-9", "failed", "why")]


def test_illusion_scores_and_their_table_stand_on_the_first_page() -> None:
    trap = Illusion(
        name="a-trap",
        sentence="It seems <so>.",
        reference="",
        track="circuits",
        tasks=("f/b-s-0", "f/b-s-1"),
        method="eap",
        measure="missed edges",
        verified=("necessity",),
    )
    results = [result("eap", f"f/a-s-{i}", 0.9) for i in range(2)]
    page = Pages("0", "1").render("home", "index.html", **home_context(gathered(results)))
    assert "Illusions" not in page
    results += [result("eap", task, 0.2 + i / 5, suite="illusions 1") for i, task in enumerate(trap.tasks)]
    results += [result("das", "f/a-s-0", 0.5)]
    contents = gather(results, [], [], {"circuits": "edges"}, "0", [trap])
    page = Pages("0", "1").render("home", "index.html", **home_context(contents))
    (board,) = contents.boards
    assert [place.id for place in board.tasks] == ["f/a-s-0", "f/a-s-1"]
    assert 'data-sort="illusions"' in page
    assert '<td class="number">0.30<span class="below">0.20 to 0.40</span></td>' in page
    assert '<th scope="row">a trap</th><td>It seems &lt;so&gt;.</td>' in page
    rows = {row["name"]: row["illusions"] for row in board_data(contents)["boards"][0]["rows"]}
    assert rows == {"eap": pytest.approx(0.3), "das": None}
