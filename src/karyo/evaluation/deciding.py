"""The cells of a set of predictions, each decided together: what every measure by cell starts from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.errors import SettingsError, printable
from karyo.evaluation.bootstrap import cluster_numbers
from karyo.evaluation.predictions import Predictions
from karyo.files import csv_text, write_names
from karyo.inference.prediction import calibrated
from karyo.inference.sizes import SizeNorms
from karyo.karyotype.cell import MOST_OBJECTS, Call
from karyo.karyotype.decision import Decision, decide_cell
from karyo.karyotype.priors import Priors
from karyo.progress import progress_bar

CELL_COLUMNS: tuple[str, ...] = (
    *("cell", "images", "single_right", "assigned_right", "tray"),
    *("iscn", "abnormal", "probability"),
)
"""Columns of ``cells.csv``: of a cell's images how many are right alone, right together and in the tray; its numbers
as ISCN text, whether they are abnormal (yes or no), and the probability of all of them together."""

IMAGE_COLUMNS: tuple[str, ...] = ("path", "cell", "label", "single", "in_cell", "assigned", "probability")
"""Columns of ``assigned.csv``: the true class, the most probable one alone, the same when it is seen beside the others
of its cell (blank where the network cannot do that), the one that the whole cell leaves, and the probability of that;
``assigned`` is blank in the tray."""

_SMALLEST = 1e-300
"""Probability that stands for one too small for a number, before its logarithm is taken."""


@dataclass(frozen=True, slots=True, eq=False)
class DecidedCells:
    """Predictions and what is decided about their cells.

    Attributes:
        predictions: Of N images, each alone, as the network gave them.
        names: The C cells, in the order in which they first come.
        cells: int64 (N,), 0..C-1, the cell of each image.
        assigned: int64 (N,), class 0..23 given the whole cell; -1 in the tray.
        without_sizes: int64 (N,), the same from the bands alone; None where sizes had no part in ``assigned`` either.
        probability: float64 (N,), 0..1, of where an image is; in the tray of being no chromosome of the cell.
        calls: C calls of the numbers of chromosomes.
        in_cell: The same images seen beside the others of their cell, which the decisions rest on; None where the
            network cannot do that, and they rest on ``predictions``.
    """

    predictions: Predictions
    names: list[str]
    cells: NDArray[np.int64]
    assigned: NDArray[np.int64]
    without_sizes: NDArray[np.int64] | None
    probability: NDArray[np.float64]
    calls: list[Call]
    in_cell: Predictions | None = None

    def write(self, directory: Path) -> None:
        """Write ``cells.csv`` and ``assigned.csv``, each whole or not at all.

        With ``in_cell`` there is ``predictions_in_cell.csv`` too: what ``predictions.csv`` is of each image alone.

        Args:
            directory: Where to; made if missing.

        Raises:
            OSError: If they cannot be written.
        """
        cells, images = map(self._cell_row, range(len(self.names))), map(self._image_row, range(len(self.cells)))
        write_names(directory / "cells.csv", csv_text([CELL_COLUMNS, *cells]))
        write_names(directory / "assigned.csv", csv_text([IMAGE_COLUMNS, *images]))
        if self.in_cell is not None:
            self.in_cell.write_csv(directory / "predictions_in_cell.csv")

    def _cell_row(self, number: int) -> list[object]:
        own, call = self.cells == number, self.calls[number]
        right = np.equal(self.assigned, self.predictions.labels)
        counts = [int(np.count_nonzero(own & each)) for each in (self.predictions.correct, right, self.assigned < 0)]
        abnormal = "yes" if call.abnormal else "no"
        return [self.names[number], int(own.sum()), *counts, call.iscn, abnormal, repr(call.probability)]

    def _image_row(self, index: int) -> list[object]:
        label, single, assigned = (
            int(each[index]) for each in (self.predictions.labels, self.predictions.predicted, self.assigned)
        )
        return [
            self.predictions.paths[index],
            self.names[self.cells[index]],
            CLASSES[label],
            CLASSES[single],
            "" if self.in_cell is None else CLASSES[int(self.in_cell.predicted[index])],
            "" if assigned < 0 else CLASSES[assigned],
            repr(float(self.probability[index])),
        ]


def check_cells(paths: Sequence[str], cells: Sequence[str | None], setting: str = "by_cell=true") -> None:
    """Refuse images of which it is not known which belong together.

    Args:
        paths: N names of images.
        cells: Their N cells.
        setting: What needs to know them, as it was typed.

    Raises:
        SettingsError: If the cell of an image is not known, or a cell has more images than any cell has objects.
    """
    off = f"{setting.partition('=')[0]}=null"
    unknown = [path for path, cell in zip(paths, cells, strict=True) if not cell]
    if unknown:
        raise SettingsError(
            f"{setting} needs the cell of every image, and {len(unknown):,} of {len(cells):,} have none, first "
            f"{printable(unknown[0])}; name the cells with (?P<cell>...) in data.source.pattern, or set {off}."
        )
    numbers = cluster_numbers(cells)
    counts = np.bincount(numbers) if len(numbers) else np.zeros(1, np.int64)
    if counts.max() > MOST_OBJECTS:
        largest = cells[int(np.flatnonzero(numbers == counts.argmax())[0])]
        raise SettingsError(
            f"{setting} needs single cells, and {printable(largest)} has {counts.max():,} images, more than "
            f"{MOST_OBJECTS}; let (?P<cell>...) in data.source.pattern tell its cells apart, or set {off}."
        )


def log_probabilities(predictions: Predictions) -> NDArray[np.float32]:
    """Give logits that have these probabilities, float32 (N, 24): their logarithms."""
    return np.log(np.maximum(predictions.probabilities, _SMALLEST)).astype(np.float32)


def decide_cells(
    predictions: Predictions,
    temperature: float = 1.0,
    sizes: NDArray[np.float64] | None = None,
    norms: SizeNorms | None = None,
    priors: Priors | None = None,
    in_cell: Predictions | None = None,
) -> DecidedCells:
    """Decide about each cell of a set of predictions.

    Args:
        predictions: Of N images, all with their cells.
        temperature: What calibrates the probabilities that are decided from.
        sizes: float64 (N, 3), logarithms of area, length and mass, NaN where not known; None where none are.
        norms: The usual sizes; None leaves sizes out.
        priors: What is expected of cells; the defaults if None.
        in_cell: Of the same images in the same order, seen beside the others of their cell: decided from, if given.

    Returns:
        The decisions. Reasons why a classifier might reject an image have no part in them.

    Raises:
        SettingsError: As :func:`check_cells`.
    """
    check_cells(predictions.paths, predictions.cells)
    cells = cluster_numbers(predictions.cells)
    probabilities = calibrated(log_probabilities(in_cell or predictions), temperature)
    sized = sizes is not None and norms is not None
    plain, assigned = np.full(len(cells), -1), np.full(len(cells), -1)
    probability, calls = np.zeros(len(cells)), []
    names = [str(name) for name in dict.fromkeys(predictions.cells)]
    with progress_bar("deciding cells", len(names), only_on_terminals=True) as advance:
        for number in range(len(names)):
            own = np.flatnonzero(cells == number)
            decision = decide_cell(probabilities[own], priors=priors)
            plain[own] = decision.labels
            if sized and sizes is not None:
                decision = decide_cell(probabilities[own], sizes[own], norms, priors=priors)
            assigned[own], probability[own] = decision.labels, _of_place(decision)
            calls.append(decision.call)
            advance()
    return DecidedCells(predictions, names, cells, assigned, plain if sized else None, probability, calls, in_cell)


def _of_place(decision: Decision) -> NDArray[np.float64]:
    """Give the probability of where each object is, float64 (N,), 0..1."""
    placed = decision.classes[np.arange(len(decision.labels)), decision.labels]
    return np.where(decision.labels < 0, np.maximum(1 - decision.classes.sum(axis=1), 0), placed)
