"""Straightening along the medial axis."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.imaging.straighten.axis import Axis, find_axis, principal_axis
from karyo.imaging.straighten.line import Points, extend, sample_across
from karyo.imaging.straighten.result import NOTHING, Straightened, lifted_window, object_or, unchanged, window

_MARGIN = 2
"""Empty pixels around the straightened chromosome."""


_UNSURE = 0.2
"""Confidence below which unbending would tear apart what is no single chromosome."""


def straighten_medial(grey: NDArray[np.uint8], mask: NDArray[np.bool_] | None = None) -> Straightened:
    """Unbend a chromosome: its picture is sampled on the perpendiculars of its axis, a row for each pixel of length.

    Distances along the axis stay as they are, so bands keep their places; which end comes up stays open.

    Args:
        grey: Array (H, W), uint8, background dark.
        mask: Array (H, W), bool, the chromosome without its neighbours; None to take the largest object.

    Returns:
        The straightened chromosome; where no line explains the outline, as in a clump, the object turned upright as a
        whole, with the reason.

    Raises:
        ValueError: If the mask is not of the image's size.
    """
    mask = object_or(grey, mask)
    axis = find_axis(mask)
    if axis is None:
        return unchanged(grey, mask, "medial", NOTHING)
    straight = principal_axis(mask) if axis.confidence < _UNSURE else None
    if straight is None:
        return lay_out(grey, mask, axis, "medial")
    reason = f"no line through it explains its outline (confidence {axis.confidence:.2f})"
    return lay_out(grey, mask, replace(straight, confidence=axis.confidence), "medial", reason)


def turned_upright(grey: NDArray[np.uint8], mask: NDArray[np.bool_] | None = None) -> Straightened:
    """Turn a chromosome as a whole so that the long side of its smallest enclosing rectangle is vertical.

    This is what straightening is to be compared with.

    Args:
        grey: Array (H, W), uint8, background dark.
        mask: Array (H, W), bool, the chromosome without its neighbours; None to take the largest object.

    Returns:
        The chromosome as bent as before, with the straight line that its rows are counted along as its axis.

    Raises:
        ValueError: If the mask is not of the image's size.
    """
    mask = object_or(grey, mask)
    axis = principal_axis(mask)
    if axis is None:
        return unchanged(grey, mask, "turned", NOTHING)
    return lay_out(grey, mask, axis, "turned", "it was only to be turned")


def lay_out(
    grey: NDArray[np.uint8], mask: NDArray[np.bool_], axis: Axis, method: str, reason: str = ""
) -> Straightened:
    """Sample an image on the perpendiculars of an axis.

    Args:
        grey: Array (H, W), uint8, background dark.
        mask: Array (H, W), bool, the chromosome.
        axis: Its axis.
        method: What to call the result's method.
        reason: Why this does not unbend it; empty where it does.

    Returns:
        The straightened chromosome; its first row is near the axis' first point.
    """
    reach = int(np.ceil(float(axis.widths.max()) / 2 + 0.25 * axis.half_width)) + _MARGIN
    offsets = np.arange(-reach, reach + 1, dtype=np.float32)
    line: Points = extend(axis.points, _MARGIN + 1, 1.5 * axis.half_width)
    corner = np.floor(line.min(axis=0)) - reach - 2
    columns, rows = (np.ceil(line.max(axis=0)) + reach + 3 - corner).astype(int)
    part, own = lifted_window(grey, corner, (rows, columns)), window(mask, corner, (rows, columns))
    line = line - corner.astype(np.float32)
    kept = _main_part(sample_across(own.astype(np.float32), line, offsets) > 0.5)
    # The optics blur the rim beyond the outline; a pixel more keeps it, without reaching a neighbour.
    wide = cv2.dilate(kept.view(np.uint8), np.ones((3, 3), np.uint8)) > 0
    image = np.where(wide, sample_across(part, line, offsets, cv2.INTER_CUBIC), np.uint8(0))
    places = np.arange(len(axis.points), dtype=np.float32) + (_MARGIN + 1)
    upright_line = np.stack([np.full_like(places, reach), places], axis=1)
    return Straightened(image, kept, axis, upright_line, method, not reason, reason)


def _main_part(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the largest connected part of a mask."""
    _, numbers, parts, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    if len(parts) <= 2:
        return mask
    main: NDArray[np.bool_] = numbers == 1 + int(parts[1:, cv2.CC_STAT_AREA].argmax())
    return main
