"""Connected parts, and the classic way to part what touches: watershed on the distance transform."""

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.imaging.foreground import typical_width

_CORE = 0.62
"""A core is what lies deeper below the outline than this share of half a chromosome's width."""


def components(mask: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Give the connected parts of a mask.

    Args:
        mask: Array (H, W), bool.

    Returns:
        One bool (H, W) for each.
    """
    if not mask.any():
        return []
    count, numbers = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return [numbers == number for number in range(1, count)]


def watershed_parts(mask: NDArray[np.bool_], width: float | None = None) -> list[NDArray[np.bool_]]:
    """Part touching objects by a watershed that floods the depth below the outline from its cores.

    Meyer, "Color image segmentation" (1992), as in OpenCV.

    Args:
        mask: Array (H, W), bool.
        width: Typical width of a chromosome in pixels; None measures it.

    Returns:
        One bool (H, W) for each part.
    """
    width = width or typical_width(mask)
    if not mask.any():
        return []
    padded = np.pad(mask, 2)
    depth = cv2.distanceTransform(padded.astype(np.uint8), cv2.DIST_L2, 5)
    # An object too thin to have a core is a core itself.
    _, whole = cv2.connectedComponents(padded.astype(np.uint8), connectivity=8)
    deep = depth > _CORE * width / 2
    bare = np.ones(int(whole.max()) + 1, np.bool_)
    bare[whole[deep]] = False
    seeds: NDArray[np.bool_] = deep | (bare[whole] & padded)
    count, cores = cv2.connectedComponents(seeds.astype(np.uint8), connectivity=8)
    markers = np.where(padded, cores, count).astype(np.int32)
    relief = 255 - np.clip(depth * (255 / max(float(depth.max()), 1.0)), 0, 255).astype(np.uint8)
    flooded = np.asarray(cv2.watershed(np.repeat(relief[..., None], 3, axis=2), markers))[2:-2, 2:-2]
    # The watershed leaves lines of -1 between parts; each of their pixels goes to a part beside it.
    inside = np.where(flooded == count, 0, flooded).clip(0)
    spread = np.asarray(cv2.dilate(inside.astype(np.float32), np.ones((3, 3), np.uint8)))
    numbers = np.where(inside > 0, inside, spread.astype(np.int32)) * mask
    return [part for number in range(1, count) if (part := numbers == number).any()]
