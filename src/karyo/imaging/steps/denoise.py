"""Taking the camera's noise away."""

from dataclasses import dataclass

import cv2
import numpy as np

from karyo.imaging.steps.step import Grey, PictureStep, within


@dataclass(frozen=True)
class Gaussian(PictureStep):
    """Blur with a Gaussian: removes noise and fine bands alike.

    Attributes:
        sigma: Standard deviation in pixels, 0.1..20.
    """

    sigma: float = within(1.0, 0.1, 20.0)

    def __call__(self, grey: Grey) -> Grey:
        """Give the blurred picture."""
        return cv2.GaussianBlur(grey, (0, 0), self.sigma, borderType=cv2.BORDER_REPLICATE).astype(np.uint8, copy=False)


@dataclass(frozen=True)
class NonLocalMeans(PictureStep):
    """Average each pixel with those whose surroundings look alike (Buades, Coll, Morel 2005): keeps the bands' edges.

    Attributes:
        strength: The grey difference of surroundings, 0.1..100, that still counts as alike.
        template: Side of the surroundings that are compared, pixels, 1..21; even numbers count as the next odd one.
        search: Side of the window that is searched, pixels, 1..61; even numbers count as the next odd one.
    """

    strength: float = within(10.0, 0.1, 100.0)
    template: int = within(7, 1, 21)
    search: int = within(21, 1, 61)

    def __call__(self, grey: Grey) -> Grey:
        """Give the denoised picture."""
        return cv2.fastNlMeansDenoising(grey, None, self.strength, self.template, self.search).astype(
            np.uint8, copy=False
        )
