"""A picture at the scale at which its objects are looked for, and what is no chromosome taken out."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.imaging.foreground import foreground, lift, typical_width, without_nuclei

_WORKING_WIDTH = 13.0
"""Chromosomes wider than this, in pixels, are made this wide: splitting takes time and needs no more detail."""

_ALREADY_SMALL = 1.15
"""Width, as a multiple of the working width, up to which it is not worth while."""

_LARGEST_SIDE = 2400
"""Larger pictures are reduced before anything else."""

_LEAST_AREA = 0.23
"""Area of the smallest chromosomes over that of the cell's usual object: cells differ in how contracted they are."""

_USUAL_FROM = 0.3
_USUAL_SHARE = 0.4
"""The usual object: this quantile of the areas from that many squares on, weighted by their roots."""

_LEAST_BREADTH = 0.5
"""Greatest breadth of the slimmest chromosomes in widths."""

_PALEST, _DARKEST = 0.58, 1.38
"""Median grey of a chromosome over that of all objects: of 1,786 real ones 99 % have 0.63 to 1.26."""

_NUCLEUS_AT_BORDER = 1.3
"""Greatest breadth, in widths, from which on an object cut off by the picture's border is part of a nucleus."""

_BESIDE = 0.25
_SLIVER = 2.5
"""An object this close to a nucleus, in widths, and smaller than this, in squares of the width, is a sliver of it."""


_MOST_PIECES = 1000
"""Of more objects than this only the largest are looked at: the picture is noise."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A connected object of the foreground.

    Attributes:
        mask: bool (h, w), within its box.
        left: Of its box, pixels of the scene.
        top: Of its box.
        area: In squares of the typical width.
        breadth: Its greatest breadth, in typical widths.
        level: Its median grey over that of all objects.
        cut_off: Whether it reaches the border of the picture.
        beside: Distance to the nearest nucleus in typical widths; infinite without nuclei.
    """

    mask: NDArray[np.bool_]
    left: int
    top: int
    area: float
    breadth: float
    level: float
    cut_off: bool
    beside: float

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of its box."""
        height, width = self.mask.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A picture at working scale.

    Attributes:
        lifted: uint8 (h, w), grey levels above the background.
        pieces: Its connected objects without nuclei.
        nuclei: bool (h, w).
        covered: Share of the picture that objects and nuclei cover, 0..1.
        noise: Median deviation of the background from even, grey levels.
        width: Typical width of a chromosome, pixels of the scene.
        usual: Area of a usual object in squares of the width; 0 without objects.
        scale: Size of the scene over that of the picture.
    """

    lifted: NDArray[np.uint8]
    pieces: tuple[Piece, ...]
    nuclei: NDArray[np.bool_]
    covered: float
    noise: float
    width: float
    usual: float
    scale: float

    @property
    def smallest(self) -> float:
        """Area of the smallest chromosome that the cell may have, squares of the width."""
        return _LEAST_AREA * self.usual

    def is_debris(self, piece: Piece) -> bool:
        """Say whether an object of the scene cannot hold a whole chromosome."""
        return (
            piece.area < self.smallest
            or piece.breadth < _LEAST_BREADTH
            or not _PALEST <= piece.level <= _DARKEST
            or (piece.cut_off and piece.breadth > _NUCLEUS_AT_BORDER)
            or (piece.beside < _BESIDE and piece.area < _SLIVER)
        )


def look_at(dark: NDArray[np.uint8]) -> Scene:
    """Bring a picture to working scale, and find its objects and nuclei.

    Args:
        dark: Array (H, W), uint8, background dark, at least one pixel.

    Returns:
        The scene.
    """
    scale = min(_LARGEST_SIDE / max(dark.shape), 1.0)
    small = _scaled(dark, scale)
    mask = foreground(small)
    width = typical_width(without_nuclei(mask))
    if width > _ALREADY_SMALL * _WORKING_WIDTH:
        scale *= _WORKING_WIDTH / width
        small = _scaled(dark, scale)
        mask = foreground(small)
    lifted = lift(small)
    clean = without_nuclei(mask)
    width = typical_width(clean)
    nuclei = mask & ~clean
    ground = small[~(cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)]
    noise = float(np.median(np.abs(ground - np.median(ground)))) if ground.size else 255.0
    pieces = _find_pieces(clean, nuclei, lifted, width) if width else ()
    return Scene(lifted, pieces, nuclei, float(mask.mean()), noise, width, _usual_area(pieces), scale)


def _usual_area(pieces: Sequence[Piece]) -> float:
    """Give the area of a usual object: neither specks nor clusters decide it."""
    areas = np.sort([piece.area for piece in pieces if piece.area > _USUAL_FROM])
    if not len(areas):
        return 0.0
    weights = np.cumsum(np.sqrt(areas))
    return float(areas[np.searchsorted(weights, _USUAL_SHARE * weights[-1])])


def _scaled(grey: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """Make a picture smaller."""
    if scale >= 1:
        return grey
    height, width = grey.shape
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


def _find_pieces(
    mask: NDArray[np.bool_], nuclei: NDArray[np.bool_], lifted: NDArray[np.uint8], width: float
) -> tuple[Piece, ...]:
    """Measure the connected objects of a mask."""
    count, numbers, table, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    far = np.full(mask.shape, np.inf, np.float32)
    away = cv2.distanceTransform((~nuclei).astype(np.uint8), cv2.DIST_L2, 5) if nuclei.any() else far
    usual = max(float(np.median(lifted[mask])), 1.0) if mask.any() else 1.0
    pieces = []
    largest = 1 + np.argsort(-table[1:count, cv2.CC_STAT_AREA], kind="stable")[:_MOST_PIECES]
    for number in sorted(largest.tolist()):
        left, top, columns, rows, area = (int(value) for value in table[number])
        window = slice(top, top + rows), slice(left, left + columns)
        own = np.ascontiguousarray(numbers[window] == number)
        pieces.append(
            Piece(
                mask=own,
                left=left,
                top=top,
                area=area / width**2,
                breadth=2 * float(depth[window][own].max()) / width,
                level=float(np.median(lifted[window][own])) / usual,
                cut_off=min(left, top) <= 1 or left + columns >= mask.shape[1] - 1 or top + rows >= mask.shape[0] - 1,
                beside=float(away[window][own].min()) / width,
            )
        )
    return tuple(pieces)
