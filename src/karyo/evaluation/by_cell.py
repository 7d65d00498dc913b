"""How good it is to decide a cell's chromosomes together, beside deciding each alone.

The unit is the cell: accuracies, pairs and gains have intervals from resampling whole cells
(:mod:`karyo.evaluation.bootstrap`), the gains paired, both ways on the same cells. A share of cells is a count of
independent ones and has Wilson's interval, which stays honest where none or all of a few cells are right.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.evaluation.bootstrap import bootstrap_intervals
from karyo.evaluation.deciding import DecidedCells
from karyo.evaluation.measure import Estimate, estimate
from karyo.evaluation.shares import wilson_interval

SINGLE, IN_CELL, PLAIN, ASSIGNED = "single", "in_cell", "assigned_without_sizes", "assigned"
"""The ways to decide: each image alone; each by itself, but seen beside the others of its cell; each cell together from
the bands, and with sizes where they are known."""

_Counts = dict[str, NDArray[np.float64]]
"""Counts of each cell, float64 (C,), by name."""


@dataclass(frozen=True, slots=True)
class CellScores:
    """How good one way of deciding is.

    Attributes:
        accuracy: Share of images whose class is right; one in the tray is not.
        pairs_right: Share of homolog pairs of which both are right. A pair is a class of which a cell has two images.
        cells_right: Share of cells of which every image is right.
    """

    accuracy: Estimate
    pairs_right: Estimate
    cells_right: Estimate


@dataclass(frozen=True, slots=True)
class ClassRecall:
    """How many of a class are recognised; None where there are none.

    Attributes:
        name: The class, as in ``karyo.chromosomes.CLASSES``.
        single: Share that is right alone, 0..1.
        assigned: Share that is right together, 0..1.
        support: Images of this class.
    """

    name: str
    single: float | None
    assigned: float | None
    support: int


@dataclass(frozen=True, slots=True)
class ByCell:
    """Measures by cell. Intervals are None with a single cell, or without resamples.

    Attributes:
        single: Each image alone.
        assigned: Each cell together.
        assigned_without_sizes: The same from the bands alone; None where ``assigned`` is from the bands alone too.
        gain: Accuracy of ``assigned`` less that of ``single``, -1..1.
        gain_of_sizes: Accuracy of ``assigned`` less that without sizes; None where sizes had no part.
        called_abnormal: Share of cells whose numbers are called abnormal: all in error where every cell is normal.
        tray: Images that are placed nowhere.
        per_class: 24 recalls, in class order.
        n_images: Images measured.
        n_cells: Their cells.
        n_pairs: Homolog pairs among them.
        resamples: Bootstrap resamples behind the intervals; 0 if there are no intervals.
        in_cell: Each image by itself, but seen beside the others of its cell; None where the network cannot do that.
    """

    single: CellScores
    assigned: CellScores
    assigned_without_sizes: CellScores | None
    gain: Estimate
    gain_of_sizes: Estimate | None
    called_abnormal: Estimate
    tray: int
    per_class: list[ClassRecall]
    n_images: int
    n_cells: int
    n_pairs: int
    resamples: int
    in_cell: CellScores | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give primitives that JSON can hold: no NaN, None where something is not defined.

        Returns:
            ``{"single": {"accuracy": {"value", "low", "high"}, "pairs_right": ..., "cells_right": ...}, "assigned":
            ..., "assigned_without_sizes": ... | None, "gain": {"value", "low", "high"}, "gain_of_sizes": ... | None,
            "called_abnormal": ..., "tray": 2, "per_class": [{"name", "single", "assigned", "support"}, ...],
            "n_images": ..., "n_cells": ..., "n_pairs": ..., "resamples": ..., "in_cell": ... | None}``.
        """
        return asdict(self)


def measure_by_cell(decided: DecidedCells, resamples: int = 1000, seed: int = 0) -> ByCell:
    """Measure decisions about cells, with 95 % intervals by cell.

    Args:
        decided: Of at least one cell.
        resamples: Bootstrap resamples; 0 leaves the intervals out.
        seed: Of the bootstrap; same seed, same intervals.

    Raises:
        ValueError: If ``resamples`` is negative.
    """
    labels, cells = decided.predictions.labels, decided.cells
    answers = {SINGLE: decided.predictions.predicted, ASSIGNED: decided.assigned}
    if decided.without_sizes is not None:
        answers[PLAIN] = decided.without_sizes
    if decided.in_cell is not None:
        answers[IN_CELL] = decided.in_cell.predicted
    right = {way: np.equal(each, labels) for way, each in answers.items()}
    counts = _count(right, labels, cells, len(decided.names))
    clusters = np.arange(len(decided.names), dtype=np.int64)
    intervals = bootstrap_intervals(lambda weights: _shares(weights, counts), clusters, resamples, seed)
    shares = _shares(_once(counts), counts)
    found = {name: estimate(float(values[0]), intervals.get(name)) for name, values in shares.items()}
    whole = {way: _share_of_cells(counts[f"{way} right"] == counts["images"], bool(intervals)) for way in answers}
    scores = {way: CellScores(found[f"{way} right"], found[f"{way} pairs"], whole[way]) for way in answers}
    abnormal = np.array([call.abnormal for call in decided.calls])
    return ByCell(
        single=scores[SINGLE],
        assigned=scores[ASSIGNED],
        assigned_without_sizes=scores.get(PLAIN),
        gain=found["gain"],
        gain_of_sizes=found.get("gain of sizes"),
        called_abnormal=_share_of_cells(abnormal, bool(intervals)),
        tray=int((decided.assigned < 0).sum()),
        per_class=_per_class(right, labels),
        n_images=len(labels),
        n_cells=len(decided.names),
        n_pairs=int(counts["pairs"].sum()),
        resamples=resamples if intervals else 0,
        in_cell=scores.get(IN_CELL),
    )


def _count(
    right: Mapping[str, NDArray[np.bool_]], labels: NDArray[np.int64], cells: NDArray[np.int64], number: int
) -> _Counts:
    """Count images, pairs and what is right of them in each cell, float64 (C,) each."""
    # How many images of each class each cell has, (C, 24).
    places = cells * len(CLASSES) + labels
    have = np.bincount(places, minlength=number * len(CLASSES)).reshape(number, -1)
    counts = {"images": have.sum(axis=1), "pairs": (have == 2).sum(axis=1)}
    for way, each in right.items():
        good = np.bincount(places[each], minlength=number * len(CLASSES)).reshape(number, -1)
        counts[f"{way} right"] = good.sum(axis=1)
        counts[f"{way} pairs"] = ((have == 2) & (good == 2)).sum(axis=1)
    return {name: values.astype(np.float64) for name, values in counts.items()}


def _shares(weights: NDArray[np.float64], counts: _Counts) -> _Counts:
    """Give shares and gains of (R,) samples in which each cell stands ``weights`` (R, C) times; NaN of no pairs."""
    sums = {name: weights @ values for name, values in counts.items()}
    shares = {}
    for way in (SINGLE, IN_CELL, PLAIN, ASSIGNED):
        if f"{way} right" in sums:
            shares[f"{way} right"] = sums[f"{way} right"] / sums["images"]
            pairs = np.where(sums["pairs"] > 0, sums["pairs"], np.nan)
            shares[f"{way} pairs"] = sums[f"{way} pairs"] / pairs
    gains = {"gain": SINGLE} | ({"gain of sizes": PLAIN} if f"{PLAIN} right" in sums else {})
    for name, other in gains.items():
        # Of whole numbers, so that no gain is exactly 0.
        shares[name] = (sums[f"{ASSIGNED} right"] - sums[f"{other} right"]) / sums["images"]
    return shares


def _once(counts: _Counts) -> NDArray[np.float64]:
    return np.ones((1, len(counts["images"])))


def _share_of_cells(which: NDArray[np.bool_], has_interval: bool) -> Estimate:
    hits, tries = int(which.sum()), len(which)
    low, high = wilson_interval(hits, tries) if has_interval else (None, None)
    return Estimate(hits / tries, low, high)


def _per_class(right: Mapping[str, NDArray[np.bool_]], labels: NDArray[np.int64]) -> list[ClassRecall]:
    recalls = []
    for label, name in enumerate(CLASSES):
        own = labels == label
        single, assigned = (float(right[way][own].mean()) if own.any() else None for way in (SINGLE, ASSIGNED))
        recalls.append(ClassRecall(name, single, assigned, int(own.sum())))
    return recalls
