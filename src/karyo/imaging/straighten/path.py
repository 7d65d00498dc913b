"""The longest way through a skeleton."""

from heapq import heappop, heappush

import cv2
import numpy as np
from numpy.typing import NDArray

_STEPS = tuple(
    (row, column, float(np.hypot(row, column))) for row in (-1, 0, 1) for column in (-1, 0, 1) if row or column
)

_SHORTEST_LEG = 4
"""Pixels of skeleton below which a side line is a twig, not a chromatid."""

_OUTER = 0.45
"""Share of the way at either end in which it may fork."""

Pixel = tuple[int, int]


def longest_path(skeleton: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Walk from one end of a skeleton to the end farthest from it, both chosen so that the way is longest.

    Two sweeps of shortest ways: from any pixel to the one farthest from it, and from there to the one farthest from
    that. In a skeleton without loops this is the longest way there is.

    Args:
        skeleton: Array (H, W), bool, from :func:`karyo.imaging.skeleton.thin`, one connected part.

    Returns:
        float32 (N, 2), the pixels' (x, y) in order; (0, 2) where the skeleton is empty.
    """
    pixels: set[Pixel] = set(zip(*(axis.tolist() for axis in np.nonzero(skeleton)), strict=True))
    if not pixels:
        return np.zeros((0, 2), np.float32)
    start, _ = _farthest(pixels, next(iter(sorted(pixels))))
    stop, before = _farthest(pixels, start)
    path = [stop]
    while path[-1] != start:
        path.append(before[path[-1]])
    return np.array(path, np.float32)[:, ::-1].copy()


def without_forks(path: NDArray[np.float32], skeleton: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Cut a way back to where it follows one leg of a fork: two chromatids that part before the tip.

    A fork is a place in the outer part of the way at which another line of the skeleton leaves, about as long as the
    rest of the way and in about its direction.

    Args:
        path: float32 (N, 2), from :func:`longest_path`.
        skeleton: Array (H, W), bool, the skeleton it was found in.

    Returns:
        float32 (M, 2), M <= N.
    """
    columns, rows = path.astype(np.intp).T
    aside = skeleton.astype(np.uint8)
    aside[rows, columns] = 0
    count, numbers = cv2.connectedComponents(aside, connectivity=8)
    first, last = 0, len(path) - 1
    for number in range(1, count):
        twig = np.argwhere(numbers == number)[:, ::-1].astype(np.float32)
        if len(twig) < _SHORTEST_LEG:
            continue
        gaps = np.linalg.norm(twig[:, None] - path[None], axis=2)
        at = int(gaps.min(axis=0).argmin())
        leg = twig[int(np.linalg.norm(twig - path[at], axis=1).argmax())] - path[at]
        if at < _OUTER * len(path) and _are_legs(leg, path[0] - path[at]):
            first = max(first, at)
        elif at > (1 - _OUTER) * len(path) and _are_legs(leg, path[-1] - path[at]):
            last = min(last, at)
    return path[first : last + 1]


def _are_legs(first: NDArray[np.float32], second: NDArray[np.float32]) -> bool:
    """Say whether two ways from one place are of similar length and direction."""
    long, short = max(np.hypot(*first), np.hypot(*second)), min(np.hypot(*first), np.hypot(*second))
    return bool(short > 0.5 * long and float(first @ second) > 0.5 * long * short)


def _farthest(pixels: set[Pixel], start: Pixel) -> tuple[Pixel, dict[Pixel, Pixel]]:
    """Find the pixel farthest from one, and of each pixel the one before it on the way there (Dijkstra)."""
    settled: set[Pixel] = set()
    lengths, before = {start: 0.0}, {start: start}
    queue = [(0.0, start)]
    last = start
    while queue:
        length, pixel = heappop(queue)
        if pixel in settled:
            continue
        settled.add(pixel)
        last = pixel
        for down, right, step in _STEPS:
            other = (pixel[0] + down, pixel[1] + right)
            if other in pixels and length + step < lengths.get(other, np.inf):
                lengths[other], before[other] = length + step, pixel
                heappush(queue, (length + step, other))
    return last, before
