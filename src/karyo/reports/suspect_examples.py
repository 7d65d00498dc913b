"""What a suspected chromosome is held against: typical ones of the class that it has and of the one it may be."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from karyo.evaluation.predictions import Predictions
from karyo.evaluation.suspects import Suspect

EACH = 2
"""Examples of each class."""

_SURE = 0.6
"""Confidence from which a right answer is typical; no suspect has one."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A suspect with what it is held against.

    Attributes:
        suspect: The suspect.
        given: Positions of up to two confidently right images of the class that it has.
        instead: The same of the class that it may be.
    """

    suspect: Suspect
    given: tuple[int, ...]
    instead: tuple[int, ...]

    @property
    def indices(self) -> tuple[int, ...]:
        """Positions of all its images, the suspect first."""
        return (self.suspect.index, *self.given, *self.instead)


def compare_suspects(predictions: Predictions, suspects: Sequence[Suspect], most: int) -> list[Comparison]:
    """Choose examples for the first suspects.

    Args:
        predictions: What the suspects were found in.
        suspects: In their order.
        most: How many to compare at most.

    Returns:
        A comparison for each; with fewer examples where a class has too few that are confidently right. Those of the
        suspect's own cell come first.
    """
    typical = predictions.correct & (predictions.confidence >= _SURE)
    ranked = np.flatnonzero(typical)
    ranked = ranked[np.argsort(-predictions.confidence[ranked], kind="stable")]
    by_class: dict[int, list[int]] = {}
    for index in ranked.tolist():
        by_class.setdefault(int(predictions.labels[index]), []).append(index)

    def examples(suspect: Suspect, label: int) -> tuple[int, ...]:
        cell, found = predictions.cells[suspect.index], by_class.get(label, [])
        own = [index for index in found if cell is not None and predictions.cells[index] == cell][:EACH]
        return (*own, *(index for index in found if index not in own))[:EACH]

    return [
        Comparison(each, examples(each, int(predictions.labels[each.index])), examples(each, each.other))
        for each in suspects[:most]
    ]
