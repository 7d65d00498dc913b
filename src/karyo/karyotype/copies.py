"""How many objects of each class may be expected, and what a number of objects says about a number of copies."""

from dataclasses import dataclass
from functools import cached_property
from math import comb, factorial

import numpy as np
from numpy.typing import NDArray

from karyo.karyotype.cell import MOST_COPIES
from karyo.karyotype.priors import AUTOSOMES, Priors

_LEAST_LOSS, _MOST_LOSS = 0.005, 0.95
"""A cell that looks complete may have lost a chromosome in the preparation, and no cell is lost altogether."""


@dataclass(frozen=True)
class Expected:
    """What numbers of objects are expected in a cell.

    A cell has c copies of a chromosome with a prior probability; each is lost on the way to the image with the same
    probability, so n objects are left of c copies with a binomial probability. Since any of the n objects may be any of
    the c copies, a set of n given objects weighs n! times that.

    Attributes:
        priors: How often things happen.
        loss: Probability that a chromosome of the cell is not among its objects, 0..1.
        sets: How many sets of chromosomes the cell has: 2, 3 or 4.
    """

    priors: Priors
    loss: float
    sets: int = 2

    @cached_property
    def autosomes(self) -> NDArray[np.float64]:
        """Weights of n objects of an autosome, float64 (22, MOST_COPIES + 1)."""
        return np.stack([self._weigh(self.priors.autosome(label, self.sets)) for label in range(AUTOSOMES)])

    @cached_property
    def sex(self) -> NDArray[np.float64]:
        """Weights of n objects of X (rows) and m of Y (columns), float64 (MOST_COPIES + 1, MOST_COPIES + 1)."""
        seen = self._seen
        orders = _factorials()
        weights: NDArray[np.float64] = seen @ self.priors.sex(self.sets) @ seen.T * np.outer(orders, orders)
        return weights

    def copies_of_autosomes(self, objects: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn probabilities of numbers of objects into those of numbers of copies.

        Args:
            objects: float64 (22, MOST_COPIES + 1), rows sum to 1.

        Returns:
            float64 (22, MOST_COPIES + 1), rows sum to 1.
        """
        priors = np.stack([self.priors.autosome(label, self.sets) for label in range(AUTOSOMES)])
        joint = self._seen[None] * priors[:, None, :]  # (22, objects, copies)
        given = joint / np.maximum(joint.sum(axis=2, keepdims=True), 1e-300)
        return np.asarray(np.einsum("kn,knc->kc", objects, given))

    def copies_of_sex(self, objects: NDArray[np.float64]) -> NDArray[np.float64]:
        """Do the same for X (rows) and Y (columns) together, float64 (MOST_COPIES + 1, MOST_COPIES + 1), sum 1."""
        prior, seen = self.priors.sex(self.sets), self._seen
        evidence = np.maximum(seen @ prior @ seen.T, 1e-300)
        return np.asarray(prior * (seen.T @ (objects / evidence) @ seen))

    @cached_property
    def _seen(self) -> NDArray[np.float64]:
        """Probability of n objects (rows) of c copies (columns)."""
        table = np.zeros((MOST_COPIES + 1, MOST_COPIES + 1))
        for copies in range(MOST_COPIES + 1):
            for objects in range(copies + 1):
                chance = comb(copies, objects) * (1 - self.loss) ** objects * self.loss ** (copies - objects)
                table[objects, copies] = chance
        return table

    def _weigh(self, prior: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self._seen @ prior * _factorials())


def estimate_loss(objects: float, sets: int = 2) -> float:
    """Estimate how probable it is that a chromosome of a cell is not among its objects.

    Args:
        objects: How many objects seem to be chromosomes.
        sets: How many sets of chromosomes the cell has.

    Returns:
        Their share, with half an object for the doubt, within 0.005..0.95.
    """
    whole = 23 * sets
    return float(np.clip((whole - objects + 0.5) / (whole + 1), _LEAST_LOSS, _MOST_LOSS))


def _factorials() -> NDArray[np.float64]:
    return np.array([factorial(number) for number in range(MOST_COPIES + 1)], np.float64)
