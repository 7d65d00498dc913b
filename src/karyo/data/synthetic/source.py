"""Drawn chromosomes as a data source: nothing to download, the same images for the same settings."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.data.records import Record
from karyo.data.synthetic.cell import cell_members, cell_sex
from karyo.data.synthetic.chromosome import draw_chromosome
from karyo.data.synthetic.style import CellSettings, parse_difficulty
from karyo.errors import SettingsError

_DIFFICULTY = 7

RENDERER_VERSION = 1
"""Raised whenever the same settings give other pixels, so that caches and fingerprints notice."""


class SyntheticSource:
    """Cells of chromosomes drawn from the ideogram.

    Records are named like files, ``cell-0003/12a`` (the lone X of a male is ``cell-0003/Xa``). No image is kept:
    reading one draws just that one, in about a millisecond, and gives the same pixels in any order and process.

    Attributes:
        name: ``"synthetic"``.
        records: One per chromosome, 46 per cell, cell by cell in class order.
    """

    def __init__(
        self,
        cells: int = 40,
        seed: int = 0,
        difficulty: float | str | Sequence[float | str] = "normal",
        polarity: str = "bright",
        sex: str = "mixed",
        cells_per_case: int | None = None,
        scale: float = 1.0,
    ) -> None:
        """List the chromosomes; none is drawn yet.

        Args:
            cells: Number of cells, 1 or more.
            seed: 0 or more; another seed gives other cells.
            difficulty: 0 (easy) to 1 (hard), or ``"easy"``, ``"normal"``, ``"hard"``; of two, each cell has its own
                between them.
            polarity: ``"bright"``, ``"dark"`` or ``"mixed"`` background.
            sex: ``"XX"``, ``"XY"`` or ``"mixed"``.
            cells_per_case: How many cells each patient gives, all of one sex; None leaves the cases unknown.
            scale: Magnification; 1 draws chromosome 1 at about 60 to 120 pixels.

        Raises:
            SettingsError: If a value is out of its range or not one of its names.
        """
        if cells < 1:
            raise SettingsError(f"cells must be 1 or more, not {cells}")
        if seed < 0:
            raise SettingsError(f"seed must be 0 or more, not {seed}")
        if cells_per_case is not None and cells_per_case < 1:
            raise SettingsError(f"cells_per_case must be 1 or more, or null, not {cells_per_case}")
        self.name = "synthetic"
        self._difficulties = _parse_range(difficulty)
        self.settings = CellSettings(self._difficulties[0], polarity, sex, scale)
        self.cells, self.seed, self.cells_per_case = cells, seed, cells_per_case
        self.records: Sequence[Record] = [record for cell in range(cells) for record in self._cell_records(cell)]
        self._cell_of_name = {_cell_name(cell): cell for cell in range(cells)}

    def read(self, record: Record) -> NDArray[np.uint8]:
        """Draw one record's image.

        Args:
            record: One of :attr:`records`.

        Returns:
            uint8 ``(H, W)``, background bright or dark as the settings say.

        Raises:
            SettingsError: If the record is not of this source.
        """
        cell = self._cell_of_name.get(record.cell or "")
        if cell is None or record.homolog is None:
            raise SettingsError(
                f"{record.path!r} is not one of the {self.cells} drawn cells; take records of this source"
            )
        return draw_chromosome(record.label, self._cell_seed(cell), record.homolog, self._cell_settings(cell)).image

    def locate(self, record: Record) -> str:
        """Give a record's virtual name, for messages."""
        return f"synthetic:{record.path}"

    def fingerprint(self) -> str:
        """Give the SHA-256 of the settings and the renderer's version, in hexadecimal."""
        lowest, highest = self._difficulties
        identity = {
            "renderer": RENDERER_VERSION,
            "cells": self.cells,
            "seed": self.seed,
            "difficulty": lowest if lowest == highest else [lowest, highest],
            "polarity": self.settings.polarity,
            "sex": self.settings.sex,
            "scale": self.settings.scale,
            "cells_per_case": self.cells_per_case,
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    def _cell_seed(self, cell: int) -> int:
        """Give the seed of a cell."""
        return derive_seed(self.seed, cell)

    def _cell_settings(self, cell: int) -> CellSettings:
        """Give what a cell is drawn by: its own difficulty, where they have a range."""
        lowest, highest = self._difficulties
        if lowest == highest:
            return self.settings
        share = np.random.default_rng([self.seed, cell, _DIFFICULTY]).random()
        return replace(self.settings, difficulty=lowest + (highest - lowest) * float(share))

    def _cell_records(self, cell: int) -> list[Record]:
        """List the records of a cell."""
        case = None if self.cells_per_case is None else cell // self.cells_per_case
        # All cells of a patient have the patient's sex: that of the patient's first cell.
        first = cell if case is None or self.cells_per_case is None else case * self.cells_per_case
        name = _cell_name(cell)
        return [
            Record(
                path=f"{name}/{CLASSES[label]}{homolog}",
                label=label,
                cell=name,
                case=None if case is None else f"case-{case:03d}",
                homolog=homolog,
            )
            for label, homolog in cell_members(cell_sex(self._cell_seed(first), self.settings))
        ]


def derive_seed(seed: int, index: int) -> int:
    """Give the seed of the ``index``-th of several cells or spreads drawn from one seed.

    Args:
        seed: The seed of all, 0 or more.
        index: Which one, 0 or more.

    Returns:
        A seed below 2**63, unrelated to its neighbours.
    """
    return int(np.random.SeedSequence([seed, index]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _parse_range(difficulty: float | str | Sequence[float | str]) -> tuple[float, float]:
    """Read one difficulty, or the least and the greatest, as two numbers."""
    ends = [difficulty, difficulty] if isinstance(difficulty, str | int | float) else list(difficulty)
    if len(ends) != 2:
        raise SettingsError(f"difficulty must be one, or the least and the greatest, not {len(ends)} of them")
    lowest, highest = sorted(map(parse_difficulty, ends))
    return lowest, highest


def _cell_name(cell: int) -> str:
    """Name a cell."""
    return f"cell-{cell:04d}"
