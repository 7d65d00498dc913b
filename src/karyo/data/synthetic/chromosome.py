"""One chromosome drawn by itself, cut out as in a karyogram, together with the truth about it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.data.ideogram import load_ideogram
from karyo.data.synthetic.absorbance import StraightChromosome, draw_straight, lay_along
from karyo.data.synthetic.camera import develop, photograph
from karyo.data.synthetic.geometry import CentreLine, bend_line
from karyo.data.synthetic.style import CellSettings, CellStyle, draw_style
from karyo.errors import SettingsError

HOMOLOGS: tuple[str, ...] = ("a", "b", "c", "d")
"""Names of the two of a pair, and of further ones; a lone X or Y is ``"a"``."""

_STYLE, _OBJECT = 1, 2


@dataclass(frozen=True, slots=True)
class DrawnChromosome:
    """A drawn chromosome and the truth about it. Coordinates are pixels of its own image.

    Attributes:
        image: uint8 ``(H, W)``.
        label: The class, 0..23.
        homolog: One of :data:`HOMOLOGS`.
        mask: bool ``(H, W)``, True inside the outline.
        centre_line: float32 ``(N, 2)`` of (x, y) from the tip of the short arm to the tip of the long arm.
        centromere: float32 ``(2,)``, a point of the centre line.
        box: (left, top, right, bottom) of the mask; right and bottom exclusive.
    """

    image: NDArray[np.uint8]
    label: int
    homolog: str
    mask: NDArray[np.bool_]
    centre_line: NDArray[np.float32]
    centromere: NDArray[np.float32]
    box: tuple[int, int, int, int]


def cell_style(seed: int, settings: CellSettings) -> CellStyle:
    """Give the style that the chromosomes of the cell with this seed share.

    Args:
        seed: The cell's seed, 0 or more.
        settings: What to draw.

    Returns:
        The style; the same for the same arguments.
    """
    return draw_style(np.random.default_rng([seed, _STYLE]), settings)


def object_generator(seed: int, label: int, homolog: str) -> np.random.Generator:
    """Give a chromosome's own generator, so that its pixels do not depend on what is drawn before it.

    Args:
        seed: The cell's seed, 0 or more.
        label: The class, 0..23.
        homolog: One of :data:`HOMOLOGS`.

    Returns:
        A fresh generator.

    Raises:
        SettingsError: If the seed, the class or the homolog does not exist.
    """
    if seed < 0:
        raise SettingsError(f"seed must be 0 or more, not {seed}")
    if not 0 <= label < len(CLASSES):
        raise SettingsError(f"label must be a class from 0 to {len(CLASSES) - 1}, not {label}")
    if homolog not in HOMOLOGS:
        raise SettingsError(f"homolog must be one of {', '.join(HOMOLOGS)}, not {homolog!r}")
    return np.random.default_rng([seed, _OBJECT, label, HOMOLOGS.index(homolog)])


def draw_chromosome(
    label: int, seed: int, homolog: str = "a", settings: CellSettings | None = None, style: CellStyle | None = None
) -> DrawnChromosome:
    """Draw one chromosome of a cell.

    Args:
        label: The class, 0..23.
        seed: The cell's seed; chromosomes of the same seed look like one cell's.
        homolog: One of :data:`HOMOLOGS`.
        settings: What to draw; the defaults if None.
        style: The cell's style where the caller has it already; otherwise it is drawn from the seed.

    Returns:
        The chromosome, short arm up but for its bend and rotation, with a small margin around it.

    Raises:
        SettingsError: If the seed, the class or the homolog does not exist.
    """
    rng = object_generator(seed, label, homolog)
    style = style or cell_style(seed, settings or CellSettings())
    straight = draw_straight(label, style, rng)
    spread = 1.5 + 11 * style.hardness
    angle = float(np.clip(rng.normal(0, spread), -3 * spread, 3 * spread))
    line = random_line(straight.length, label, np.deg2rad(angle), 0.15 + 0.5 * style.hardness, rng)
    line, width, height = fit_canvas(line, straight, style, int(rng.integers(1, 4)))
    absorbance, mask = lay_along(straight, line, width, height)
    picture = photograph(absorbance, style, rng)
    if style.cut_out:
        picture = _wipe_background(picture, mask, style)
    return DrawnChromosome(
        image=develop(picture, style.dark_field),
        label=label,
        homolog=homolog,
        mask=mask,
        centre_line=line.points,
        centromere=line.at(load_ideogram(550)[label].centromere),
        box=mask_box(mask),
    )


def random_line(length: float, label: int, angle: float, bend: float, rng: np.random.Generator) -> CentreLine:
    """Bend a centre line at random; long chromosomes bend more than short ones.

    Args:
        length: Length, pixels.
        label: The class, 0..23, for the place of its centromere, where a chromosome gives way most easily.
        angle: Mean direction, radians, 0 with the short arm up.
        bend: Standard deviation of the turn between the tips of chromosome 1, radians.
        rng: The chromosome's own generator.

    Returns:
        The line, its points' mean at (0, 0).
    """
    chromosome = load_ideogram(550)[label]
    limber = bend * (0.3 + 0.7 * chromosome.length / load_ideogram(550)[0].length)
    turns = np.clip(rng.normal(0, 1, 3), -2.5, 2.5) * limber
    return bend_line(length, angle, turns[0], 0.25 * turns[1], 0.4 * turns[2], chromosome.centromere)


def fit_canvas(
    line: CentreLine, straight: StraightChromosome, style: CellStyle, margin: int
) -> tuple[CentreLine, int, int]:
    """Move a line so that its chromosome just fits into a picture that starts at (0, 0).

    Args:
        line: Centre line anywhere.
        straight: The chromosome to be laid along it.
        style: Its cell's style, for the blur that needs room.
        margin: Further empty pixels on each side.

    Returns:
        The moved line, and the picture's width and height in pixels.
    """
    normals = np.stack([line.tangents[:, 1], -line.tangents[:, 0]], axis=1)
    reach = straight.reach * normals
    outline = np.concatenate([line.points + reach, line.points - reach])
    room = margin + style.blur
    low = np.floor(outline.min(axis=0) - room)
    high = np.ceil(outline.max(axis=0) + room)
    width, height = (high - low + 1).astype(int)
    return line.moved((-low).astype(np.float32)), int(width), int(height)


def mask_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Give the smallest box around a mask.

    Args:
        mask: bool ``(H, W)`` with at least one True.

    Returns:
        (left, top, right, bottom), right and bottom exclusive.
    """
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    return left, top, left + width, top + height


def _wipe_background(picture: NDArray[np.float32], mask: NDArray[np.bool_], style: CellStyle) -> NDArray[np.float32]:
    """Whiten what lies outside the outline, as karyotyping software does when it cuts a chromosome out."""
    size = 2 * int(np.ceil(style.blur)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    kept = cv2.dilate(mask.view(np.uint8), kernel)
    return np.where(kept > 0, picture, np.float32(255))
