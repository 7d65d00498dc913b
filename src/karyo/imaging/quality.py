"""What may be wrong with the image of a single chromosome, before anything relies on it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.imaging.crop import object_mask
from karyo.imaging.foreground import typical_width
from karyo.imaging.split import count_chromosomes
from karyo.imaging.steps.objects import COUNTED

FLAGS: dict[str, str] = {
    "empty": "nothing stands out from the background",
    "small": "the object has fewer than 40 pixels",
    "faint": "the object is hardly brighter than the background",
    "several": "more than one object, apart from each other",
    "joined": "chromosomes that touch or cross, seen as one object",
}
"""What can be wrong, by the name that indexes and tables show."""

_SMALL = 40
_FAINT = 20.0


@dataclass(frozen=True, slots=True)
class Quality:
    """What was found in an image.

    Attributes:
        objects: Chromosomes, joined ones told apart as far as their outline shows them; a large cluster counts as 2.
        flags: Names from :data:`FLAGS`; none for one clear object.
    """

    objects: int
    flags: tuple[str, ...]


def assess(grey: NDArray[np.uint8]) -> Quality:
    """Count the chromosomes of an image that should hold one, and say what else may be wrong with it.

    It sees by outline alone, and so quickly. A neighbour of which only a tip is in the image often goes unnoticed; a
    single chromosome is hardly ever taken for two.

    Args:
        grey: uint8 (H, W), background dark.

    Returns:
        The count and the flags.
    """
    mask = object_mask(grey)
    objects = _large_objects(mask)
    if not objects:
        return Quality(0, ("empty",))
    width = typical_width(mask)
    counts = [count_chromosomes(each, width) for each in objects]
    found = {
        "small": max(int(each.sum()) for each in objects) < _SMALL,
        "faint": float(grey[mask].mean()) - float(grey[~mask].mean() if not mask.all() else 0) < _FAINT,
        "several": len(objects) > 1,
        "joined": max(counts) > 1,
    }
    return Quality(sum(counts), tuple(name for name, is_so in found.items() if is_so))


def _large_objects(mask: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Give the connected objects, each on a picture of its own size, holes filled, without specks."""
    outlines, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    shapes = []
    for outline in outlines:
        left, top, width, height = cv2.boundingRect(outline)
        shape = np.zeros((height, width), np.uint8)
        shapes.append(cv2.drawContours(shape, [outline], -1, 1, cv2.FILLED, offset=(-left, -top)) > 0)
    largest = max((int(shape.sum()) for shape in shapes), default=0)
    return [shape for shape in shapes if shape.sum() >= COUNTED * largest]
