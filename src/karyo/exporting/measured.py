"""What an exported file does on a side of the split: accuracy, calibration, and what its limits accept."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from karyo.evaluation.measure import Measures, measure
from karyo.evaluation.metrics import calibration_error
from karyo.evaluation.predictions import Predictions
from karyo.exporting.calibration import calibrated, fit_temperature
from karyo.exporting.outliers import choose_limit
from karyo.exporting.run import TrainedRun
from karyo.exporting.selection import Selected, choose_threshold, select
from karyo.inference.engines import Answer

_FALSE_REJECTION = 0.01
_MOST_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """What the validation side has settled.

    Attributes:
        temperature: What logits are divided by.
        distance: The largest distance from the training images that is accepted; None where it is not measured.
        threshold: The least probability that is accepted.
    """

    temperature: float
    distance: float | None
    threshold: float


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What an exported file does on a side of the split.

    Attributes:
        measures: With intervals over cells, of the calibrated probabilities.
        original: Accuracy of the network before quantisation, 0..1; that of ``measures`` where there was none.
        uncalibrated: Expected calibration error at temperature 1, 0..1; after it, see ``measures``.
        selected: What the limits accept.
    """

    measures: Measures
    original: float
    uncalibrated: float
    selected: Selected


def settle(answer: Answer, labels: NDArray[np.int64], wanted_error: float) -> Limits:
    """Fit the temperature, then the limit of the distance, then the threshold among what that leaves.

    Args:
        answer: Of the file, about the validation side.
        labels: int64 (N,), the true classes.
        wanted_error: Share of the accepted images that may be wrong, 0..1.
    """
    temperature = fit_temperature(answer.logits, labels)
    distance = None if answer.distance is None else choose_limit(answer.distance, _FALSE_REJECTION)
    near = _near(answer, distance)
    confidence = calibrated(answer.logits, temperature).max(axis=1)
    correct = answer.logits.argmax(axis=1) == labels
    return Limits(temperature, distance, choose_threshold(confidence[near], correct[near], wanted_error))


def measure_side(run: TrainedRun, side: str, answer: Answer, original: Answer, limits: Limits) -> Measured:
    """Measure what a file answered about a side.

    Args:
        run: Where the file comes from.
        side: ``validation`` or ``test``; at least one image.
        answer: Of the file.
        original: Of the file before quantisation.
        limits: From the validation side.
    """
    labels, records = run.labels(side), run.records(side)
    probabilities = calibrated(answer.logits, limits.temperature)
    cells, paths = [record.cell for record in records], [record.path for record in records]
    accepted = _near(answer, limits.distance) & (probabilities.max(axis=1) >= limits.threshold)
    resamples = run.config.get("bootstrap", _MOST_RESAMPLES)
    return Measured(
        measure(Predictions(paths, cells, labels, probabilities), resamples=min(resamples, _MOST_RESAMPLES)),
        float((original.logits.argmax(axis=1) == labels).mean()),
        float(calibration_error(labels, calibrated(answer.logits, 1.0))),
        select(accepted, probabilities.argmax(axis=1) == labels),
    )


def _near(answer: Answer, limit: float | None) -> NDArray[np.bool_]:
    """Tell which images are near enough to the training images, bool (N,)."""
    if limit is None or answer.distance is None:
        return np.ones(len(answer.logits), np.bool_)
    return np.less_equal(answer.distance, limit)
