"""Three ways to bring a chromosome image to the square that a network takes."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.imaging.polarity import background_level


@dataclass(frozen=True)
class Pad:
    """Keep every chromosome's scale: relative length is evidence of its class.

    The object is centred on a square of ``extent`` pixels of the original image, which is then resized to the
    network's input. An object longer than ``extent`` is shrunk until it fits.

    Attributes:
        extent: Side of the square in pixels of the original image.
    """

    extent: int = 152

    def __call__(self, grey: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
        """Return the image on its square, (size, size) uint8."""
        return _centred(grey, size, size / max(self.extent, *grey.shape))


@dataclass(frozen=True)
class Letterbox:
    """Make the longer side fill the square; keep the proportions, lose the scale."""

    def __call__(self, grey: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
        """Return the image on its square, (size, size) uint8."""
        return _centred(grey, size, size / max(grey.shape))


@dataclass(frozen=True)
class Stretch:
    """Fill the whole square; lose scale and proportions, gain resolution across narrow chromosomes."""

    def __call__(self, grey: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
        """Return the image as a square, (size, size) uint8."""
        return resize(grey, size, size)


Canvas = Pad | Letterbox | Stretch


def resize(grey: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Resize, each side by the filter that suits it: averaging where it shrinks, cubic where it grows.

    OpenCV's area filter stops averaging as soon as one side grows, so the two are done one after the other.

    Args:
        grey: Array (H, W), uint8.
        width: New width in pixels.
        height: New height in pixels.

    Returns:
        Array (height, width), uint8.
    """
    rows, columns = grey.shape
    smaller = (min(width, columns), min(height, rows))
    if smaller != (columns, rows):
        grey = cv2.resize(grey, smaller, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    if smaller != (width, height):
        grey = cv2.resize(grey, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)
    return grey


def _centred(grey: NDArray[np.uint8], size: int, scale: float) -> NDArray[np.uint8]:
    """Scale the image and put it into the middle of a square of its own background."""
    rows, columns = grey.shape
    width, height = (min(max(round(length * scale), 1), size) for length in (columns, rows))
    left, top = (size - width) // 2, (size - height) // 2
    square = np.full((size, size), background_level(grey), np.uint8)
    square[top : top + height, left : left + width] = resize(grey, width, height)
    return square
