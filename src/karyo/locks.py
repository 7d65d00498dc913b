"""Locks on files that end with the process that holds them, however it dies."""

import fcntl
import os
import time
from pathlib import Path

_TRIES, _PAUSE = 5, 0.05
_held: set[int] = set()


def take(path: Path) -> int | None:
    """Lock a file for this process.

    Processes that it forks do not hold the lock: one that loads data would outlive it for a while.

    Args:
        path: The file; made if it is missing.

    Returns:
        What :func:`release` takes; None if another holder has it, after a moment's patience with those who only look.

    Raises:
        OSError: If the file cannot be opened.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    for _ in range(_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(_PAUSE)
        else:
            _held.add(handle)
            return handle
    os.close(handle)
    return None


def release(handle: int) -> None:
    """Let go of a lock."""
    if handle in _held:
        _held.discard(handle)
        os.close(handle)


def is_taken(path: Path) -> bool:
    """Tell whether some process, perhaps this one, holds a file's lock now."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _forget() -> None:
    for handle in _held:
        os.close(handle)
    _held.clear()


os.register_at_fork(after_in_child=_forget)
