"""Probabilities that mean what they say: one temperature, fitted on images that the network was not trained on.

Guo, Pleiss, Sun & Weinberger, "On calibration of modern neural networks", ICML 2017, section 4.2: logits are divided by
a temperature T that minimises the negative log likelihood of the validation side. The most probable class stays what it
was.
"""

import numpy as np
from numpy.typing import NDArray

from karyo.inference.prediction import calibrated

COLDEST, HOTTEST = 0.05, 20.0
"""Limits of the temperature: beyond them nothing is measured any more, only that all is right or all is chance."""

_HALVINGS = 60


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Find the temperature at which the true classes are most likely.

    Args:
        logits: float32 (N, K), of images that the network was not trained on; N at least 1.
        labels: int64 (N,), their true classes.

    Returns:
        The temperature, :data:`COLDEST` .. :data:`HOTTEST`. It is 1 where no image is misrecognised: then the
        likelihood grows with every further cooling, and there is nothing to calibrate by.
    """
    if (logits.argmax(axis=1) == labels).all():
        return 1.0
    # The negative log likelihood is convex in 1/T, so its slope there rises and has one root: halve the interval.
    low, high = 1 / HOTTEST, 1 / COLDEST
    for _ in range(_HALVINGS):
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if _slope(logits, labels, middle) > 0 else (middle, high)
    return 1 / float(np.sqrt(low * high))


def _slope(logits: NDArray[np.float32], labels: NDArray[np.int64], inverse: float) -> float:
    """Give the derivative of the mean negative log likelihood by 1/T: the expected logit less the true class's."""
    expected = (calibrated(logits, 1 / inverse) * logits).sum(axis=1)
    return float((expected - logits[np.arange(len(labels)), labels]).mean())
