"""How a cell looks under the microscope, and how hard that makes it to read.

Everything that one metaphase's chromosomes share is a :class:`CellStyle`: how contracted they are, how strongly they
took the stain, how sharp and how noisy the picture is. Difficulty, 0 to 1, moves every range of it at once, always in
the direction that hides more of the bands.
"""

from dataclasses import dataclass

import numpy as np

from karyo.chromosomes import CLASSES
from karyo.errors import SettingsError

DIFFICULTIES: dict[str, float] = {"easy": 0.25, "normal": 0.7, "hard": 0.85}
"""Names for difficulties."""

POLARITIES: tuple[str, ...] = ("bright", "dark", "mixed")
"""Backgrounds that can be drawn; ``mixed`` draws one of the two for each cell."""

SEXES: tuple[str, ...] = ("mixed", "XX", "XY")
"""Sex chromosomes that can be drawn; ``mixed`` draws one of the two for each cell."""

MOST_COPIES = 4
"""Homologs of one class that can be drawn."""


def parse_difficulty(difficulty: float | str) -> float:
    """Read a difficulty given as a number or by name.

    Args:
        difficulty: 0 (every band is clear) to 1 (hardly any is), or a name in :data:`DIFFICULTIES`.

    Returns:
        The number, 0..1.

    Raises:
        SettingsError: If it is another name or outside 0..1.
    """
    if isinstance(difficulty, str):
        if difficulty not in DIFFICULTIES:
            raise SettingsError(f"difficulty {difficulty!r} is unknown; use {', '.join(DIFFICULTIES)} or a number 0..1")
        return DIFFICULTIES[difficulty]
    if not 0 <= difficulty <= 1:
        raise SettingsError(f"difficulty must lie between 0 and 1, not {difficulty}")
    return float(difficulty)


@dataclass(frozen=True, slots=True)
class CellSettings:
    """What to draw.

    Attributes:
        difficulty: 0..1, or a name in :data:`DIFFICULTIES`; kept as the number.
        polarity: One of :data:`POLARITIES`.
        sex: One of :data:`SEXES`.
        scale: Magnification; 1 draws chromosome 1 at about 60 to 120 pixels.
        copies: How many of each class a cell has, 24 numbers 0..4 in class order; None for a normal cell of the sex.
        lost: Share of a cell's chromosomes that are not drawn, as if lost in the preparation, 0..1.

    Raises:
        SettingsError: If a value is not one of those.
    """

    difficulty: float | str = "normal"
    polarity: str = "bright"
    sex: str = "mixed"
    scale: float = 1.0
    copies: tuple[int, ...] | None = None
    lost: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "difficulty", parse_difficulty(self.difficulty))
        if self.polarity not in POLARITIES:
            raise SettingsError(f"polarity {self.polarity!r} is unknown; use one of {', '.join(POLARITIES)}")
        if self.sex not in SEXES:
            raise SettingsError(f"sex {self.sex!r} is unknown; use one of {', '.join(SEXES)}")
        if not 0.25 <= self.scale <= 8:
            raise SettingsError(f"scale must lie between 0.25 and 8, not {self.scale}")
        if not 0 <= self.lost < 1:
            raise SettingsError(f"lost is a share of the chromosomes, from 0 to below 1, not {self.lost}")
        if self.copies is not None:
            _check_copies(self.copies)

    @property
    def hardness(self) -> float:
        """The difficulty as a number 0..1."""
        return parse_difficulty(self.difficulty)


def _check_copies(copies: tuple[int, ...]) -> None:
    """Refuse numbers of chromosomes that cannot be drawn."""
    if len(copies) != len(CLASSES) or sum(copies) == 0:
        raise SettingsError(f"copies must be {len(CLASSES)} numbers, one of them above 0, not {copies}")
    for name, number in zip(CLASSES, copies, strict=True):
        if not 0 <= number <= MOST_COPIES:
            raise SettingsError(f"a drawn cell has 0 to {MOST_COPIES} of a chromosome, not {number} of {name}")


@dataclass(frozen=True, slots=True)
class CellStyle:
    """What the chromosomes of one cell share. Lengths are pixels, absorbances natural logarithms.

    Attributes:
        hardness: Difficulty, 0..1.
        length: Length of chromosome 1.
        half_width: Half the width of a chromosome, both chromatids together.
        fusion: Standard deviation along the chromosome over which neighbouring bands have run together.
        detail: Share of the 850-band ideogram, 0..1; the rest is the 550-band one.
        light: Absorbance of a light band.
        dark: Absorbance that a full dark band adds to it.
        openness: How far the chromatids have parted: the line between them is as dark as they are at 0 and as light as
            the background at 1.
        waist: How much the centromere narrows the body, 0..1.
        clumping: Relative unevenness of the stain inside a band.
        blur: Standard deviation of the optical blur.
        noise: Standard deviation of the camera's noise, grey levels of 255.
        background: Grey level of the empty field, bright polarity.
        tilt: Relative change of the illumination across 100 pixels, in x and y.
        cut_out: Whether the background around the chromosome was wiped, as karyotyping software does.
        dark_field: Whether the background is dark.
    """

    hardness: float
    length: float
    half_width: float
    fusion: float
    detail: float
    light: float
    dark: float
    openness: float
    waist: float
    clumping: float
    blur: float
    noise: float
    background: float
    tilt: tuple[float, float]
    cut_out: bool
    dark_field: bool


def draw_style(rng: np.random.Generator, settings: CellSettings) -> CellStyle:
    """Draw the style of one cell.

    The ranges were set by eye and by measurement against G-banded karyograms at 65 to 125 pixels for chromosome 1.

    Args:
        rng: The cell's own generator; the same state gives the same style.
        settings: What to draw.

    Returns:
        The style.
    """
    hard, scale = settings.hardness, settings.scale
    # 0 is a long, early metaphase with many thin bands; 1 a short, late one with few thick bands.
    contraction = float(np.clip(rng.normal(0.58, 0.16 + 0.16 * hard), 0.0, 1.0))
    tilt = np.clip(rng.normal(0.0, 0.004 + 0.012 * hard, 2), -0.03, 0.03)
    return CellStyle(
        hardness=hard,
        length=(120 - 62 * contraction) * scale,
        half_width=float(np.clip(rng.normal(7.7, 0.3 + 0.9 * hard), 5.5, 10))
        * (1.0 + 0.1 * (contraction - 0.5))
        * scale,
        fusion=(0.6 + 2.4 * contraction * (0.25 + hard)) * scale,
        detail=0.8 * (1 - contraction) + 0.1,
        light=float(rng.uniform(0.12, 0.24 + 0.14 * hard)),
        dark=float(rng.uniform(1.3 - 0.55 * hard, 1.6 - 0.4 * hard)),
        openness=float(rng.uniform(0.2, 0.85)),
        waist=float(rng.uniform(0.25, 0.55)),
        clumping=float(rng.uniform(0.6, 1.0)) * (0.1 + 0.3 * hard),
        blur=float(rng.uniform(0.55, 0.7 + 1.0 * hard)) * scale,
        noise=float(rng.uniform(0.5, 1.5 + 7 * hard)),
        background=float(rng.uniform(234, 252)),
        tilt=(float(tilt[0]), float(tilt[1])),
        cut_out=bool(rng.random() < 0.6),
        dark_field=bool(rng.random() < 0.5) if settings.polarity == "mixed" else settings.polarity == "dark",
    )
