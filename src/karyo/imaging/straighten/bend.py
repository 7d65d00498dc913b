"""The bending axis of a bent chromosome from its projections."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from karyo.imaging.straighten.line import smooth

PUBLISHED_WEIGHTS: tuple[tuple[float, float], ...] = ((0.43, 0.57), (0.67, 0.33))
"""The two pairs of weights that have been published for the score of a bending axis."""

_STEP = 5
"""Degrees between the angles at which bends are sought."""

_SMALLEST_ARM = 0.1
"""Share of the area below which what the bending axis cuts off is no arm."""


@dataclass(frozen=True)
class Bend:
    """A bending axis: the line across a chromosome through its bend.

    Attributes:
        angle: By how many radians the picture is turned, clockwise, so that the axis lies along the rows.
        centre: float32 (2,), (x, y) of the middle of the chromosome on the axis, pixels.
        score: What it was chosen by; less is better.
    """

    angle: float
    centre: NDArray[np.float32]
    score: float


def find_bend(body: NDArray[np.uint8], weights: tuple[float, float]) -> Bend | str:
    """Find the axis on which a chromosome is bent.

    The object is projected onto the rows at angles from 0 to 180 degrees. A bend shows as two peaks P1 and P2, the
    arms, with a minimum P3 between them; the angle with the least
    ``w1 |P1 - P2| / (P1 + P2) + w2 P3 / (P1 + P2)`` is taken, and the row of its minimum is the bending axis.

    Args:
        body: Array (H, W), uint8, 0 and 255, one object.
        weights: w1 and w2.

    Returns:
        The bending axis, or why there is none, as half a sentence.
    """
    points = np.argwhere(body)[:, ::-1].astype(np.float32)
    middle = points.mean(axis=0)
    angles = np.deg2rad(np.arange(0, 180, _STEP, dtype=np.float32))
    places = (points - middle) @ np.stack([np.sin(angles), np.cos(angles)])
    found = [_score(places[:, index], weights) for index in range(len(angles))]
    score, row, index = min((*valley, index) for index, valley in enumerate(found))
    if not np.isfinite(score):
        return "no angle shows two arms with a bend between them"
    angle, below = float(angles[index]), places[:, index] >= row
    if not _SMALLEST_ARM <= below.mean() <= 1 - _SMALLEST_ARM:
        return "the bending axis would cut off no more than a tip"
    across = (points - middle) @ np.array([np.cos(angle), -np.sin(angle)], np.float32)
    met = np.sort(across[np.abs(places[:, index] - row) <= 0.75])
    if not len(met) or np.diff(met).max(initial=0) > 2:
        return "the bending axis meets the chromosome in more than one place"
    beside = (met[0] + met[-1]) / 2
    cosine, sine = np.cos(angle), np.sin(angle)
    offset = np.array([beside * cosine + row * sine, row * cosine - beside * sine])
    return Bend(angle, (middle + offset).astype(np.float32), score)


def _score(places: NDArray[np.float32], weights: tuple[float, float]) -> tuple[float, float]:
    """Score one projection: the score and the place of its minimum; infinite where it has no two peaks."""
    start = float(np.floor(places.min())) - 1
    whole = np.floor(places - start)
    part = places - start - whole
    index, count = whole.astype(np.intp), int(whole.max()) + 2
    projection = smooth(np.bincount(index, 1 - part, count) + np.bincount(index + 1, part, count), 1.5)
    inner = projection[1:-1]
    peaks = 1 + np.flatnonzero((inner >= projection[:-2]) & (inner > projection[2:]))
    if len(peaks) < 2:
        return np.inf, 0.0
    highest = int(peaks[projection[peaks].argmax()])
    # The second arm is the peak that stands out most from the valley before it, not a ripple on the first.
    valleys = [_lowest(projection, highest, int(peak)) for peak in peaks if peak != highest]
    others = [int(peak) for peak in peaks if peak != highest]
    best = int(np.argmax([projection[peak] - projection[valley] for peak, valley in zip(others, valleys, strict=True)]))
    p1, p2, p3 = projection[highest], projection[others[best]], projection[valleys[best]]
    score = (weights[0] * abs(p1 - p2) + weights[1] * p3) / (p1 + p2)
    return float(score), start + valleys[best]


def _lowest(projection: NDArray[np.float64], first: int, second: int) -> int:
    """Give the place of the minimum between two peaks."""
    low, high = min(first, second), max(first, second)
    return low + int(projection[low : high + 1].argmin())
