"""How usual it is that a cell of a data set has so many of a class, learned from the data set itself."""

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES, expected_copies
from karyo.evaluation.planting import AUTOSOMES, X, Y

_MOST = 4
"""Copies beyond which counts are no longer told apart."""


class CellCounts:
    """The numbers of each class in the cells of a data set, as its labels have them.

    Of the autosomes one distribution of counts is learned for all, of X and Y one of both together (a cell has XX or
    XY). Every possible count has been seen once more than it was (Laplace), so none is impossible. Where data sets
    leave chromosomes out, a missing one becomes usual, and a supernumerary one stays rare.

    Args:
        labels: int64 (N,), classes 0..23.
        cells: The N images' cells; None where unknown.
    """

    def __init__(self, labels: NDArray[np.int64], cells: Sequence[str | None]) -> None:
        self._of_cell: dict[str, NDArray[np.int64]] = {}
        for label, cell in zip(labels.tolist(), cells, strict=True):
            if cell is not None:
                self._of_cell.setdefault(cell, np.zeros(len(CLASSES), np.int64))[label] += 1
        capped = [np.minimum(counts, _MOST).tolist() for counts in self._of_cell.values()]
        self._autosomes = Counter(count for counts in capped for count in counts[:AUTOSOMES])
        self._sexes = Counter((counts[X], counts[Y]) for counts in capped)

    def of(self, cell: str, label: int) -> int:
        """Give how many of a class, 0..23, a cell has."""
        return int(self._of_cell[cell][label])

    def usual(self, cell: str, label: int) -> int:
        """Give how many of a class a normal cell has: of X and Y as many as go with what it has of the other."""
        if label < AUTOSOMES:
            return expected_copies(label, "XX")
        male = self.of(cell, Y) > 0 if label == X else self.of(cell, X) < 2
        return expected_copies(label, "XY" if male else "XX")

    def favour(self, cell: str | None, label: int, other: int) -> float:
        """Say how much more usual a cell's counts would be if one of its images were of another class.

        Args:
            cell: The image's cell; None where unknown.
            label: The class that the image has, 0..23.
            other: The class that it might have instead.

        Returns:
            Natural logarithm of the ratio: above 0 where the other class would make the cell more usual. 0 without a
            cell.
        """
        if cell is None or label == other:
            return 0.0
        given = self._of_cell[cell]
        moved = given.copy()
        moved[label] -= 1
        moved[other] += 1
        return self._log_likelihood(moved, {label, other}) - self._log_likelihood(given, {label, other})

    def _log_likelihood(self, counts: NDArray[np.int64], classes: Collection[int]) -> float:
        """Of the counts of some classes; of X and Y together where one of them is asked for."""
        total = self._autosomes.total() + _MOST + 1
        capped = np.minimum(counts, _MOST).tolist()
        found = sum(np.log((self._autosomes[capped[each]] + 1) / total) for each in classes if each < AUTOSOMES)
        if max(classes) >= AUTOSOMES:
            found += np.log((self._sexes[capped[X], capped[Y]] + 1) / (self._sexes.total() + (_MOST + 1) ** 2))
        return float(found)
