"""Cutting an image down to the chromosome in it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.imaging.polarity import background_level

_SMALLEST_PART = 0.05
"""Share of the largest connected part's area below which a part is a speck."""


def crop_to_object(grey: NDArray[np.uint8], margin: int = 2) -> NDArray[np.uint8]:
    """Crop to the bounding box of the object, leaving out specks of noise and dirt.

    The object is what is brighter than half-way between the background and Otsu's threshold (so that pale ends and
    halos stay in), without connected parts smaller than a twentieth of the largest.

    Args:
        grey: Array (H, W), uint8, background dark.
        margin: Pixels to leave around the bounding box, as far as the image has them.

    Returns:
        Array (h, w), uint8, a copy; the image itself where it is constant.
    """
    left, top, right, bottom = object_box(grey, margin)
    return np.ascontiguousarray(grey[top:bottom, left:right])


def object_box(grey: NDArray[np.uint8], margin: int = 2) -> tuple[int, int, int, int]:
    """Find the box that :func:`crop_to_object` cuts out.

    Args:
        grey: Array (H, W), uint8, background dark.
        margin: Pixels to leave around the object, as far as the image has them.

    Returns:
        (left, top, right, bottom) in pixels, right and bottom exclusive; the whole image where it is constant.
    """
    height, width = grey.shape
    mask = object_mask(grey)
    if not mask.any():
        return 0, 0, width, height
    left, top, columns, rows = cv2.boundingRect(mask.view(np.uint8))
    return (
        max(left - margin, 0),
        max(top - margin, 0),
        min(left + columns + margin, width),
        min(top + rows + margin, height),
    )


def object_mask(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find the pixels of the object, as :func:`crop_to_object` describes it.

    Args:
        grey: Array (H, W), uint8, background dark.

    Returns:
        Array (H, W), bool; nothing where the image is constant.
    """
    if int(grey.min()) == int(grey.max()):
        return np.zeros(grey.shape, np.bool_)
    level = background_level(grey)
    otsu = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0]
    mask = (grey > (level + otsu) / 2).astype(np.uint8)
    _, numbers, parts, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = parts[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    large: NDArray[np.bool_] = areas >= max(_SMALLEST_PART * areas.max(), 1)
    mask_of_large: NDArray[np.bool_] = large[numbers]
    return mask_of_large
