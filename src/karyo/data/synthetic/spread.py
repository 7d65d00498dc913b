"""A whole metaphase spread: the chromosomes of a cell on a slide, some touching, some crossing, and their truth."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.data.ideogram import load_ideogram
from karyo.data.synthetic.bent import spread_bend
from karyo.data.synthetic.camera import develop, photograph
from karyo.data.synthetic.cell import cell_sex, settled_members
from karyo.data.synthetic.chromosome import cell_style, object_generator
from karyo.data.synthetic.clutter import draw_debris, draw_nucleus
from karyo.data.synthetic.placement import Field, Placed, draw_patch
from karyo.data.synthetic.style import CellSettings, CellStyle
from karyo.errors import SettingsError

RELATIONS: tuple[str, ...] = ("isolated", "touching", "crossing")
"""How a chromosome lies to its neighbours; the later ones win where more than one is true."""

TOUCH = 2
"""Outlines that are at most this many pixels apart touch: the blur of the optics joins them."""

_PLACES, _CLUTTER, _CAMERA = 3, 4, 5


@dataclass(frozen=True, slots=True)
class SpreadSettings:
    """What to draw.

    Attributes:
        width: Picture width, pixels.
        height: Picture height, pixels.
        cell: The chromosomes' difficulty, polarity, sex, scale and numbers.
        touching: Share of the chromosomes laid against another one, 0..1.
        crossing: Share of the chromosomes laid across another one, 0..1.
        nuclei: Number of interphase nuclei.
        debris: Number of specks of dirt.

    Raises:
        SettingsError: If a number is out of its range or 46 chromosomes do not fit into the picture.
    """

    width: int = 1000
    height: int = 800
    cell: CellSettings = field(default_factory=CellSettings)
    touching: float = 0.15
    crossing: float = 0.1
    nuclei: int = 2
    debris: int = 25

    def __post_init__(self) -> None:
        side = int(np.ceil(450 * self.cell.scale))
        if min(self.width, self.height) < side:
            raise SettingsError(
                f"a spread of {self.width} x {self.height} pixels is too small for 46 chromosomes at scale "
                f"{self.cell.scale}; make both sides at least {side} or lower the scale"
            )
        if max(self.width, self.height) > 8192:
            raise SettingsError(f"a spread of {self.width} x {self.height} pixels is too large; 8192 is the limit")
        if min(self.touching, self.crossing) < 0 or self.touching + self.crossing > 1:
            raise SettingsError(
                f"touching ({self.touching}) and crossing ({self.crossing}) are shares of the chromosomes: neither may "
                "be negative nor their sum above 1"
            )
        if min(self.nuclei, self.debris) < 0:
            raise SettingsError(f"nuclei ({self.nuclei}) and debris ({self.debris}) must be 0 or more")


@dataclass(frozen=True, slots=True)
class SpreadChromosome:
    """The truth about one chromosome of a spread. Coordinates are pixels of the spread.

    Attributes:
        label: The class, 0..23.
        homolog: ``"a"``, ``"b"``, and ``"c"``, ``"d"`` for further ones.
        box: (left, top, right, bottom) of its outline, right and bottom exclusive.
        mask: bool ``(bottom - top, right - left)``: its full outline within the box, also where another one crosses it.
        centre_line: float32 ``(N, 2)`` of (x, y) from the tip of the short arm to the tip of the long arm.
        centromere: float32 ``(2,)``.
        relation: One of :data:`RELATIONS`: ``crossing`` if it shares pixels with another one, ``touching`` if not but
            its outline comes within :data:`TOUCH` pixels of another one, otherwise ``isolated``.
        touches: Positions, in the spread's list, of the chromosomes that it touches and does not cross.
        crosses: Positions of those that it crosses.
    """

    label: int
    homolog: str
    box: tuple[int, int, int, int]
    mask: NDArray[np.bool_]
    centre_line: NDArray[np.float32]
    centromere: NDArray[np.float32]
    relation: str
    touches: tuple[int, ...]
    crosses: tuple[int, ...]

    def full_mask(self, height: int, width: int) -> NDArray[np.bool_]:
        """Give the outline in a picture of the spread's size, bool ``(height, width)``."""
        left, top, right, bottom = self.box
        full = np.zeros((height, width), np.bool_)
        full[top:bottom, left:right] = self.mask
        return full


@dataclass(frozen=True, slots=True)
class Spread:
    """A drawn metaphase spread.

    Attributes:
        image: uint8 ``(height, width)``.
        chromosomes: Its chromosomes in class order.
        sex: As ``cell_sex`` gives it.
        nuclei: bool ``(height, width)``, True inside interphase nuclei.
    """

    image: NDArray[np.uint8]
    chromosomes: tuple[SpreadChromosome, ...]
    sex: str
    nuclei: NDArray[np.bool_]


def draw_spread(seed: int, settings: SpreadSettings | None = None) -> Spread:
    """Draw a metaphase spread.

    Its chromosomes are those of ``draw_cell`` with the same seed and settings, otherwise bent and turned. Where
    chromosomes cross, their absorbances add.

    Args:
        seed: 0 or more; each seed is another cell on another slide.
        settings: What to draw; the defaults if None.

    Returns:
        The picture and the truth.

    Raises:
        SettingsError: If the seed is negative.
    """
    settings = settings or SpreadSettings()
    sex = cell_sex(seed, settings.cell)
    style = cell_style(seed, settings.cell)
    members = settled_members(seed, settings.cell)
    absorbance, nuclei = _draw_clutter(seed, settings)
    placed = _place_chromosomes(seed, settings, style, members, nuclei)
    for item in placed:
        height, width = item.patch.mask.shape
        absorbance[item.top : item.top + height, item.left : item.left + width] += item.patch.absorbance
    picture = photograph(absorbance, style, np.random.default_rng([seed, _CAMERA]))
    touches, crosses = find_neighbours(placed)
    truth = tuple(
        _describe(member, item, touches[index], crosses[index])
        for index, (member, item) in enumerate(zip(members, placed, strict=True))
    )
    return Spread(develop(picture, style.dark_field), truth, sex, nuclei)


def find_neighbours(placed: list[Placed]) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Find from the outlines which chromosomes touch and which cross.

    Args:
        placed: The chromosomes of a spread.

    Returns:
        For each chromosome the positions of those it touches but does not cross, and of those it crosses.
    """
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * TOUCH + 1, 2 * TOUCH + 1))
    wide = [cv2.dilate(np.pad(item.patch.mask.view(np.uint8), TOUCH), kernel) > 0 for item in placed]
    touches: list[list[int]] = [[] for _ in placed]
    crosses: list[list[int]] = [[] for _ in placed]
    for first in range(len(placed)):
        for second in range(first + 1, len(placed)):
            a, b = placed[first], placed[second]
            shift = (a.left - b.left, a.top - b.top)
            if _shared(a.patch.mask, b.patch.mask, *shift):
                crosses[first].append(second)
                crosses[second].append(first)
            elif _shared(wide[first], b.patch.mask, shift[0] - TOUCH, shift[1] - TOUCH):
                touches[first].append(second)
                touches[second].append(first)
    return [tuple(items) for items in touches], [tuple(items) for items in crosses]


def _shared(first: NDArray[np.bool_], second: NDArray[np.bool_], right: int, down: int) -> bool:
    """Say whether two masks share a pixel, the first one lying ``right`` and ``down`` of the second one's corner."""
    rows = slice(max(down, 0), min(down + first.shape[0], second.shape[0]))
    columns = slice(max(right, 0), min(right + first.shape[1], second.shape[1]))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return False
    own = first[rows.start - down : rows.stop - down, columns.start - right : columns.stop - right]
    return bool((own & second[rows, columns]).any())


def _draw_clutter(seed: int, settings: SpreadSettings) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Draw nuclei and dirt: their absorbance, and where the nuclei lie."""
    rng = np.random.default_rng([seed, _CLUTTER])
    size = settings.width, settings.height
    nuclei = np.zeros(size[::-1], np.float32)
    for _ in range(settings.nuclei):
        nuclei = np.maximum(nuclei, draw_nucleus(*size, settings.cell.scale, rng))
    debris = draw_debris(*size, settings.debris, settings.cell.scale, rng)
    return nuclei + debris, nuclei > 0


def _place_chromosomes(
    seed: int,
    settings: SpreadSettings,
    style: CellStyle,
    members: list[tuple[int, str]],
    nuclei: NDArray[np.bool_],
) -> list[Placed]:
    """Draw the chromosomes and find each a place; the answer is in the members' order."""
    rng = np.random.default_rng([seed, _PLACES])
    slide = Field(settings.width, settings.height, rng)
    slide.occupy(nuclei)
    shares = [1 - settings.touching - settings.crossing, settings.touching, settings.crossing]
    bend = spread_bend(style.hardness)
    placed: dict[int, Placed] = {}
    for index in rng.permutation(len(members)):
        label, homolog = members[index]
        patch = draw_patch(label, style, bend, object_generator(seed, label, homolog))
        relation = RELATIONS[int(rng.choice(len(RELATIONS), p=shares))]
        placed[int(index)] = Placed(patch, *slide.place(patch, relation))
    return [placed[index] for index in range(len(members))]


def _describe(
    member: tuple[int, str], item: Placed, touches: tuple[int, ...], crosses: tuple[int, ...]
) -> SpreadChromosome:
    """Write down the truth about one chromosome."""
    label, homolog = member
    height, width = item.patch.mask.shape
    line = item.patch.line.moved(np.array([item.left, item.top], np.float32))
    return SpreadChromosome(
        label=label,
        homolog=homolog,
        box=(item.left, item.top, item.left + width, item.top + height),
        mask=item.patch.mask,
        centre_line=line.points,
        centromere=line.at(load_ideogram(550)[label].centromere),
        relation="crossing" if crosses else "touching" if touches else "isolated",
        touches=touches,
        crosses=crosses,
    )
