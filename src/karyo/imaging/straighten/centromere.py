"""The centromere from the outline: where the chromosome has its waist."""

import numpy as np
from numpy.typing import NDArray

from karyo.imaging.straighten.line import smooth

_OUTERMOST = 0.06
"""No human centromere lies nearer to a tip than this share of the length; a waist there is a rounded end."""

_THIN = 0.6
"""Share of the body's width at which the short arm of an acrocentric chromosome ends."""

_SHOULDER_CERTAINTY = 0.6
"""Most that a shoulder can say: a tapering end is not always a short arm."""

_PLAIN = 0.25
"""Depth of a waist that leaves no doubt, as a share of the width beside it."""


def find_waist(widths: NDArray[np.float32], half_width: float) -> tuple[float, float]:
    """Find the centromere from how wide a chromosome is along its axis.

    Most chromosomes have a waist: the narrowest place between two wider ones. Acrocentric ones have none that can be
    seen, but a short arm that is much thinner than the long one: there it is the shoulder between the two. The clearer
    of both counts. Where there is neither, the answer is the middle, with certainty 0.

    Args:
        widths: float32 (N,), pixels, from tip to tip, 1 px apart, N >= 1.
        half_width: Half the chromosome's usual width, pixels.

    Returns:
        Where the centromere is, as a fraction 0..1 of the length, and how certain that is, 0..1.
    """
    if len(widths) < 5:
        return 0.5, 0.0
    even = smooth(widths, max(0.3 * half_width, 0.8))
    found = max((_waist(even, half_width), _shoulder(even, half_width)), key=lambda place: place[1])
    return found if found[1] > 0 else (0.5, 0.0)


def _waist(even: NDArray[np.float64], half_width: float) -> tuple[float, float]:
    """Find where the width is undercut most by comparison with the largest within reach on either side."""
    count = len(even)
    reach = max(round(2.2 * half_width), 3)
    padded = np.pad(even, reach)
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach + 1).max(axis=1)
    beside = np.minimum(windows[:count], windows[reach:])
    depth = 1 - even / np.maximum(beside, 1e-6)
    # A shallow dip beside a narrow tip is no waist: what counts is the depth in widths of the whole body.
    depth *= np.minimum(beside / max(float(np.median(even)), 1e-6), 1.0)
    outside = int(np.ceil(_OUTERMOST * count))
    depth[:outside] = 0
    depth[count - outside :] = 0
    best = int(depth.argmax())
    if depth[best] <= 0.005:
        return 0.5, 0.0
    return _between(depth, best) / (count - 1), float(min(depth[best] / _PLAIN, 1.0))


def _shoulder(even: NDArray[np.float64], half_width: float) -> tuple[float, float]:
    """Find where a thin end widens into the body: how much later than at the other end says how certain it is."""
    wide = even >= _THIN * np.quantile(even, 0.9)
    first, last = int(wide.argmax()), int(wide[::-1].argmax())
    later = (max(first, last) - min(first, last)) / half_width
    place = first if first > last else len(even) - 1 - last
    return place / (len(even) - 1), float(np.clip((later - 0.25) / 1.5, 0, _SHOULDER_CERTAINTY))


def _between(depth: NDArray[np.float64], best: int) -> float:
    """Refine a maximum to a fraction of a sample by the parabola through it and its neighbours."""
    if not 0 < best < len(depth) - 1:
        return float(best)
    left, middle, right = depth[best - 1 : best + 2]
    bow = left - 2 * middle + right
    return float(best + np.clip((left - right) / (2 * bow), -0.5, 0.5)) if bow < 0 else float(best)
