"""Finding scorers by name, dotted name and file, and what is said of those that are none."""

from pathlib import Path
from types import ModuleType

import pytest

from peabench.discovery import find_scorers, known_scorers, with_references
from peabench.errors import PeabenchError
from peabench.registry import suggestion

GOOD = """
import torch
from peabench import Scorer

class Zero(Scorer):
    name = "zero"
    track = "guess"
    reference = "none"

    def score(self, question):
        return torch.zeros(3)
"""


def written(folder: Path, text: str, name: str = "my_scorer.py") -> str:
    file = folder / name
    file.write_text(text)
    return str(file)


def test_names_and_globs_find_references_and_plug_ins(toy: ModuleType) -> None:
    assert [entry.name for entry in find_scorers([])[0]] == ["mean", "moody", "noise", "oracle"]
    assert [entry.name for entry in find_scorers(["m*", "mean"])[0]] == ["mean", "moody"]
    assert {entry.name: entry.origin for entry in find_scorers([])[0]} == {
        "mean": "track",
        "moody": "plug-in",
        "noise": "plug-in",
        "oracle": "track",
    }


def test_a_file_brings_its_concrete_scorers_and_its_hash(toy: ModuleType, tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + "\nclass Half(Zero):\n    name = 'half'\n")
    entries, _ = find_scorers([path])
    assert [entry.name for entry in entries] == ["half", "zero"]
    other, _ = find_scorers([written(tmp_path, GOOD + "# a word\n", "other.py")])
    assert other[0].source_hash != entries[1].source_hash
    assert type(entries[0].create()).__name__ == "Half"


def test_a_file_that_changes_during_a_run_is_refused(toy: ModuleType, tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    entry = find_scorers([path])[0][0]
    written(tmp_path, GOOD + "\n# changed\n")
    with pytest.raises(PeabenchError, match="changed while the run was going on"):
        entry.create()


def test_a_dotted_name_is_imported(toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, GOOD, "dotted_scorer.py")
    monkeypatch.syspath_prepend(tmp_path)
    entry = find_scorers(["dotted_scorer:Zero"])[0][0]
    assert (entry.name, entry.origin) == ("zero", "dotted name")
    with pytest.raises(PeabenchError, match=r"dotted_scorer has no 'Zro'; did you mean Zero\?"):
        find_scorers(["dotted_scorer:Zro"])
    with pytest.raises(PeabenchError, match="'nowhere' could not be imported: ModuleNotFoundError"):
        find_scorers(["nowhere:Zero"])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = 1", "defines no scorer: expected a subclass of peabench.Scorer"),
        ("import nothing_like_it", "could not be imported: ModuleNotFoundError"),
        ("def (", "could not be imported: SyntaxError"),
        (GOOD.replace('name = "zero"', ""), "must declare `name` as a text, but lacks it"),
        (GOOD.replace('reference = "none"', "reference = 3"), "must declare `reference` as a text, but has 3"),
        (GOOD.replace('"zero"', '"../up"'), "use lower-case letters"),
        (GOOD.replace('"zero"', repr("z" * 65)), "at most 64"),
        (GOOD.replace('name = "zero"', 'name = "zero"; role = "oracle"'), "has the role 'oracle'"),
        (GOOD.replace('name = "zero"', 'name = "zero"; deterministic = 3'), "`deterministic` as a bool, but has 3"),
        ("raise SystemExit(3)", "could not be imported: SystemExit"),
        (GOOD + '    role = "banana"\n', "has the role 'banana'"),
        (GOOD + '    role = "null"\n', "oracles and nulls are named by the track guess itself"),
        (GOOD + '    version = "\\udcff"\n', "must declare `version` as a text, but has"),
        (GOOD.replace('"guess"', '"gess"'), r"unknown track 'gess'; did you mean guess\?"),
        (GOOD.replace('"zero"', '"noise"'), "are named 'noise'"),
        (GOOD + GOOD.replace("Zero", "Nil"), "are named 'zero'"),
        (GOOD.replace("def score", "def scores"), "defines no scorer"),
    ],
)
def test_a_file_without_a_usable_scorer_says_why(toy: ModuleType, tmp_path: Path, text: str, complaint: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(PeabenchError, match=complaint) as caught:
        find_scorers([path])
    assert "\n" not in str(caught.value)


def test_a_null_is_what_its_track_names_so(toy: ModuleType, tmp_path: Path) -> None:
    named = GOOD.replace('"zero"', '"guesswork"') + '    role = "null"\n'
    assert find_scorers([written(tmp_path, named)])[0][0].role == "null"


def test_a_module_that_exits_on_import_is_named(
    toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, points: dict[str, list[str]]
) -> None:
    written(tmp_path, "raise SystemExit(3)", "leaving_scorer.py")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PeabenchError, match="'leaving_scorer' could not be imported: SystemExit: 3"):
        find_scorers(["leaving_scorer:Zero"])
    points["peabench.scorers"] = ["leaving = leaving_scorer:Zero"]
    assert "could not be loaded: SystemExit: 3" in known_scorers()[1][0]


def test_unknown_names_get_a_suggestion(toy: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(PeabenchError, match=r"no scorer 'nois'; did you mean noise\?"):
        find_scorers(["nois"])
    with pytest.raises(PeabenchError, match="no track 'circuits'; known are guess"):
        find_scorers([], "circuits")
    with pytest.raises(PeabenchError, match="could not be read"):
        find_scorers([str(tmp_path / "absent.py")])
    with pytest.raises(PeabenchError, match=r"my_scorer is a file, but its name does not end in `\.py`; rename it\."):
        find_scorers([written(tmp_path, GOOD, "my_scorer")])


def test_where_no_name_is_near_the_listing_command_is_named() -> None:
    many = [f"scorer-{i}" for i in range(20)]
    assert suggestion("zzz", many, "peabench scorers").endswith("`peabench scorers` lists them.")


def test_references_stand_beside_the_scorers_of_their_track(toy: ModuleType) -> None:
    chosen, _ = find_scorers(["noise", "oracle"])
    assert [entry.name for entry in with_references(chosen)] == ["mean", "noise", "oracle"]


def test_a_broken_plug_in_does_not_hide_the_others(toy: ModuleType, points: dict[str, list[str]]) -> None:
    points["peabench.scorers"] = ["noise = toy_laboratory:Noise", "gone = gone_away:Gone"]
    entries, problems = known_scorers()
    assert [entry.name for entry in entries] == ["mean", "noise", "oracle"]
    assert len(problems) == 1
    assert "gone_away:Gone" in problems[0]
