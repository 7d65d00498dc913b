"""What an exported file does on a side of the split: accuracy, calibration, and what its limits accept."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from karyo.evaluation.calibration import fit_temperature
from karyo.evaluation.measure import Measures, measure
from karyo.evaluation.metrics import calibration_error
from karyo.evaluation.predictions import Predictions
from karyo.exporting.outliers import choose_limit
from karyo.exporting.run import TrainedRun
from karyo.exporting.selection import Selected, choose_threshold, select
from karyo.inference.engines import Answer
from karyo.inference.passport import Passport, Scope
from karyo.inference.prediction import calibrated
from karyo.inference.scope import doubts
from karyo.progress import progress_bar

_FALSE_REJECTION = 0.01
_MOST_RESAMPLES = 1000

_Told = tuple[Measures, Selected]
"""How good answers are, and what is accepted of them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the validation side has settled.

    Attributes:
        temperature: What logits are divided by.
        scope: Limits for images that are no single chromosome, the distance among them.
        threshold: The least probability that is accepted.
        cell_temperature: What logits of images that are seen in their cells are divided by; None where they cannot be.
        cell_threshold: The least probability of such images that is accepted.
    """

    temperature: float
    scope: Scope
    threshold: float
    cell_temperature: float | None = None
    cell_threshold: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What an exported file does on a side of the split.

    Attributes:
        measures: With intervals over cells, of the calibrated probabilities.
        original: Accuracy of the network before quantisation, 0..1; that of ``measures`` where there was none.
        uncalibrated: Expected calibration error at temperature 1, 0..1; after it, see ``measures``.
        doubted: Share of images that are rejected for their pixels alone, 0..1; all of them show a chromosome, so these
            are lost without need.
        selected: What all limits together accept.
        in_cell: The measures of the images that are seen in their cells; None where none can be.
        selected_in_cell: What all limits together accept of these.
    """

    measures: Measures
    original: float
    uncalibrated: float
    doubted: float
    selected: Selected
    in_cell: Measures | None = None
    selected_in_cell: Selected | None = None


def settle(
    answer: Answer, clear: NDArray[np.bool_], scope: Scope, labels: NDArray[np.int64], wanted_error: float
) -> Limits:
    """Fit the temperature, then the limit of the distance, then the threshold among what the limits leave.

    Args:
        answer: Of the file, about the validation side.
        clear: bool (N,), which images :func:`clear_images` has no doubts about.
        scope: What was learned from the training side; the distance is not in it yet.
        labels: int64 (N,), the true classes.
        wanted_error: Share of the accepted images that may be wrong, 0..1.
    """
    temperature = fit_temperature(answer.logits, labels)
    distance = None if answer.distance is None else choose_limit(answer.distance, _FALSE_REJECTION)
    left = clear & _near(answer, distance)
    alone = Limits(
        temperature,
        replace(scope, distance=distance),
        _threshold(answer.logits, temperature, labels, left, wanted_error),
    )
    if answer.in_cell is None or answer.seen is None:
        return alone
    of_cells = fit_temperature(answer.in_cell[answer.seen], labels[answer.seen])
    threshold = _threshold(answer.in_cell, of_cells, labels, left & answer.seen, wanted_error)
    return replace(alone, cell_temperature=of_cells, cell_threshold=threshold)


def _threshold(
    logits: NDArray[np.float32],
    temperature: float,
    labels: NDArray[np.int64],
    left: NDArray[np.bool_],
    wanted_error: float,
) -> float:
    """Choose the least probability that is accepted of the images that other limits leave, bool (N,)."""
    confidence, correct = calibrated(logits, temperature).max(axis=1), logits.argmax(axis=1) == labels
    return choose_threshold(confidence[left], correct[left], wanted_error)


def clear_images(run: TrainedRun, side: str, scope: Scope) -> NDArray[np.bool_]:
    """Look at a side's images as the predictor will, before the network sees them.

    Returns:
        bool (N,), true where nothing is wrong with the pixels.
    """
    preparation = run.trained.preparation
    passport = Passport(run.trained.network.spec.name, preparation, scope=scope)
    records = run.records(side)
    clear = np.zeros(len(records), np.bool_)
    with progress_bar(f"looking: {side}", len(records), only_on_terminals=True) as advance:
        for row, record in enumerate(records):
            grey = run.data.source.read(record)
            clear[row] = not doubts(grey, passport, preparation.follow(grey)[1])
            advance()
    return clear


def measure_side(
    run: TrainedRun, side: str, answer: Answer, original: Answer, clear: NDArray[np.bool_], limits: Limits
) -> Measured:
    """Measure what a file answered about a side.

    Args:
        run: Where the file comes from.
        side: ``validation`` or ``test``; at least one image.
        answer: Of the file.
        original: Of the file before quantisation.
        clear: bool (N,), which images :func:`clear_images` has no doubts about.
        limits: From the validation side.
    """
    labels, records = run.labels(side), run.records(side)
    cells, paths = [record.cell for record in records], [record.path for record in records]
    passable = clear & _near(answer, limits.scope.distance)
    resamples = min(run.config.get("bootstrap", _MOST_RESAMPLES), _MOST_RESAMPLES)

    def told(rows: NDArray[np.int64], logits: NDArray[np.float32], temperature: float, threshold: float) -> _Told:
        predictions = Predictions(
            [paths[row] for row in rows],
            [cells[row] for row in rows],
            labels[rows],
            calibrated(logits[rows], temperature),
        )
        sure = (predictions.probabilities.max(axis=1) >= threshold) & (threshold < 1)
        return measure(predictions, resamples=resamples), select(passable[rows] & sure, predictions.correct)

    alone = told(np.arange(len(labels)), answer.logits, limits.temperature, limits.threshold)
    seen: _Told | tuple[None, None] = (None, None)
    if answer.in_cell is not None and answer.seen is not None and limits.cell_temperature is not None:
        seen = told(np.flatnonzero(answer.seen), answer.in_cell, limits.cell_temperature, limits.cell_threshold)
    return Measured(
        measures=alone[0],
        original=float((original.logits.argmax(axis=1) == labels).mean()),
        uncalibrated=float(calibration_error(labels, calibrated(answer.logits, 1.0))),
        doubted=float((~clear).mean()),
        selected=alone[1],
        in_cell=seen[0],
        selected_in_cell=seen[1],
    )


def _near(answer: Answer, limit: float | None) -> NDArray[np.bool_]:
    """Tell which images are near enough to the training images, bool (N,)."""
    if limit is None or answer.distance is None:
        return np.ones(len(answer.logits), np.bool_)
    return np.less_equal(answer.distance, limit)
