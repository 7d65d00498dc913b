"""Pictures for browsers."""

import cv2
import numpy as np
from numpy.typing import NDArray

PNG = "image/png"
LONGEST_SIDE = 512
"""Pixels of a preview's longest side at most."""


def preview_of(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Make an image small enough for a page.

    Args:
        grey: uint8 (H, W).

    Returns:
        uint8, its longest side at most :data:`LONGEST_SIDE`; smaller images stay as they are.
    """
    height, width = grey.shape
    scale = LONGEST_SIDE / max(height, width)
    if scale >= 1:
        return grey
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small: NDArray[np.uint8] = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    return small


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode uint8 (H, W) grey or (H, W, 3) RGB as PNG."""
    stored = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".png", stored)[1])
