"""What the best run of a board still gets wrong: its confusion matrix, and the classes it recognises least."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.reports.comparison import RunResult
from karyo.reports.fields import value_at

MOST = 8
"""Classes listed."""

_LARGEST_COUNT = 2**53


@dataclass(frozen=True, slots=True)
class HardClass:
    """A class that is recognised less well than others.

    Attributes:
        name: Of the chromosome.
        images: On the test side.
        recall: Share of them recognised, 0..1.
        precision: Share of right ones among those called so, 0..1; None if none was.
        taken_for: The classes it was taken for most, ``9 (3), X (1)``; "" if for none.
    """

    name: str
    images: int
    recall: float
    precision: float | None
    taken_for: str


def confusion_of(run: RunResult) -> NDArray[np.int64] | None:
    """Give a run's confusion matrix, int64 (24, 24); None where its record has none that can be one."""
    rows = value_at(run.record, "test", "confusion")
    if not isinstance(rows, list) or len(rows) != len(CLASSES) or not all(map(_is_row, rows)):
        return None
    return np.array(rows, dtype=np.int64)


def hardest_classes(confusion: NDArray[np.int64]) -> tuple[HardClass, ...]:
    """Give the classes of lowest recall, the hardest first; none that is always recognised.

    Args:
        confusion: int64 (24, 24), rows true, columns predicted.
    """
    support, called = confusion.sum(axis=1), confusion.sum(axis=0)
    recall = np.diagonal(confusion) / np.maximum(support, 1)
    missed = [index for index in range(len(CLASSES)) if support[index] and recall[index] < 1]
    return tuple(
        HardClass(
            CLASSES[index],
            int(support[index]),
            float(recall[index]),
            float(confusion[index, index] / called[index]) if called[index] else None,
            _taken_for(confusion[index], index),
        )
        for index in sorted(missed, key=lambda index: (recall[index], index))[:MOST]
    )


def _taken_for(row: NDArray[np.int64], index: int) -> str:
    wrong: Mapping[int, int] = {other: int(row[other]) for other in range(len(row)) if other != index and row[other]}
    most = sorted(wrong, key=lambda other: (-wrong[other], other))[:3]
    return ", ".join(f"{CLASSES[other]} ({wrong[other]})" for other in most)


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, list)
        and len(row) == len(CLASSES)
        and all(type(it) is int and 0 <= it < _LARGEST_COUNT for it in row)
    )
