"""Archives of strangers, unpacked safely: only plain files and folders, only below the target, only so many.

An archive can name files outside the target (``../x``, ``/x``), reach outside through links, overwrite its own files
under names that differ only in case, hold devices, or unpack to a thousand times its size. Python's documentation
(``tarfile``, "Extraction filters") lists these attacks. Here every file is created anew, by this module and not by the
library, under a name that was checked.
"""

import lzma
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from gzip import BadGzipFile, GzipFile
from pathlib import Path, PureWindowsPath
from stat import S_IFDIR, S_IFMT, S_IFREG
from typing import IO, cast

from karyo.data.download.catalogue import Limits
from karyo.errors import DataError

_BLOCK = 2**16
_LARGEST_HEADER = 2**20
"""Bytes that tarfile may read between two files; it would hold a longer extended header in memory at once."""

_GZIP, _ZIP = b"\x1f\x8b", b"PK"
_LONGEST_NAME = 500
_ENCRYPTED = 1  # in a zip entry's flags
_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    OverflowError,
    RecursionError,
    NotImplementedError,
)


class _RefusedError(Exception):
    """The archive holds what it may not; the text says what."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file of an archive, or a folder, which has no content."""

    name: str
    size: int
    content: IO[bytes] | None


@dataclass(slots=True)
class _Unpacked:
    """What stands in the target so far, against what may."""

    limits: Limits
    entries: int = 0
    total: int = 0
    names: dict[str, tuple[str, bool]] = field(default_factory=dict)

    def add(self, name: str, parts: tuple[str, ...], size: int, is_folder: bool) -> None:
        """Take one more entry into account, before a byte of it is written."""
        self.entries += 1
        self.total += size
        if not parts and not is_folder:
            raise _RefusedError(f"a file in it is named {name!r}")
        if self.entries > self.limits.entries:
            raise _RefusedError(f"it holds more than {self.limits.entries:,} files and folders")
        if self.total > self.limits.total:
            raise _RefusedError(f"with {name!r} its files exceed {self.limits.total:,} bytes")
        for depth in range(1, len(parts) + 1):
            mine = ("/".join(parts[:depth]), is_folder or depth < len(parts))
            # As a file system sees it that tells neither cases nor ways to write an accent apart.
            key = unicodedata.normalize("NFC", mine[0]).casefold()
            other = self.names.setdefault(key, mine)
            if other != mine or (other is not mine and not mine[1]):
                raise _RefusedError(f"{mine[0]!r} and {other[0]!r} in it are one place on some computers")


class _Rationed:
    """A stream that gives no more bytes than were granted, so that tarfile cannot be made to read without end."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._left = _LARGEST_HEADER
        self.tell = stream.tell
        self.seek = stream.seek

    def grant(self, count: int) -> None:
        self._left = count

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self._left:
            raise _RefusedError(f"a header in it is longer than {_LARGEST_HEADER:,} bytes")
        self._left -= size
        return self._stream.read(size)


def unpack(archive: Path, folder: Path, limits: Limits) -> dict[str, int]:
    """Unpack a ``.tar.gz``, ``.tar`` or ``.zip``; which of them it is, its first bytes tell.

    Args:
        archive: The file.
        folder: An empty folder. What is in it after an error is for the caller to remove.
        limits: More is refused.

    Returns:
        Bytes of each unpacked file by its path below ``folder``, with ``/``.

    Raises:
        DataError: If the archive is damaged or holds what it may not: a name outside the folder, a link, a device,
            a name twice (also in another case), too many files or bytes, a password. The sentence says which.
        OSError: If a file cannot be read or written.
    """
    so_far = _Unpacked(limits)
    files: dict[str, int] = {}
    try:
        with archive.open("rb") as file:
            for entry in _entries(file, folder):
                parts = _safe_parts(entry.name)
                so_far.add(entry.name, parts, entry.size, entry.content is None)
                if entry.content is None:
                    folder.joinpath(*parts).mkdir(parents=True, exist_ok=True)
                else:
                    _write(entry.content, folder.joinpath(*parts), entry.size)
                    files["/".join(parts)] = entry.size
    except _RefusedError as error:
        raise DataError(f"{archive} is not unpacked: {error}.") from error
    except _DAMAGED as error:
        raise DataError(
            f"{archive} cannot be unpacked, it is damaged ({str(error) or type(error).__name__})."
        ) from error
    return files


def _entries(file: IO[bytes], folder: Path) -> Iterator[_Entry]:
    """The files and folders of an archive, in its order; each must be read before the next is asked for."""
    start = file.read(2)
    file.seek(0)
    if start == _ZIP:
        return _zip_entries(file)
    # GzipFile is a stream of bytes in all but its declared type.
    return _tar_entries(cast("IO[bytes]", GzipFile(fileobj=file)) if start == _GZIP else file, folder)


def _tar_entries(stream: IO[bytes], folder: Path) -> Iterator[_Entry]:
    rationed = _Rationed(stream)
    second_opinion = getattr(tarfile, "data_filter", None)  # Pythons before 3.11.4 have none.
    with tarfile.open(fileobj=cast("IO[bytes]", rationed), mode="r:") as tar:
        while (member := tar.next()) is not None:
            if not member.isdir() and (member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse()):
                raise _RefusedError(f"{member.name!r} in it is a link, a device or another special file")
            _safe_parts(member.name)
            try:
                if second_opinion:
                    second_opinion(member, str(folder))
            except tarfile.TarError as error:
                raise _RefusedError(str(error).rstrip(".")) from error
            rationed.grant(member.size)
            yield _Entry(member.name, 0 if member.isdir() else member.size, tar.extractfile(member))
            rationed.grant(_LARGEST_HEADER)


def _zip_entries(file: IO[bytes]) -> Iterator[_Entry]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if S_IFMT(info.external_attr >> 16) not in (0, S_IFREG, S_IFDIR):
                raise _RefusedError(f"{info.filename!r} in it is a link, a device or another special file")
            if info.flag_bits & _ENCRYPTED:
                raise _RefusedError(f"{info.filename!r} in it needs a password")
            if info.is_dir():
                yield _Entry(info.filename, 0, None)
            else:
                with archive.open(info) as content:
                    yield _Entry(info.filename, info.file_size, content)


def _safe_parts(name: str) -> tuple[str, ...]:
    """Split an entry's name, whatever system it was made on, into the folders below the target and its own name.

    Raises:
        _RefusedError: If it is absolute, climbs out, or means other things on other systems.
    """
    windows = PureWindowsPath(name)
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if windows.drive or windows.root or "\\" in name or ".." in parts:
        raise _RefusedError(f"{name!r} in it would lie outside the folder")
    if len(name) > _LONGEST_NAME:
        raise _RefusedError(f"a name in it is {len(name):,} letters long")
    return parts


def _write(content: IO[bytes], path: Path, size: int) -> None:
    """Write a new file of ``size`` bytes; a longer content is not read to its end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    missing = size
    with path.open("xb") as file:
        while missing and (block := content.read(min(missing, _BLOCK))):
            missing -= file.write(block)
    if missing:
        raise EOFError(f"{path.name!r} ends {missing:,} bytes early")
