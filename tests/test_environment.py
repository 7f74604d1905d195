"""What a result was made with, so that bits are compared only where they must agree."""

import subprocess
from pathlib import Path

import pytest

from peabench.environment import CODE, PLATFORM, commit, environment, same_platform

ROOT = Path(__file__).parents[1]


def test_an_environment_names_versions_machine_and_commit() -> None:
    found = environment("cpu")
    assert set(PLATFORM) <= set(found)
    assert all(found[name] for name in PLATFORM)
    assert found["device"] == "cpu"


def test_a_platform_is_the_same_only_if_all_that_moves_bits_is() -> None:
    here = environment("cpu")
    assert same_platform(here, dict(here))
    assert same_platform(here, here | {"commit": "another", "system": "another"})
    for name in PLATFORM:
        assert not same_platform(here, here | {name: "another"})
        without = {key: value for key, value in here.items() if key != name}
        assert not same_platform(without, without)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="the code is no checkout")
def test_the_commit_is_that_of_the_checkout_and_says_whether_its_code_differs() -> None:
    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--", *CODE)
    assert commit() == git("rev-parse", "HEAD") + ("+changes" if changed else "")
