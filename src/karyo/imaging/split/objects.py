"""From a foreground mask to whole chromosomes."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.imaging.foreground import typical_width
from karyo.imaging.split.concavity import find_cuts, find_outlines
from karyo.imaging.split.cover import Candidate, Reluctance, choose_objects
from karyo.imaging.split.fragments import Fragments, cut_up
from karyo.imaging.split.part import Part, Relation
from karyo.imaging.split.zones import find_zones

_MANY = 12
"""Fragments from which on a cluster is cut up less finely."""


_TOO_MANY = 150
"""Fragments from which on an object is noise and stays as it is."""


def split_objects(
    mask: NDArray[np.bool_], grey: NDArray[np.uint8] | None = None, width: float | None = None
) -> list[Part]:
    """Find the whole chromosomes in a foreground mask: part what touches, complete what crosses.

    Args:
        mask: Array (H, W), bool: a whole spread or a crop.
        grey: Array (H, W), uint8, background dark: lets valleys between and sums across chromosomes be seen.
        width: Typical width of a chromosome in pixels; None measures it.

    Returns:
        The chromosomes; none where the mask is empty.
    """
    if not mask.any():
        return []
    width = width or typical_width(mask)
    count, numbers, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    parts = []
    for number in range(1, count):
        left, top, columns, rows = boxes[number, :4]
        window = slice(top, top + rows), slice(left, left + columns)
        own = np.ascontiguousarray(numbers[window] == number)
        for part in split_one(own, None if grey is None else grey[window], width):
            whole = np.zeros(mask.shape, np.bool_)
            whole[window] = part.mask
            parts.append(replace(part, mask=whole))
    return parts


def split_one(
    mask: NDArray[np.bool_], grey: NDArray[np.uint8] | None, width: float, reluctance: Reluctance | None = None
) -> list[Part]:
    """Split one connected object.

    Args:
        mask: Array (H, W), bool: the object, best cropped to its box.
        grey: Array (H, W), uint8, background dark, or None.
        width: Typical width of a chromosome, pixels.
        reluctance: What finding objects is charged with beyond their likeness; None for nothing.

    Returns:
        The chromosomes, their masks of the same size.
    """
    fragments = fragments_of(mask, grey, width)
    if fragments.count > _TOO_MANY:
        return [Part(mask, "isolated", 0.0)]
    chosen = choose_objects(fragments, width, reluctance)
    return [_part(fragments, candidate, chosen) for candidate in chosen]


def fragments_of(mask: NDArray[np.bool_], grey: NDArray[np.uint8] | None, width: float) -> Fragments:
    """Cut one connected object into fragments, the finer the smaller it is.

    Args:
        mask: Array (H, W), bool: one connected object.
        grey: Array (H, W), uint8, or None.
        width: Typical width of a chromosome, pixels.

    Returns:
        The fragments; a single one where nothing suggests a cut.
    """
    cuts = find_cuts(mask, find_outlines(mask, width), width)
    if grey is None:
        return cut_up(mask, cuts, None, grey, width)
    fragments = cut_up(mask, cuts, find_zones(mask, grey, width), grey, width)
    if fragments.count > _MANY:
        # In a large cluster every dark band would be one more piece, and the ways to join pieces multiply.
        fragments = cut_up(mask, cuts, find_zones(mask, grey, width, sums=False), grey, width)
    return fragments


def _part(fragments: Fragments, candidate: Candidate, chosen: list[Candidate]) -> Part:
    """Put one chromosome together from its fragments."""
    mask = np.isin(fragments.numbers, [index + 1 for index in candidate.members])
    shared = any(candidate.members & other.members for other in chosen if other is not candidate)
    relation: Relation = "crossing" if shared else "touching" if len(chosen) > 1 else "isolated"
    return Part(mask, relation, float(1 / (1 + np.exp(np.clip(candidate.cost, -50, 50)))))
