"""The container of a submission: a zip file of the plainest kind, written one way and read strictly.

Readers of zip files disagree on what a malformed one holds, and none bounds its memory. So the few structures of a
plain zip are read here, field by field (APPNOTE 6.3.10), and nothing else is accepted: members one after another from
the first byte, the directory after them, the end record last; no links, encryption, comments, extra fields,
descriptors, zip64.
"""

import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from peabench.errors import PeabenchError

LARGEST_ARCHIVE = 256 * 2**20
MOST_MEMBERS = 8
LONGEST_NAME = 100
MEMBER = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)?")
HIGHEST_RATIO = 100
"""Bytes of a member for each that it takes in the archive, beyond the first million."""
FREE_BYTES = 10**6

LOCAL = struct.Struct("<4s5H3I2H")
DIRECTORY = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
STORED, DEFLATED = 0, 8
OLDEST_DATE = (1980, 1, 1, 0, 0, 0)
REMEDY = "write it anew with `peabench submit`"


@dataclass(frozen=True)
class Member:
    """A member as both its headers describe it."""

    name: str
    offset: int
    """Of its content."""
    packed: int
    size: int
    method: int
    dated: tuple[int, int]
    """Time and date, which mean nothing here."""
    checksum: int


def write_container(members: Mapping[str, bytes]) -> bytes:
    """A container of these members. The same members give the same bytes: stored, without dates."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, OLDEST_DATE)
            entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, members[name])
    return content.getvalue()


class Container:
    """A container on disk, of which nothing but the directory is read before a member is asked for.

    Args:
        path: of the file.
        largest: the members that it may hold, each with its largest size.

    Raises:
        PeabenchError: it cannot be read, or is no plain zip file of such members.
    """

    def __init__(self, path: Path, largest: Mapping[str, int]) -> None:
        self.path = path
        try:
            if not path.is_file():
                raise self._refused("expected a file, got " + ("a folder" if path.is_dir() else "none of that name"))
            size = path.stat().st_size
            if size > LARGEST_ARCHIVE:
                raise self._refused(f"expected at most {LARGEST_ARCHIVE} bytes, got {size}")
            with path.open("rb") as file:
                self.members = {member.name: member for member in self._read_directory(file, size, largest)}
        except OSError as error:
            raise PeabenchError(f"The submission {path} could not be read ({error.strerror}); check it.") from None

    def read(self, name: str) -> bytes:
        """The content of a member.

        Raises:
            PeabenchError: there is none, or it does not hold what the directory says.
        """
        member = self.members.get(name)
        if member is None:
            raise self._refused(f"expected a member {name}, got none")
        try:
            with self.path.open("rb") as file:
                file.seek(member.offset)
                packed = file.read(member.packed)
        except OSError as error:
            raise PeabenchError(f"The submission {self.path} could not be read ({error.strerror}); check it.") from None
        content = packed if member.method == STORED else self._inflated(member, packed)
        if len(content) != member.size or zlib.crc32(content) != member.checksum:
            raise self._refused(f"expected {name} to be what the directory says, got other bytes")
        return content

    def _read_directory(self, file: BinaryIO, size: int, largest: Mapping[str, int]) -> list[Member]:
        file.seek(max(0, size - END.size))
        end = file.read(END.size)
        if len(end) < END.size or end[:4] != b"PK\5\6":
            raise self._refused("expected a zip file that ends with its directory, got other bytes")
        _, disk, first_disk, here, count, length, start, comment = END.unpack(end)
        plain = disk == first_disk == comment == 0 and here == count and start + length + END.size == size
        if not plain or not 1 <= count <= MOST_MEMBERS or length > count * (DIRECTORY.size + LONGEST_NAME):
            raise self._refused(f"expected a plain zip file of 1 to {MOST_MEMBERS} members, got one of another kind")
        file.seek(start)
        directory = file.read(length)
        members: list[Member] = []
        at = place = 0
        for _ in range(count):
            member, entry = self._entry(directory[at:])
            at += entry
            if any(member.name == other.name for other in members):
                raise self._refused(f"expected each member once, got {member.name!r} twice")
            self._refuse_size(member, largest)
            place = self._header(file, member, place, start)
            members.append(replace(member, offset=place - member.packed))
        if at != length or place != start:
            raise self._refused("expected members and directory one after another, got something between them")
        return members

    def _entry(self, directory: bytes) -> tuple[Member, int]:
        """The first entry of a directory: its member, at the offset of its header, and the entry's length."""
        if len(directory) < DIRECTORY.size:
            raise self._refused("expected as many members as the end record says, got fewer")
        fields = DIRECTORY.unpack(directory[: DIRECTORY.size])
        signature, made_by, needed, flags, method, *dated, checksum, packed, size = fields[:10]
        name_length, extra, comment, disk, _internal, external, offset = fields[10:]
        raw = directory[DIRECTORY.size : DIRECTORY.size + name_length]
        name = raw.decode("ascii", "replace")
        if signature != b"PK\1\2" or len(raw) < name_length or name_length > LONGEST_NAME:
            raise self._refused("expected an entry of a directory, got other bytes")
        if not MEMBER.fullmatch(name):
            raise self._refused(f"expected members with plain relative names, got {name!r}")
        kind = stat.S_IFMT(external >> 16) if made_by >> 8 == 3 else 0
        if kind not in (0, stat.S_IFREG) or external & 0x10:
            raise self._refused(f"expected plain files, got {name} as a link, a folder or a device")
        if flags or extra or comment or disk or needed > 20 or method not in (STORED, DEFLATED):
            raise self._refused(
                f"expected {name} stored or deflated, without encryption, descriptors, comments and extra fields"
            )
        return Member(name, offset, packed, size, method, (dated[0], dated[1]), checksum), DIRECTORY.size + name_length

    def _refuse_size(self, member: Member, largest: Mapping[str, int]) -> None:
        if member.name not in largest:
            raise self._refused(f"expected no members but {', '.join(sorted(largest))}, got {member.name}")
        if member.size > largest[member.name]:
            raise self._refused(f"expected {member.name} of at most {largest[member.name]} bytes, got {member.size}")
        if member.size > FREE_BYTES + HIGHEST_RATIO * member.packed:
            raise self._refused(
                f"expected {member.name} compressed at most {HIGHEST_RATIO} times, got {member.size} bytes in "
                f"{member.packed}"
            )

    def _header(self, file: BinaryIO, member: Member, place: int, start: int) -> int:
        """Where a member ends, whose header must stand at `place` and say what the directory says."""
        name = member.name.encode()
        file.seek(place)
        header = file.read(LOCAL.size + len(name))
        if member.offset != place or len(header) < LOCAL.size + len(name):
            raise self._refused(f"expected the header of {member.name} at byte {place}, got none there")
        signature, needed, flags, method, *rest = LOCAL.unpack(header[: LOCAL.size])
        told = (*member.dated, member.checksum, member.packed, member.size, len(name), 0)
        if (signature, flags, method, needed <= 20) != (b"PK\3\4", 0, member.method, True) or tuple(rest) != told:
            raise self._refused(f"expected the header of {member.name} to say what the directory says, got another")
        if header[LOCAL.size :] != name or (member.method == STORED and member.packed != member.size):
            raise self._refused(f"expected the header of {member.name} to say what the directory says, got another")
        ends = place + len(header) + member.packed
        if ends > start:
            raise self._refused(f"expected {member.name} before the directory, got it across")
        return ends

    def _inflated(self, member: Member, packed: bytes) -> bytes:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = inflate.decompress(packed, member.size + 1)
        except zlib.error as error:
            raise self._refused(f"expected {member.name} deflated, got other bytes ({error})") from None
        if not inflate.eof or inflate.unused_data:
            raise self._refused(f"expected {member.name} of {member.size} bytes, got more or fewer")
        return content

    def _refused(self, complaint: str) -> PeabenchError:
        return PeabenchError(f"The submission {self.path} was refused: {complaint}; {REMEDY}.")
