"""The mean of a measure over repetitions, and how far it can be trusted."""

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, median, stdev

from karyo.evaluation.measure import Estimate
from karyo.reports.comparing.result import Mean

# Student's t at 0.975 for 1 to 5 degrees of freedom, where the series below is too coarse.
_FEW = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706)


def mean_of(estimates: Sequence[Estimate], unit: bool = True) -> Mean:
    """Give the mean of a measure over repetitions.

    Args:
        estimates: What each repetition measured; those without a value are left out.
        unit: Whether the measure is a share, so that its interval ends at 0 and 1.

    Returns:
        Of one repetition its own interval; of several the t-interval of their mean, value ± t s / √n, which takes
        their values for independent and normal (Student, Biometrika 6, 1908).
    """
    known = [estimate for estimate in estimates if estimate.value is not None]
    values = [estimate.value for estimate in known if estimate.value is not None]
    if not values:
        return Mean()
    if len(values) == 1:
        return Mean(values[0], known[0].low, known[0].high, 1)
    middle = fmean(values)
    reach = t_quantile(len(values) - 1) * stdev(values) / math.sqrt(len(values))
    low, high = middle - reach, middle + reach
    return Mean(middle, max(low, 0.0) if unit else low, min(high, 1.0) if unit else high, len(values))


def t_quantile(freedom: int) -> float:
    """Give the 0.975 quantile of Student's t.

    Args:
        freedom: Degrees of freedom, 1 or more.

    Returns:
        Exact to three decimals: from a table up to 5, else by the series of Abramowitz & Stegun, Handbook of
        Mathematical Functions (1964), 26.7.5.
    """
    if freedom <= len(_FEW):
        return _FEW[freedom - 1]
    x = NormalDist().inv_cdf(0.975)
    terms = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return x + math.fsum(term / freedom**power for power, term in enumerate(terms, start=1))


def middle_of(values: Sequence[float | None]) -> float | None:
    """Give the median of those known; None if none is."""
    known = [value for value in values if value is not None]
    return median(known) if known else None


def average_of(values: Sequence[float | None]) -> float | None:
    """Give the mean of those known and not negative, as a clock that was set back makes a duration; None if none is."""
    known = [value for value in values if value is not None and value >= 0]
    return fmean(known) if known else None
