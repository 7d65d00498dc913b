"""Selective prediction: which images to leave to a person, so that those answered are wrong as rarely as wanted.

An image is accepted where the probability of its most probable class reaches a threshold (Geifman & El-Yaniv,
"Selective classification for deep neural networks", NeurIPS 2017). The threshold is the lowest for which the error
among the accepted validation images is at most the wanted one. That is what was observed, not a guarantee: their bound
(section 3) would demand hundreds of accepted images without a mistake, more than most validation sides hold. So each
error stands beside the upper end of its interval, and is measured again on the test side, which had no part in it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from karyo.evaluation.shares import ONE_END, wilson_interval


@dataclass(frozen=True, slots=True)
class Selected:
    """What a threshold does to a set of images.

    Attributes:
        images: How many there are.
        accepted: How many are accepted.
        wrong: How many of the accepted are wrong.
    """

    images: int
    accepted: int
    wrong: int

    @property
    def coverage(self) -> float:
        """Share of images that are accepted, 0..1."""
        return self.accepted / self.images

    @property
    def error(self) -> float | None:
        """Share of the accepted that are wrong, 0..1; None where none is accepted."""
        return self.wrong / self.accepted if self.accepted else None

    @property
    def error_at_most(self) -> float | None:
        """Upper end of the one-sided 95 % interval of :attr:`error`; None where none is accepted."""
        return wilson_interval(self.wrong, self.accepted, ONE_END)[1] if self.accepted else None


def choose_threshold(confidence: NDArray[np.float64], correct: NDArray[np.bool_], wanted_error: float) -> float:
    """Choose the lowest probability from which on answers are accepted.

    Args:
        confidence: float64 (N,), probability of the most probable class of each validation image.
        correct: bool (N,), whether that class is the true one.
        wanted_error: Share of the accepted that may be wrong, 0..1.

    Returns:
        The threshold, 0..1: half-way between the last accepted image and the first rejected one; 0 where all can be
        accepted, 1 where even the most confident image is wrong, or there is none.
    """
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order]
    errors = np.cumsum(~correct[order]) / np.arange(1, len(order) + 1)
    # Images of equal confidence are accepted together.
    divides = np.append(falling[:-1] > falling[1:], True)[: len(order)]
    kept = np.flatnonzero((errors <= wanted_error) & divides)
    if len(kept) == 0:
        return 1.0
    last = int(kept[-1])
    return 0.0 if last == len(order) - 1 else float((falling[last] + falling[last + 1]) / 2)


def select(accepted: NDArray[np.bool_], correct: NDArray[np.bool_]) -> Selected:
    """Count what is accepted, and how much of that is wrong; both bool (N,), N at least 1."""
    return Selected(len(accepted), int(accepted.sum()), int((accepted & ~correct).sum()))
