"""Whether images show single chromosomes or whole spreads."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from karyo.errors import DataError
from karyo.imaging.foreground import foreground
from karyo.imaging.polarity import normalise_polarity
from karyo.imaging.read import read_grey

_LOOKED_AT = 7
_SPREAD_FROM = 5
"""Objects from which on an image is a spread: single chromosomes leave one or two, with dirt; of 150 real spreads the
median leaves 22 connected ones."""

_SURELY_SPREAD = 15
"""Objects of one image that say so whatever the others are: blank pictures, say."""

_COUNTED = 0.05


def kind_of(images: Sequence[Path]) -> str:
    """Look at some images: the median of the numbers of objects decides, or one that is a spread beyond doubt.

    Args:
        images: At least one.

    Returns:
        ``spread`` or ``cell``; the latter where none of those looked at can be read.
    """
    step = max(len(images) // _LOOKED_AT, 1)
    counts = []
    for image in images[::step][:_LOOKED_AT]:
        try:
            counts.append(_objects_in(image))
        except DataError:
            continue
    if not counts:
        return "cell"
    return "spread" if float(np.median(counts)) >= _SPREAD_FROM or max(counts) >= _SURELY_SPREAD else "cell"


def _objects_in(image: Path) -> int:
    """Count the connected objects of an image, those much smaller than the largest left out."""
    mask = foreground(normalise_polarity(read_grey(image))).astype(np.uint8)
    areas = cv2.connectedComponentsWithStats(mask, connectivity=8)[2][1:, cv2.CC_STAT_AREA]
    return int((areas >= _COUNTED * areas.max()).sum()) if areas.size else 0
