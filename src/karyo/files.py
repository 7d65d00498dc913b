"""Files that are never half-written: written beside their place, then renamed into it."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

_STEM_KEPT = 20


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
