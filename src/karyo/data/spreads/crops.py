"""Cutting chromosomes out of a spread by their boxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.data.spreads.objects import GOOD_FIT, Edges, SpreadObjects
from karyo.errors import DataError, SettingsError
from karyo.imaging.polarity import spread_is_bright

MASKS: tuple[str, ...] = ("none", "object")
"""What to do with neighbours in a box: leave them, or keep only the object that the box belongs to."""

CROPS_VERSION = 2
"""Raised whenever the same settings would cut other pixels, so that old results are not mixed with new ones."""

LARGEST_MARGIN = 1000

_RIM = 2
"""Pixels around an object that are kept with it: its blurred edge."""


@dataclass(frozen=True, slots=True)
class Crop:
    """One chromosome cut out of a spread.

    Attributes:
        grey: Array (h, w), uint8, polarity as in the spread.
        box: What was cut: the annotated box within the image, with the margin as far as the image has it.
        clipped: Whether the annotated box leaves the image.
        fit: With masking, how well the object fits the annotated box, 0..1; None without.
    """

    grey: NDArray[np.uint8]
    box: Edges
    clipped: bool
    fit: float | None

    @property
    def object_found(self) -> bool:
        """False where no object fits the box: then what touches it is left in the crop, or all if nothing fills it."""
        return self.fit is None or self.fit >= GOOD_FIT


class Spread:
    """A spread's picture, ready for all its boxes.

    Args:
        grey: Array (H, W), uint8, as stored.
        boxes: All its annotated boxes; they help masking to tell whose a piece is.
    """

    def __init__(self, grey: NDArray[np.uint8], boxes: Sequence[Edges] = ()) -> None:
        self.grey = grey
        self._boxes = tuple(boxes)
        self.bright = spread_is_bright(grey)

    @cached_property
    def objects(self) -> SpreadObjects:
        """Its objects, found when they are first asked for."""
        return SpreadObjects(255 - self.grey if self.bright else self.grey, self._boxes)

    def cut(self, edges: Edges, margin: int = 0, mask: str = "none") -> Crop:
        """Cut out one box.

        Args:
            edges: The box as annotated; it may reach beyond the image.
            margin: Pixels to add on each side, as far as the image has them.
            mask: ``none`` leaves neighbours that reach into the box; ``object`` paints everything but the object that
                the box belongs to in the level of the background; where no object fits the box, everything but what
                hangs together and fills it, see :meth:`~karyo.data.spreads.objects.SpreadObjects.cut_off`.

        Returns:
            The crop.

        Raises:
            DataError: If the box lies wholly outside the image.
        """
        height, width = self.grey.shape
        inside = self._within(edges)
        if inside[0] >= inside[2] or inside[1] >= inside[3]:
            raise DataError(f"the box {edges} lies outside the image of {width} x {height} pixels")
        wide, grey = self._window(inside, margin)
        fit = None
        if mask == "object":
            chosen, fit = self.objects.belonging_to(edges)
            own = chosen if fit >= GOOD_FIT else self.objects.cut_off(edges)
            if own.any():
                grey = self._paint_others(grey, own, wide)
        return Crop(grey, wide, inside != edges, fit)

    def cut_object(self, own: NDArray[np.bool_], edges: Edges, margin: int = 0) -> NDArray[np.uint8]:
        """Cut out one object of which the outline is known, as :meth:`cut` does with the one that it finds itself.

        Args:
            own: Array (bottom - top, right - left), bool: the object's pixels.
            edges: Its box within the image.
            margin: Pixels to add on each side, as far as the image has them.

        Returns:
            Array (h, w), uint8, polarity as in the spread, everything but the object in the background's level.
        """
        chosen = np.zeros(self.grey.shape, np.bool_)
        chosen[edges[1] : edges[3], edges[0] : edges[2]] = own
        wide, grey = self._window(edges, margin)
        return self._paint_others(grey, chosen, wide)

    def _within(self, edges: Edges) -> Edges:
        height, width = self.grey.shape
        return max(edges[0], 0), max(edges[1], 0), min(edges[2], width), min(edges[3], height)

    def _window(self, inside: Edges, margin: int) -> tuple[Edges, NDArray[np.uint8]]:
        """Give a box with its margin as far as the image has it, and what is in it."""
        left, top, right, bottom = inside
        wide = self._within((left - margin, top - margin, right + margin, bottom + margin))
        return wide, np.ascontiguousarray(self.grey[wide[1] : wide[3], wide[0] : wide[2]])

    def _paint_others(self, grey: NDArray[np.uint8], chosen: NDArray[np.bool_], box: Edges) -> NDArray[np.uint8]:
        """Give everything but the chosen object the background's level."""
        left, top, right, bottom = box
        window = slice(top, bottom), slice(left, right)
        own, foreground = chosen[window], self.objects.mask[window]
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _RIM + 1, 2 * _RIM + 1))
        # The rim of the own object, but not where a neighbour's begins.
        others = cv2.dilate((foreground & ~own).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        rim = (cv2.dilate(own.astype(np.uint8), kernel) > 0) & ~others
        return np.where(own | rim, grey, self._level(box)).astype(np.uint8)

    def _level(self, box: Edges) -> np.uint8:
        """Measure the background around a box: the median of what is clearly no object."""
        left, top, right, bottom = box
        reach = 10
        window = slice(max(top - reach, 0), bottom + reach), slice(max(left - reach, 0), right + reach)
        free = cv2.dilate(self.objects.mask[window].astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
        pixels = self.grey[window][free]
        if not pixels.size:
            pixels = self.grey[~self.objects.mask]
        return np.uint8(np.median(pixels))


def check_cutting(margin: object, mask: object, where: str = "") -> None:
    """Refuse settings that cannot be meant.

    Args:
        margin: Pixels around each box.
        mask: One of :data:`MASKS`.
        where: What stands before their names in the error, such as ``data.source.``.

    Raises:
        SettingsError: If one is out of its range.
    """
    if isinstance(margin, bool) or not isinstance(margin, int) or not 0 <= margin <= LARGEST_MARGIN:
        raise SettingsError(
            f"{where}margin must be a whole number of pixels from 0 to {LARGEST_MARGIN}, not {margin!r}"
        )
    if mask not in MASKS:
        raise SettingsError(f"{where}mask must be one of {', '.join(MASKS)}, not {mask!r}")
