"""Every measure of a set of predictions, each with its interval: what goes into a run's record."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.evaluation import metrics
from karyo.evaluation.bootstrap import Interval, bootstrap_intervals, cluster_numbers
from karyo.evaluation.predictions import Predictions

MEASURES: tuple[str, ...] = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "top2_accuracy",
    "macro_auroc",
    "log_loss",
    "calibration_error",
)
"""Names of the measures, as fields of :class:`Measures` and keys of a run's record."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure and its 95 % interval.

    Attributes:
        value: The measure over all images; None where it is not defined (the AUROC of a single class).
        low: Lower end of the interval; None where there is none (a single cell).
        high: Upper end of the interval; None where there is none.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class ClassScore:
    """How well one class is recognised; None where a score is not defined.

    Attributes:
        name: The class, as in ``karyo.chromosomes.CLASSES``.
        precision: Share of right ones among those predicted as this class, 0..1.
        recall: Share of those of this class that are recognised, 0..1.
        f1: Harmonic mean of both, 0..1.
        support: Images of this class.
    """

    name: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """All measures of one set of predictions.

    Attributes:
        accuracy: Share of images recognised.
        balanced_accuracy: Mean recall of the classes present.
        macro_f1: Mean F1 of the classes present or predicted.
        top2_accuracy: Share of images whose class is among the two most probable.
        macro_auroc: Mean one-against-rest area under the ROC curve.
        log_loss: Mean negative log probability of the true class, nats.
        calibration_error: Expected calibration error, 15 bins.
        per_class: 24 scores, in class order.
        confusion: int64 (24, 24), rows true, columns predicted.
        n_images: Images measured.
        n_cells: Different cells among them; 0 if no cell is known.
        resamples: Bootstrap resamples behind the intervals; 0 if there are no intervals.
    """

    accuracy: Estimate
    balanced_accuracy: Estimate
    macro_f1: Estimate
    top2_accuracy: Estimate
    macro_auroc: Estimate
    log_loss: Estimate
    calibration_error: Estimate
    per_class: list[ClassScore]
    confusion: NDArray[np.int64]
    n_images: int
    n_cells: int
    resamples: int

    def to_dict(self) -> dict[str, Any]:
        """Give primitives that JSON can hold: no NaN, None where something is not defined.

        Returns:
            ``{"accuracy": {"value": 0.95, "low": 0.93, "high": 0.97}, ..., "per_class": [{"name": "1", "precision":
            ..., "recall": ..., "f1": ..., "support": ...}, ...], "confusion": [[...], ...], "n_images": ...,
            "n_cells": ..., "resamples": ..., "resampled": "cells" | "images" | None}``.
        """
        resampled = ("cells" if self.n_cells else "images") if self.resamples else None
        return {
            **{name: asdict(getattr(self, name)) for name in MEASURES},
            "per_class": [asdict(score) for score in self.per_class],
            "confusion": self.confusion.tolist(),
            "n_images": self.n_images,
            "n_cells": self.n_cells,
            "resamples": self.resamples,
            "resampled": resampled,
        }


def estimate(value: float, interval: Interval | None) -> Estimate:
    """Join a value, NaN where it is not defined, and its interval, None where there is none."""
    if interval is None:
        return Estimate(_defined(value))
    return Estimate(_defined(value), interval.low, interval.high)


def measure(predictions: Predictions, resamples: int = 1000, seed: int = 0) -> Measures:
    """Measure predictions, with 95 % intervals from a bootstrap over cells.

    Args:
        predictions: Of at least one image.
        resamples: Bootstrap resamples; 0 leaves the intervals out.
        seed: Of the bootstrap; same seed, same intervals.

    Returns:
        The measures. Intervals are None if all images are of one cell (there is nothing to resample).

    Raises:
        ValueError: If ``resamples`` is negative.
    """
    labels, probabilities = predictions.labels, predictions.probabilities
    clusters = cluster_numbers(predictions.cells)
    intervals = bootstrap_intervals(
        lambda weights: _measures(labels, probabilities, weights), clusters, resamples=resamples, seed=seed
    )
    values = _measures(labels, probabilities, None)
    return Measures(
        **{name: estimate(float(values[name]), intervals.get(name)) for name in MEASURES},
        per_class=_per_class(labels, probabilities),
        confusion=metrics.confusion_matrix(labels, probabilities).astype(np.int64),
        n_images=len(predictions),
        n_cells=len({cell for cell in predictions.cells if cell is not None}),
        resamples=resamples if intervals else 0,
    )


def _measures(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], weights: NDArray[np.float64] | None
) -> dict[str, NDArray[np.float64]]:
    """Compute every measure for one weighting or many."""
    return {
        "accuracy": metrics.accuracy(labels, probabilities, weights),
        "balanced_accuracy": metrics.balanced_accuracy(labels, probabilities, weights),
        "macro_f1": metrics.macro_f1(labels, probabilities, weights),
        "top2_accuracy": metrics.top_k_accuracy(labels, probabilities, 2, weights),
        "macro_auroc": metrics.macro_auroc(labels, probabilities, weights),
        "log_loss": metrics.log_loss(labels, probabilities, weights),
        "calibration_error": metrics.calibration_error(labels, probabilities, weights=weights),
    }


def _per_class(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> list[ClassScore]:
    """Score each of the 24 classes."""
    columns = (metrics.precision, metrics.recall, metrics.f1, metrics.support)
    precision, recall, f1, support = (column(labels, probabilities).tolist() for column in columns)
    return [
        ClassScore(name, _defined(precision[i]), _defined(recall[i]), _defined(f1[i]), round(support[i]))
        for i, name in enumerate(CLASSES)
    ]


def _defined(value: float) -> float | None:
    """Give None for NaN, which JSON does not know."""
    return None if math.isnan(value) else value
