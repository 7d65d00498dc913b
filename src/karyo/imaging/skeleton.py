"""Thinning a mask to lines one pixel wide."""

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
    skeleton = np.zeros(mask.shape, np.bool_)
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    window = slice(top, top + height), slice(left, left + width)
    field = mask[window].astype(np.uint8)
    remaining, idle = int(np.count_nonzero(field)), 0
    # Nothing can change any more once both passes in a row have taken nothing away.
    while remaining and idle < len(_PASSES):
        for kept in _PASSES:
            codes = cv2.filter2D(field, -1, _CODE, borderType=cv2.BORDER_CONSTANT)
            field = np.asarray(cv2.bitwise_and(field, cv2.LUT(codes, kept)), np.uint8)
            before, remaining = remaining, cv2.countNonZero(field)
            idle = idle + 1 if remaining == before else 0
    skeleton[window] = field > 0
    return skeleton


def _code() -> NDArray[np.float32]:
    """Give the kernel that reads a neighbourhood of zeros and ones, a bit per neighbour in the order of the ring."""
    kernel = np.zeros((3, 3), np.float32)
    for bit, (row, column) in enumerate(_RING):
        kernel[row + 1, column + 1] = 2**bit
    return kernel


def _tables() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Tabulate for the 256 neighbourhoods what the two passes leave: 1, or 0 where the pixel goes."""
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
    return (~first).astype(np.uint8), (~second).astype(np.uint8)


_CODE = _code()
_PASSES = _tables()
