"""Cutting a cluster into the fragments that chromosomes are put together from."""

from collections.abc import Collection
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.imaging.split.concavity import Cut

_SMALLEST = 0.1
"""Area, in squares of the chromosome width, below which a fragment is joined to its neighbour."""


@dataclass(frozen=True, slots=True)
class Border:
    """Where two fragments meet.

    Attributes:
        length: Pixels.
        level: Mean grey along it over that a little way inside the paler of the two; 1 where no grey is known.
    """

    length: int
    level: float


@dataclass(frozen=True, slots=True, eq=False)
class Fragments:
    """A cluster in pieces.

    Attributes:
        numbers: int32 (H, W): 0 outside, 1..count inside.
        count: Number of fragments.
        areas: Pixels of each, (count,).
        rims: Length in pixels of each one's border with the background, (count,).
        levels: Mean grey of each, (count,); 1 where no grey is known.
        boxes: int64 (count, 4): left, top, right, bottom of each, right and bottom exclusive.
        borders: By pairs of fragment indices (0-based, the smaller first).
    """

    numbers: NDArray[np.int32]
    count: int
    areas: NDArray[np.float64]
    rims: NDArray[np.float64]
    levels: NDArray[np.float64]
    boxes: NDArray[np.int64]
    borders: dict[tuple[int, int], Border]

    def united(self, members: Collection[int]) -> NDArray[np.bool_]:
        """Give the union of some fragments, bool (h, w), cropped to it."""
        boxes = self.boxes[list(members)]
        (left, top), (right, bottom) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
        inside = np.zeros(self.count + 1, np.bool_)
        inside[[index + 1 for index in members]] = True
        union: NDArray[np.bool_] = inside[self.numbers[top:bottom, left:right]]
        return union


def cut_up(
    mask: NDArray[np.bool_],
    cuts: list[Cut],
    cores: NDArray[np.int32] | None,
    grey: NDArray[np.uint8] | None,
    width: float,
) -> Fragments:
    """Cut an object along lines, and along the borders of given zones.

    Args:
        mask: Array (H, W), bool: one connected object.
        cuts: Lines to cut along.
        cores: int32 (H, W): zones that the fragments shall not reach across, or None.
        grey: Array (H, W), uint8, or None.
        width: Typical width of a chromosome, pixels.

    Returns:
        The fragments.
    """
    lines = np.zeros(mask.shape, np.uint8)
    for cut in cuts:
        start, end = _lengthened(cut)
        cv2.line(lines, start, end, 1, 1)
    zones = np.zeros(mask.shape, np.int32) if cores is None else cores
    numbers = np.zeros(mask.shape, np.int32)
    for zone in np.unique(zones[mask]):
        inside = (mask & (lines == 0) & (zones == zone)).astype(np.uint8)
        _, parts = cv2.connectedComponents(inside, connectivity=4)
        numbers[parts > 0] = parts[parts > 0] + numbers.max()
    return _describe(_join_small(fill(numbers, mask), _SMALLEST * width**2), grey, width)


def fill(numbers: NDArray[np.int32], mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Give every pixel of a mask the number of the nearest numbered pixel.

    Args:
        numbers: int32 (H, W), 0 where unnumbered.
        mask: Array (H, W), bool.

    Returns:
        int32 (H, W), 0 outside the mask; all 1 inside it if nothing was numbered.
    """
    if not numbers.any():
        return mask.astype(np.int32)
    _, nearest = cv2.distanceTransformWithLabels(
        (numbers == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    seeds = numbers > 0
    names = np.zeros(int(nearest.max()) + 1, np.int32)
    names[nearest[seeds]] = numbers[seeds]
    return np.where(mask, names[nearest], 0).astype(np.int32)


def _lengthened(cut: Cut) -> tuple[tuple[int, int], tuple[int, int]]:
    """Lengthen a cut by a pixel and a half at both ends, so that it surely reaches the outside."""
    start, end = np.array(cut.start), np.array(cut.end)
    way = 1.5 * (end - start) / max(float(np.hypot(*(end - start))), 1e-6)
    (x, y), (other_x, other_y) = (start - way).tolist(), (end + way).tolist()
    return (round(x), round(y)), (round(other_x), round(other_y))


def _join_small(numbers: NDArray[np.int32], smallest: float) -> NDArray[np.int32]:
    """Join fragments that are too small to the neighbour they share most with, and number the rest 1, 2, 3..."""
    while True:
        areas = np.bincount(numbers.ravel()).astype(np.float64)
        areas[0] = 0
        present = np.flatnonzero(areas)
        small = present[areas[present] < smallest]
        if not len(small) or len(present) == 1:
            break
        number = int(small[areas[small].argmin()])
        own = (numbers == number).astype(np.uint8)
        around = numbers[(cv2.dilate(own, np.ones((3, 3), np.uint8)) > 0) & (own == 0) & (numbers > 0)]
        numbers = numbers.copy()
        numbers[own > 0] = np.bincount(around).argmax() if len(around) else 0
    names = np.zeros(int(numbers.max()) + 1, np.int32)
    names[present] = np.arange(1, len(present) + 1)
    return np.asarray(names[numbers], np.int32)


def _describe(numbers: NDArray[np.int32], grey: NDArray[np.uint8] | None, width: float) -> Fragments:
    """Measure the fragments and their borders."""
    count = int(numbers.max())
    values = np.ones(numbers.shape, np.float32) if grey is None else grey.astype(np.float32)
    areas = np.bincount(numbers.ravel(), minlength=count + 1).astype(np.float64)
    levels = np.bincount(numbers.ravel(), values.ravel(), minlength=count + 1) / np.maximum(areas, 1)
    padded = np.pad(numbers, 1)
    sides = [(padded[1:], padded[:-1]), (padded[:, 1:], padded[:, :-1])]
    pairs = np.concatenate([np.stack([np.minimum(a, b)[a != b], np.maximum(a, b)[a != b]], axis=1) for a, b in sides])
    rims = np.bincount(pairs[pairs[:, 0] == 0, 1], minlength=count + 1).astype(np.float64)
    found, lengths = np.unique(pairs[pairs[:, 0] > 0], axis=0, return_counts=True)
    borders = {
        (int(a) - 1, int(b) - 1): Border(int(length), _border_level(numbers, values, (int(a), int(b)), width))
        for (a, b), length in zip(found, lengths, strict=True)
    }
    corners = [cv2.boundingRect((numbers == number).astype(np.uint8)) for number in range(1, count + 1)]
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in corners], np.int64).reshape(-1, 4)
    return Fragments(numbers, count, areas[1:], rims[1:], levels[1:], boxes, borders)


def _border_level(
    numbers: NDArray[np.int32], values: NDArray[np.float32], pair: tuple[int, int], width: float
) -> float:
    """Compare the grey on a border with that beside it: 1 on even ground, less in a valley, more on a ridge."""
    one, two = (cv2.dilate((numbers == number).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0 for number in pair)
    border = one & two & ((numbers == pair[0]) | (numbers == pair[1]))
    reach = 2 * max(round(0.35 * width), 2) + 1
    near = cv2.dilate(border.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
    closer = cv2.dilate(border.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    beside = [values[near & ~closer & (numbers == number)] for number in pair]
    paler = min((float(np.mean(level)) for level in beside if len(level)), default=0.0)
    return float(np.mean(values[border])) / paler if paler > 0 else 1.0
