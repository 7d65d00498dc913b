"""The same chromosome twice: bent as on a slide, and unbent, to measure straightening against."""

import numpy as np

from karyo.data.ideogram import load_ideogram
from karyo.data.synthetic.absorbance import StraightChromosome, draw_straight, lay_along
from karyo.data.synthetic.camera import develop, photograph
from karyo.data.synthetic.chromosome import (
    DrawnChromosome,
    cell_style,
    fit_canvas,
    mask_box,
    object_generator,
    random_line,
)
from karyo.data.synthetic.geometry import CentreLine, bend_line
from karyo.data.synthetic.style import CellSettings, CellStyle
from karyo.errors import SettingsError

_CAMERA = 6
_MARGIN = 3


def spread_bend(hardness: float) -> float:
    """Give the bend of a spread's chromosomes, the deviation of chromosome 1's turn between its tips, radians.

    Args:
        hardness: Difficulty, 0..1.
    """
    return 0.35 + 0.6 * hardness


def draw_bent_and_unbent(
    label: int, seed: int, homolog: str = "a", settings: CellSettings | None = None, bend: float | None = None
) -> tuple[DrawnChromosome, DrawnChromosome]:
    """Draw one chromosome in a random direction and bent, and the same one upright and straight.

    Bands, chromatids, stain and optics are the same; the camera's noise differs.

    Args:
        label: The class, 0..23.
        seed: The cell's seed, 0 or more.
        homolog: ``"a"`` or ``"b"``.
        settings: What to draw; the defaults if None.
        bend: Standard deviation of the turn between the tips of chromosome 1, radians, 0..6; None for that of spreads.

    Returns:
        The bent one and the unbent one, short arm up; neither has its background wiped.

    Raises:
        SettingsError: If the seed, the class or the homolog does not exist, or the bend is out of its range.
    """
    settings = settings or CellSettings()
    bend = spread_bend(settings.hardness) if bend is None else bend
    if not 0 <= bend <= 6:
        raise SettingsError(f"bend must lie between 0 and 6 radians, not {bend}")
    rng = object_generator(seed, label, homolog)
    style = cell_style(seed, settings)
    straight = draw_straight(label, style, rng)
    line = random_line(straight.length, label, float(rng.uniform(-np.pi, np.pi)), bend, rng)
    rod = bend_line(straight.length, 0.0, 0.0, 0.0, 0.0, load_ideogram(550)[label].centromere)
    camera = np.random.default_rng([seed, _CAMERA, label])
    bent, unbent = (_photographed(straight, way, style, label, homolog, camera) for way in (line, rod))
    return bent, unbent


def _photographed(
    straight: StraightChromosome,
    line: CentreLine,
    style: CellStyle,
    label: int,
    homolog: str,
    camera: np.random.Generator,
) -> DrawnChromosome:
    """Lay a chromosome along a line and take its picture."""
    line, width, height = fit_canvas(line, straight, style, _MARGIN)
    absorbance, mask = lay_along(straight, line, width, height)
    return DrawnChromosome(
        image=develop(photograph(absorbance, style, camera), style.dark_field),
        label=label,
        homolog=homolog,
        mask=mask,
        centre_line=line.points,
        centromere=line.at(load_ideogram(550)[label].centromere),
        box=mask_box(mask),
    )
