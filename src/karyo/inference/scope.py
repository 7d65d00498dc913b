"""Whether an image is one that the model can speak about, as far as its pixels tell."""

import numpy as np
from numpy.typing import NDArray

from karyo.imaging.polarity import normalise_polarity
from karyo.imaging.quality import glance
from karyo.imaging.steps import State
from karyo.inference.passport import Passport


def doubts(grey: NDArray[np.uint8], passport: Passport, state: State) -> tuple[str, ...]:
    """Say what is wrong with an image before the network sees it.

    It takes a quarter of a millisecond. Chromosomes that touch or cross are one object to it: they are left to the
    distance, the graph's third output, which knows what they look like.

    Args:
        grey: uint8 (H, W), as stored.
        passport: Of the model that shall see it.
        state: What the preparation's steps found.

    Returns:
        Names from :data:`~karyo.inference.prediction.REASONS`, each once. Of an image in which nothing stands out
        from the background, that alone.
    """
    seen = glance(normalise_polarity(grey, passport.preparation.polarity))
    if not seen.objects or not seen.stands_out:
        return ("empty",)
    scope = passport.scope
    found = {
        "too_small": seen.longest < scope.shortest,
        "several_objects": seen.objects > 1 or (state.objects or 0) > 1,
        "too_blurred": seen.sharpness < scope.sharpness,
    }
    return tuple(name for name, holds in found.items() if holds)
