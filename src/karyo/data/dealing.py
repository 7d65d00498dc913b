"""Dealing records out: whole cases or cells, or single images, to parts of given shares."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.data.records import Record

_TRIALS = 64
"""Random orders tried when groups are dealt out; the best balanced one wins."""

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Group:
    """Records that stay together: their indices and how many there are of each class, (24,)."""

    indices: list[int]
    histogram: Indices


def group_records(records: Sequence[Record], by: str) -> list[Group]:
    """Put together the records of each case or cell; by ``image`` each is alone."""
    members: dict[Any, list[int]] = {}
    for index, record in enumerate(records):
        key = (index,) if by == "image" else (record.case,) if by == "case" else (record.case, record.cell)
        members.setdefault(key, []).append(index)
    labels = np.array([record.label for record in records])
    return [Group(rows, np.bincount(labels[rows], minlength=len(CLASSES))) for rows in members.values()]


def deal(groups: list[Group], shares: Sequence[float], random: np.random.Generator, by: str) -> list[list[Group]]:
    """Deal groups out to parts of the given shares: stratified where a group is one image, else balanced by size."""
    return _deal_images(groups, shares, random) if by == "image" else _dealgroup_records(groups, shares, random)


def _deal_images(images: list[Group], shares: Sequence[float], random: np.random.Generator) -> list[list[Group]]:
    """Deal the images of each class, shuffled, always to the part that lags most behind its share.

    What a part lags behind is carried from class to class, so that each class is within one image of its share and so
    is the whole. The largest part gets the first image of each class: none is unknown to the training side.
    """
    parts: list[list[Group]] = [[] for _ in shares]
    lag = np.zeros(len(shares))
    order = random.permutation(len(images))
    classes = np.array([int(image.histogram.argmax()) for image in images])[order]
    even = max(shares) - min(shares) < 1e-9
    for label in np.unique(classes):
        for rank, index in enumerate(order[classes == label]):
            lag += shares
            part = int(np.argmax(shares if rank == 0 and not even else lag))
            lag[part] -= 1
            parts[part].append(images[index])
    return parts


def _dealgroup_records(groups: list[Group], shares: Sequence[float], random: np.random.Generator) -> list[list[Group]]:
    """Deal groups in the best of several random orders, always to the part that lags most behind its share."""
    histograms = np.stack([group.histogram for group in groups])
    sizes, total = histograms.sum(axis=1), histograms.sum()
    targets = np.asarray(shares) * total
    best, lowest = np.zeros(len(groups), int), np.inf
    for _ in range(_TRIALS):
        assigned = np.zeros(len(groups), int)
        lag = targets.copy()
        for rank, index in enumerate(order := random.permutation(len(groups))):
            empty = np.flatnonzero(lag == targets)
            # The last groups go to parts that have none yet, however small their share is.
            candidates = empty if len(empty) >= len(order) - rank else np.arange(len(lag))
            part = int(candidates[np.argmax(lag[candidates])])
            assigned[index] = part
            lag[part] -= sizes[index]
        absent = sum(int((histograms[assigned == part].sum(axis=0) == 0).sum()) for part in range(len(shares)))
        cost = float(np.abs(lag).sum() / total) + 0.02 * absent
        if cost < lowest:
            best, lowest = assigned, cost
    return [[groups[index] for index in np.flatnonzero(best == part)] for part in range(len(shares))]


def indices_of(side: list[Group]) -> Indices:
    """Give the indices of all records of some groups, int64, ascending."""
    return np.sort(np.array([index for group in side for index in group.indices], dtype=np.int64))
