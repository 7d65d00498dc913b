"""Probabilities of each object's class and of each class's number of objects, given the whole cell.

The exact sum over all ways to assign objects to classes is a permanent and cannot be had in time. Belief propagation on
the graph of objects and classes gives the Bethe approximation of it, which is close for matrices like these (Huang and
Jebara, "Approximating the permanent with belief propagation", 2009; Vontobel, "The Bethe permanent of a non-negative
matrix", IEEE Trans. Inf. Theory 59, 2013). A class is a factor over how many objects chose it (a cardinality potential:
Tarlow et al., "Fast exact inference for recursive cardinality models", UAI 2012): its messages follow from the
distribution of a sum of independent choices, with one object left out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from karyo.karyotype.cell import MOST_COPIES
from karyo.karyotype.copies import Expected
from karyo.karyotype.evidence import Evidence
from karyo.karyotype.priors import AUTOSOMES, X, Y

_ROUNDS = 25
_DAMPING = 0.3
_SETTLED = 1e-4
_TINY = 1e-300
_CERTAIN = 1e30
"""Odds beyond which nothing changes any more, and four of which can be multiplied."""

_COUNTS = MOST_COPIES + 1


@dataclass(frozen=True, slots=True, eq=False)
class Marginals:
    """What is probable given the whole cell.

    Attributes:
        classes: float64 (N, 24): probability of each object's class; the rest to 1 is that it is no chromosome of the
            cell.
        autosomes: float64 (22, MOST_COPIES + 1): of how many objects are of each autosome, rows sum to 1.
        sex: float64 (MOST_COPIES + 1, MOST_COPIES + 1): of how many are X (rows) and Y (columns), sum 1.
    """

    classes: NDArray[np.float64]
    autosomes: NDArray[np.float64]
    sex: NDArray[np.float64]


def find_marginals(evidence: Evidence, expected: Expected) -> Marginals:
    """Propagate beliefs between the objects and the classes of a cell until they settle.

    Args:
        evidence: Of N objects.
        expected: The weights of numbers of objects.

    Returns:
        The marginals.
    """
    stranger = evidence.stranger + np.log(expected.priors.junk)
    top = np.maximum(evidence.classes.max(axis=1, initial=-np.inf), stranger)
    classes, none = np.exp(evidence.classes - top[:, None]), np.exp(stranger - top)
    messages = np.ones_like(classes)
    for _ in range(_ROUNDS):
        taken = _choices(classes, none, messages)
        fresh = _answers(taken, expected)
        change = float(np.abs(fresh - messages).max(initial=0) / max(float(messages.max(initial=1)), 1e-9))
        messages = messages**_DAMPING * fresh ** (1 - _DAMPING)
        if change < _SETTLED:
            break
    beliefs = classes * messages
    beliefs /= (beliefs.sum(axis=1) + none)[:, None]
    taken = _choices(classes, none, messages)
    autosomes = expected.autosomes * _sums(taken[:, :AUTOSOMES])
    sex = expected.sex * _sex_sums(taken)[-1]
    return Marginals(beliefs, _normal(autosomes, 1), _normal(sex, None))


def _choices(
    classes: NDArray[np.float64], none: NDArray[np.float64], messages: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give each object's odds of being of a class as all other classes see it, (N, 24): to be against not to be."""
    weighed = classes * messages
    elsewhere = weighed.sum(axis=1, keepdims=True) - weighed + none[:, None]
    return np.asarray(np.minimum(classes / np.maximum(elsewhere, _TINY), _CERTAIN))


def _answers(odds: NDArray[np.float64], expected: Expected) -> NDArray[np.float64]:
    """Give each class's message to each object, (N, 24): weight with it over weight without it."""
    answers = np.ones_like(odds)
    without = _sums_without(odds[:, :AUTOSOMES])  # (N, 22, counts)
    answers[:, :AUTOSOMES] = _ratio(without, expected.autosomes)
    others = _convolve(_sex_sums(odds)[:-1], _sex_sums(odds[::-1])[::-1][1:])
    alone = np.maximum((others * expected.sex).sum(axis=(1, 2)), _TINY)
    answers[:, X] = (others[:, :-1] * expected.sex[1:]).sum(axis=(1, 2)) / alone
    answers[:, Y] = (others[:, :, :-1] * expected.sex[:, 1:]).sum(axis=(1, 2)) / alone
    return answers


def _ratio(without: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    more = (without[..., :-1] * weights[:, 1:]).sum(axis=-1)
    same = (without * weights).sum(axis=-1)
    return np.asarray(more / np.maximum(same, _TINY))


def _steps(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add one object after the other: (N + 1, 22, counts), the weight of each number among the first ones."""
    steps = np.zeros((len(odds) + 1, odds.shape[1], _COUNTS))
    steps[0, :, 0] = 1
    for index, own in enumerate(odds):
        steps[index + 1] = steps[index]
        steps[index + 1, :, 1:] += own[:, None] * steps[index, :, :-1]
    return steps


def _sums(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(_steps(odds)[-1])


def _sums_without(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the weight of each number among all objects but one, (N, 22, counts)."""
    before, after = _steps(odds)[:-1], _steps(odds[::-1])[::-1][1:]
    result = np.zeros_like(before)
    for number in range(_COUNTS):
        result[..., number:] += before[..., number, None] * after[..., : _COUNTS - number]
    return result


def _sex_sums(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Do the same for X and Y at once: (N + 1, counts of X, counts of Y)."""
    steps = np.zeros((len(odds) + 1, _COUNTS, _COUNTS))
    steps[0, 0, 0] = 1
    for index, own in enumerate(odds):
        steps[index + 1] = steps[index]
        steps[index + 1, 1:] += own[X] * steps[index, :-1]
        steps[index + 1, :, 1:] += own[Y] * steps[index, :, :-1]
    return steps


def _convolve(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Join the counts of two groups of objects, both (N, counts of X, counts of Y)."""
    result = np.zeros_like(first)
    for x in range(_COUNTS):
        for y in range(_COUNTS):
            result[:, x:, y:] += first[:, x, y, None, None] * second[:, : _COUNTS - x, : _COUNTS - y]
    return result


def _normal(weights: NDArray[np.float64], axis: int | None) -> NDArray[np.float64]:
    return np.asarray(weights / np.maximum(weights.sum(axis=axis, keepdims=True), _TINY))
