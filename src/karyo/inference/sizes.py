"""The usual sizes of the 24 chromosomes, as a model's training cells had them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.errors import SettingsError

MEASURES: tuple[str, ...] = ("area", "length", "mass")
"""What is measured, by its natural logarithm, in the order of :class:`karyo.imaging.size.Size`."""

FEWEST = 5
"""Objects of a cell below which their sizes say nothing: the cell's scale is found from them as well."""

_TAILS = 4.0
"""Degrees of freedom of Student's distribution: overlaps and cut ends make some sizes quite wrong."""

_ROUNDS = 4
_SMALLEST, _LARGEST = 1e-4, 10.0


@dataclass(frozen=True)
class SizeNorms:
    """Sizes of chromosomes relative to their cell, as logarithms.

    Attributes:
        means: 24 x 3: of each class, what its measures are above those of a middling chromosome of its cell.
        covariance: 3 x 3: how they scatter about that, all classes together.
        cells: How many cells this was learned from.

    Raises:
        SettingsError: If they cannot be sizes.
    """

    means: Sequence[Sequence[float]]
    covariance: Sequence[Sequence[float]]
    cells: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        means, covariance = (_numbers(each) for each in (self.means, self.covariance))
        if means.shape != (len(CLASSES), len(MEASURES)) or covariance.shape != (len(MEASURES),) * 2:
            raise SettingsError("sizes must be 24 x 3 means and a 3 x 3 covariance")
        if isinstance(self.cells, bool) or not isinstance(self.cells, int) or not 0 <= self.cells <= 10**9:
            raise SettingsError(f"sizes must be of a number of cells, not {self.cells!r:.40}")
        if not (np.isfinite(means).all() and np.isfinite(covariance).all() and abs(means).max() <= _LARGEST):
            raise SettingsError("sizes must be numbers from -10 to 10")
        eigenvalues = np.linalg.eigvalsh((covariance + covariance.T) / 2)
        if not _SMALLEST**2 <= eigenvalues.min() <= eigenvalues.max() <= _LARGEST:
            raise SettingsError("the covariance of sizes must be positive definite and not above 10")

    def log_likelihood(self, sizes: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Say how well each object's size fits each class, within its cell.

        The cell's own scale is found first: the median of what the objects are above the means of the classes that
        they seem to be, repeated as their sizes make the classes clearer. The scatter is multivariate Student.

        Args:
            sizes: float64 (N, 3), logarithms; a row of NaN where a size is not known.
            shares: float64 (N, 24), the classes' probabilities from elsewhere, rows in 0..1.

        Returns:
            float64 (N, 24): log densities; 0 in the rows that say nothing, and everywhere if fewer than
            :data:`FEWEST` sizes are known.
        """
        known = np.isfinite(sizes).all(axis=1)
        result = np.zeros((len(sizes), len(CLASSES)))
        if known.sum() < FEWEST:
            return result
        found = self._fit(sizes[known], shares[known] / np.maximum(shares[known].sum(axis=1, keepdims=True), 1e-9))
        result[known] = found
        return result

    def stranger(self, sizes: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Say how well each object's size fits something that is no chromosome: any size between dirt and a clump.

        Args:
            sizes: As in :meth:`log_likelihood`.
            shares: As in :meth:`log_likelihood`.

        Returns:
            float64 (N,): log densities, on the same scale; 0 where sizes say nothing.
        """
        known = np.isfinite(sizes).all(axis=1)
        result = np.zeros(len(sizes))
        if known.sum() < FEWEST:
            return result
        offset = sizes[known] - np.median(sizes[known] - shares[known] @ self._means, axis=0)
        # As wide as three times all chromosomes together, and the measures as far apart as they like.
        spread = 3 * np.maximum(self._means.std(axis=0), 0.1)
        result[known] = (-0.5 * (offset / spread) ** 2 - np.log(spread) - 0.5 * np.log(2 * np.pi)).sum(axis=1)
        return result

    def to_dict(self) -> dict[str, Any]:
        """Give it as primitives."""
        return {
            "means": [[float(value) for value in row] for row in self.means],
            "covariance": [[float(value) for value in row] for row in self.covariance],
            "cells": self.cells,
        }

    @cached_property
    def _means(self) -> NDArray[np.float64]:
        return np.asarray(self.means, np.float64)

    def _fit(self, sizes: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
        # The scale is a median over the objects, so it has an error of its own.
        covariance = np.asarray(self.covariance, np.float64) * (1 + 2 / (len(sizes) - 1))
        whiten = np.linalg.inv(np.linalg.cholesky(covariance))
        level = float(np.log(np.diag(whiten)).sum())
        weights = shares
        for _ in range(_ROUNDS):
            scale = np.median(sizes - weights @ self._means, axis=0)
            distance = (((sizes - scale)[:, None] - self._means) @ whiten.T) ** 2
            density = level - (_TAILS + len(MEASURES)) / 2 * np.log1p(distance.sum(axis=2) / _TAILS) + _TAILS_LEVEL
            weights = shares * np.exp(0.5 * (density - density.max(axis=1, keepdims=True)))
            weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
        return np.asarray(density, np.float64)


# log of gamma((v + 3) / 2) / (gamma(v / 2) (v pi)^(3/2)) for v = 4: what makes the density one.
_TAILS_LEVEL = float(np.log(15 * np.sqrt(np.pi) / 8) - 1.5 * np.log(_TAILS * np.pi))


def fit_sizes(sizes: NDArray[np.float64], labels: NDArray[np.int64], cells: Sequence[str | None]) -> SizeNorms | None:
    """Learn the usual sizes from chromosomes whose classes and cells are known.

    Means and the cells' scales are medians in turn; the scatter is that of the residuals, winsorised at three times
    their median absolute deviation, so that overlaps do not widen it.

    Args:
        sizes: float64 (N, 3), logarithms; rows of NaN are left out.
        labels: int64 (N,), 0..23.
        cells: N names of cells; None where it is not known: these are left out.

    Returns:
        The sizes; None if a class is missing, or there are fewer than three cells of half a set.
    """
    numbers = _cell_numbers(cells)
    used = np.isfinite(sizes).all(axis=1) & (numbers >= 0)
    numbers[used] = _whole_cells(numbers[used])
    used &= numbers >= 0
    sizes, labels, numbers = sizes[used], labels[used], numbers[used]
    if len(np.unique(labels)) < len(CLASSES) or len(np.unique(numbers)) < 3:
        return None
    means, scales = np.zeros((len(CLASSES), len(MEASURES))), np.zeros((numbers.max() + 1, len(MEASURES)))
    for _ in range(20):
        means = _medians(sizes - scales[numbers], labels, len(CLASSES))
        means -= means.mean(axis=0)
        scales = _medians(sizes - means[labels], numbers, len(scales))
    residuals = sizes - means[labels] - scales[numbers]
    limit = 3 * 1.4826 * np.median(abs(residuals), axis=0)
    residuals = np.clip(residuals, -limit, limit)
    covariance = residuals.T @ residuals / len(residuals) + 1e-4 * np.eye(len(MEASURES))
    return SizeNorms(means.tolist(), covariance.tolist(), len(np.unique(numbers)))


def _cell_numbers(cells: Sequence[str | None]) -> NDArray[np.int64]:
    numbers: dict[str, int] = {}
    return np.array([-1 if cell is None else numbers.setdefault(cell, len(numbers)) for cell in cells], dtype=np.int64)


def _whole_cells(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Put -1 where a cell has fewer chromosomes than half a set of 46."""
    counts = np.bincount(numbers) if len(numbers) else np.zeros(0, np.int64)
    return np.where(counts[numbers] >= len(CLASSES) - 1, numbers, -1) if len(numbers) else numbers


def _medians(values: NDArray[np.float64], groups: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Give the median of each group's rows; 0 for a group without rows."""
    rows = [values[groups == group] for group in range(count)]
    return np.stack([np.median(each, axis=0) if len(each) else np.zeros(values.shape[1]) for each in rows])


def _numbers(rows: Any) -> NDArray[np.float64]:
    try:
        return np.asarray(rows, np.float64)
    except (TypeError, ValueError):
        return np.zeros(0)
