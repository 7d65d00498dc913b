"""How far a measure can be trusted: the bootstrap over cells.

Chromosomes of one cell share their staining, focus and contraction, so that they are right and wrong together. An
interval from resampling images would treat them as independent and be too narrow; here whole cells are drawn with
replacement, with all their images (the cluster bootstrap: Field & Welsh, J. R. Statist. Soc. B 69, 2007). Intervals are
the percentiles of the resampled measures (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).

The percentile interval has known limits: with fewer than about ten cells it is too narrow, and a perfect score gives
the interval 1..1, which says nothing of how rare the first mistake is.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Statistics = Callable[[NDArray[np.float64]], Mapping[str, NDArray[np.float64]]]
"""From weights (R, N) to named measures, (R,) each."""

# Weights of one batch: 1e6 float64 are 8 MB, near the cache and independent of the data set's size.
_BATCH_WEIGHTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a measure probably lies: ``low`` to ``high``, in its own unit."""

    low: float
    high: float


def cluster_numbers(cells: Sequence[str | None]) -> NDArray[np.int64]:
    """Number the cells of N images.

    Args:
        cells: Name of each image's cell; an image whose cell is unknown (None) is a cluster of its own, so that a data
            set without cells is resampled by image.

    Returns:
        int64 (N,), 0..clusters-1, in order of appearance.
    """
    numbers: dict[str | int, int] = {}
    keys = (index if cell is None else cell for index, cell in enumerate(cells))
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def bootstrap_intervals(
    statistics: Statistics, clusters: NDArray[np.int64], resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> dict[str, Interval | None]:
    """Give percentile intervals of several measures from the same resamples.

    Args:
        statistics: From weights (R, N), the times each image is drawn, to named measures, (R,) each.
        clusters: int64 (N,), 0..clusters-1: images that are drawn together.
        resamples: How many resamples; 0 for none.
        seed: Same seed, same intervals.
        level: Probability that the interval covers, 0..1.

    Returns:
        An interval for each measure, None where the measure is not defined on any resample. Nothing at all if there is
        nothing to resample: a single cluster, or no resamples.

    Raises:
        ValueError: If ``resamples`` is negative or ``level`` not between 0 and 1.
    """
    if resamples < 0 or not 0 < level < 1:
        raise ValueError(f"resamples must be at least 0 and level between 0 and 1, not {resamples} and {level}")
    if resamples == 0 or clusters.max(initial=0) == 0:
        return {}
    batches = [statistics(weights) for weights in draw_weights(clusters, resamples, seed)]
    return {name: percentile_interval(np.concatenate([batch[name] for batch in batches]), level) for name in batches[0]}


def draw_weights(clusters: NDArray[np.int64], resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Draw clusters with replacement, as many as there are, and give how often each image was drawn.

    Args:
        clusters: int64 (N,), 0..clusters-1.
        resamples: How many times to draw.
        seed: Of the random numbers.

    Yields:
        Float64 (R, N) with whole numbers; the R of all batches add up to ``resamples``. The batches bound the memory.
    """
    random = np.random.default_rng(seed)
    count = int(clusters.max()) + 1
    batch = max(1, _BATCH_WEIGHTS // len(clusters))
    for start in range(0, resamples, batch):
        times = random.multinomial(count, np.full(count, 1 / count), size=min(batch, resamples - start))
        yield times.astype(np.float64)[:, clusters]


def percentile_interval(samples: NDArray[np.float64], level: float = 0.95) -> Interval | None:
    """Give the central interval that holds the share ``level`` of the samples (R,), NaN left out; None if all are."""
    defined = samples[~np.isnan(samples)]
    if defined.size == 0:
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
