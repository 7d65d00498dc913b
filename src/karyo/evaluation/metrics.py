"""Measures of a classification: pure functions of labels and probabilities, for many weightings at once.

Every function takes ``labels`` (integers, (N,), 0..K-1), ``probabilities`` (floats, (N, K), finite) and optionally
``weights``: how often each image counts, (N,), or (R, N) for R weightings in one call, which is how the bootstrap gets
a thousand resamples without a thousand calls. Results have the shape of ``weights`` without its last axis: a 0-d array,
or (R,). A measure that is not defined (no image has weight, no class has both sides) is NaN.

All raise ValueError when shapes do not fit, there is no image, a label is out of range, or a probability is not finite.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SMALLEST_PROBABILITY = 1e-15
"""Where :func:`log_loss` clips: one confident mistake costs at most 34.5 nats instead of infinity."""


@dataclass(frozen=True, slots=True)
class CalibrationBins:
    """Images grouped by confidence, the columns of a reliability diagram.

    Attributes:
        edges: (B + 1,) borders of the bins, from 0 to 1.
        counts: (B,) images in each bin.
        accuracy: (B,) share of right ones in each bin; NaN in empty bins.
        confidence: (B,) mean confidence in each bin; NaN in empty bins.
    """

    edges: Floats
    counts: Ints
    accuracy: Floats
    confidence: Floats


def confusion_matrix(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """Count each pair of true class (row) and predicted class (column).

    Returns:
        (K, K), or (R, K, K), non-negative.
    """
    weights = _checked(labels, probabilities, weights)
    classes = probabilities.shape[1]
    codes = labels * classes + probabilities.argmax(axis=1)
    found, sums = _sum_by_group(codes, weights)
    matrix = np.zeros((*weights.shape[:-1], classes * classes))
    matrix[..., found] = sums
    return matrix.reshape(*weights.shape[:-1], classes, classes)


def accuracy(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """Share of images whose most probable class is the true one, 0..1."""
    return top_k_accuracy(labels, probabilities, 1, weights)


def top_k_accuracy(labels: Ints, probabilities: Floats, k: int = 2, weights: Floats | None = None) -> Floats:
    """Share of images whose true class is among the ``k`` most probable, 0..1; of equals the lower comes first."""
    weights = _checked(labels, probabilities, weights)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return _weighted_mean((best == labels[:, None]).any(axis=1), weights)


def balanced_accuracy(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """Mean of the recalls of the classes that are present, 0..1, so that rare classes count as much as common ones."""
    return _mean_defined(recall(labels, probabilities, weights))


def macro_f1(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """Mean of the F1 scores of the classes that are present or predicted, 0..1."""
    return _mean_defined(f1(labels, probabilities, weights))


def precision(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """TP / (TP + FP) of each class, (..., K), 0..1; NaN for a class never predicted."""
    matrix = confusion_matrix(labels, probabilities, weights)
    return _divide(_diagonal(matrix), matrix.sum(axis=-2))


def recall(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """TP / (TP + FN) of each class, (..., K), 0..1; NaN for a class not present."""
    matrix = confusion_matrix(labels, probabilities, weights)
    return _divide(_diagonal(matrix), matrix.sum(axis=-1))


def f1(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """2 TP / (2 TP + FP + FN) of each class, (..., K), 0..1; NaN for a class neither present nor predicted."""
    matrix = confusion_matrix(labels, probabilities, weights)
    return _divide(2 * _diagonal(matrix), matrix.sum(axis=-1) + matrix.sum(axis=-2))


def support(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """Images of each true class, (..., K)."""
    images: Floats = confusion_matrix(labels, probabilities, weights).sum(axis=-1)
    return images


def macro_auroc(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """Mean over classes of the area under the ROC curve of that class against the rest, 0..1.

    The area is the probability that a random image of the class scores higher than a random other one, ties counting
    one half (Mann-Whitney; Hanley & McNeil, Radiology 143, 1982; averaged over classes against the rest).
    Classes that are absent, and a class that is all there is, are left out.
    """
    weights = _checked(labels, probabilities, weights)
    columns = np.ascontiguousarray(weights.reshape(-1, weights.shape[-1]).T)
    areas = [_auroc_of_class(labels == index, scores, columns) for index, scores in enumerate(probabilities.T)]
    means: Floats = _mean_defined(np.stack(areas, axis=-1)).reshape(weights.shape[:-1])
    return means


def log_loss(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """Mean of -ln p(true class), in nats, 0..34.5; p is clipped at :data:`SMALLEST_PROBABILITY`."""
    weights = _checked(labels, probabilities, weights)
    true_class = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    return _weighted_mean(-np.log(np.clip(true_class, SMALLEST_PROBABILITY, 1.0)), weights)


def calibration_error(labels: Ints, probabilities: Floats, bins: int = 15, weights: Floats | None = None) -> Floats:
    """Expected calibration error: mean over images of |accuracy - confidence| of their confidence bin, 0..1.

    Equal-width bins ((b-1)/B, b/B] as in Naeini, Cooper & Hauskrecht, AAAI 2015, and Guo et al., ICML 2017.
    """
    weights = _checked(labels, probabilities, weights)
    bin_of, hits, confidence = _binned(labels, probabilities, bins)
    gaps = _sum_by_group(bin_of, weights * (hits - confidence))[1]
    return _divide(np.abs(gaps).sum(axis=-1), weights.sum(axis=-1))


def calibration_bins(labels: Ints, probabilities: Floats, bins: int = 15) -> CalibrationBins:
    """Group images by confidence as :func:`calibration_error` does, for the reliability diagram."""
    _checked(labels, probabilities, None)
    bin_of, hits, confidence = _binned(labels, probabilities, bins)
    counts = np.bincount(bin_of, minlength=bins).astype(np.float64)
    return CalibrationBins(
        np.linspace(0.0, 1.0, bins + 1),
        counts.astype(np.int64),
        _divide(np.bincount(bin_of, hits, bins), counts),
        _divide(np.bincount(bin_of, confidence, bins), counts),
    )


def _auroc_of_class(is_positive: NDArray[np.bool_], scores: Floats, columns: Floats) -> Floats:
    """Area under the ROC curve of one class for R weightings, (R,); NaN where a side has no weight.

    Args:
        is_positive: (N,) images of the class.
        scores: (N,) probabilities of the class.
        columns: (N, R) weights.
    """
    positive, negative = np.flatnonzero(is_positive), np.flatnonzero(~is_positive)
    # Only the weight of negatives between two neighbouring positive scores matters: sort the negatives into these
    # gaps (even: strictly between, odd: tied), and one sum per gap is left of the N weights.
    levels = np.unique(scores[positive])
    gap_of = np.searchsorted(levels, scores[negative], "left") + np.searchsorted(levels, scores[negative], "right")
    gaps = np.zeros((2 * len(levels) + 1, columns.shape[1]))
    order = negative[np.argsort(gap_of, kind="stable")]
    found, starts = np.unique(np.sort(gap_of), return_index=True)
    if len(order):
        gaps[found] = np.add.reduceat(columns[order], starts, axis=0)
    below = np.cumsum(gaps, axis=0)
    level_of = np.searchsorted(levels, scores[positive])
    beaten = 0.5 * (below[2 * level_of] + below[2 * level_of + 1])
    won = (columns[positive] * beaten).sum(axis=0)
    return _divide(won, columns[positive].sum(axis=0) * gaps.sum(axis=0))


def _binned(labels: Ints, probabilities: Floats, bins: int) -> tuple[Ints, Floats, Floats]:
    """Give each image's bin 0..bins-1, whether it is right (1.0 or 0.0), and its confidence; each (N,)."""
    if bins < 1:
        raise ValueError(f"bins must be at least 1, not {bins}")
    confidence = np.clip(probabilities.max(axis=1), 0.0, 1.0)
    hits = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    bin_of = np.searchsorted(np.linspace(0.0, 1.0, bins + 1)[1:-1], confidence, "left").astype(np.int64)
    return bin_of, hits, confidence


def _sum_by_group(groups: Ints, values: Floats) -> tuple[Ints, Floats]:
    """Sum values (..., N) over images of the same group: the groups found (G,) and their sums (..., G)."""
    order = np.argsort(groups, kind="stable")
    found, starts = np.unique(groups[order], return_index=True)
    return found, np.add.reduceat(values[..., order], starts, axis=-1)


def _weighted_mean(values: NDArray[np.generic], weights: Floats) -> Floats:
    """Mean of values (N,) for each weighting (..., N)."""
    return _divide(weights @ values.astype(np.float64), weights.sum(axis=-1))


def _mean_defined(values: Floats) -> Floats:
    """Mean over the last axis of what is not NaN; NaN where all are."""
    defined = ~np.isnan(values)
    return _divide(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1).astype(np.float64))


def _divide(numerator: ArrayLike, denominator: ArrayLike) -> Floats:
    """Divide, giving NaN instead of a warning where the denominator is zero."""
    numerator, denominator = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    result = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result


def _diagonal(matrix: Floats) -> Floats:
    """True positives of each class."""
    return np.diagonal(matrix, axis1=-2, axis2=-1)


def _checked(labels: Ints, probabilities: Floats, weights: Floats | None) -> Floats:
    """Refuse what cannot be measured; give the weights, ones (N,) for None."""
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise ValueError(f"labels {labels.shape} and probabilities {probabilities.shape} must be (N,) and (N, K)")
    if labels.size == 0:
        raise ValueError("there is no image to measure")
    if not np.isfinite(probabilities).all():
        raise ValueError("probabilities must be finite numbers")
    if labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        raise ValueError(f"labels must be 0..{probabilities.shape[1] - 1}")
    if weights is None:
        return np.ones(len(labels))
    if weights.ndim not in (1, 2) or weights.shape[-1] != len(labels):
        raise ValueError(f"weights must be (N,) or (R, N) with N = {len(labels)}, not {weights.shape}")
    return weights
