"""From a mask to the one chromosome of an image."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.imaging.crop import object_mask
from karyo.imaging.polarity import background_level
from karyo.imaging.split import Part, split_objects
from karyo.imaging.steps.step import Grey, MaskedStep, PictureStep, ShapeStep, State, within

COUNTED = 0.15
"""Share of the largest part's area from which on a separate part counts as an object and not as a speck."""


@dataclass(frozen=True)
class Contours(ShapeStep):
    """Draw the outer contours anew and filled: holes close, specks go.

    Attributes:
        least_area: Contours around fewer pixels are left out, 0..1,000,000.
    """

    least_area: int = within(20, 0, 1_000_000)

    def __call__(self, grey: Grey) -> Grey:
        """Give the mask of the filled contours, 0 and 255."""
        outlines, _ = cv2.findContours(grey, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        # The pixels of the outline itself belong to the object, but not to the polygon's area.
        kept = [outline for outline in outlines if cv2.contourArea(outline) + len(outline) / 2 + 1 > self.least_area]
        return cv2.drawContours(np.zeros_like(grey), kept, -1, 255, cv2.FILLED).astype(np.uint8, copy=False)


@dataclass(frozen=True)
class LargestComponent(MaskedStep):
    """Keep the largest connected part of the mask, and count how many parts were nearly objects too.

    Where two chromosomes lie in the picture this keeps one of them, or both where they touch: the count says so.
    """

    def __call__(self, mask: Grey) -> Grey:
        """Give the mask of the largest part, 0 and 255; nothing if there was nothing."""
        return _picked(*_numbered(mask))

    def apply(self, state: State) -> State:
        """Reduce the mask, and count."""
        assert state.mask is not None
        numbers, areas = _numbered(state.mask)
        counted = int((areas[1:] >= max(COUNTED * areas[1:].max(initial=0), 1)).sum())
        return replace(state, mask=_picked(numbers, areas), objects=counted)


@dataclass(frozen=True)
class Reconstruct(MaskedStep):
    """Grow the mask back to the whole of every object that it touches (morphological reconstruction, Vincent 1993).

    The objects are what is brighter than half-way between background and Otsu's threshold: an eroded or strictly
    thresholded mask gets its pale ends back, but nothing that it does not touch.
    """

    def __call__(self, grey: Grey, mask: Grey) -> Grey:
        """Give the mask of all objects of the picture, (H, W), that the mask touches, 0 and 255."""
        limit = ((grey > _gentle_level(grey)) | (mask > 0)).astype(np.uint8)
        numbers = cv2.connectedComponents(limit, connectivity=8)[1].astype(np.int32, copy=False)
        touched = np.zeros(int(numbers.max()) + 1, np.uint8)
        touched[numbers[mask > 0]] = 255
        touched[0] = 0
        return np.take(touched, numbers)

    def apply(self, state: State) -> State:
        """Grow the mask."""
        assert state.mask is not None
        return replace(state, mask=self(state.picture, state.mask))


@dataclass(frozen=True)
class Extract(MaskedStep):
    """Make everything outside the mask background.

    Attributes:
        margin: Pixels around the mask that stay as they are, 0..50.
    """

    margin: int = within(0, 0, 50)

    def __call__(self, grey: Grey, mask: Grey) -> Grey:
        """Give the picture, (H, W), with the background's level outside the mask; as it was where the mask is empty."""
        if not mask.any():
            return grey
        if self.margin:
            side = 2 * self.margin + 1
            mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))).astype(np.uint8)
        return np.where(mask > 0, grey, np.uint8(background_level(grey)))

    def apply(self, state: State) -> State:
        """Clear the picture around the mask."""
        assert state.mask is not None
        return replace(state, picture=self(state.picture, state.mask))


@dataclass(frozen=True)
class SingleObject(PictureStep):
    """A step that finds one object, makes its mask and clears the picture around it.

    Attributes:
        margin: Pixels around the object that stay as they are, 0..50.
    """

    margin: int = within(1, 0, 50)

    @property
    def makes_mask(self) -> bool:
        """It does."""
        return True

    def __call__(self, grey: Grey) -> Grey:
        """Give the picture with one object, (H, W)."""
        return self.apply(State(grey)).picture


class LargestObject(SingleObject):
    """Threshold, largest component, extraction in one: keep the largest object with its pale ends, and count."""

    def apply(self, state: State) -> State:
        """Keep one object, and its mask."""
        mask = np.where(object_mask(state.picture), 255, 0).astype(np.uint8)
        return Extract(self.margin).apply(LargestComponent().apply(replace(state, mask=mask)))


class Separate(SingleObject):
    """Split touching and crossing chromosomes, and keep the one that the picture was cut out for.

    That is the one whose own box fills the picture's most: a box was drawn around it, not around its neighbours. See
    :mod:`karyo.imaging.split` for how it splits.
    """

    def apply(self, state: State) -> State:
        """Keep one chromosome, and its mask; count all."""
        # By the outline, holes filled: along grey levels it would also cut between bands and between chromatids.
        found = Contours(0)(np.where(object_mask(state.picture), 255, 0).astype(np.uint8))
        parts = split_objects(found > 0)
        if not parts:
            return replace(state, mask=np.zeros_like(state.picture), objects=0)
        chosen = max(parts, key=_box_area)
        mask = np.where(chosen.mask, 255, 0).astype(np.uint8)
        least = COUNTED * max(int(part.mask.sum()) for part in parts)
        counted = sum(int(part.mask.sum()) >= least for part in parts)
        return Extract(self.margin).apply(replace(state, mask=mask, objects=counted))


def _box_area(part: Part) -> int:
    _, _, width, height = cv2.boundingRect(part.mask.view(np.uint8))
    return int(width * height)


def _numbered(mask: Grey) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Number the connected parts; area of each, the background's at 0 set to nothing."""
    _, numbers, parts, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = parts[:, cv2.CC_STAT_AREA].astype(np.int64)
    areas[0] = 0
    return numbers.astype(np.int32, copy=False), areas


def _picked(numbers: NDArray[np.int32], areas: NDArray[np.int64]) -> Grey:
    if not areas.any():
        return np.zeros(numbers.shape, np.uint8)
    return np.where(numbers == areas.argmax(), 255, 0).astype(np.uint8)


def _gentle_level(grey: Grey) -> float:
    otsu = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0]
    return (background_level(grey) + float(otsu)) / 2
