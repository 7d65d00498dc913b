"""A contact sheet: the 24 classes side by side, one cell under another."""

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.data.synthetic.chromosome import draw_chromosome
from karyo.data.synthetic.source import derive_seed
from karyo.data.synthetic.style import CellSettings

GAP = 6
"""Empty pixels between neighbouring chromosomes."""

_CAPTION = 18


def draw_sheet(cells: int = 3, seed: int = 0, settings: CellSettings | None = None) -> NDArray[np.uint8]:
    """Draw one homolog of every class for several cells.

    Args:
        cells: Number of rows, 1 or more; each is another cell.
        seed: 0 or more.
        settings: What to draw; the defaults if None.

    Returns:
        uint8 ``(H, W)`` on white: a column per class, standing on a common ground line, with the class names below.
    """
    settings = settings or CellSettings()
    rows = [
        [draw_chromosome(label, derive_seed(seed, cell), "a", settings).image for label in range(len(CLASSES))]
        for cell in range(cells)
    ]
    widths = [max(row[label].shape[1] for row in rows) + GAP for label in range(len(CLASSES))]
    strips = [_stand(row, widths) for row in rows]
    return np.vstack([*strips, _captions(widths)])


def _stand(images: list[NDArray[np.uint8]], widths: list[int]) -> NDArray[np.uint8]:
    """Put images beside each other on a ground line, each in the middle of its column."""
    height = max(image.shape[0] for image in images) + GAP
    strip = np.full((height, sum(widths)), 255, np.uint8)
    left = 0
    for image, width in zip(images, widths, strict=True):
        start = left + (width - image.shape[1]) // 2
        strip[height - image.shape[0] :, start : start + image.shape[1]] = image
        left += width
    return strip


def _captions(widths: list[int]) -> NDArray[np.uint8]:
    """Write the class names under their columns."""
    strip = np.full((_CAPTION, sum(widths)), 255, np.uint8)
    left = 0
    for name, width in zip(CLASSES, widths, strict=True):
        (text_width, _), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 1)
        origin = (left + (width - text_width) // 2, _CAPTION - 5)
        cv2.putText(strip, name, origin, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 0, 1, cv2.LINE_AA)
        left += width
    return strip
