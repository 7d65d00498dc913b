"""The single most probable way to give the objects of a cell to the classes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from karyo.karyotype.cell import MOST_COPIES
from karyo.karyotype.copies import Expected
from karyo.karyotype.evidence import Evidence
from karyo.karyotype.priors import AUTOSOMES, X, Y

_NEVER = -1e6
_UNLIKELY = 1e-4
"""Numbers of X and Y this much less expected than the most expected are not tried."""


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """Who goes where.

    Attributes:
        labels: int64 (N,), class 0..23 of each object; -1 for what is no chromosome of the cell.
        score: Its log probability, up to a constant of the cell.
    """

    labels: NDArray[np.int64]
    score: float


def assign(evidence: Evidence, expected: Expected, most: Sequence[int] | None = None) -> Assignment:
    """Find the most probable assignment under the expected numbers.

    A class is as many places as it may have copies, each worth what one more object changes the expectation by. Since a
    further copy is never worth more than the one before, the best choice of places is a linear assignment problem
    (Crouse, "On implementing 2D rectangular assignment algorithms", IEEE Trans. Aerosp. Electron. Syst. 52, 2016, in
    scipy). X and Y depend on each other, so each of their numbers is tried.

    Args:
        evidence: Of N objects.
        expected: The weights of numbers of objects.
        most: 24 numbers of copies that are settled: no class gets more objects. None leaves the numbers open.

    Returns:
        The assignment; empty for no objects.
    """
    if not len(evidence):
        return Assignment(np.zeros(0, np.int64), 0.0)
    from scipy.optimize import linear_sum_assignment

    base, gains = _autosome_places(expected)
    places_of = [MOST_COPIES] * AUTOSOMES if most is None else list(most[:AUTOSOMES])
    labels = np.repeat(np.arange(AUTOSOMES), places_of)
    gains = np.concatenate([gains[label, :count] for label, count in enumerate(places_of)])
    none = np.full((len(evidence), len(evidence)), _NEVER)
    np.fill_diagonal(none, evidence.stranger + np.log(expected.priors.junk))
    autosomes = evidence.classes[:, labels] + gains
    best = Assignment(np.full(len(evidence), -1), -np.inf)
    sex = expected.sex
    numbers = np.argwhere(sex >= _UNLIKELY * sex.max()) if most is None else [(most[X], most[Y])]
    for x, y in numbers:
        table = np.hstack([autosomes, evidence.classes[:, [X] * x + [Y] * y], none])
        rows, columns = linear_sum_assignment(table, maximize=True)
        places = np.concatenate([labels, [X] * x, [Y] * y, np.full(len(evidence), -1)]).astype(np.int64)
        found = np.full(len(evidence), -1)
        found[rows] = places[columns]
        # Places of X and Y may stay empty: what was found counts, not what was offered.
        seen = sex[np.count_nonzero(found == X), np.count_nonzero(found == Y)]
        score = float(table[rows, columns].sum()) + base + float(np.log(max(seen, 1e-300)))
        if score > best.score:
            best = Assignment(found, score)
    return best


def _autosome_places(expected: Expected) -> tuple[float, NDArray[np.float64]]:
    """Give the log weight of no objects at all, and what each further place of each class adds, (22, MOST_COPIES)."""
    weights = np.log(np.maximum(expected.autosomes, 1e-300))
    gains = np.minimum.accumulate(np.diff(weights, axis=1), axis=1)
    return float(weights[:, 0].sum()), gains
