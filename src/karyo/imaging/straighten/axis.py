"""The axis of a chromosome: a smooth line from tip to tip through the middle, and what can be measured along it."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.imaging.straighten.centre_line import FOLDED, centre_line
from karyo.imaging.straighten.centromere import find_waist
from karyo.imaging.straighten.line import Points, arc_lengths, resample, sample_across, turning
from karyo.imaging.straighten.outline import joined, largest_object, longest_run, straight_line

_LARGEST_SIDE = 400
"""Side in pixels above which an object is shrunk before its axis is sought: the answer is as smooth either way."""


@dataclass(frozen=True)
class Axis:
    """The middle line of a chromosome.

    Attributes:
        points: float32 (N, 2) of (x, y) in the pixels of the image it was found in, tip to tip, about 1 px apart.
        length: Length along it, pixels.
        widths: float32 (N,), width of the chromosome across each point, pixels.
        centromere: Where the waist is, as a fraction 0..1 of the length from the first point; 0.5 where none is seen.
        arm_ratio: Length of the longer arm over that of the shorter, 1 or more.
        confidence: 0..1, how well the line explains the outline: low where the object is nearly round, where parts of
            it lie off the line, where the line is off the middle, and where it turns more sharply than the width
            allows.
        waist: 0..1, how clearly the waist stands out; 0 where there is none.
    """

    points: Points
    length: float
    widths: NDArray[np.float32]
    centromere: float
    arm_ratio: float
    confidence: float
    waist: float

    @property
    def half_width(self) -> float:
        """Half the chromosome's usual width, pixels."""
        return max(float(np.median(self.widths)) / 2, 0.5)

    def at(self, fraction: float) -> Points:
        """Give the point float32 (2,) at a fraction 0..1 of the length."""
        place = fraction * (len(self.points) - 1)
        index = np.arange(len(self.points))
        return np.array([np.interp(place, index, self.points[:, axis]) for axis in (0, 1)], np.float32)

    def moved(self, shift: NDArray[np.float32]) -> "Axis":
        """Give the same axis moved by (dx, dy)."""
        return replace(self, points=self.points + shift)

    def reversed(self) -> "Axis":
        """Give the same axis from the other tip."""
        return replace(
            self, points=self.points[::-1].copy(), widths=self.widths[::-1].copy(), centromere=1 - self.centromere
        )


def find_axis(mask: NDArray[np.bool_]) -> Axis | None:
    """Find the axis of the largest object in a mask.

    The longest way through the skeleton, cut back from the ends, where a skeleton runs into corners and forks, is
    smoothed, lengthened straight on, and moved onto the middles of the outline across it; where it would turn more
    sharply than the chromosome's width allows, it is smoothed further. An object hardly longer than wide gets its
    principal axis.

    Args:
        mask: Array (H, W), bool.

    Returns:
        The axis; None where the mask is empty or holds nothing but specks.
    """
    found = largest_object(mask)
    if found is None:
        return None
    body, corner = found
    shrink = min(1.0, _LARGEST_SIDE / max(body.shape))
    small = body
    if shrink < 1:
        small = np.asarray(cv2.resize(body, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8)
    # Pixels are areas: the middle of a shrunk one lies elsewhere than its corner.
    line = (centre_line(small) + np.float32(0.5)) / np.float32(shrink) - np.float32(0.5)
    axis = measure_along(body, resample(line))
    return axis and axis.moved(corner)


def principal_axis(mask: NDArray[np.bool_]) -> Axis | None:
    """Lay a straight axis through the largest object of a mask, along its smallest enclosing rectangle.

    Args:
        mask: Array (H, W), bool.

    Returns:
        The axis; None where the mask is empty or holds nothing but specks.
    """
    found = largest_object(mask)
    if found is None:
        return None
    body, corner = found
    axis = measure_along(body, resample(straight_line(body)))
    return axis and axis.moved(corner)


def measure_along(body: NDArray[np.uint8], line: Points) -> Axis | None:
    """Cut a line to the object that it runs through, and measure along it.

    Args:
        body: Array (H, W), uint8, 0 and 255, one object with empty pixels around.
        line: float32 (N, 2), 1 px apart, ending outside the object.

    Returns:
        The axis in the pixels of ``body``; None where the line misses the object.
    """
    inside = cv2.distanceTransform(body, cv2.DIST_L2, 3)
    reach = np.ceil(2.5 * float(inside.max())) + 1
    offsets = np.arange(-reach, reach + 1, dtype=np.float32)
    across = joined(sample_across(body, line, offsets))
    widths = across.sum(axis=1) / 255.0
    rows = longest_run(widths > 0.75)
    if len(rows) < 2:
        return None
    beside = across[rows].astype(np.float32) @ offsets / (255 * widths[rows])
    line, widths = line[rows], widths[rows].astype(np.float32)
    length = float(arc_lengths(line)[-1])
    half = max(float(np.median(widths)) / 2, 0.5)
    centromere, waist = find_waist(widths, half)
    shorter = max(min(centromere, 1 - centromere), 1 / max(len(line), 2))
    fold = float(np.abs(turning(line)).max()) * half
    covered = float(widths.sum()) / (float(body.sum()) / 255)
    confidence = _ramp(covered, 0.7, 0.95) * _ramp(2 - covered, 0.7, 0.95) * _ramp(length / (2 * half), 1.0, 2.0)
    confidence *= _ramp(-fold, -1.3, -FOLDED) * _ramp(-float(np.quantile(np.abs(beside), 0.9)) / half, -0.9, -0.3)
    return Axis(line, length, widths, centromere, (1 - shorter) / shorter, confidence, waist)


def _ramp(value: float, low: float, high: float) -> float:
    """Rise from 0 at ``low`` to 1 at ``high``."""
    return float(np.clip((value - low) / (high - low), 0, 1))
