"""Where the chromosomes of a metaphase come to lie: apart, side by side, or across one another."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.data.synthetic.absorbance import draw_straight, lay_along
from karyo.data.synthetic.chromosome import fit_canvas, mask_box, random_line
from karyo.data.synthetic.geometry import CentreLine
from karyo.data.synthetic.style import CellStyle

Mask = NDArray[np.bool_]

_CLEARANCE = 4
_TRIES = 60


@dataclass(frozen=True, slots=True)
class Patch:
    """A chromosome laid along its centre line in a picture of its own, trimmed to its outline.

    Attributes:
        absorbance: float32 ``(h, w)``.
        mask: bool ``(h, w)``.
        line: Centre line in this picture's pixels.
    """

    absorbance: NDArray[np.float32]
    mask: Mask
    line: CentreLine


@dataclass(frozen=True, slots=True)
class Placed:
    """A patch and where it lies.

    Attributes:
        patch: The chromosome.
        left: Column of its upper left corner on the slide.
        top: Row of it.
    """

    patch: Patch
    left: int
    top: int


def draw_patch(label: int, style: CellStyle, bend: float, rng: np.random.Generator) -> Patch:
    """Draw one chromosome in a random direction.

    Args:
        label: The class, 0..23.
        style: What its cell shares.
        bend: Standard deviation of the turn between the tips of chromosome 1, radians.
        rng: The chromosome's own generator.

    Returns:
        The patch.
    """
    straight = draw_straight(label, style, rng)
    line = random_line(straight.length, label, float(rng.uniform(-np.pi, np.pi)), bend, rng)
    line, width, height = fit_canvas(line, straight, style, 1)
    absorbance, mask = lay_along(straight, line, width, height)
    left, top, right, bottom = mask_box(mask)
    shift = np.array([-left, -top], np.float32)
    return Patch(absorbance[top:bottom, left:right], mask[top:bottom, left:right], line.moved(shift))


class Field:
    """The slide that is being filled: which pixels are taken, and by what.

    Attributes:
        taken: uint8 ``(H, W)``, 1 where a chromosome or a nucleus lies.
    """

    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        """Start with an empty slide of this size in pixels; ``rng`` chooses the places."""
        self.taken = np.zeros((height, width), np.uint8)
        self._rng = rng
        self._wide = self.taken.copy()
        self._chromosomes: list[Placed] = []

    def occupy(self, mask: Mask) -> None:
        """Take pixels, bool ``(H, W)``, for something that is no chromosome; chromosomes avoid it."""
        self.taken |= mask.view(np.uint8)
        self._wide = _widen(self.taken, _CLEARANCE)

    def place(self, patch: Patch, relation: str) -> tuple[int, int]:
        """Find a place for a chromosome and take it.

        Args:
            patch: The chromosome.
            relation: ``"isolated"``, ``"touching"`` or ``"crossing"``: how it should lie to one chromosome that is
                there already. Where that cannot be had, it is isolated; where the slide is full, it lies where fewest
                pixels are taken.

        Returns:
            Column and row of the patch's upper left corner.
        """
        spot = None
        if self._chromosomes and relation != "isolated":
            spot = self._beside(patch, relation)
        left, top = spot or self._apart(patch)
        height, width = patch.mask.shape
        self.taken[top : top + height, left : left + width] |= patch.mask.view(np.uint8)
        self._widen_around(left, top, width, height)
        self._chromosomes.append(Placed(patch, left, top))
        return left, top

    def _widen_around(self, left: int, top: int, width: int, height: int) -> None:
        """Renew the widened map around one new chromosome."""
        far = 2 * _CLEARANCE
        rows = slice(max(top - far, 0), top + height + far)
        columns = slice(max(left - far, 0), left + width + far)
        self._wide[rows, columns] |= _widen(self.taken[rows, columns], _CLEARANCE)

    def _apart(self, patch: Patch) -> tuple[int, int]:
        """Find a place where nothing is near, or the emptiest that was tried."""
        height, width = patch.mask.shape
        field_height, field_width = self.taken.shape
        best, fewest = (0, 0), patch.mask.size + 1
        for attempt in range(_TRIES):
            # Metaphases lie in a round cloud; it widens while no place is found.
            radius = 0.5 * np.sqrt(self._rng.random()) * (0.8 + 0.6 * attempt / _TRIES)
            angle = self._rng.uniform(0, 2 * np.pi)
            left = int(field_width * (0.5 + radius * np.cos(angle)) - width / 2)
            top = int(field_height * (0.5 + radius * np.sin(angle)) - height / 2)
            left, top = self._inside(patch, left, top)
            window = self._wide[top : top + height, left : left + width]
            met = int(np.count_nonzero(window[patch.mask]))
            if met < fewest:
                best, fewest = (left, top), met
            if met == 0:
                break
        return best

    def _beside(self, patch: Patch, relation: str) -> tuple[int, int] | None:
        """Find a place against or across one chromosome, clear of all others; None if there is none."""
        for _ in range(_TRIES // 4):
            other = self._chromosomes[int(self._rng.integers(len(self._chromosomes)))]
            corner = np.array([other.left, other.top], np.float32)
            target = other.patch.line.at(float(self._rng.uniform(0.1, 0.9))) + corner
            start = target - patch.line.at(float(self._rng.uniform(0.1, 0.9)))
            angle = self._rng.uniform(0, 2 * np.pi)
            way = np.array([np.cos(angle), np.sin(angle)])
            # Across: there and then. Against: slide away until the outlines part.
            for distance in (0,) if relation == "crossing" else range(2, 40):
                left, top = (int(value) for value in np.round(start + distance * way))
                theirs = _window(other, left, top, patch.mask.shape)
                shared = int(np.count_nonzero(theirs & patch.mask))
                if shared == 0 or relation == "crossing":
                    break
            smaller = min(np.count_nonzero(patch.mask), np.count_nonzero(other.patch.mask))
            wanted = 0 < shared < 0.45 * smaller if relation == "crossing" else shared == 0
            if wanted and self._inside(patch, left, top) == (left, top) and self._is_free(patch, left, top, theirs):
                return left, top
        return None

    def _is_free(self, patch: Patch, left: int, top: int, theirs: Mask) -> bool:
        """Say whether a patch would lie clear of everything but the chromosome whose window this is."""
        height, width = patch.mask.shape
        near = self._wide[top : top + height, left : left + width].astype(np.bool_) & patch.mask
        halo = _widen(np.pad(theirs.view(np.uint8), _CLEARANCE), _CLEARANCE)
        return not bool((near & (halo[_CLEARANCE:-_CLEARANCE, _CLEARANCE:-_CLEARANCE] == 0)).any())

    def _inside(self, patch: Patch, left: int, top: int) -> tuple[int, int]:
        """Push a corner so far that the patch lies inside the slide with two pixels to spare."""
        height, width = patch.mask.shape
        field_height, field_width = self.taken.shape
        left = max(min(left, field_width - width - 2), 2)
        return left, max(min(top, field_height - height - 2), 2)


def _window(placed: Placed, left: int, top: int, shape: tuple[int, ...]) -> Mask:
    """Cut the window (height, width) = ``shape`` at a corner of the slide out of one chromosome's outline."""
    window = np.zeros(shape, np.bool_)
    row, column = placed.top - top, placed.left - left
    part = placed.patch.mask[max(-row, 0) :, max(-column, 0) :]
    view = window[max(row, 0) :, max(column, 0) :][: part.shape[0], : part.shape[1]]
    view |= part[: view.shape[0], : view.shape[1]]
    return window


def _widen(mask: NDArray[np.uint8], pixels: int) -> NDArray[np.uint8]:
    """Dilate a mask of 0 and 1 by a number of pixels."""
    size = 2 * pixels + 1
    return np.asarray(cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))), np.uint8)
