"""How many chromosomes lie in one connected object: quicker than telling where each one is."""

import numpy as np
from numpy.typing import NDArray

from karyo.imaging.split.cover import choose_objects
from karyo.imaging.split.objects import fragments_of

_CROWD = 4
"""Fragments from which on an object is taken for a cluster without a closer look, which would take long."""


def count_chromosomes(mask: NDArray[np.bool_], width: float) -> int:
    """Estimate how many chromosomes make up one connected object, from its outline alone.

    It would rather miss a neighbour than find one in a single chromosome: bands and the gap between chromatids are not
    looked at. A cluster of many counts as 2: more than one is all that is asked.

    Args:
        mask: Array (H, W), bool: one connected object without holes.
        width: Typical width of a chromosome in pixels.

    Returns:
        1 or more.
    """
    fragments = fragments_of(mask, None, width)
    if fragments.count == 1:
        return 1
    return 2 if fragments.count > _CROWD else len(choose_objects(fragments, width))
