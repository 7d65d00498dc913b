"""What a classifier said about each image, beside what is true: the one input of every measure and figure."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES, parse_label
from karyo.errors import DataError
from karyo.files import csv_text, write_names

PROBABILITY_COLUMNS: tuple[str, ...] = tuple(f"p_{name}" for name in CLASSES)
"""Names of the 24 probability columns of ``predictions.csv``: ``p_1`` .. ``p_22``, ``p_X``, ``p_Y``."""

COLUMNS: tuple[str, ...] = ("path", "cell", "label", "predicted", "confidence", *PROBABILITY_COLUMNS)
"""All columns of ``predictions.csv``, in order."""

# Half-precision softmax sums to 1 within about 5e-3; anything farther off is not a distribution.
_SUM_TOLERANCE = 1e-2


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Class probabilities of N images with their true classes.

    Attributes:
        paths: N names of the images (relative POSIX paths, or virtual names).
        cells: N names of the cells that the images come from, unique over the data set; None where unknown.
        labels: int64 (N,), true classes 0..23.
        probabilities: float64 (N, 24), each row in [0, 1] with sum 1.

    Raises:
        DataError: If there is no image, lengths differ, a label is not 0..23, or a row is no probability
            distribution (a network that diverged gives NaN).
    """

    paths: list[str]
    cells: list[str | None]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", np.asarray(self.labels, dtype=np.int64))
        object.__setattr__(self, "probabilities", np.asarray(self.probabilities, dtype=np.float64))
        _check_shapes(self)
        _check_values(self)

    def __len__(self) -> int:
        """Give the number of images."""
        return len(self.paths)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The most probable class of each image, int64 (N,), 0..23; the first of equals."""
        predicted: NDArray[np.int64] = self.probabilities.argmax(axis=1).astype(np.int64)
        return predicted

    @property
    def confidence(self) -> NDArray[np.float64]:
        """The probability of the predicted class, float64 (N,), 1/24..1."""
        confidence: NDArray[np.float64] = self.probabilities.max(axis=1)
        return confidence

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether the predicted class is the true one, bool (N,)."""
        return np.equal(self.predicted, self.labels)

    def write_csv(self, path: str | Path) -> None:
        """Write one line per image: path, cell, label, predicted, confidence and 24 probabilities.

        Classes are written by name (``X``); probabilities with all their digits, so that :meth:`read_csv` gives back
        the same numbers. The file appears whole or not at all.

        Args:
            path: The file to write or replace.

        Raises:
            OSError: If it cannot be written.
        """
        write_names(Path(path), csv_text([COLUMNS, *_rows(self)]))

    @classmethod
    def read_csv(cls, path: str | Path) -> Self:
        """Read what :meth:`write_csv` wrote.

        Args:
            path: A ``predictions.csv``. Columns may stand in any order, with others beside them; ``predicted`` and
                ``confidence`` follow from the probabilities and are not read.

        Returns:
            The predictions.

        Raises:
            DataError: If the file cannot be read, lacks a column or a value, or holds no probabilities.
        """
        rows = _read_rows(path)
        labels, probabilities = [], []
        for line, row in rows:
            try:
                labels.append(parse_label(row["label"] or ""))
                probabilities.append([float(row[name] or "") for name in PROBABILITY_COLUMNS])
            except ValueError as error:
                raise DataError(f"{path}, line {line}: {error}; write the file again with evaluate.py") from error
        return cls(
            [row["path"] or "" for _, row in rows],
            [row["cell"] or None for _, row in rows],
            np.array(labels, dtype=np.int64),
            np.array(probabilities, dtype=np.float64).reshape(len(rows), len(CLASSES)),
        )


def _rows(predictions: Predictions) -> Iterator[list[str]]:
    """Give the lines of the table as text."""
    predicted, confidence = predictions.predicted, predictions.confidence
    for index, path in enumerate(predictions.paths):
        yield [
            path,
            predictions.cells[index] or "",
            CLASSES[predictions.labels[index]],
            CLASSES[predicted[index]],
            repr(float(confidence[index])),
            *(repr(value) for value in predictions.probabilities[index].tolist()),
        ]


def _read_rows(path: str | Path) -> list[tuple[int, dict[str, str | None]]]:
    """Read the table: each row with the number of its last line."""
    try:
        with Path(path).open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            reader = csv.DictReader(file)
            _check_columns(reader.fieldnames, path)
            return [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise DataError(f"cannot read the predictions {path}: {error.strerror or error}") from error
    except csv.Error as error:
        raise DataError(f"{path} is not a table of predictions: {error}") from error


def _check_columns(found: Sequence[str] | None, path: str | Path) -> None:
    """Refuse a table that lacks a column."""
    missing = [name for name in ("path", "cell", "label", *PROBABILITY_COLUMNS) if name not in (found or ())]
    if missing:
        raise DataError(
            f"{path} is not a table of predictions: it has no column {missing[0]!r}"
            + (f" and lacks {len(missing) - 1} more" if len(missing) > 1 else "")
        )


def _check_shapes(predictions: Predictions) -> None:
    """Refuse an empty set and lists that do not belong together."""
    count = len(predictions.paths)
    if count == 0:
        raise DataError("there are no predictions to measure: the test set is empty")
    if len(predictions.cells) != count or predictions.labels.shape != (count,):
        raise DataError(
            f"predictions do not fit together: {count} paths, {len(predictions.cells)} cells, "
            f"labels of shape {predictions.labels.shape}"
        )
    if predictions.probabilities.shape != (count, len(CLASSES)):
        raise DataError(
            f"predictions must hold {len(CLASSES)} probabilities for each of {count} images, "
            f"not an array of shape {predictions.probabilities.shape}"
        )


def _check_values(predictions: Predictions) -> None:
    """Refuse unknown classes and rows that are no distribution, naming the first."""
    unknown = np.flatnonzero((predictions.labels < 0) | (predictions.labels >= len(CLASSES)))
    if unknown.size:
        first = int(unknown[0])
        raise DataError(f"{predictions.paths[first]} has the class {predictions.labels[first]}, which is not 0..23")
    rows = predictions.probabilities
    broken = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if broken.size:
        raise DataError(
            f"the network gives no numbers for {broken.size} of {len(rows)} images, first "
            f"{predictions.paths[broken[0]]}: its training diverged; lower lr or clip gradients"
        )
    # None below 0 and a sum of 1 leave none above 1.
    off = (rows < 0).any(axis=1) | (abs(rows.sum(axis=1) - 1) > _SUM_TOLERANCE)
    if off.any():
        first = int(off.argmax())
        raise DataError(
            f"the scores of {predictions.paths[first]} are no probabilities (they sum to {rows[first].sum():.3g}): "
            "apply softmax to the network's logits"
        )
