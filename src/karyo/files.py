"""Files that are never half-written: written beside their place, then renamed into it; and folders walked with care.

Names of files need not be valid UTF-8. Python carries their odd bytes as surrogates, and what lists files gives the
bytes back: :func:`encode_names`.
"""

import csv
import hashlib
import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from karyo.errors import DataError

_STEM_KEPT = 20


def sha256(path: Path) -> str:
    """Give the SHA-256 of a file's content, 64 hexadecimal digits.

    Raises:
        OSError: If it cannot be read.
    """
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def write_beside(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a file beside ``path``, then put it in its place in one step.

    Args:
        path: Where the file shall be; missing folders are made.
        write: Called with the path of an empty file with the same ending.

    Raises:
        OSError: If the place cannot be written; what stood there before is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Only the beginning of the name: the whole of a long one and mkstemp's letters would be too long for a file system.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:_STEM_KEPT]}-", suffix=path.suffix)
    os.close(handle)
    beside = Path(name)
    try:
        write(beside)
        # mkstemp makes files that only their owner can read; give what a plain open() would have given.
        mask = os.umask(0)
        os.umask(mask)
        beside.chmod(0o666 & ~mask)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file in one step."""
    write_beside(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def write_names(path: Path, text: str) -> None:
    """Write a text in which files are named in one step, as :func:`encode_names` gives it.

    Raises:
        OSError: As :func:`write_beside`.
    """
    content = encode_names(text)
    write_beside(path, lambda beside: beside.write_bytes(content))


def encode_names(text: str) -> bytes:
    """Give a text in which files are named as UTF-8, the odd bytes of names as they are in the file system."""
    return text.encode("utf-8", errors="surrogateescape")


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Give rows as CSV; the first one is the names of the columns. Lines end alike on every system."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def walk_files(root: Path) -> Iterator[str]:
    """Give the paths, relative to a folder, of all visible files below it, with ``/``.

    Links to folders are followed, but no folder is entered twice.

    Raises:
        DataError: If a folder cannot be read.
    """
    entered = set()
    for folder, folders, files in os.walk(root, followlinks=True, onerror=_refuse_unreadable):
        status = os.stat(folder)  # noqa: PTH116 - os.walk gives strings
        if (status.st_dev, status.st_ino) in entered:
            folders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        relative = Path(folder).relative_to(root)
        yield from ((relative / name).as_posix() for name in files if not name.startswith("."))


def _refuse_unreadable(error: OSError) -> None:
    """A folder that cannot be read would otherwise only make the data smaller, and nobody would notice."""
    raise DataError(f"{error.filename} cannot be read ({error.strerror}); change its rights or take it away.")
