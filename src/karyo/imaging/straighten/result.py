"""What straightening gives, whichever way it was done."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyo.imaging.crop import object_mask
from karyo.imaging.polarity import background_level
from karyo.imaging.straighten.axis import Axis
from karyo.imaging.straighten.line import Points

_SURE_OF_AXIS, _SURE_OF_WAIST = 0.5, 0.25
"""Least confidence in the axis, and least clearness of the waist, by which an image is turned upside down."""


_BENT, _LEANING, _LONG = 1.02, 6.0, 2.2
"""Length of the axis over the distance of its ends, degrees from the vertical, and length over width: a standing
chromosome below the first two is straight already, and one below the third too short for its axis to be trusted."""

NOTHING = "there is no object of a chromosome's size"
"""The reason where no axis can be had at all."""


@dataclass(frozen=True)
class Straightened:
    """A chromosome standing upright.

    Attributes:
        image: Array (h, w), uint8, background 0 and everything outside the mask 0, the chromosome bright, its long axis
            vertical. Where nothing could be done it is the image as it came.
        mask: Array (h, w), bool: the chromosome in ``image``.
        axis: The axis in the pixels of the image that came in, its first point at the top of ``image``; None where
            there is no object.
        line: float32 (N, 2), the same axis, point by point, in the pixels of ``image``; (0, 2) without an axis.
        method: ``"medial"`` or ``"two-part"``.
        changed: Whether the chromosome was unbent (turning it upright does not count).
        reason: Why it was not; empty where it was.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    axis: Axis | None
    line: Points
    method: str
    changed: bool
    reason: str


def upright(result: Straightened) -> Straightened:
    """Turn a straightened chromosome by half a circle where its short arm is down.

    Args:
        result: What :func:`straighten_medial` or :func:`straighten_two_part` gave.

    Returns:
        The same where the short arm is up already, or where the centromere is not seen clearly enough to tell.
    """
    axis = result.axis
    if axis is None or axis.confidence < _SURE_OF_AXIS or axis.waist < _SURE_OF_WAIST or axis.centromere <= 0.5:
        return result
    return _upside_down(result, axis)


def kept_standing(result: Straightened, grey: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Straightened:
    """Keep up the end of a straightened chromosome that was up before, and leave what needed no straightening.

    Args:
        result: What :func:`straighten_medial` or :func:`straighten_two_part` gave.
        grey: Array (H, W), uint8, what it was made of: a chromosome that stands upright, if bent or leaning.
        mask: Array (H, W), bool, the chromosome in it.

    Returns:
        The straightened chromosome with the same end up; the image as it came, without an axis, where the chromosome
        is straight and vertical already, where it is too short for its axis to be sure, and where nothing unbent it.
    """
    axis = result.axis
    if axis is None or not result.changed or axis.length < _LONG * 2 * axis.half_width:
        return unchanged(grey, mask, result.method, result.reason)
    across, along = axis.points[-1] - axis.points[0]
    leaning = float(np.degrees(np.arctan2(abs(across), abs(along))))
    if axis.length < _BENT * float(np.hypot(across, along)) and leaning < _LEANING:
        return unchanged(grey, mask, result.method, "")
    return _upside_down(result, axis) if along < 0 else result


def _upside_down(result: Straightened, axis: Axis) -> Straightened:
    """Turn a straightened chromosome with its axis by half a circle."""
    height, width = result.image.shape
    return replace(
        result,
        image=np.ascontiguousarray(result.image[::-1, ::-1]),
        mask=np.ascontiguousarray(result.mask[::-1, ::-1]),
        axis=axis.reversed(),
        line=np.array([width - 1, height - 1], np.float32) - result.line[::-1],
    )


def unchanged(grey: NDArray[np.uint8], mask: NDArray[np.bool_], method: str, reason: str) -> Straightened:
    """Give an image back as it came, with the reason why nothing could be done.

    Args:
        grey: Array (H, W), uint8.
        mask: Array (H, W), bool.
        method: Which way was tried.
        reason: Why it failed.

    Returns:
        The result, without an axis.
    """
    return Straightened(grey, mask, None, np.zeros((0, 2), np.float32), method, False, reason)


def window(picture: NDArray[Any], corner: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Cut a window out of a picture, filled up with 0 where it reaches beyond.

    Args:
        picture: Array (H, W).
        corner: (x, y) of the window's upper left pixel, whole numbers; at most the window's size outside the picture.
        shape: (height, width) of the window.

    Returns:
        Array (height, width) of the picture's type.
    """
    left, top = (int(value) for value in corner)
    part = picture[max(top, 0) : max(top + shape[0], 0), max(left, 0) : max(left + shape[1], 0)]
    cut = np.zeros(shape, picture.dtype)
    cut[max(-top, 0) :, max(-left, 0) :][: part.shape[0], : part.shape[1]] = part
    return cut


def lifted_window(grey: NDArray[np.uint8], corner: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Cut a window out of an image and take the level of the image's background off it.

    Args:
        grey: Array (H, W), uint8, background dark.
        corner: As in :func:`window`.
        shape: As in :func:`window`.

    Returns:
        Array (height, width), uint8, 0 beyond the image.
    """
    level = np.uint8(background_level(grey))
    return np.asarray(np.maximum(window(grey, corner, shape), level) - level, np.uint8)


def object_or(grey: NDArray[np.uint8], mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Give the mask, or the image's own object where there is none.

    Args:
        grey: Array (H, W), uint8, background dark.
        mask: Array (H, W), bool, or None.

    Returns:
        Array (H, W), bool.

    Raises:
        ValueError: If the mask is not of the image's size.
    """
    if mask is None:
        return object_mask(grey)
    if mask.shape != grey.shape:
        raise ValueError(f"the mask is {mask.shape}, the image {grey.shape}; they must be of one size")
    return mask
