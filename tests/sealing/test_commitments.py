"""The commitment binds the truth, hides it, and can be worked out again by anyone from its definition alone."""

import hashlib
import shutil
from pathlib import Path

import pytest
from tests.sealing.conftest import Sealed

from peabench.errors import PeabenchError
from peabench.sealing.commitments import COMMITTED, commitment, read_nonce


def recomputed(folder: Path) -> str:
    """The ten lines of docs/sealed.md, which import nothing of Peabench."""
    names = ["certificate.json", "mechanism.json", "mechanism.safetensors", "model.safetensors", "task.json"]
    truth = b"peabench commitment 1\0" + bytes.fromhex((folder / "nonce").read_text())
    for name in names:
        content = (folder / name).read_bytes()
        truth += name.encode() + b"\0" + str(len(content)).encode() + b"\0" + content
    return hashlib.sha256(truth).hexdigest()


def test_anyone_can_work_it_out(tiny: Sealed) -> None:
    for lot in tiny.lots:
        assert recomputed(tiny.private / lot.name) == tiny.suite.commitments[lot.id]


def test_the_definition_in_the_documentation_is_this_one(tiny: Sealed) -> None:
    page = (Path(__file__).parents[2] / "docs" / "sealed.md").read_text()
    code = page.split("```python\n")[1].split("```")[0]
    namespace: dict[str, object] = {"folder": tiny.private / tiny.lots[0].name}
    exec(code, namespace)  # noqa: S102 - the page's own lines
    assert namespace["commitment"] == tiny.suite.commitments[tiny.lots[0].id]


@pytest.mark.parametrize("name", COMMITTED)
def test_every_byte_of_the_truth_is_bound(tiny: Sealed, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "task"
    shutil.copytree(tiny.private / tiny.lots[0].name, folder)
    before = commitment(folder)
    content = bytearray((folder / name).read_bytes())
    for place in (0, len(content) // 2, len(content) - 1):
        changed = content.copy()
        changed[place] ^= 1
        (folder / name).write_bytes(changed)
        assert commitment(folder) != before
    (folder / name).write_bytes(content)
    assert commitment(folder) == before


def test_bytes_cannot_move_from_one_file_to_the_next(tiny: Sealed, tmp_path: Path) -> None:
    folder = tmp_path / "task"
    shutil.copytree(tiny.private / tiny.lots[0].name, folder)
    before = commitment(folder)
    one, two = (folder / name for name in ("certificate.json", "mechanism.json"))
    content = two.read_bytes()
    one.write_bytes(one.read_bytes() + content[:5])
    two.write_bytes(content[5:])
    assert commitment(folder) != before


def test_nonces_are_32_bytes_and_each_is_its_own(tiny: Sealed) -> None:
    nonces = [read_nonce(tiny.private / lot.name) for lot in tiny.lots]
    assert {len(nonce) for nonce in nonces} == {32}
    assert len(set(nonces)) == len(nonces)


@pytest.mark.parametrize("text", ["", "00", "zz" * 32, "00" * 33])
def test_a_nonce_that_is_none_is_refused(tiny: Sealed, tmp_path: Path, text: str) -> None:
    folder = tmp_path / "task"
    shutil.copytree(tiny.private / tiny.lots[0].name, folder)
    (folder / "nonce").write_text(text)
    with pytest.raises(PeabenchError, match="must hold 32 bytes in hexadecimal"):
        commitment(folder)


def confirmed(folder: Path, published: set[str]) -> bool:
    """The attack on a hash without a nonce: whether a candidate truth, all of it, can be seen to be the right one.

    Every file's hash, the hashes of all of them joined in the ways that come to mind, and the commitment with nonces
    that somebody might have left.
    """
    contents = [(name, (folder / name).read_bytes()) for name in COMMITTED]
    framed = b"".join(f"{name}\0{len(content)}\0".encode() + content for name, content in contents)
    bodies = [framed, b"".join(content for _, content in contents), *(content for _, content in contents)]
    heads = [b"", b"peabench commitment 1\0"]
    nonces = [b"", bytes(32), b"\xff" * 32, *(number.to_bytes(32, "big") for number in range(64))]
    return any(
        hashlib.sha256(head + nonce + body).hexdigest() in published
        for head in heads
        for nonce in nonces
        for body in bodies
    )


def test_a_right_guess_cannot_be_confirmed_without_the_nonce_though_it_could_be_if_it_were_known(
    tiny: Sealed, tmp_path: Path
) -> None:
    published = {*tiny.suite.commitments.values(), *tiny.suite.tasks.values()}
    for lot in tiny.lots:
        assert not confirmed(tiny.private / lot.name, published)
        leaky = tmp_path / lot.name
        shutil.copytree(tiny.private / lot.name, leaky)
        (leaky / "nonce").write_text("00" * 32)
        assert confirmed(leaky, {commitment(leaky)})
