"""Telling object from background by brightness; the background is dark."""

from dataclasses import dataclass

import cv2
import numpy as np

from karyo.imaging.steps.step import Grey, MaskStep, within


@dataclass(frozen=True)
class Otsu(MaskStep):
    """Split the grey values in two so that each half varies least (Otsu 1979)."""

    def __call__(self, grey: Grey) -> Grey:
        """Give the mask of the brighter half; nothing where the picture is constant."""
        if int(grey.min()) == int(grey.max()):
            return np.zeros_like(grey)
        return cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1].astype(np.uint8, copy=False)


@dataclass(frozen=True)
class Adaptive(MaskStep):
    """Compare each pixel with the mean of its neighbourhood, for uneven illumination.

    Attributes:
        window: Side of the neighbourhood in pixels, 3..999; even numbers count as the next odd one.
        offset: How many grey values above the mean an object is, -255..255.
    """

    window: int = within(51, 3, 999)
    offset: float = within(5.0, -255.0, 255.0)

    def __call__(self, grey: Grey) -> Grey:
        """Give the mask of what is brighter than its neighbourhood."""
        return cv2.adaptiveThreshold(
            grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, self.window | 1, -self.offset
        ).astype(np.uint8, copy=False)


@dataclass(frozen=True)
class Fixed(MaskStep):
    """Take what is brighter than one grey value.

    Attributes:
        level: The grey value, 0..254.
    """

    level: int = within(30, 0, 254)

    def __call__(self, grey: Grey) -> Grey:
        """Give the mask of what is brighter than the level."""
        return np.where(grey > self.level, 255, 0).astype(np.uint8)
