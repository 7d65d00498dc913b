"""Straightening in two parts: a bent chromosome is cut at its bend and each arm turned upright."""

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.errors import SettingsError
from karyo.imaging.straighten.arms import Sweep, lay_arms
from karyo.imaging.straighten.axis import measure_along
from karyo.imaging.straighten.bend import PUBLISHED_WEIGHTS, find_bend
from karyo.imaging.straighten.line import Points, resample
from karyo.imaging.straighten.medial import lay_out
from karyo.imaging.straighten.outline import largest_object, straight_line
from karyo.imaging.straighten.result import NOTHING, Straightened, lifted_window, object_or, unchanged

_METHOD = "two-part"

STRAIGHT = 0.667
"""Share of its smallest enclosing rectangle from which a chromosome counts as straight."""

_BETTER = 1.02
"""By how much the share of the rectangle must grow for an unbent chromosome to be kept."""


def straighten_two_part(
    grey: NDArray[np.uint8],
    mask: NDArray[np.bool_] | None = None,
    weights: tuple[float, float] = PUBLISHED_WEIGHTS[0],
) -> Straightened:
    """Unbend a chromosome that is bent in one place.

    The method is that of Roshtkhari and Setarehdan ("A novel algorithm for straightening highly curved images of human
    chromosome", Pattern Recognition Letters 29:1208-1217, 2008), used for classification by D'Angelo and Nanni
    ("Deep-learning-based human chromosome classification: data augmentation and ensemble", Information 14:389, 2023):
    :func:`find_bend` finds the bending axis, the chromosome is cut there, each arm is turned about the middle of the
    cut until its projection onto the columns is narrowest, and the wedge that opens between them is filled.

    Args:
        grey: Array (H, W), uint8, background dark.
        mask: Array (H, W), bool, the chromosome without its neighbours; None to take the largest object.
        weights: w1 and w2 of the bending axis' score, neither negative, not both 0.

    Returns:
        The straightened chromosome; where it is straight already or its bend cannot be told, the chromosome turned
        upright as a whole, with the reason.

    Raises:
        SettingsError: If the weights cannot be meant.
        ValueError: If the mask is not of the image's size.
    """
    if min(weights) < 0 or not sum(weights) > 0:
        raise SettingsError(f"weights must be two numbers, neither negative, not both 0, not {weights}")
    mask = object_or(grey, mask)
    found = largest_object(mask)
    if found is None:
        return unchanged(grey, mask, _METHOD, NOTHING)
    body, corner = found
    straight = measure_along(body, resample(straight_line(body)))
    if straight is None:
        return unchanged(grey, mask, _METHOD, NOTHING)
    whole = straight.moved(corner)
    filled = _box_share(body)
    if filled >= STRAIGHT:
        return lay_out(grey, mask, whole, _METHOD, f"it is straight already: it fills {filled:.2f} of its box")
    bend = find_bend(body, weights)
    if isinstance(bend, str):
        return lay_out(grey, mask, whole, _METHOD, bend)
    sweep = lay_arms(body, bend)
    turned = sweep.sample(body)
    if _box_share(turned) < _BETTER * filled:
        return lay_out(grey, mask, whole, _METHOD, "its arms would lie no straighter when turned")
    result = _as_result(lifted_window(grey, corner, body.shape), sweep, turned, corner)
    return result or lay_out(grey, mask, whole, _METHOD, "nothing is left of it when its arms are turned")


def _box_share(body: NDArray[np.uint8]) -> float:
    """Give the share of its smallest enclosing rectangle that an object fills, 0..1; pixels have an area too."""
    rows, columns = np.nonzero(body > 127)
    if not len(rows):
        return 0.0
    _, (width, height), _ = cv2.minAreaRect(np.stack([columns, rows], axis=1).astype(np.float32))
    return len(rows) / ((width + 1) * (height + 1))


def _as_result(
    part: NDArray[np.uint8], sweep: Sweep, turned: NDArray[np.uint8], corner: NDArray[np.float32]
) -> Straightened | None:
    """Unbend the picture of the object and measure along the middle column; None where that misses the object."""
    middle = np.float32(np.average(np.arange(turned.shape[1]), weights=turned.sum(axis=0)))
    rows = np.arange(len(turned), dtype=np.float32)
    column: Points = np.stack([np.full_like(rows, middle), rows], axis=1)
    standing = measure_along(turned, column)
    if standing is None:
        return None
    mask = turned > 127
    wide = cv2.dilate(mask.view(np.uint8), np.ones((3, 3), np.uint8)) > 0
    image = np.where(wide, sweep.sample(part, cv2.INTER_CUBIC), np.uint8(0))
    return Straightened(image, mask, sweep.moved(corner).trace(standing), standing.points, _METHOD, True, "")
