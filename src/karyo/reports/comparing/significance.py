"""Whether two classifiers differ on the same images: McNemar's test, and Holm's correction for several of them."""

import math
from collections.abc import Sequence

_FEW = 25
"""Discordant images below which the probability is counted out instead of approximated."""


def mcnemar(only_first: int, only_second: int) -> float:
    """Give the probability of so uneven a number of discordant images, or a more uneven one, if both were equally good.

    Images that both recognise, or neither, say nothing about a difference; each other one then falls to either side
    like a coin (McNemar, Psychometrika 12, 1947). With fewer than 25 of them the two-sided binomial probability is
    counted out; with more it is the chi-square of one degree of freedom with Edwards's continuity correction
    (Psychometrika 13, 1948). It takes images for independent, which those of one cell are not.

    Args:
        only_first: Images that only the first recognises, 0 or more.
        only_second: Images that only the second recognises, 0 or more.

    Returns:
        The two-sided p value, 0..1; 1 without discordant images.
    """
    discordant = only_first + only_second
    if discordant < _FEW:
        fewer = min(only_first, only_second)
        tail = sum(math.comb(discordant, count) for count in range(fewer + 1)) / 2**discordant
        return min(1.0, 2.0 * float(tail))
    statistic = max(0, abs(only_first - only_second) - 1) ** 2 / discordant
    # The upper tail of the chi-square of one degree of freedom is that of the square of a normal variable.
    return math.erfc(math.sqrt(statistic / 2))


def holm(probabilities: Sequence[float]) -> list[float]:
    """Correct p values of several tests, so that the chance of any false alarm stays at the level.

    The step-down method of Holm, Scand. J. Statist. 6, 1979.

    Args:
        probabilities: P values, 0..1, in any order.

    Returns:
        The corrected ones, in the same order: the smallest times their number, the next times one less, and so on,
        never above 1 and none below one before it.
    """
    order = sorted(range(len(probabilities)), key=probabilities.__getitem__)
    corrected = [0.0] * len(probabilities)
    least = 0.0
    for place, index in enumerate(order):
        least = max(least, min(1.0, (len(probabilities) - place) * probabilities[index]))
        corrected[index] = least
    return corrected
