"""Thinning a mask to lines one pixel wide, and where those lines end and branch."""

import cv2
import numpy as np
from numpy.typing import NDArray

_RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""The eight neighbours (row, column), clockwise from the one above: the paper's P2 to P9."""


def thin(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Thin a mask to its skeleton, keeping its connected parts and holes.

    Parallel thinning in two passes by Guo and Hall ("Parallel thinning with two-subiteration algorithms",
    Communications of the ACM 32:359-373, 1989, algorithm A1), its conditions read from a table of the 256
    neighbourhoods. Unlike Zhang and Suen's it loses no small square or diagonal and leaves no stairs.

    Args:
        mask: Array (H, W), bool.

    Returns:
        Array (H, W), bool, a subset of the mask with lines one pixel wide; empty where the mask is.
    """
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return np.zeros(mask.shape, np.bool_)
    stride = mask.shape[1] + 2
    field = np.zeros((mask.shape[0] + 2) * stride, np.uint8)
    alive = (rows + 1) * stride + columns + 1
    field[alive] = 1
    ring = np.array([row * stride + column for row, column in _RING])
    # Only pixels beside what the last two passes took away can have become removable: the rest is not looked at.
    recent, look_at, marks = [alive, alive], alive, np.zeros(field.size, np.intp)
    while len(look_at):
        for removable in _PASSES:
            removed = look_at[removable[_codes(field, look_at, ring)]]
            field[removed] = 0
            recent = [recent[1], (removed[:, None] + ring).ravel()]
            beside = np.concatenate(recent)
            look_at = _distinct(beside[field[beside] > 0], marks)
    skeleton: NDArray[np.bool_] = np.ascontiguousarray(field.reshape(-1, stride)[1:-1, 1:-1] > 0)
    return skeleton


def end_points(skeleton: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find where the lines of a skeleton end.

    Args:
        skeleton: Array (H, W), bool, from :func:`thin`.

    Returns:
        Array (H, W), bool: its pixels with exactly one neighbour of eight.
    """
    ends: NDArray[np.bool_] = skeleton & (_neighbours(skeleton) == 1)
    return ends


def branch_points(skeleton: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find where the lines of a skeleton meet.

    Args:
        skeleton: Array (H, W), bool, from :func:`thin`.

    Returns:
        Array (H, W), bool: its pixels with three neighbours of eight or more. A meeting may have up to four such
        pixels side by side; taking them all out leaves the lines apart from each other.
    """
    branches: NDArray[np.bool_] = skeleton & (_neighbours(skeleton) >= 3)
    return branches


def _neighbours(skeleton: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Count the eight neighbours of each pixel, uint8 (H, W)."""
    kernel = np.ones((3, 3), np.float32)
    kernel[1, 1] = 0
    counts = cv2.filter2D(skeleton.astype(np.uint8), -1, kernel, borderType=cv2.BORDER_CONSTANT)
    return counts.astype(np.uint8, copy=False)


def _codes(field: NDArray[np.uint8], alive: NDArray[np.intp], ring: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Read the neighbourhoods of the living pixels, a bit per neighbour in the order of :data:`_RING`."""
    codes: NDArray[np.uint8] = np.packbits(field[alive[:, None] + ring], axis=1, bitorder="little")[:, 0]
    return codes


def _distinct(places: NDArray[np.intp], marks: NDArray[np.intp]) -> NDArray[np.intp]:
    """Drop repeated places in linear time; ``marks`` is room to work in, as long as the field."""
    order = np.arange(len(places))
    marks[places] = order
    last: NDArray[np.intp] = places[marks[places] == order]
    return last


def _tables() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tabulate for the 256 neighbourhoods what the two passes take away."""
    bits = ((np.arange(256)[:, None] >> np.arange(8)) & 1).astype(np.bool_)
    p2, p3, p4, p5, p6, p7, p8, p9 = bits.T
    crossings = sum(
        (~side & (diagonal | following)).astype(int)
        for side, diagonal, following in ((p2, p3, p4), (p4, p5, p6), (p6, p7, p8), (p8, p9, p2))
    )
    pairs = [(p9 | p2, p3 | p4, p5 | p6, p7 | p8), (p2 | p3, p4 | p5, p6 | p7, p8 | p9)]
    filled = np.minimum(*(np.sum(pair, axis=0) for pair in pairs))
    border = (crossings == 1) & (filled >= 2) & (filled <= 3)
    first = border & ~((p2 | p3 | ~p5) & p4)
    second = border & ~((p6 | p7 | ~p9) & p8)
    return first, second


_PASSES = _tables()
