"""What each object of a cell says about its own class: the classifier's answer and its size."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.inference.sizes import SizeNorms
from karyo.karyotype.priors import Priors, class_shares

_ODDS_OF_JUNK: dict[str, float] = {
    "empty": 1e6,
    "too_small": 10.0,
    "several_objects": 3.0,
    "too_blurred": 2.0,
    "not_a_chromosome": 10.0,
}
"""How much likelier something that is no chromosome is to be rejected for a reason than a chromosome is. Most of
those that the classifier takes for strangers in a real spread are chromosomes all the same: bent, cut or crossed."""

_ACCEPTED = 0.3
"""The same for an object that is not rejected."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Likelihoods of the objects of a cell, up to a factor for each object.

    Attributes:
        classes: float64 (N, 24): log likelihood of each class.
        stranger: float64 (N,): log likelihood of being no chromosome of this cell.
    """

    classes: NDArray[np.float64]
    stranger: NDArray[np.float64]

    def __len__(self) -> int:
        """Give the number of objects."""
        return len(self.stranger)


def gather_evidence(
    probabilities: NDArray[np.float64],
    priors: Priors,
    sizes: NDArray[np.float64] | None = None,
    norms: SizeNorms | None = None,
    reasons: Sequence[Sequence[str]] | None = None,
) -> Evidence:
    """Turn what is known about each object into likelihoods.

    A classifier's probability, divided by the share of the class in what it was trained on, is the likelihood up to a
    factor (Bayes). Part of every answer is spread over all classes first: no single picture is proof.

    Args:
        probabilities: float64 (N, 24), calibrated.
        priors: How often answers are wrong, and how much sizes count.
        sizes: float64 (N, 3), logarithms of area, length and mass; NaN where not known; None where none are.
        norms: The usual sizes; None where the model does not know them.
        reasons: For each object why the classifier rejects it, names from
            :data:`~karyo.inference.prediction.REASONS`; None where none is rejected.
    """
    cautious = (1 - priors.error) * probabilities + priors.error / len(CLASSES)
    classes = np.log(cautious / class_shares())
    odds = [max([_ODDS_OF_JUNK.get(name, 1.0) for name in each], default=_ACCEPTED) for each in reasons or ()]
    stranger = np.log(odds or [_ACCEPTED] * len(classes)).astype(np.float64)
    if sizes is not None and norms is not None and len(classes):
        classes = classes + priors.size * norms.log_likelihood(sizes, cautious)
        stranger = stranger + priors.size * norms.stranger(sizes, cautious)
    return Evidence(classes, stranger)
