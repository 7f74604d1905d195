"""Listing tasks from their records, and freezing them in suites."""

import json
from pathlib import Path
from types import ModuleType

import pytest

from peabench.catalogue import bundled_tasks, content_hash, installed_tasks, select, summarise
from peabench.documents import read_document
from peabench.errors import PeabenchError
from peabench.snapshots import Snapshot
from peabench.suites import Suite, difference, frozen, get_suite, suite_in, tasks_of


def test_tasks_are_listed_by_id_and_chosen_by_glob(toy: ModuleType) -> None:
    tasks = installed_tasks()
    assert [task.id for task in tasks] == ["toy/a-0", "toy/a-1", "toy/b-0", "toy/b-1"]
    assert [task.id for task in select(tasks, ["toy/b-*", "toy/a-1"])] == ["toy/a-1", "toy/b-0", "toy/b-1"]
    with pytest.raises(PeabenchError, match="No task matches 'toy/a-2'; did you mean toy/a-"):
        select(tasks, ["toy/a-2"])


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"size": 3}, "field 'size' must be of type str, but is 3"),
        ({"seed": True}, "field 'seed' must be of type int, but is True"),
        ({"tracks": [1]}, "field 'tracks' must be a list of names"),
        ({"id": "toy/other"}, "field 'id' must be 'toy/c-0' after its folder, but is 'toy/other'"),
    ],
)
def test_a_malformed_record_names_file_and_field(toy: ModuleType, changes: dict[str, object], complaint: str) -> None:
    toy.write_task(toy.FAMILY.checkpoints / "c-0", [0.0, 0.0, 0.0], **changes)
    with pytest.raises(PeabenchError, match=complaint) as caught:
        installed_tasks()
    assert "c-0/task.json" in str(caught.value)


def test_a_record_that_is_missing_a_field_or_is_no_json_is_named(toy: ModuleType, tmp_path: Path) -> None:
    record = toy.FAMILY.checkpoints / "a-0" / "task.json"
    fields = json.loads(record.read_text())
    del fields["provenance"]
    record.write_text(json.dumps(fields))
    with pytest.raises(PeabenchError, match="lacks the field 'provenance'"):
        summarise(record.parent)
    for text in ("{", "[]", "[" * 100_000, b"\xff\xfe".decode("latin-1")):
        record.write_bytes(text.encode("latin-1"))
        with pytest.raises(PeabenchError, match=r"a-0/task\.json is malformed: it (must be|is nested)"):
            summarise(record.parent)


def test_the_content_hash_sees_every_byte_and_name_but_the_cards(tmp_path: Path) -> None:
    def folder(name: str, files: dict[str, str]) -> str:
        for file, text in files.items():
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).write_text(text)
        return content_hash(tmp_path / name)

    base = {"task.json": "{}", "twins/a.safetensors": "x"}
    same = folder("same", base)
    assert folder("again", dict(reversed(base.items()))) == same
    assert folder("cards", base | {"README.md": "a", "certificate.json": "[]", ".cache/x": "y"}) == same
    changed = [
        folder("byte", base | {"task.json": "{ }"}),
        folder("name", {"task.json": "{}", "twins/b.safetensors": "x"}),
        folder("more", base | {"twins/README.md": "not the task's card"}),
        folder("split", {"task.json": "{}twins/a.safetensors", "x": ""}),
    ]
    assert len({same, *changed}) == 5


def test_a_suite_knows_when_a_task_is_not_the_one_it_froze(toy: ModuleType, tmp_path: Path) -> None:
    suite = frozen("small", 2, "Two tasks.", select(installed_tasks(), ["toy/a-*"]))
    file = tmp_path / "small.json"
    file.write_text(suite.model_dump_json())
    assert read_document(file, Suite, "suite") == suite
    first, second = tasks_of(suite)
    (first.folder / "task.json").write_text((first.folder / "task.json").read_text() + " ")
    assert "not the task that suite small version 2 froze" in (difference(suite, first) or "")
    assert difference(suite, second) is None


def test_a_suite_whose_task_is_not_installed_or_whose_file_is_malformed(toy: ModuleType, tmp_path: Path) -> None:
    suite = frozen("small", 1, "", installed_tasks())
    absent = suite.model_copy(update={"tasks": suite.tasks | {"toy/z-0": "0" * 64}})
    with pytest.raises(PeabenchError, match="asks for 'toy/z-0', which no installed package has"):
        tasks_of(absent)
    file = tmp_path / "bad.json"
    for text, field in (("{", "it must be JSON"), ('{"name": "a"}', "version"), ('{"name": 1, "version": 1}', "name")):
        file.write_text(text)
        with pytest.raises(PeabenchError, match=rf"bad\.json is malformed: {field}"):
            read_document(file, Suite, "suite")
    with pytest.raises(PeabenchError, match="no suite 'core'; known are all"):
        get_suite("core")


def test_of_two_copies_a_suite_takes_the_one_that_it_froze(toy: ModuleType, cache: Path) -> None:
    bundled = frozen("old", 1, "", select(installed_tasks(), ["toy/a-*"]))
    snapshot = Snapshot("peas/tasks", "main", "c" * 40)
    toy.write_task(snapshot.tasks / "toy" / "a-0", [9.0, 9.0, 9.0])
    toy.write_task(snapshot.tasks / "toy" / "z-0", [9.0, 9.0, 9.0])
    snapshot.make_current()
    fresh = frozen("new", 2, "", [summarise(snapshot.tasks / "toy" / name) for name in ("a-0", "z-0")])
    snapshot.suite.write_text(fresh.model_dump_json())

    assert [task.id for task in installed_tasks()] == ["toy/a-0", "toy/a-1", "toy/b-0", "toy/b-1", "toy/z-0"]
    assert installed_tasks()[0].folder == toy.FAMILY.checkpoints / "a-0"
    assert [task.id for task in bundled_tasks()] == ["toy/a-0", "toy/a-1", "toy/b-0", "toy/b-1"]
    assert tasks_of(bundled)[0].folder == toy.FAMILY.checkpoints / "a-0"
    assert [task.folder for task in tasks_of(get_suite("new"))] == [snapshot.tasks / task for task in fresh.tasks]
    later = Snapshot("peas/tasks", "main", "d" * 40)
    later.folder.mkdir()
    later.suite.write_text(fresh.model_dump_json())
    later.make_current()
    with pytest.raises(PeabenchError, match="`peabench download toy/z-0 --repo peas/tasks --revision main` fetches it"):
        tasks_of(fresh)


def test_installed_suites_are_found_in_their_packages(
    toy: ModuleType, points: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "toy_suites"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise ImportError('a suite is data: nobody imports its package')")
    (folder / "tiny.json").write_text(frozen("tiny", 1, "", installed_tasks()).model_dump_json())
    points["peabench.suites"] = ["toy = toy_suites"]
    monkeypatch.syspath_prepend(tmp_path)
    assert len(get_suite("tiny").tasks) == 4
    with pytest.raises(PeabenchError, match=r"did you mean tiny\?"):
        get_suite("tony")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tasks", {"toy/../../outside": "0" * 64}),
        ("tasks", {"../toy/a-0": "0" * 64}),
        ("tasks", {"toy//etc": "0" * 64}),
        ("commitments", {"toy/..": "0" * 64}),
        ("name", "../../elsewhere"),
        ("name", "two\x1b[2Jnames"),
        ("name", "n" * 65),
        ("version", -1),
        ("version", 10**9),
    ],
)
def test_a_suite_that_leads_out_of_its_folder_is_refused(tmp_path: Path, field: str, value: object) -> None:
    told = {"name": "fine", "version": 1, "description": "", "tasks": {}} | {field: value}
    (tmp_path / "suite.json").write_text(json.dumps(told))
    with pytest.raises(PeabenchError, match=rf"suite\.json is malformed: {field}"):
        suite_in(tmp_path)
