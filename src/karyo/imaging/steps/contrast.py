"""Spreading the grey values."""

from dataclasses import dataclass

import cv2
import numpy as np

from karyo.imaging.steps.step import Grey, PictureStep, within


@dataclass(frozen=True)
class Equalise(PictureStep):
    """Equalise the histogram of the whole picture."""

    def __call__(self, grey: Grey) -> Grey:
        """Give the picture with its grey values spread evenly over 0..255."""
        return cv2.equalizeHist(grey).astype(np.uint8, copy=False)


@dataclass(frozen=True)
class Clahe(PictureStep):
    """Equalise locally, with limited contrast (Zuiderveld 1994): brings out pale bands, and noise where there are none.

    Attributes:
        clip_limit: How many times its even share a grey value may have before it is cut, 0.1..100.
        tiles: Tiles along each side of the picture, 1..64; a side shorter than that has one tile per pixel.
    """

    clip_limit: float = within(2.0, 0.1, 100.0)
    tiles: int = within(8, 1, 64)

    def __call__(self, grey: Grey) -> Grey:
        """Give the equalised picture."""
        rows, columns = (min(self.tiles, side) for side in grey.shape)
        return cv2.createCLAHE(self.clip_limit, (columns, rows)).apply(grey).astype(np.uint8, copy=False)


@dataclass(frozen=True)
class StretchContrast(PictureStep):
    """Stretch the grey values between two percentiles over 0..255.

    Attributes:
        low: The percentile that becomes 0, 0..49.
        high: The percentile that becomes 255, 51..100.
    """

    low: float = within(1.0, 0.0, 49.0)
    high: float = within(99.0, 51.0, 100.0)

    def __call__(self, grey: Grey) -> Grey:
        """Give the stretched picture; as it was where both percentiles are one grey value."""
        dark, bright = np.percentile(grey, (self.low, self.high))
        if dark == bright:
            return grey
        levels = (np.arange(256) - dark) * (255 / (bright - dark))
        table: Grey = np.rint(np.clip(levels, 0, 255)).astype(np.uint8)
        return np.take(table, grey)
