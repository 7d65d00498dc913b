"""Choosing, from training images, what is too small and what too blurred to be asked about."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from karyo.errors import SettingsError
from karyo.imaging.polarity import normalise_polarity
from karyo.imaging.quality import glance
from karyo.inference.passport import Scope

_OUTSIDE = 0.005
"""Share of the training images below each limit before it is lowered."""

_LENIENT_LENGTH, _LENIENT_SHARPNESS = 0.75, 0.9
"""What limits are multiplied by: the next cell may be shorter, the next laboratory's images worse than any seen."""


def choose_scope(greys: Sequence[NDArray[np.uint8]], polarity: str = "auto") -> Scope:
    """Choose the limits of size and sharpness; the distance is left open.

    Args:
        greys: Training images as stored, each uint8 (H, W): some hundred or all.
        polarity: What is known of their background; see :mod:`karyo.imaging.polarity`.

    Returns:
        The limits.

    Raises:
        SettingsError: If there is no image with an object in it.
    """
    seen = [each for each in (glance(normalise_polarity(grey, polarity)) for grey in greys) if each.objects]
    if not seen:
        raise SettingsError("no training image holds an object, so limits for others cannot be chosen")
    lengths = np.quantile([each.longest for each in seen], _OUTSIDE, method="lower")
    sharpnesses = np.quantile([each.sharpness for each in seen], _OUTSIDE, method="lower")
    return Scope(shortest=int(_LENIENT_LENGTH * lengths), sharpness=float(_LENIENT_SHARPNESS * sharpnesses))
