"""How much an object looks like one chromosome: a single body of even width without branches or sharp kinks."""

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.imaging.skeleton import thin
from karyo.imaging.split.concavity import find_outlines


@dataclass(frozen=True, slots=True)
class Shape:
    """What speaks against an object being one chromosome; lengths in chromosome widths.

    Attributes:
        area: In squares of the width.
        length: Along the axis, tip to tip.
        breadth: Nearly the largest width along the axis.
        branches: Area, in squares of the width, that the body around the axis leaves over.
        kink: Sharpest turn of the axis within about one width, radians.
        neck: Narrowest width away from the tips, as a share of the median width.
        bow: How much longer the axis is than the straight line between its tips, in widths.
        taper: Broadest over median width, minus 1.
        hollow: Area, in squares of the width, that the convex hull holds beside the object.
        dent: Depth of the deepest dent of the outline below the hull.
        sharpness: Sum of the outline's concave turns beyond half a radian each, radians.
    """

    area: float
    length: float
    breadth: float
    branches: float
    kink: float
    neck: float
    bow: float
    taper: float
    hollow: float
    dent: float
    sharpness: float


def describe_shape(mask: NDArray[np.bool_], width: float) -> Shape:
    """Measure an object.

    Args:
        mask: Array (H, W), bool: one connected object.
        width: Typical width of a chromosome, pixels.

    Returns:
        Its shape.
    """
    padded = np.pad(mask, 1)
    depth = cv2.distanceTransform(padded.astype(np.uint8), cv2.DIST_L2, 5)
    path = longest_path(thin(padded))
    radii = depth[path[:, 1], path[:, 0]]
    between = path[-1] - path[0]
    length = float(np.hypot(*np.diff(path, axis=0).T).sum())
    body = np.zeros(padded.shape, np.uint8)
    for (x, y), radius in zip(path.tolist(), radii.tolist(), strict=True):
        cv2.circle(body, (x, y), round(radius + 0.2 * width), 1, -1)
    margin = int(0.4 * width)
    inner = radii[margin:-margin] if margin and len(radii) > 2 * margin + 2 else radii
    middle = max(float(np.median(radii)), 1e-6)
    hollow, dent = _hollow(mask)
    turns = [outline.turns[outline.dents] for outline in find_outlines(mask, width)]
    return Shape(
        area=float(np.count_nonzero(mask)) / width**2,
        length=(length + float(radii[0] + radii[-1])) / width,
        breadth=2 * float(np.sort(radii)[int(0.9 * (len(radii) - 1))]) / width,
        branches=float(np.count_nonzero(padded & (body == 0))) / width**2,
        kink=_kink(path, width),
        neck=float(inner.min()) / middle,
        bow=(length - float(np.hypot(*between))) / width,
        taper=float(radii.max()) / middle - 1,
        hollow=hollow / width**2,
        dent=dent / width,
        sharpness=float(sum(np.sum(turn - 0.5) for turn in turns)),
    )


def _hollow(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Give the area that the convex hull holds beside an object, and the depth of its deepest dent, in pixels."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    line = max(contours, key=len).reshape(-1, 2)
    filled = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), np.uint8)
    cv2.fillConvexPoly(filled, cv2.convexHull(line) + 1, 1)
    below = cv2.distanceTransform(filled, cv2.DIST_L2, 5)
    depth = float(below[line[:, 1] + 1, line[:, 0] + 1].max()) - 1
    return float(filled.sum()) - float(np.count_nonzero(mask)), depth


def longest_path(skeleton: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Find the longest of the shortest ways between two pixels of a skeleton, by two sweeps.

    Args:
        skeleton: Array (H, W), bool, one connected line.

    Returns:
        int64 (N, 2), (x, y) of its pixels from one end to the other; (0, 2) where there is no skeleton.
    """
    rows, columns = np.nonzero(skeleton)
    if not len(rows):
        return np.zeros((0, 2), np.int64)
    # A line's length beyond the picture's width keeps the last pixel of a row from being the first one's neighbour.
    stride = skeleton.shape[1] + 2
    # Any pixel would do to start from; another one could find another of several longest ways.
    column, row = next(iter(set(zip(columns.tolist(), rows.tolist(), strict=True))))
    pixels = (rows * stride + columns).tolist()
    start = _sweep(row * stride + column, pixels, stride)[0]
    end, came_from = _sweep(start, pixels, stride)
    path = [end]
    while path[-1] != start:
        path.append(came_from[path[-1]])
    places = np.array(path, np.int64)
    return np.stack([places % stride, places // stride], axis=1)


def _sweep(start: int, pixels: list[int], stride: int) -> tuple[int, dict[int, int]]:
    """Walk outward from a pixel: the last one reached, and where each was reached from."""
    ring = (1, -1, stride, -stride, stride + 1, 1 - stride, stride - 1, -stride - 1)
    came_from = {start: start}
    unseen = set(pixels)
    unseen.discard(start)
    waiting = deque([start])
    place = start
    while waiting:
        place = waiting.popleft()
        for step in ring:
            beside = place + step
            if beside in unseen:
                unseen.remove(beside)
                came_from[beside] = place
                waiting.append(beside)
    return place, came_from


def _kink(path: NDArray[np.int64], width: float) -> float:
    """Measure the sharpest turn of a path within about a width, away from its tips."""
    arm = max(round(0.7 * width), 3)
    tip = round(0.25 * width)
    points = path[tip : len(path) - tip].astype(np.float64)
    if len(points) < 2 * arm + 1:
        return 0.0
    kernel = np.ones(5) / 5
    points = np.stack([np.convolve(np.pad(points[:, axis], 2, "edge"), kernel, "valid") for axis in (0, 1)], axis=1)
    before, after = points[arm:-arm] - points[: -2 * arm], points[2 * arm :] - points[arm:-arm]
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    return float(np.abs(np.arctan2(cross, (before * after).sum(axis=1))).max())
