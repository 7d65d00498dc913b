"""Turning a chromosome so that its long axis stands upright."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.imaging.crop import object_mask
from karyo.imaging.polarity import background_level

_ROUND = 1.15
"""Below this ratio of length to width an object has no long axis worth turning by."""


def align_to_axis(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Rotate an image so that the long side of the object's smallest enclosing rectangle is vertical.

    Which end comes up stays open: the short arm may point either way afterwards.

    Args:
        grey: Array (H, W), uint8, background dark.

    Returns:
        Array (h, w), uint8, large enough for the whole turned image, its new corners filled with the background's
        level; the image itself where there is no object or the object is nearly as wide as long.
    """
    rows, columns = np.nonzero(object_mask(grey))
    if not len(rows):
        return grey
    centre, (width, height), angle = cv2.minAreaRect(np.stack([columns, rows], axis=1).astype(np.float32))
    if max(width, height) < _ROUND * max(min(width, height), 1.0):
        return grey
    if width > height:
        angle += 90
    turn = (angle + 90) % 180 - 90
    return _rotate(grey, centre, turn)


def _rotate(grey: NDArray[np.uint8], centre: Sequence[float], degrees: float) -> NDArray[np.uint8]:
    """Rotate about a point, onto a square that nothing can leave, with that point in its middle."""
    side = int(np.ceil(np.hypot(*grey.shape))) + 4
    matrix: NDArray[Any] = cv2.getRotationMatrix2D(centre, degrees, 1.0)
    matrix[:, 2] += side / 2 - np.asarray(centre)
    return cv2.warpAffine(
        grey, matrix, (side, side), flags=cv2.INTER_CUBIC, borderValue=float(background_level(grey))
    ).astype(np.uint8, copy=False)
