"""Four ways to bring a chromosome image to the square that a network takes."""

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


@dataclass(frozen=True)
class Ruler:
    """Fill the square as :class:`Stretch` does, but for a strip at the right that tells the true size.

    The strip holds a bright bar, flush with its upper left corner, as long and as broad as the chromosome in parts of
    ``extent``. So the network has the resolution of ``stretch`` and the evidence of ``pad``.

    Attributes:
        extent: Pixels of the original image that a bar as high as the square stands for.
    """

    extent: int = 152

    def __call__(self, grey: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
        """Return the image on its square, (size, size) uint8, its background's level 0 in the strip."""
        strip = ruler_columns(size)
        rows, columns = grey.shape
        square = np.zeros((size, size), np.uint8)
        square[:, : size - strip] = resize(grey, size - strip, size)
        height, width = rows / self.extent * size, columns / (_BROADEST * self.extent) * strip
        square[:, size - strip :] = _bars(np.array([height]), np.array([width]), (size, strip))[0]
        return square


Canvas = Pad | Letterbox | Stretch | Ruler

_BROADEST = 3 / 8
"""Part of a ruler's extent that the breadth of its strip stands for."""


def ruler_columns(size: int) -> int:
    """Give the columns that :class:`Ruler` keeps for its strip: an eighth of the square's side, at least one."""
    return max(size // 8, 1)


def rescale_rulers(strips: NDArray[np.uint8], factors: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Draw the bars of rulers anew as if the chromosomes had been photographed at another scale.

    Args:
        strips: Array (B, size, columns), uint8: strips as :class:`Ruler` draws them.
        factors: Array (B,), above 0: what lengths and breadths are multiplied by.

    Returns:
        Array like ``strips``.
    """
    heights = strips[:, :, 0].sum(axis=1) / 255 * factors
    widths = strips[:, 0].sum(axis=1) / 255 * factors
    return _bars(heights, widths, strips.shape[1:])


def _bars(heights: NDArray[np.float64], widths: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Draw a bar of each height and width in pixels, at least one each, into a strip of its own, fractions as grey."""
    rows = np.clip(np.maximum(heights, 1)[:, None] - np.arange(shape[0]), 0, 1)
    columns = np.clip(np.maximum(widths, 1)[:, None] - np.arange(shape[1]), 0, 1)
    return np.asarray(np.rint(255 * rows[:, :, None] * columns[:, None, :]), dtype=np.uint8)


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
