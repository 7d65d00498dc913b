"""Where the outline of a cluster is dented, and which lines between dents could part it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_ARM = 0.4
"""Arm, in chromosome widths, over which the turn of the outline is measured."""

_SMOOTHING = 0.1
"""Deviation, in chromosome widths, of the Gaussian that smooths the outline."""

_DENT = 0.5
"""Turn in radians from which on a concave stretch of outline is a dent."""

_LONGEST_CUT = 1.9
"""Longest cut in chromosome widths: across an oblique crossing's arm."""

_CUTS_PER_DENT = 2

_MOST_DENTS = 200
"""An outline with more dents than any cluster of chromosomes has is noise, and is not cut."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A closed outline in steps of about one pixel.

    Attributes:
        points: float32 (N, 2), (x, y) in pixels.
        turns: float32 (N,), radians; positive where the outline is concave.
        inward: float32 (N, 2), unit vectors into the object.
        dents: int64 (K,), positions of the concave points.
    """

    points: NDArray[np.float32]
    turns: NDArray[np.float32]
    inward: NDArray[np.float32]
    dents: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cut:
    """A line that could part a cluster.

    Attributes:
        start: (x, y) in pixels.
        end: (x, y) in pixels.
        badness: 0 for a short line between two sharp dents that face each other; larger is worse.
    """

    start: tuple[float, float]
    end: tuple[float, float]
    badness: float


def find_outlines(mask: NDArray[np.bool_], width: float) -> list[Outline]:
    """Trace the outer and inner outlines of one connected object and find their dents.

    Args:
        mask: Array (H, W), bool.
        width: Typical width of a chromosome, pixels.

    Returns:
        The outlines; those shorter than a chromosome is wide are left out.
    """
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    lines = [np.asarray(line, np.int32).reshape(-1, 2) for line in contours]
    return [_measure_outline(line, width) for line in lines if len(line) > width]


def find_cuts(mask: NDArray[np.bool_], outlines: list[Outline], width: float) -> list[Cut]:
    """Propose cuts: between two dents that face each other, and from a sharp dent straight across.

    Args:
        mask: Array (H, W), bool: one connected object.
        outlines: From :func:`find_outlines`.
        width: Typical width of a chromosome, pixels.

    Returns:
        Cuts that do not cross each other, the best first, at most two from each dent.
    """
    dents = [(number, int(place)) for number, outline in enumerate(outlines) for place in outline.dents]
    if len(dents) > _MOST_DENTS:
        return []
    proposals: list[tuple[Cut, tuple[int, ...]]] = []
    for first in range(len(dents)):
        for second in range(first + 1, len(dents)):
            cut = _between(mask, outlines, dents[first], dents[second], width)
            if cut is not None:
                proposals.append((cut, (first, second)))
    chosen = _compatible(_without_diagonals(proposals), len(dents))
    paired = {dent for _, ends in chosen for dent in ends}
    for index, (number, place) in enumerate(dents):
        if index not in paired:
            lone = _across(mask, outlines[number], place, width)
            if lone is not None:
                chosen.append((lone, (index,)))
    return [cut for cut, _ in _compatible(chosen, len(dents))]


def _measure_outline(line: NDArray[np.int32], width: float) -> Outline:
    """Smooth an outline, and measure its turns."""
    closed = np.vstack([line, line[:1]]).astype(np.float64)
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    steps = np.linspace(0, along[-1], max(int(along[-1]), 8), endpoint=False)
    points = np.stack([np.interp(steps, along, closed[:, axis]) for axis in (0, 1)], axis=1)
    points = _smooth_closed(points, max(_SMOOTHING * width, 0.8))
    arm = max(round(_ARM * width), 2)
    behind, ahead = np.roll(points, arm, axis=0), np.roll(points, -arm, axis=0)
    before, after = points - behind, ahead - points
    # OpenCV runs around objects and holes so that the object lies on the same side: one sign means concave everywhere.
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    turns = np.arctan2(cross, (before * after).sum(axis=1))
    inward = points - (behind + ahead) / 2
    inward /= np.maximum(np.hypot(*inward.T), 1e-6)[:, None]
    return Outline(
        points.astype(np.float32), turns.astype(np.float32), inward.astype(np.float32), _find_peaks(turns, arm)
    )


def _smooth_closed(points: NDArray[np.float64], deviation: float) -> NDArray[np.float64]:
    """Smooth a closed line by a Gaussian of a deviation in steps."""
    reach = min(int(3 * deviation) + 1, len(points) - 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    padded = np.vstack([points[-reach:], points, points[:reach]])
    return np.stack([np.convolve(padded[:, axis], kernel / kernel.sum(), "valid") for axis in (0, 1)], axis=1)


def _find_peaks(turns: NDArray[np.float64], arm: int) -> NDArray[np.int64]:
    """Find the sharpest point of each dent."""
    closed = turns[np.arange(-arm, len(turns) + arm) % len(turns)]
    around = np.lib.stride_tricks.sliding_window_view(closed, 2 * arm + 1)
    peaks: NDArray[np.int64] = np.flatnonzero((turns >= around.max(axis=1)) & (turns > _DENT))
    return peaks


def _between(
    mask: NDArray[np.bool_], outlines: list[Outline], first: tuple[int, int], second: tuple[int, int], width: float
) -> Cut | None:
    """Propose the cut between two dents, if it is short, runs inside, and parts something from something."""
    (line, place), (other_line, other_place) = first, second
    start, end = outlines[line].points[place], outlines[other_line].points[other_place]
    way = end - start
    length = float(np.hypot(*way))
    if length > _LONGEST_CUT * width or length < 1:
        return None
    if line == other_line:
        total = len(outlines[line].points)
        around = abs(place - other_place)
        if min(around, total - around) < max(1.3 * length, 0.8 * width):
            return None
    way = way / length
    facing = float(outlines[line].inward[place] @ way), float(-outlines[other_line].inward[other_place] @ way)
    if min(facing) < -0.2 or sum(facing) < 0.4 or not _runs_inside(mask, start, end):
        return None
    sharpness = float(outlines[line].turns[place] + outlines[other_line].turns[other_place])
    badness = length / width + 0.5 * (2 - sum(facing)) + 0.3 * max(2.5 - sharpness, 0)
    return Cut((float(start[0]), float(start[1])), (float(end[0]), float(end[1])), badness)


def _across(mask: NDArray[np.bool_], outline: Outline, place: int, width: float) -> Cut | None:
    """Propose the shortest cut from one sharp dent to the other side."""
    if outline.turns[place] < 0.8:
        return None
    start, inward = outline.points[place], outline.inward[place]
    best: Cut | None = None
    for angle in np.deg2rad([0, -15, 15, -30, 30, -45, 45]):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        end = _leave(mask, start, turn @ inward, 1.5 * width)
        if end is None:
            continue
        badness = 0.8 + float(np.hypot(*(end - start))) / width
        if best is None or badness < best.badness:
            best = Cut((float(start[0]), float(start[1])), (float(end[0]), float(end[1])), badness)
    return best


def _leave(
    mask: NDArray[np.bool_], start: NDArray[np.float32], way: NDArray[np.float64], longest: float
) -> NDArray[np.float64] | None:
    """Follow a ray through the object to where it comes out; None if that is too far."""
    steps = np.arange(2.0, longest, 0.5)
    points = start + steps[:, None] * way
    inside = _inside(mask, points)
    if inside.all() or not inside[0]:
        return None
    end: NDArray[np.float64] = points[int(np.argmin(inside))]
    return end


def _runs_inside(mask: NDArray[np.bool_], start: NDArray[np.float32], end: NDArray[np.float32]) -> bool:
    """Say whether the inner part of a line lies in the object."""
    shares = np.linspace(0.2, 0.8, 9)[:, None]
    return bool(_inside(mask, start + shares * (end - start)).mean() > 0.85)


def _inside(mask: NDArray[np.bool_], points: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Look up points (N, 2) of (x, y) in a mask; outside the picture is outside the object."""
    columns, rows = np.rint(points).astype(np.int64).T
    height, width = mask.shape
    valid = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    inside: NDArray[np.bool_] = valid & mask[rows.clip(0, height - 1), columns.clip(0, width - 1)]
    return inside


def _without_diagonals(proposals: list[tuple[Cut, tuple[int, ...]]]) -> list[tuple[Cut, tuple[int, ...]]]:
    """Drop what would cut through the middle of a crossing: its four sides are cuts themselves."""
    sides = {frozenset(ends): cut for cut, ends in proposals}

    def is_diagonal(first: int, second: int) -> bool:
        corners = {dent for pair in sides for dent in pair} - {first, second}
        between = [dent for dent in corners if {frozenset((first, dent)), frozenset((second, dent))} <= sides.keys()]
        cut = sides[frozenset((first, second))]
        where = [_end_beside(sides[frozenset((first, dent))], cut) for dent in between]
        turns = [_side(cut.start, cut.end, place) for place in where]
        return bool(turns) and min(turns) < 0 < max(turns)

    return [item for item in proposals if not is_diagonal(item[1][0], item[1][1])]


def _end_beside(cut: Cut, other: Cut) -> tuple[float, float]:
    """Give the end of a cut that is no end of the other one."""
    return cut.end if cut.start in (other.start, other.end) else cut.start


def _compatible(proposals: list[tuple[Cut, tuple[int, ...]]], dents: int) -> list[tuple[Cut, tuple[int, ...]]]:
    """Take proposals, the best first, that cross none taken before and leave each dent its few cuts."""
    used = [0] * dents
    chosen: list[tuple[Cut, tuple[int, ...]]] = []
    for cut, ends in sorted(proposals, key=lambda item: item[0].badness):
        if any(used[end] >= _CUTS_PER_DENT for end in ends) or any(_cross(cut, other) for other, _ in chosen):
            continue
        chosen.append((cut, ends))
        for end in ends:
            used[end] += 1
    return chosen


def _cross(first: Cut, second: Cut) -> bool:
    """Say whether two cuts cross each other between their ends."""
    if {first.start, first.end} & {second.start, second.end}:
        return False
    apart = _side(first.start, first.end, second.start) * _side(first.start, first.end, second.end)
    other = _side(second.start, second.end, first.start) * _side(second.start, second.end, first.end)
    return apart < 0 and other < 0


def _side(start: tuple[float, float], end: tuple[float, float], point: tuple[float, float]) -> float:
    """Tell by its sign on which side of a line a point lies."""
    return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])
