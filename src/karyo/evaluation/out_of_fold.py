"""What networks said about images that they had not seen, gathered from the runs of a cross-validation."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.errors import DataError, printable
from karyo.evaluation.predictions import Predictions


def average_predictions(parts: Sequence[Predictions]) -> Predictions:
    """Give each image once, with the mean of what was said about it.

    Folds predict each image once; repetitions with other seeds, and test sides that overlap, predict it again.

    Args:
        parts: Of one data set; at least one.

    Returns:
        Every image of any part, in the order of their paths. Its probabilities are the means of its rows.

    Raises:
        DataError: If the parts give an image different classes or cells.
    """
    known: dict[str, tuple[int, str | None]] = {}
    sums: dict[str, NDArray[np.float64]] = {}
    for part in parts:
        rows = part.probabilities / part.probabilities.sum(axis=1, keepdims=True)
        for path, cell, label, row in zip(part.paths, part.cells, part.labels.tolist(), rows, strict=True):
            if known.setdefault(path, (label, cell)) != (label, cell):
                raise DataError(f"{_conflict(path, known[path], (label, cell))}; give runs of one state of the data")
            sums[path] = sums.get(path, 0.0) + row
    paths = sorted(known)
    totals = np.array([sums[path] for path in paths])
    return Predictions(
        paths,
        [known[path][1] for path in paths],
        np.array([known[path][0] for path in paths], np.int64),
        totals / totals.sum(axis=1, keepdims=True),
    )


def _conflict(path: str, one: tuple[int, str | None], other: tuple[int, str | None]) -> str:
    if one[0] == other[0]:
        return f"{printable(path)} is of the cell {one[1]} in one run and of {other[1]} in another"
    return f"{printable(path)} is {CLASSES[one[0]]} in one run and {CLASSES[other[0]]} in another"
