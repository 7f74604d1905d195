"""Keys: HKDF as RFC 5869 defines it, and secrets that are none are refused."""

from pathlib import Path

import pytest

from peabench.errors import PeabenchError
from peabench.sealing.keys import derive, derive_seed, hkdf, read_secret


def test_hkdf_gives_the_test_vectors_of_rfc_5869() -> None:
    vector_1 = hkdf(bytes([0x0B] * 22), bytes(range(13)), bytes(range(0xF0, 0xFA)), 42)
    assert vector_1.hex() == ("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
    vector_2 = hkdf(bytes(range(0x50)), bytes(range(0x60, 0xB0)), bytes(range(0xB0, 0x100)), 82)
    assert vector_2.hex() == (
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f0"
        "9b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
    )


def test_other_purposes_and_other_secrets_give_other_bytes() -> None:
    found = {derive(bytes([secret] * 32), *purpose) for secret in range(8) for purpose in (("a",), ("b",), ("a", 1))}
    assert len(found) == 24
    assert derive(b"s" * 32, "a", "b") != derive(b"s" * 32, "ab")


def test_seeds_are_wide() -> None:
    assert all(derive_seed(b"s" * 32, i).bit_length() == 256 for i in range(20))


@pytest.mark.parametrize("content", [b"", b"hunter2\n", bytes(31), bytes(1 << 17)])
def test_what_is_no_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(PeabenchError, match=r"must have 32 to 65536 random bytes.*head -c 32 /dev/urandom"):
        read_secret(tmp_path / "secret")


def test_a_missing_secret_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(PeabenchError, match=r"could not be read \(No such file or directory\); make one"):
        read_secret(tmp_path / "none")
