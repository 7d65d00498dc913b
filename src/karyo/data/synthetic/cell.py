"""A whole cell: its 46 chromosomes, or another number if asked for, each drawn by itself."""

import numpy as np

from karyo.chromosomes import CLASSES, expected_copies
from karyo.data.synthetic.chromosome import HOMOLOGS, DrawnChromosome, cell_style, draw_chromosome
from karyo.data.synthetic.style import CellSettings
from karyo.errors import SettingsError

_SEX, _LOST = 0, 6


def cell_sex(seed: int, settings: CellSettings) -> str:
    """Give the sex of the cell with this seed.

    Args:
        seed: The cell's seed, 0 or more.
        settings: What to draw.

    Returns:
        ``"XX"`` or ``"XY"``; where the settings give numbers of copies, ``"XY"`` if a Y is among them.

    Raises:
        SettingsError: If the seed is negative.
    """
    if seed < 0:
        raise SettingsError(f"seed must be 0 or more, not {seed}")
    if settings.copies is not None:
        return "XY" if settings.copies[-1] else "XX"
    if settings.sex != "mixed":
        return settings.sex
    return ("XX", "XY")[int(np.random.default_rng([seed, _SEX]).integers(2))]


def cell_members(sex: str) -> list[tuple[int, str]]:
    """List the 46 chromosomes of a normal cell.

    Args:
        sex: ``"XX"`` or ``"XY"``.

    Returns:
        (class 0..23, homolog ``"a"`` or ``"b"``) in class order; a lone X or Y is ``"a"``.
    """
    return [(label, homolog) for label in range(len(CLASSES)) for homolog in HOMOLOGS[: expected_copies(label, sex)]]


def settled_members(seed: int, settings: CellSettings) -> list[tuple[int, str]]:
    """List the chromosomes of the cell with this seed: those of its settings, without what got lost.

    Args:
        seed: The cell's seed, 0 or more.
        settings: What to draw.

    Returns:
        (class 0..23, homolog) in class order; at least one.

    Raises:
        SettingsError: If the seed is negative.
    """
    members = cell_members(cell_sex(seed, settings))
    if settings.copies is not None:
        members = [(label, name) for label, number in enumerate(settings.copies) for name in HOMOLOGS[:number]]
    if not settings.lost:
        return members
    kept = np.random.default_rng([seed, _LOST]).random(len(members)) >= settings.lost
    return [member for member, stays in zip(members, kept, strict=True) if stays] or members[:1]


def draw_cell(seed: int, settings: CellSettings | None = None) -> list[DrawnChromosome]:
    """Draw the chromosomes of a cell.

    Args:
        seed: The cell's seed, 0 or more; each seed is another cell.
        settings: What to draw; the defaults if None.

    Returns:
        22 pairs and XX or XY, or what the settings say, in class order. Each has the pixels that ``draw_chromosome``
        gives for it alone.

    Raises:
        SettingsError: If the seed is negative.
    """
    settings = settings or CellSettings()
    members = settled_members(seed, settings)
    style = cell_style(seed, settings)
    return [draw_chromosome(label, seed, homolog, settings, style) for label, homolog in members]
