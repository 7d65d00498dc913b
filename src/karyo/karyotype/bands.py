"""How the band profile of a chromosome lies on the bands that its class has on the ideogram."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from karyo.data.ideogram import load_ideogram
from karyo.data.synthetic.profile import SAMPLES, cell_profile

TIP = 0.04
"""Share of the length at each tip that is not compared: the optics blur the tips into the background."""

_FUSION = 0.02
"""Standard deviation, as a share of the length, over which the ideogram's bands are run together before comparing."""

_CENTROMERE = 3.0
"""What a clear centromere that lies off its place by the whole length counts, in units of correlation."""


@dataclass(frozen=True, slots=True)
class BandMatch:
    """How a profile lies on an ideogram.

    Attributes:
        expected: float32 (N,) of 0 (light) to 1 (dark), in the order of the profile, or of its reverse.
        correlation: Pearson's in the direction chosen, -1..1; 0 where the profile is constant.
        other: Pearson's in the other direction.
        reversed: Whether the profile's last value is at the tip of the short arm.
    """

    expected: NDArray[np.float32]
    correlation: float
    other: float
    reversed: bool


def match_bands(profile: NDArray[np.float32], label: int, centromere: float = 0.5, waist: float = 0.0) -> BandMatch:
    """Lay a profile on the ideogram at 550 bands, in the direction that fits better.

    Both are taken to be of the same length from tip to tip; the ideogram's bands are run together by 2 % of it. The
    better direction is the one of the larger correlation, less what the centromere lies off its place: the bands alone
    are wrong in one of nine, the two together in one of twenty-five (480 upright G-banded chromosomes of all classes).

    Args:
        profile: float32 (N,), N >= 1, brighter where the chromosome is darker stained.
        label: The class, 0..23.
        centromere: Where the chromosome's waist is, 0..1 from the first value.
        waist: How clear the waist is, 0..1; at 0 the bands decide alone.
    """
    places = (np.arange(len(profile)) + 0.5) / len(profile)
    bands = cell_profile(label, 0.0, _FUSION)
    expected: NDArray[np.float32] = np.interp(places, (np.arange(SAMPLES) + 0.5) / SAMPLES, bands).astype(np.float32)
    tip = round(TIP * len(profile))
    inner = slice(tip, len(profile) - tip)
    there, back = (correlation(values[inner], expected[inner]) for values in (profile, profile[::-1]))
    place = load_ideogram(550)[label].centromere
    off, off_turned = (_CENTROMERE * waist * abs(where - place) for where in (centromere, 1 - centromere))
    if back - off_turned > there - off:
        return BandMatch(expected, back, there, True)
    return BandMatch(expected, there, back, False)


def correlation(values: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Give Pearson's correlation of two float32 (N,); 0 where either is constant or there is hardly anything."""
    if len(values) < 3 or np.ptp(values) == 0 or np.ptp(expected) == 0:
        return 0.0
    return float(np.corrcoef(values.astype(np.float64), expected)[0, 1])
