"""What may be wrong with the image of a single chromosome, before anything relies on it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.imaging.canvas import resize
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
_CROWD = 12
"""Objects beyond which none is looked at more closely: a picture can hold a hundred thousand."""

_LONGEST_SIDE = 1024
"""Pixels beyond which an image is shrunk before it is looked at: the largest chromosome has some hundred."""

_WIDTH = 16.0
"""Pixels to which a chromosome's width is brought before its sharpness is measured."""

_GAP = 64
"""Where the mask of a chromosome falls apart at its pale centromere, the gap is no wider than about twice this share of
the picture; parts that are nearer are one object."""

_LARGEST = 512
"""Longer side, in pixels, of the picture of an object whose sharpness is measured, whatever its width."""


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
    grey = _of_bounded_size(grey)
    mask = object_mask(grey)
    objects = _large_objects(mask)
    if not objects:
        return Quality(0, ("empty",))
    width = typical_width(mask)
    counts = [1 if len(objects) > _CROWD else count_chromosomes(each, width) for each in objects]
    found = {
        "small": max(int(each.sum()) for each in objects) < _SMALL,
        "faint": float(grey[mask].mean()) - float(grey[~mask].mean() if not mask.all() else 0) < _FAINT,
        "several": len(objects) > 1,
        "joined": max(counts) > 1,
    }
    return Quality(sum(counts), tuple(name for name, is_so in found.items() if is_so))


def _of_bounded_size(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = _LONGEST_SIDE / max(grey.shape)
    if scale >= 1:
        return grey
    height, width = (max(round(length * scale), 1) for length in grey.shape)
    return resize(grey, width, height)


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


@dataclass(frozen=True, slots=True)
class Glance:
    """What the quickest look at an image tells.

    Attributes:
        objects: Connected objects, specks left out; joined ones count as one.
        longest: Longer side of the largest one's box in pixels; 0 where there is none.
        stands_out: Whether the objects are clearly brighter than the background.
        sharpness: Of the largest one, see :func:`sharpness`; 0 where there is none.
    """

    objects: int
    longest: int
    stands_out: bool
    sharpness: float


def glance(grey: NDArray[np.uint8]) -> Glance:
    """Look at an image for a fraction of a millisecond.

    Args:
        grey: uint8 (H, W), background dark.

    Returns:
        What was seen.
    """
    original = max(grey.shape)
    grey = _of_bounded_size(grey)
    mask = object_mask(grey).view(np.uint8)
    reach = 2 * max(max(grey.shape) // _GAP, 1) + 1
    joined = cv2.dilate(mask, np.ones((reach, reach), np.uint8))
    count, numbers, parts, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    if count == 1:
        return Glance(0, 0, False, 0.0)
    areas = parts[1:, cv2.CC_STAT_AREA]
    largest = mask * (numbers == 1 + int(areas.argmax()))
    left, top, width, height = cv2.boundingRect(largest)
    objects = int((areas >= COUNTED * areas.max()).sum())
    bright, dark = cv2.mean(grey, mask)[0], cv2.mean(grey, 1 - mask)[0]
    box = slice(top, top + height), slice(left, left + width)
    found = sharpness(grey[box], largest[box] > 0)
    longest = round(max(width, height) * original / max(grey.shape))
    return Glance(objects, longest, bright - dark >= _FAINT, found)


def sharpness(grey: NDArray[np.uint8], mask: NDArray[np.bool_]) -> float:
    """Measure how sharp an object is, whatever its size, its length and its exposure.

    The energy of the Laplacian over that of the gradient, with the object brought to a width of 16 pixels: the mean
    square of the spatial frequency, about 1 over the square of the blur. The Laplacian's energy is a focus measure of
    microscopes (Subbarao, Choi and Nikzad, Optical Engineering 32:2824, 1993); dividing it takes contrast out.

    Args:
        grey: uint8 (H, W), background dark, the object's box.
        mask: bool (H, W), the object.

    Returns:
        0 or more; about 0.5 for a sharp chromosome, below 0.1 where no band is left; 0 where there is nothing to see.
    """
    depth = cv2.distanceTransform(np.pad(mask, 1).view(np.uint8), cv2.DIST_L2, 3)
    scale = min(_WIDTH / max(2 * float(depth.max()), 1.0), _LARGEST / max(grey.shape))
    size = max(round(grey.shape[1] * scale), 3), max(round(grey.shape[0] * scale), 3)
    picture = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR).astype(np.float32)
    across = float(np.square(np.diff(picture, axis=1)).mean()) + float(np.square(np.diff(picture, axis=0)).mean())
    curved = float(np.square(cv2.Laplacian(picture, cv2.CV_32F)[1:-1, 1:-1]).mean())
    return curved / across if across > 0 else 0.0
