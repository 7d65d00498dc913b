"""What a comparison says of a setting over all its folds together, and of settings beside a baseline."""

from collections.abc import Mapping
from dataclasses import dataclass

from karyo.evaluation.measure import Estimate

SINGLE, IN_CELL, ASSIGNED = "single", "in_cell", "assigned"
"""The ways to decide: each image alone; by itself, but seen beside the others of its cell; and each cell together."""

MEASURES = ("accuracy", "macro_f1", "cells_right")
"""What is measured of each way: the attributes of :class:`Scores` that are one number."""


@dataclass(frozen=True, slots=True)
class Scores:
    """How good one way to decide is; intervals hold 95 %.

    Attributes:
        accuracy: Share of images whose class is right; one that was placed nowhere is not.
        macro_f1: Mean F1 of the classes.
        cells_right: Share of cells of which every image is right; no value where cells are not known or not together.
        recalls: 24 shares of a class's images that are right, in class order; no value where there are none.
    """

    accuracy: Estimate
    macro_f1: Estimate
    cells_right: Estimate
    recalls: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """A measure over folds, each fold once, with the mean of its repetitions.

    Attributes:
        mean: Mean of the folds; None if none has the measure.
        deviation: Standard deviation of the folds (n - 1); None with a single one.
        values: Of each fold, in order.
    """

    mean: float | None
    deviation: float | None
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """A setting's answers to the test images of all its folds, put together.

    Attributes:
        key: Of the contender.
        label: Of the contender.
        folds: Numbers of the folds that finished, ascending.
        expected: How many there are; None where the record does not say.
        runs: Finished repetitions behind it.
        images: Different images that were tested.
        cells: Their cells; 0 where cells are not known.
        resampled: For each unit that was drawn with replacement (``case``, ``cell`` or ``image``), the split's own
            first, how many there are.
        scores: By unit, then by way; ``assigned`` only where every run was measured by cell, ``in_cell`` only where
            every network sees cells.
        spread: By way, then by measure.
        support: 24 numbers of images of a class.
    """

    key: str
    label: str
    folds: tuple[int, ...]
    expected: int | None
    runs: int
    images: int
    cells: int
    resampled: Mapping[str, int]
    scores: Mapping[str, Mapping[str, Scores]]
    spread: Mapping[str, Mapping[str, Spread]]
    support: tuple[int, ...]

    @property
    def unit(self) -> str:
        """What the split kept together, and its intervals draw."""
        return next(iter(self.resampled))

    @property
    def own(self) -> Mapping[str, Scores]:
        """By way, the scores with the intervals of the split's own unit."""
        return self.scores[self.unit]


@dataclass(frozen=True, slots=True)
class Change:
    """A setting beside the baseline.

    Attributes:
        key: Of the contender.
        label: Of the contender.
        change: What it does differently, ``augmentation=none``; "" of the baseline itself.
        single: Accuracy with each image alone.
        difference: Accuracy less the baseline's on the images that both were tested on, each image once, with the
            paired interval from resampling cells; no value of the baseline, and where they have no image in common.
        assigned: Accuracy with each cell together.
        seconds: Of one run, mean over repetitions; None where it is not recorded.
    """

    key: str
    label: str
    change: str
    single: Estimate
    difference: Estimate
    assigned: Estimate
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Ablation:
    """Settings beside the one from which they are changes.

    Attributes:
        baseline: Its label.
        changes: The baseline first, then the others in the order of their differences, the best first.
    """

    baseline: str
    changes: tuple[Change, ...]
