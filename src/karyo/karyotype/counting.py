"""Which chromosomes a cell has by where its objects stand: what a person's review amounts to."""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.karyotype.cell import MOST_COPIES, Call, Finding, Placed
from karyo.karyotype.iscn import iscn_of, unusual


def call_of_places(objects: Iterable[Placed]) -> Call:
    """Count the objects in their places.

    Args:
        objects: All of a cell; those in the tray and those marked as debris count for nothing.

    Returns:
        The counts as a call. Its probability is that of all places no person has looked at being right, their product;
        that of a finding likewise, over the objects of its class.
    """
    placed = [each for each in objects if each.label is not None]
    copies = [sum(each.label == label for each in placed) for label in range(len(CLASSES))]
    findings = tuple(
        Finding(label, copies[label], _certainty(each for each in placed if each.label == label))
        for label in unusual(copies)
    )
    return Call(tuple(copies), iscn_of(copies), _certainty(placed), bool(findings), findings)


def copies_of_places(call: Call, objects: Iterable[Placed]) -> NDArray[np.float64]:
    """Give the probabilities of numbers of copies that fit a count.

    Args:
        call: What :func:`call_of_places` gives.
        objects: The objects that were counted.

    Returns:
        float64 (24, MOST_COPIES + 1), rows sum to 1: the counted number, at most MOST_COPIES, has the probability that
        all unreviewed objects of its class are right; what is left is shared among the others.
    """
    placed = list(objects)
    table = np.empty((len(CLASSES), MOST_COPIES + 1))
    for label, number in enumerate(call.copies):
        certainty = _certainty(each for each in placed if each.label == label)
        table[label] = (1 - certainty) / MOST_COPIES
        table[label, min(number, MOST_COPIES)] = certainty
    return table


def _certainty(objects: Iterable[Placed]) -> float:
    return math.prod(each.probability for each in objects if not each.reviewed)
