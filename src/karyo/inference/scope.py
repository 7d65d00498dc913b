"""Whether an image is one that the model can speak about, as far as its pixels tell."""

import numpy as np
from numpy.typing import NDArray

from karyo.imaging.polarity import normalise_polarity
from karyo.imaging.quality import assess
from karyo.imaging.steps import State
from karyo.inference.passport import Passport

_FROM_FLAGS = {"empty": "empty", "small": "too_small", "several": "several_objects", "joined": "several_objects"}


def doubts(grey: NDArray[np.uint8], passport: Passport, state: State) -> tuple[str, ...]:
    """Say what is wrong with an image before the network sees it.

    Args:
        grey: uint8 (H, W), as stored.
        passport: Of the model that shall see it.
        state: What the preparation's steps found.

    Returns:
        Names from :data:`~karyo.inference.prediction.REASONS`, each once.
    """
    flags = assess(normalise_polarity(grey, passport.preparation.polarity)).flags
    found = [_FROM_FLAGS[flag] for flag in flags if flag in _FROM_FLAGS]
    if (state.objects or 0) > 1:
        found.append("several_objects")
    return tuple(dict.fromkeys(found))
