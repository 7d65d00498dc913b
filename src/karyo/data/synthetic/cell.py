"""A whole cell: its 46 chromosomes, each drawn by itself."""

import numpy as np

from karyo.chromosomes import CLASSES, expected_copies
from karyo.data.synthetic.chromosome import HOMOLOGS, DrawnChromosome, cell_style, draw_chromosome
from karyo.data.synthetic.style import CellSettings
from karyo.errors import SettingsError

_SEX = 0


def cell_sex(seed: int, settings: CellSettings) -> str:
    """Give the sex of the cell with this seed.

    Args:
        seed: The cell's seed, 0 or more.
        settings: What to draw.

    Returns:
        ``"XX"`` or ``"XY"``.

    Raises:
        SettingsError: If the seed is negative.
    """
    if seed < 0:
        raise SettingsError(f"seed must be 0 or more, not {seed}")
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


def draw_cell(seed: int, settings: CellSettings | None = None) -> list[DrawnChromosome]:
    """Draw the 46 chromosomes of a cell.

    Args:
        seed: The cell's seed, 0 or more; each seed is another cell.
        settings: What to draw; the defaults if None.

    Returns:
        22 pairs and XX or XY, in class order. Each has the pixels that ``draw_chromosome`` gives for it alone.

    Raises:
        SettingsError: If the seed is negative.
    """
    settings = settings or CellSettings()
    members = cell_members(cell_sex(seed, settings))
    style = cell_style(seed, settings)
    return [draw_chromosome(label, seed, homolog, settings, style) for label, homolog in members]
