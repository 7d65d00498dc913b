"""What the grey levels say about a cluster: valleys between chromosomes that touch, sums where they cross."""

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.imaging.split.fragments import fill

_LEVELS = (0.55, 0.65, 0.75, 0.85)
"""Shares of the object's median grey at which it is tried whether it falls apart."""

_SMALLEST_CORE = 0.2
"""Area of a core, in squares of the chromosome width."""

_SUM = 1.1
"""Grey, as a share of Otsu's threshold within the object, from which on two chromosomes may lie on one another."""

_SUM_EDGE = 0.95
"""Where such a spot ends, as a share of the same."""

_SUM_BLUR = 0.12
_SUM_RADIUS = 0.15
_SUM_REACH = 0.3
"""Smoothing before, smallest radius of, and widest growth of such a spot, in chromosome widths."""

_SMALLEST_SUM = 0.1
"""Its smallest area, in squares of the chromosome width."""


def find_zones(mask: NDArray[np.bool_], grey: NDArray[np.uint8], width: float, sums: bool = True) -> NDArray[np.int32]:
    """Divide an object along grey valleys, and around spots so strong that two chromosomes may lie on one another.

    Args:
        mask: Array (H, W), bool: one connected object.
        grey: Array (H, W), uint8, levels above the background.
        width: Typical width of a chromosome, pixels.
        sums: Whether to look for such spots too.

    Returns:
        int32 (H, W): a number for each zone; 0 outside the mask.
    """
    level = _relative_level(mask, grey, max(0.06 * width, 0.6))
    zones = _fall_apart(mask, level, width)
    if not sums:
        return zones
    spots = _find_sums(mask, _relative_level(mask, grey, _SUM_BLUR * width), width)
    return np.where(mask, zones + spots * (zones.max() + 1), 0).astype(np.int32)


def _relative_level(mask: NDArray[np.bool_], grey: NDArray[np.uint8], deviation: float) -> NDArray[np.float32]:
    """Smooth the grey levels within an object, the background left out of every mean, and divide by their median."""
    share = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), deviation)
    smooth = cv2.GaussianBlur(np.where(mask, grey, 0).astype(np.float32), (0, 0), deviation)
    level = np.where(mask, smooth / np.maximum(share, 1e-3), 0)
    return np.asarray(level / max(float(np.median(grey[mask])), 1.0), np.float32)


def _find_sums(mask: NDArray[np.bool_], level: NDArray[np.float32], width: float) -> NDArray[np.bool_]:
    """Find strong spots of some breadth, and widen them to where the level falls off."""
    inner = cv2.erode(np.pad(mask, 1).astype(np.uint8), np.ones((3, 3), np.uint8))[1:-1, 1:-1] > 0
    if not inner.any():
        return np.zeros_like(mask)
    scaled = np.clip(level[inner] * 100, 0, 255).astype(np.uint8)
    threshold = cv2.threshold(scaled, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0] / 100
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * max(round(_SUM_RADIUS * width), 1) + 1,) * 2)
    strong = cv2.morphologyEx((level > _SUM * threshold).astype(np.uint8), cv2.MORPH_OPEN, disc)
    strong = _keep(strong > 0, _SMALLEST_SUM * width**2).astype(np.uint8)
    size = (2 * max(round(_SUM_REACH * width), 1) + 1,) * 2
    near = cv2.dilate(strong, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, size)) > 0
    widened: NDArray[np.bool_] = (strong > 0) | (near & mask & (level > _SUM_EDGE * threshold))
    return widened


def _fall_apart(mask: NDArray[np.bool_], level: NDArray[np.float32], width: float) -> NDArray[np.int32]:
    """Raise a threshold step by step; wherever a core falls apart into substantial ones, keep those."""
    cores = mask.astype(np.int32)
    for share in _LEVELS:
        _, numbers = cv2.connectedComponents(
            _keep(mask & (level > share), _SMALLEST_CORE * width**2).astype(np.uint8), connectivity=4
        )
        for core in range(1, int(cores.max()) + 1):
            inside = np.unique(numbers[(cores == core) & (numbers > 0)])
            if len(inside) > 1:
                cores[cores == core] = 0
                for number in inside:
                    cores[numbers == number] = cores.max() + 1
    return fill(cores, mask)


def _keep(mask: NDArray[np.bool_], smallest: float) -> NDArray[np.bool_]:
    """Leave out connected parts of less than an area in pixels."""
    _, numbers, parts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    kept: NDArray[np.bool_] = parts[:, cv2.CC_STAT_AREA] >= smallest
    kept[0] = False
    result: NDArray[np.bool_] = kept[numbers]
    return result
