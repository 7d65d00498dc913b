"""The centre line of an object from its skeleton."""

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.imaging.skeleton import thin
from karyo.imaging.straighten.line import Points, arc_lengths, extend, normals, resample, sample_across, smooth, turning
from karyo.imaging.straighten.outline import joined, longest_run, straight_line
from karyo.imaging.straighten.path import longest_path, without_forks

_SHORT = 1.6
"""Ratio of length to width below which the skeleton says nothing about the direction of the chromosome."""

_EVEN, _SIDE, _BLUNT, _ONWARDS = 0.6, 0.5, 1.2, 1.5
"""Lengths in half widths, tuned on drawn chromosomes: deviations of the Gaussians that smooth the line and its shifts,
how much is cut off blunt ends, and the piece whose direction a line goes on in."""

_ROUNDS = 3
"""How often a line is moved onto the middles."""

FOLDED = 0.9
"""Largest half width over radius of curvature: at 1, perpendiculars meet inside the chromosome."""


def centre_line(body: NDArray[np.uint8]) -> Points:
    """Find a smooth middle line through an object.

    Args:
        body: Array (H, W), uint8, 0 and 255, one object with empty pixels around.

    Returns:
        float32 (N, 2), N >= 2, its ends outside the object.
    """
    path, half = _medial_path(body)
    along = arc_lengths(path)
    # A skeleton ends in a corner of a blunt end, or in one of two chromatids: only its middle is to be believed.
    kept = (along >= 1.2 * half) & (along <= along[-1] - 1.2 * half)
    if kept.sum() < 4 or float(along[-1]) + 2 * half < _SHORT * 2 * half:
        return straight_line(body)
    line = resample(smooth(resample(path[kept]), _EVEN * half).astype(np.float32))
    for _ in range(_ROUNDS):
        line = _centred(body, line, half)
    return _unfolded(line, half)


def _medial_path(body: NDArray[np.uint8]) -> tuple[Points, float]:
    """Walk along an object's skeleton: the way, float32 (N, 2), N >= 1, and half the object's usual width."""
    # A ragged outline grows a twig on every tooth.
    even = cv2.blur(body, (5, 5)) > 127
    if cv2.connectedComponents(even.view(np.uint8), connectivity=8)[0] != 2:
        even = body > 0
    skeleton = thin(even)
    path = without_forks(longest_path(skeleton), skeleton)
    columns, rows = path.astype(np.intp).T
    # Outside the picture there is no object either; without any background there would be no distance to it.
    inside = cv2.distanceTransform(np.pad(body, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    return path, max(float(np.median(inside[rows, columns])), 0.5)


def _centred(body: NDArray[np.uint8], line: Points, half: float) -> Points:
    """Move a line, lengthened to both ends of the object, onto the middles of the outline across it."""
    line = extend(line, int(3 * half) + 2, _ONWARDS * half)
    offsets = np.arange(-np.ceil(1.7 * half), np.ceil(1.7 * half) + 1, dtype=np.float32)
    across = joined(sample_across(body, line, offsets)).astype(np.float64)
    widths = across.sum(axis=1)
    rows = longest_run(widths > 255)
    if len(rows) < 2:
        return line
    line, across, widths = line[rows], across[rows], widths[rows]
    beside = (across @ offsets) / widths
    sigma = _SIDE * half
    # Narrow ends and waists have the least to say about where the middle is.
    shift = smooth(beside * widths, sigma) / np.maximum(smooth(widths, sigma), 1e-6)
    shift = np.clip(shift, -half, half).astype(np.float32)
    line = resample((line + shift[:, None] * normals(line)).astype(np.float32))
    # Across a blunt end the outline is cut askew and its middle is not that of the chromosome.
    blunt = min(round(_BLUNT * half), (len(line) - 4) // 2)
    return resample(smooth(line[max(blunt, 0) : len(line) - max(blunt, 0)], _EVEN * half).astype(np.float32))


def _unfolded(line: Points, half: float) -> Points:
    """Smooth a line until it turns no more sharply than the chromosome's width allows, then lengthen it."""
    for _ in range(5):
        if np.abs(turning(line)).max() * half < FOLDED:
            break
        line = resample(smooth(line, half).astype(np.float32))
    return extend(line, int(2 * half) + 3, _ONWARDS * half)
