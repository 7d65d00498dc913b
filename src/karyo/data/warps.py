"""Warps that chromosomes undergo by nature: they bend, and they contract unevenly along their length.

Transforms in the manner of albumentations, whose own elastic warps know no direction: what bends a chromosome here
leaves the order and the width of its bands as they are. The length is taken to be upright.
"""

import os
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

# It asks a server for updates on import otherwise.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
import albumentations  # type: ignore[import-untyped]
from albumentations.core.transforms_interface import BaseTransformInitSchema  # type: ignore[import-untyped]

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]


class Bend(albumentations.ImageOnlyTransform):  # type: ignore[misc]
    """Moves each row sideways, by a smooth function of its place along the length.

    Rows stay whole, so nothing folds whatever is drawn; on a canvas that stretches a slender chromosome to a square
    this is what a bend of its axis looks like.

    Args:
        limit: How far a knot is moved either way, as a share of the width, 0..0.5; the knots are then centred.
        knots: Places along the length, evenly spaced, that are moved, 2..16; a natural cubic spline joins them.
        p: Share of the images that are bent, 0..1.
    """

    class InitSchema(BaseTransformInitSchema):  # type: ignore[misc]
        """Ranges of the arguments."""

        limit: float = Field(ge=0, le=0.5)
        knots: int = Field(ge=2, le=16)

    def __init__(self, limit: float = 0.08, knots: int = 4, p: float = 0.5) -> None:
        super().__init__(p=p)
        self.limit, self.knots = limit, knots

    def get_params(self) -> dict[str, Floats]:
        """Draw where the knots go, in widths."""
        moved = self.random_generator.uniform(-self.limit, self.limit, self.knots)
        return {"moved": (moved - moved.mean()).astype(np.float32)}

    def apply(self, img: Image, moved: Floats, **params: Any) -> Image:
        """Bend an image.

        Args:
            img: ``(H, W)`` or ``(H, W, C)``, uint8, background 0.
            moved: Places of the knots across, in widths.
            params: Not used.

        Returns:
            The image, same shape; what is moved in is background.
        """
        columns, rows = _places(*img.shape[:2])
        offsets = _along(len(img), moved) * np.float32(img.shape[1])
        return _drawn(img, columns + offsets[:, None], rows)


class UnevenContraction(albumentations.ImageOnlyTransform):  # type: ignore[misc]
    """Stretches some stretches of the length and shortens others; the ends stay where they are.

    The scale along the length is the exponential of a smooth curve, so it is positive everywhere: bands keep their
    order and none is folded over.

    Args:
        limit: By what share a knot's surroundings are at most longer than drawn, 0..1: 0.25 is a scale of 1 / 1.25 to
            1.25 before the whole is brought back to its length.
        knots: Places along the length, evenly spaced, that have a scale of their own, 2..16.
        p: Share of the images that are warped, 0..1.
    """

    class InitSchema(BaseTransformInitSchema):  # type: ignore[misc]
        """Ranges of the arguments."""

        limit: float = Field(ge=0, le=1)
        knots: int = Field(ge=2, le=16)

    def __init__(self, limit: float = 0.25, knots: int = 5, p: float = 0.5) -> None:
        super().__init__(p=p)
        self.limit, self.knots = limit, knots

    def get_params(self) -> dict[str, Floats]:
        """Draw the logarithms of the knots' scales."""
        extreme = np.log1p(self.limit)
        return {"scales": self.random_generator.uniform(-extreme, extreme, self.knots).astype(np.float32)}

    def apply(self, img: Image, scales: Floats, **params: Any) -> Image:
        """Warp an image along its length.

        Args:
            img: ``(H, W)`` or ``(H, W, C)``, uint8.
            scales: Logarithms of the knots' scales.
            params: Not used.

        Returns:
            The image, same shape.
        """
        height = len(img)
        if height < 2:
            return img
        columns, rows = _places(*img.shape[:2])
        steps = np.exp(_along(height, scales))
        sources = np.zeros(height, np.float32)
        np.cumsum((steps[1:] + steps[:-1]) / 2, out=sources[1:])
        sources *= (height - 1) / sources[-1]
        return _drawn(img, columns, rows + (sources - rows[:, 0])[:, None])


WARPS: dict[str, type] = {"Bend": Bend, "UnevenContraction": UnevenContraction}
"""The transforms of this module by the name that a configuration gives them."""


def _drawn(image: Image, columns: Floats, rows: Floats) -> Image:
    """Draw each pixel from its source place, bilinearly; sources outside are background."""
    drawn: Any = cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    # OpenCV drops a single channel.
    result: Image = drawn.reshape(image.shape)
    return result


@lru_cache(maxsize=16)
def _places(height: int, width: int) -> tuple[Floats, Floats]:
    """Give each pixel's own column and row, both ``(height, width)``."""
    rows, columns = np.indices((height, width), dtype=np.float32)
    return columns, rows


def _along(height: int, knots: Floats) -> Floats:
    """Give the natural cubic spline through evenly spaced knots at each of ``height`` rows."""
    # BLAS would do it too, but for so small a product it reads beyond the end and may raise a flag for what it finds.
    curve: Floats = np.einsum("hk,k->h", _curve(height, len(knots)), knots)
    return curve


@lru_cache(maxsize=64)
def _curve(height: int, knots: int) -> Floats:
    """Give the matrix ``(height, knots)`` from knots to the natural cubic spline through them, row by row."""
    from scipy.interpolate import CubicSpline

    spline = CubicSpline(np.linspace(0, 1, knots), np.eye(knots), bc_type="natural")
    return np.asarray(spline(np.linspace(0, 1, height)), np.float32)
