"""What is found in a picture of a metaphase spread."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.imaging.split.part import Relation


@dataclass(frozen=True, slots=True, eq=False)
class SpreadObject:
    """One object of a spread.

    Attributes:
        mask: bool (h, w): its outline within its box, also where another chromosome crosses it.
        edges: (left, top, right, bottom) of the box in pixels of the picture, right and bottom exclusive; tight.
        relation: ``isolated``, ``touching`` or ``crossing``, as the splitting found it.
        confidence: 0..1: how much it looks like one whole chromosome; 0 for debris.
    """

    mask: NDArray[np.bool_]
    edges: tuple[int, int, int, int]
    relation: Relation
    confidence: float

    @property
    def outline(self) -> NDArray[np.int32]:
        """Its outer outline in the picture, int32 (N, 2), (x, y)."""
        lines, _ = cv2.findContours(self.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        longest = max(lines, key=len).reshape(-1, 2)
        return np.asarray(longest + np.array(self.edges[:2]), np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """A picture taken apart.

    Attributes:
        chromosomes: In reading order: in bands from top to bottom, in each from left to right.
        debris: What is too small, too pale, too dark or cut off by a nucleus to be a chromosome; in the same order.
        nuclei: bool (H, W): inside interphase nuclei.
        width: Typical width of a chromosome, pixels; 0 where there is no object.
        bright: Whether the background is bright in the picture as stored.
        verdict: Why the picture is no metaphase spread, one sentence without a full stop; None where it may
            be one.
        remarks: What a person should know about it, sentences without a full stop.
    """

    chromosomes: tuple[SpreadObject, ...]
    debris: tuple[SpreadObject, ...]
    nuclei: NDArray[np.bool_]
    width: float
    bright: bool
    verdict: str | None = None
    remarks: tuple[str, ...] = field(default=())
