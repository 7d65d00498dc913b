"""How good karyotypes are beside the names that people gave: alone, together, and how many cells are fully right."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyo.evaluation.bootstrap import bootstrap_intervals
from karyo.evaluation.measure import Estimate, estimate
from karyo.evaluation.shares import wilson_interval

FEWEST_CELLS = 5
"""Fewer cells are not resampled: of two or three the interval would only be the range from the worst to the best."""


def score_cells(named: Sequence[int], alone: Sequence[int], together: Sequence[int]) -> dict[str, Any]:
    """Compare accuracy alone with accuracy together.

    Args:
        named: For each cell how many of its chromosomes a person had named, above 0.
        alone: How many of these the classifier names likewise without the cell.
        together: How many of these the decision about the whole cell puts there.

    Returns:
        ``chromosomes``, ``cells`` and ``cells_right``, the numbers; ``alone``, ``together``, ``gain`` and
        ``cells_right_share``, each ``{"value", "low", "high"}``, 0..1 (``gain`` -1..1). Intervals hold 95 %: of the
        accuracies and the gain by resampling whole cells (:mod:`karyo.evaluation.bootstrap`), ``None`` of fewer than
        :data:`FEWEST_CELLS` and where all resamples agree (all is right); of the cells fully right Wilson's.
    """
    counts = np.array([named, alone, together], np.float64)
    total = counts.sum(axis=1)
    found = _shares(np.ones((1, len(named))), counts)
    clusters, resamples = np.arange(len(named), dtype=np.int64), 1000 if len(named) >= FEWEST_CELLS else 0
    intervals = bootstrap_intervals(lambda weights: _shares(weights, counts), clusters, resamples)
    right = int((counts[2] == counts[0]).sum())
    low, high = wilson_interval(right, len(named))
    result: dict[str, Any] = {"chromosomes": int(total[0]), "cells": len(named), "cells_right": right}
    for name, values in found.items():
        between = intervals.get(name)
        # Resamples that all agree tell nothing of how rare the first mistake is.
        widened = between if between and between.low < between.high else None
        result[name] = asdict(estimate(float(values[0]), widened))
    return result | {"cells_right_share": asdict(Estimate(right / len(named), low, high))}


def _shares(weights: NDArray[np.float64], counts: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Accuracies of (R,) samples in which each cell stands ``weights`` (R, cells) times."""
    named, alone, together = (weights @ each for each in counts)
    return {"alone": alone / named, "together": together / named, "gain": (together - alone) / named}
