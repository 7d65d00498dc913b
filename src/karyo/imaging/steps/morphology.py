"""Shrinking and growing shapes with a round brush."""

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from karyo.imaging.steps.step import Grey, ShapeStep, within


@dataclass(frozen=True)
class Brush(ShapeStep):
    """A step with a round brush; on a mask, or on the grey values of a picture before there is a mask.

    Attributes:
        radius: The brush's radius in pixels, 1..50.
    """

    operation: ClassVar[int]
    radius: int = within(1, 1, 50)

    def __call__(self, grey: Grey) -> Grey:
        """Give the new shape; what would lie outside the picture has no say."""
        side = 2 * self.radius + 1
        brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        return cv2.morphologyEx(grey, self.operation, brush).astype(np.uint8, copy=False)


class Erode(Brush):
    """Take a rim of the brush's radius off."""

    operation = cv2.MORPH_ERODE


class Dilate(Brush):
    """Put a rim of the brush's radius on."""

    operation = cv2.MORPH_DILATE


class Open(Brush):
    """Erode, then dilate: specks and thin bridges go, the rest keeps its size."""

    operation = cv2.MORPH_OPEN


class Close(Brush):
    """Dilate, then erode: holes and thin gaps go, the rest keeps its size."""

    operation = cv2.MORPH_CLOSE
