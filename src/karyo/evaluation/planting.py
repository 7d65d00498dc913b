"""Cells with planted abnormalities: chromosomes added to and taken from cells whose chromosomes are known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES, expected_copies
from karyo.inference.sizes import SizeNorms

AUTOSOMES, X, Y = 22, 22, 23
"""Number of autosomes, and the classes of the sex chromosomes."""


@dataclass(frozen=True, slots=True)
class Change:
    """One chromosome more or less.

    Attributes:
        label: Its class, 0..23.
        step: 1 for one more, -1 for one less.
    """

    label: int
    step: int

    @property
    def kind(self) -> str:
        """``trisomy``, ``monosomy`` or ``sex chromosomes``."""
        return "sex chromosomes" if self.label >= AUTOSOMES else "trisomy" if self.step > 0 else "monosomy"

    def __str__(self) -> str:
        return f"{'+' if self.step > 0 else '-'}{CLASSES[self.label]}"


_OF_AUTOSOMES = tuple(Change(label, step) for step in (1, -1) for label in range(AUTOSOMES))


@dataclass(frozen=True, slots=True)
class KnownCell:
    """A normal cell whose chromosomes are known.

    Attributes:
        name: The cell's.
        case: Its patient; its own name where that is not known.
        male: Whether it has a Y.
        rows: Positions of its chromosomes in the pool.
        spare: For each class, positions of chromosomes that may be added to it.
        norms: The usual sizes, learned without this cell's case; None where sizes are not used.
    """

    name: str
    case: str
    male: bool
    rows: tuple[int, ...]
    spare: dict[int, tuple[int, ...]]
    norms: SizeNorms | None = None

    def normal(self, label: int) -> int:
        """Give how many of a class the whole cell had."""
        return expected_copies(label, "XY" if self.male else "XX")


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Chromosomes with what a classifier says of each, and the cells that they are from.

    Attributes:
        labels: int64 (M,), true classes.
        probabilities: float64 (M, 24).
        sizes: float64 (M, 3), logarithms, as ``karyo.imaging.size`` measures them; None where they are not used.
        cells: The cells.
        left_out: How many cells were too incomplete.
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    cells: Sequence[KnownCell]
    sizes: NDArray[np.float64] | None = None
    left_out: int = 0

    def changes(self, cell: KnownCell) -> list[Change]:
        """List the changes that can be planted in a cell: those that are known to be born or carried by cells."""
        sexes = (Change(X, 1), Change(Y, 1), Change(Y, -1)) if cell.male else (Change(X, 1), Change(X, -1))
        return [change for change in (*_OF_AUTOSOMES, *sexes) if change.step < 0 or cell.spare.get(change.label)]

    def complete(self, cell: KnownCell, label: int) -> bool:
        """Say whether all of a class that a cell had are among its chromosomes; of X and Y whether both classes are."""
        own = self.labels[list(cell.rows)]
        labels = (label,) if label < AUTOSOMES else (X, Y)
        return all(int((own == each).sum()) == cell.normal(each) for each in labels)

    def planted(self, cell: KnownCell, change: Change | None, seed: int) -> list[int]:
        """Give the rows of a cell with a change.

        Args:
            cell: One of the pool's.
            change: What to plant; None leaves the cell as it is.
            seed: 0 or more; chooses which chromosome comes or goes.

        Returns:
            Positions in the pool, those of the cell in their order. A loss takes nothing from a cell without any.
        """
        rows = list(cell.rows)
        if change is None:
            return rows
        rng = np.random.default_rng([seed, change.label, change.step + 1, *cell.name.encode("utf-8", "replace")])
        if change.step > 0:
            return [*rows, int(rng.choice(cell.spare[change.label]))]
        own = [row for row in rows if self.labels[row] == change.label]
        if own:
            rows.remove(int(rng.choice(own)))
        return rows
