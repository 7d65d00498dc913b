"""The ways to put a cluster's fragments together, and how right each of them is."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from karyo.evaluation.instances import match_overlaps
from karyo.imaging.split.cover import propose_objects
from karyo.imaging.split.fragments import Fragments
from karyo.imaging.split.likeness import gather_evidence, gather_shared_evidence

_MOST_FRAGMENTS = 8
"""Clusters of more fragments can be put together in too many ways."""

_MOST_STEPS = 24_000
"""How long ways are looked for in one cluster; they are tried in a random order."""

_KEPT_BEST = 60
"""So many of the best ways are kept, the rest is a random choice of the others."""

_SPURIOUS = 0.25
"""What an object that is no chromosome takes off, in chromosomes."""

Overlap = Callable[[list[frozenset[int]]], NDArray[np.float64]]
"""From sets of fragments to their overlap with each true chromosome, float64 (sets, chromosomes), 0..1."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to put a cluster's fragments together.

    Attributes:
        objects: Positions of its objects in the cluster's.
        shared: Fragments that belong to two of them.
        quality: How right it is: 1 where every chromosome is found whole, less and even negative where not.
    """

    objects: tuple[int, ...]
    shared: tuple[int, ...]
    quality: float


@dataclass(frozen=True, slots=True, eq=False)
class ClusterEvidence:
    """A cluster and the ways to put its fragments together.

    Attributes:
        objects: float64 (S, 27), the evidence of each object that occurs in a way.
        shared: float64 (F, 5), the evidence of each fragment's being shared; zeros where it cannot be.
        ways: At least one.
        chromosomes: How many there are in truth, 1 or more.
    """

    objects: NDArray[np.float64]
    shared: NDArray[np.float64]
    ways: tuple[Way, ...]
    chromosomes: int


def weigh_ways(
    fragments: Fragments, width: float, overlap: Overlap, strict: float, most: int, rng: np.random.Generator
) -> ClusterEvidence | None:
    """Weigh the ways to put a cluster together.

    Args:
        fragments: Of the cluster.
        width: Typical width of a chromosome, pixels.
        overlap: Compares sets of fragments with the true chromosomes.
        strict: Overlap from which on an object begins to count as found well.
        most: How many ways are kept.
        rng: Chooses which ways are looked at where there are too many.

    Returns:
        Its evidence; None where it has too few or too many fragments.
    """
    if not 2 <= fragments.count <= _MOST_FRAGMENTS:
        return None
    sets = [item.members for item in propose_objects(fragments, width, lambda members: 0.0)]
    sharing = [gather_shared_evidence(fragments, index, width) for index in range(fragments.count)]
    found = _find_ways(sets, [values is not None for values in sharing], rng)
    table = overlap(sets)
    ways = [Way(objects, shared, _quality(table[list(objects)], strict)) for objects, shared in found]
    ways = _choose_some(ways, most, rng)
    used = sorted({place for way in ways for place in way.objects})
    position = {place: index for index, place in enumerate(used)}
    return ClusterEvidence(
        objects=np.array([gather_evidence(fragments, sets[place], width) for place in used]),
        shared=np.array([np.zeros(5) if values is None else values for values in sharing]),
        ways=tuple(Way(tuple(position[place] for place in way.objects), way.shared, way.quality) for way in ways),
        chromosomes=table.shape[1],
    )


def _find_ways(
    sets: list[frozenset[int]], shareable: list[bool], rng: np.random.Generator
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Cover all fragments by sets, at most two of them twice: positions of the sets, and the fragments shared."""
    holding = [[place for place, members in enumerate(sets) if index in members] for index in range(len(shareable))]
    found: dict[frozenset[int], tuple[int, ...]] = {}
    waiting: list[tuple[tuple[int, ...], tuple[int, ...]]] = [((), (0,) * len(shareable))]
    for _ in range(_MOST_STEPS):
        if not waiting:
            break
        chosen, covered = waiting.pop()
        if all(covered):
            found[frozenset(chosen)] = tuple(index for index, times in enumerate(covered) if times == 2)
            continue
        options = holding[covered.index(0)]
        for place in rng.permutation(len(options)).tolist():
            after = tuple(times + (index in sets[options[place]]) for index, times in enumerate(covered))
            twice = [index for index, times in enumerate(after) if times > 1]
            if len(twice) <= 2 and all(after[index] == 2 and shareable[index] for index in twice):
                waiting.append(((*chosen, options[place]), after))
    return [(tuple(sorted(chosen)), shared) for chosen, shared in found.items()]


def _choose_some(ways: list[Way], most: int, rng: np.random.Generator) -> list[Way]:
    """Keep the best ways and a random choice of the others."""
    if len(ways) <= most:
        return ways
    ranked = sorted(ways, key=lambda way: -way.quality)
    others = rng.choice(len(ranked) - _KEPT_BEST, most - _KEPT_BEST, replace=False) + _KEPT_BEST
    return ranked[:_KEPT_BEST] + [ranked[place] for place in np.sort(others).tolist()]


def _quality(table: NDArray[np.float64], strict: float) -> float:
    """Say how right objects (rows) are by their overlap with the true chromosomes (columns)."""
    matched = match_overlaps(table)
    loose, well = np.clip((matched - 0.4) / 0.2, 0, 1), np.clip((matched - strict) / 0.14, 0, 1)
    spurious = len(table) - int(np.count_nonzero(matched >= 0.5))
    return float(np.sum(0.4 * matched + 0.3 * loose + 0.3 * well) - _SPURIOUS * spurious) / max(len(matched), 1)
