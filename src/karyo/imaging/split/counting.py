"""How many chromosomes lie in one connected object: quicker than telling where each one is."""

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.imaging.split.cover import choose_objects
from karyo.imaging.split.objects import fragments_of

_CONVEX = 0.92
"""Share of its convex hull that an object fills from which on there is no dent where two could be joined."""

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
    if _filled_share(mask) >= _CONVEX:
        return 1
    fragments = fragments_of(mask, None, width)
    if fragments.count == 1:
        return 1
    return 2 if fragments.count > _CROWD else len(choose_objects(fragments, width))


def _filled_share(mask: NDArray[np.bool_]) -> float:
    outlines, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = max((cv2.contourArea(cv2.convexHull(outline)) for outline in outlines), default=0.0)
    return float(mask.sum()) / max(hull, 1.0)
