"""Which chromosomes a cluster's fragments make up: the cheapest set of plausible objects that covers them all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from karyo.imaging.split.fragments import Fragments
from karyo.imaging.split.likeness import gather_evidence, gather_shared_evidence, load_likeness

_MOST_PIECES = 6
"""Fragments that one chromosome may be in."""

_LARGEST = 12.0
"""Area of the largest chromosome in squares of the typical width."""

_GROWN_PER_FRAGMENT = 2
"""How many of the likeliest sets are tried with one more fragment, for each fragment of the cluster."""

_BEAM = 60
"""How many partial answers are kept while fragment after fragment is covered."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A set of fragments that may be one chromosome.

    Attributes:
        members: Indices of its fragments.
        cost: What it costs to believe in it; may be negative.
    """

    members: frozenset[int]
    cost: float


def choose_objects(fragments: Fragments, width: float) -> list[Candidate]:
    """Find the cheapest objects that cover every fragment.

    Fragments that lie between others, as the middle of a crossing does, may belong to two objects.

    Args:
        fragments: Of one cluster.
        width: Typical width of a chromosome, pixels.

    Returns:
        The objects.
    """
    likeness = load_likeness()

    def price(members: frozenset[int]) -> float:
        return likeness.object_cost(gather_evidence(fragments, members, width))

    return cheapest_cover(propose_objects(fragments, width, price), _price_sharing(fragments, width))


def cheapest_cover(candidates: Sequence[Candidate], share_costs: Sequence[float | None]) -> list[Candidate]:
    """Cover fragments by candidates as cheaply as a beam search finds it.

    Args:
        candidates: At least one for each fragment.
        share_costs: For each fragment the cost of giving it to two objects; None where that may not be.

    Returns:
        The chosen candidates; each fragment is in one of them or, where it may be shared, in one or two.
    """
    by_member = [[item for item in candidates if index in item.members] for index in range(len(share_costs))]
    least = [min(item.cost / len(item.members) for item in items) for items in by_member]
    states: dict[tuple[int, ...], tuple[float, tuple[Candidate, ...]]] = {(0,) * len(share_costs): (0.0, ())}
    for index, items in enumerate(by_member):
        following: dict[tuple[int, ...], tuple[float, tuple[Candidate, ...]]] = {}
        for covered, (cost, chosen) in states.items():
            for item in [None] if covered[index] else items:
                price = 0.0 if item is None else _added_cost(item, covered, share_costs)
                if price is None:
                    continue
                after = covered if item is None else _cover(covered, item)
                if after not in following or cost + price < following[after][0]:
                    following[after] = cost + price, chosen if item is None else (*chosen, item)
        # Answers that have covered more are dearer so far: what the rest will cost at least makes them comparable.
        hopes = {
            covered: cost + sum(value for value, times in zip(least, covered, strict=True) if not times)
            for covered, (cost, _) in following.items()
        }
        states = {covered: following[covered] for covered in sorted(following, key=hopes.__getitem__)[:_BEAM]}
    return list(min(states.values(), key=lambda state: state[0])[1])


def propose_objects(fragments: Fragments, width: float, price: Callable[[frozenset[int]], float]) -> list[Candidate]:
    """Price connected sets of fragments, growing the likeliest ones fragment by fragment.

    Args:
        fragments: Of one cluster.
        width: Typical width of a chromosome, pixels.
        price: What it costs to believe that a set is one chromosome.

    Returns:
        The sets, the smaller ones first; every single fragment is among them.
    """
    neighbours: list[set[int]] = [set() for _ in range(fragments.count)]
    for first, second in fragments.borders:
        neighbours[first].add(second)
        neighbours[second].add(first)
    layer = {frozenset([index]) for index in range(fragments.count)}
    candidates: list[Candidate] = []
    for _ in range(_MOST_PIECES):
        priced = [Candidate(members, price(members)) for members in sorted(layer, key=sorted)]
        candidates += priced
        grown = sorted(priced, key=lambda item: item.cost)[: _GROWN_PER_FRAGMENT * fragments.count]
        layer = {item.members | {other} for item in grown for index in item.members for other in neighbours[index]}
        layer = {
            members
            for members in layer - {item.members for item in grown}
            if fragments.areas[sorted(members)].sum() <= _LARGEST * width**2
        }
        if not layer:
            break
    return candidates


def _cover(covered: tuple[int, ...], item: Candidate) -> tuple[int, ...]:
    """Count an object's fragments as covered once more."""
    return tuple(times + (index in item.members) for index, times in enumerate(covered))


def _added_cost(item: Candidate, covered: tuple[int, ...], share_costs: Sequence[float | None]) -> float | None:
    """Price an object beside those chosen; None if it would share what cannot be shared."""
    cost = item.cost
    for index in item.members:
        if covered[index]:
            share = share_costs[index]
            if share is None or covered[index] > 1:
                return None
            cost += share
    return cost


def _price_sharing(fragments: Fragments, width: float) -> list[float | None]:
    """Price each fragment's belonging to two objects; None where it cannot."""
    evidence = [gather_shared_evidence(fragments, index, width) for index in range(fragments.count)]
    likeness = load_likeness()
    return [None if values is None else likeness.shared_cost(values) for values in evidence]
