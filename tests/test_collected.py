"""Collected results say what the run's files said, and a file changed by hand is seen."""

import json
from pathlib import Path
from types import ModuleType

import pytest

from peabench.answers import AnswerFile, read_answers
from peabench.collected import MANIFEST, Collected, altered, read_manifest
from peabench.collecting import collect, gaps
from peabench.discovery import find_scorers
from peabench.errors import PeabenchError
from peabench.results import CellResult, answer_hash, read_all
from peabench.runner import plan, run
from peabench.standings import standings
from peabench.storage import write_whole
from peabench.suites import get_suite


def run_all(out: Path, *scorers: str, **options: int) -> list[CellResult]:
    return list(run(plan(find_scorers(scorers)[0], get_suite("all"), **options), out, jobs=0))  # type: ignore[arg-type]


@pytest.fixture
def ran(toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run's folder, in which a method declined a task."""
    monkeypatch.setenv("TOY_MOOD", "decline")
    run_all(tmp_path / "run")
    return tmp_path / "run"


def in_order(results: list[CellResult]) -> list[CellResult]:
    return sorted(results, key=lambda result: result.key.model_dump_json())


def test_collected_results_are_the_runs_and_so_are_the_standings(ran: Path, tmp_path: Path) -> None:
    to = tmp_path / "collected"
    written = collect(ran, to, get_suite("all"))
    assert sorted(path.relative_to(to).as_posix() for path in to.rglob("*") if path.is_file()) == sorted(
        [MANIFEST, *(f"guess/{name}.all-0.{end}" for name in names(written) for end in ("json", "safetensors"))]
    )
    assert names(written) == ["mean", "moody", "noise", "oracle"]
    found, problems = read_all(to)
    assert problems == altered(to) == []
    assert in_order(found) == in_order(read_all(ran)[0])
    assert standings(found, resamples=50) == standings(read_all(ran)[0], resamples=50)
    assert {result.provenance for result in found} == {"constructed"}
    assert gaps(written, get_suite("all")) == []


def names(written: list[Collected]) -> list[str]:
    return [document.scorer for document in written]


def test_the_answers_of_collected_results_are_those_of_the_run(ran: Path, tmp_path: Path) -> None:
    to = tmp_path / "collected"
    collect(ran, to, get_suite("all"))
    for result in read_all(ran)[0]:
        answers = read_answers(to, result.key)
        if result.status == "ok":
            assert answers is not None
            assert answer_hash(answers) == result.answer_hash == answer_hash(read_answers(ran, result.key))
        else:
            assert answers is read_answers(ran, result.key) is None
    assert len(AnswerFile.read(to / "guess" / "moody.all-0.safetensors").cells()) == 3


def test_collecting_twice_gives_the_same_bytes(ran: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        collect(ran, tmp_path / name, get_suite("all"))
    assert read_manifest(tmp_path / "one") == read_manifest(tmp_path / "two")
    collect(ran, tmp_path / "one", get_suite("all"))
    assert (tmp_path / "one" / MANIFEST).read_bytes() == (tmp_path / "two" / MANIFEST).read_bytes()


def test_results_of_several_seeds_stand_in_one_file(ran: Path, tmp_path: Path) -> None:
    run_all(ran, "noise", seed=1)
    collect(ran, tmp_path / "to", get_suite("all"))
    found, problems = read_all(tmp_path / "to")
    assert problems == []
    assert in_order(found) == in_order(read_all(ran)[0])
    assert {result.key.seed for result in found if result.key.scorer == "noise"} == {0, 1}


def test_another_scorer_joins_those_that_stand_there(ran: Path, tmp_path: Path) -> None:
    run_all(tmp_path / "later", "noise", "oracle", seed=1)
    to = tmp_path / "to"
    collect(ran, to, get_suite("all"))
    before = read_manifest(to).files
    collect(tmp_path / "later", to, get_suite("all"))
    after = read_manifest(to).files
    assert {name for name in after if after[name] != before[name]} == {
        f"guess/{name}.all-0.{end}" for name in ("noise", "oracle") for end in ("json", "safetensors")
    }
    assert altered(to) == []
    (to / "guess" / "mean.all-0.json").write_text("{}")
    with pytest.raises(PeabenchError, match=r"mean\.all-0\.json is not the one that"):
        collect(tmp_path / "later", to, get_suite("all"))


def test_a_folder_holds_verified_and_self_reported_results(ran: Path, tmp_path: Path) -> None:
    run_all(tmp_path / "mine", "noise")
    to = tmp_path / "to"
    collect(ran, to, get_suite("all"), "verified")
    collect(tmp_path / "mine", to, get_suite("all"))
    found, problems = read_all(to)
    assert not problems
    told = {row.scorer: row.verification for row in standings(found, resamples=50)}
    assert told == {"mean": "verified", "oracle": "verified", "noise": "self-reported", "moody": "verified"}
    assert {result.verification for result in read_all(ran)[0]} == {"self-reported"}


def test_a_run_cannot_call_its_own_results_verified(ran: Path) -> None:
    file = ran / "guess" / "noise" / "toy--a-0.seed-0.cpu.json"
    content = json.loads(file.read_text())
    assert "verification" not in content
    file.write_text(json.dumps(content | {"verification": "verified"}))
    found, problems = read_all(ran)
    assert len(found) == 15
    assert ["calls itself verified; delete that field" in problem for problem in problems] == [True]


def test_results_on_an_older_version_of_a_suite_are_replaced_or_left_out(ran: Path, tmp_path: Path) -> None:
    suite, to = get_suite("all"), tmp_path / "to"
    newer = suite.model_copy(update={"version": 1})
    collect(ran, to, suite)
    run_all(tmp_path / "later", "noise")
    written = collect(tmp_path / "later", to, newer)
    assert names(written) == ["noise"]
    assert not (to / "guess" / "noise.all-0.json").exists()
    assert not (to / "guess" / "noise.all-0.safetensors").exists()
    assert altered(to) == []
    found, problems = read_all(to)
    assert {result.key.scorer for result in found} == {"noise"}
    assert len(problems) == 3
    assert "mean.all-0.json is of all 0, and others there of version 1" in problems[0]


def test_collecting_that_was_killed_half_way_is_done_again(
    ran: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_all(ran, "noise", seed=1)
    to, suite = tmp_path / "to", get_suite("all")
    collect(ran, to, suite)
    run_all(ran, "noise", seed=2)

    def killed(file: Path, content: bytes) -> None:
        if file.name == MANIFEST:
            raise KeyboardInterrupt
        write_whole(file, content)

    with monkeypatch.context() as patched:
        patched.setattr("peabench.collecting.write_whole", killed)
        with pytest.raises(KeyboardInterrupt):
            collect(ran, to, suite)
    collect(ran, to, suite)
    assert altered(to) == read_all(to)[1] == []


@pytest.mark.parametrize("name", ["guess/noise.all-0.json", "guess/noise.all-0.safetensors"])
def test_a_changed_missing_or_added_file_is_named(ran: Path, tmp_path: Path, name: str) -> None:
    to = tmp_path / "to"
    collect(ran, to, get_suite("all"))
    content = (to / name).read_bytes()
    (to / name).write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
    assert [name in problem and "was changed" in problem for problem in altered(to)] == [True]
    (to / name).unlink()
    assert [f"{name} is missing" in problem for problem in altered(to)] == [True]
    (to / name).write_bytes(content)
    (to / "guess" / "extra.json").write_text("{}")
    assert ["guess/extra.json is not listed" in problem for problem in altered(to)] == [True]


def test_results_that_their_manifest_does_not_list_are_left_out(ran: Path, tmp_path: Path) -> None:
    to = tmp_path / "to"
    collect(ran, to, get_suite("all"))
    file = to / "guess" / "noise.all-0.json"
    file.write_text(file.read_text().replace('"noise"', '"noise" '))
    found, problems = read_all(to)
    assert {result.key.scorer for result in found} == {"mean", "moody", "oracle"}
    assert ["noise.all-0.json is not the one that manifest.json lists" in problem for problem in problems] == [True]
    file.write_text(file.read_text().replace('"noise" ', '"noise"'))
    (to / "guess" / "noise.all-0.safetensors").write_bytes(b"")
    found, problems = read_all(to)
    assert {result.key.scorer for result in found} == {"mean", "moody", "oracle"}
    assert "noise.all-0.safetensors of noise.all-0.json are not those that manifest.json lists" in problems[0]
    (to / MANIFEST).unlink()
    assert read_all(to)[0] == []
    assert "manifest.json could not be read" in read_all(to)[1][0]


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("schema_version", 2, "schema_version"),
        ("scorer", "other", "belongs at guess/other.all-0.json"),
        ("environments", [], "expected environments"),
        ("surprise", 1, "surprise"),
        ("cells", "twice", "each task, seed and device once"),
        ("score", float("nan"), "is malformed"),
        ("status", "failed", "must have a reason"),
        ("score", 1.5, "a score must be at most 1"),
        ("suite", "all", "suite"),
        ("verification", "certified", "verification"),
    ],
)
def test_a_document_that_contradicts_itself_is_named_with_its_field(
    ran: Path, tmp_path: Path, field: str, value: object, complaint: str
) -> None:
    to = tmp_path / "to"
    collect(ran, to, get_suite("all"))
    file = to / "guess" / "noise.all-0.json"
    content = json.loads(file.read_text())
    if value == "twice":
        content["cells"].append(content["cells"][0])
    elif field == "score":
        content["cells"][0]["questions"][0]["score"] = value
    elif field == "status":
        content["cells"][0]["status"] = value
    else:
        content[field] = value
    file.write_text(json.dumps(content))
    resign(to)
    found, problems = read_all(to)
    assert len(found) == 12
    assert complaint in problems[0]
    assert "noise.all-0.json" in problems[0]


def resign(folder: Path) -> None:
    """A manifest that lists the files as they are, as a forger would write it."""
    from peabench.collected import sha256

    files = {name: sha256(folder / name) for name in read_manifest(folder).files}
    (folder / MANIFEST).write_text(json.dumps({"schema_version": 1, "files": files}))


def test_what_cannot_be_collected_is_one_sentence(ran: Path, tmp_path: Path, toy: ModuleType) -> None:
    suite, to = get_suite("all"), tmp_path / "to"
    with pytest.raises(PeabenchError, match="holds the results of a run"):
        collect(ran, ran, suite)
    with pytest.raises(PeabenchError, match="holds no result of a task of the suite all version 0"):
        collect(ran, to, suite.model_copy(update={"tasks": {}}))
    with pytest.raises(PeabenchError, match="There is no folder of results"):
        collect(tmp_path / "absent", to, suite)
    file = ran / "guess" / "noise" / "toy--a-0.seed-0.cpu.json"
    good = file.read_text()
    file.write_text("{")
    with pytest.raises(PeabenchError, match=r"toy--a-0.seed-0.cpu.json is malformed"):
        collect(ran, to, suite)
    for old, new, complaint in (
        ('"scorer_version": "1"', '"scorer_version": "2"', "toy/a-0 and toy/a-1 are of different versions"),
        ('"metrics": {\n  "score": 0.', '"metrics": {\n  "score": 0.0', "noise on toy/a-0 are not the means"),
    ):
        file.write_text(good.replace(old, new))
        with pytest.raises(PeabenchError, match=complaint):
            collect(ran, to, suite)
    file.write_text(good)
    file.with_suffix(".safetensors").unlink()
    with pytest.raises(PeabenchError, match="are missing"):
        collect(ran, to, suite)
    assert not (to / MANIFEST).exists()


def test_a_scorer_without_some_tasks_of_the_suite_is_named(ran: Path, tmp_path: Path) -> None:
    for file in (ran / "guess" / "noise").glob("toy--b-*"):
        file.unlink()
    written = collect(ran, tmp_path / "to", get_suite("all"))
    assert gaps(written, get_suite("all")) == ["noise has no result for 2 tasks of all: toy/b-0 ..."]
