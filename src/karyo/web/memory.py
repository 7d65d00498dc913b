"""Giving memory back: a server that once decoded a large image should not stay large."""

import ctypes
import sys

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # malloc.h of glibc
_LARGE = 1 << 20
_ARENAS = 4


def return_large_blocks() -> None:
    """Tell glibc to give every block of a mebibyte or more back to the system as soon as it is freed.

    By default glibc raises that limit to the largest block freed so far, and each of many threads keeps a heap of its
    own: pictures that came and went leave hundreds of megabytes behind. Elsewhere than on Linux with glibc this does
    nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(_MMAP_THRESHOLD, _LARGE)
    mallopt(_ARENA_MAX, _ARENAS)
