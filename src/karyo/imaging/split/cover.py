"""Which chromosomes a cluster's fragments make up: the cheapest set of plausible objects that covers them all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from karyo.imaging.split.fragments import Fragments
from karyo.imaging.split.likeness import gather_evidence, gather_shared_evidence, load_likeness

_MOST_PIECES = 6
"""Fragments that one chromosome may be in."""

_LARGEST = 12.0
"""Area of the largest chromosome in squares of the typical width."""

_GROWN_PER_FRAGMENT = 1
"""How many of the likeliest sets are tried with one more fragment, for each fragment of the cluster."""

_BEAM = 60
"""How many partial answers are kept while fragment after fragment is covered."""


@dataclass(frozen=True)
class Candidate:
    """A set of fragments that may be one chromosome.

    Attributes:
        members: Indices of its fragments.
        cost: What it costs to believe in it; may be negative.
    """

    members: frozenset[int]
    cost: float

    @cached_property
    def bits(self) -> int:
        """Its fragments as the ones of a binary number: sets of them are compared many thousand times."""
        return sum(1 << member for member in self.members)


@dataclass(frozen=True, slots=True)
class Reluctance:
    """What is charged beyond the likeness, where finding too many objects is worse than missing some.

    Attributes:
        each: Cost of every object.
        small: Cost of each square of the typical width that an object lacks to ``smallest``.
        smallest: Area in squares of the typical width.
    """

    each: float = 0.0
    small: float = 0.0
    smallest: float = 0.0

    def charge(self, area: float) -> float:
        """Give what an object of an area in squares of the typical width costs beyond its likeness."""
        return self.each + self.small * max(self.smallest - area, 0.0)


class _State(NamedTuple):
    """A partial answer: its cost, with what the rest will cost at least, and its objects."""

    cost: float
    hope: float
    chosen: tuple[Candidate, ...]


def choose_objects(fragments: Fragments, width: float, reluctance: Reluctance | None = None) -> list[Candidate]:
    """Find the cheapest objects that cover every fragment.

    Fragments that lie between others, as the middle of a crossing does, may belong to two objects.

    Args:
        fragments: Of one cluster.
        width: Typical width of a chromosome, pixels.
        reluctance: What is charged beyond the likeness; None for nothing.

    Returns:
        The objects.
    """
    likeness = load_likeness()
    reluctance = reluctance or Reluctance()

    def price(members: frozenset[int]) -> float:
        area = float(fragments.areas[sorted(members)].sum()) / width**2
        return likeness.object_cost(gather_evidence(fragments, members, width)) + reluctance.charge(area)

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
    states = {(0, 0): _State(0.0, sum(least), ())}
    for index, items in enumerate(by_member):
        following: dict[tuple[int, int], _State] = {}
        for (once, twice), state in states.items():
            if once >> index & 1:
                _keep_cheaper(following, (once, twice), state)
                continue
            for item in items:
                if item.bits & once & twice:
                    continue
                price = _added_cost(item, once, share_costs)
                if price is not None:
                    # Answers that have covered more are dearer so far: what the rest will cost at least makes them
                    # comparable.
                    hope = state.hope + price - sum(least[member] for member in item.members if not once >> member & 1)
                    after = once | item.bits, twice | (item.bits & once)
                    _keep_cheaper(following, after, _State(state.cost + price, hope, (*state.chosen, item)))
        states = dict(sorted(following.items(), key=lambda pair: pair[1].hope)[:_BEAM])
    return list(min(states.values(), key=lambda state: state.cost).chosen)


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


def _keep_cheaper(states: dict[tuple[int, int], "_State"], key: tuple[int, int], state: "_State") -> None:
    """Of two answers that cover the same, keep the cheaper one."""
    known = states.get(key)
    if known is None or state.cost < known.cost:
        states[key] = state


def _added_cost(item: Candidate, once: int, share_costs: Sequence[float | None]) -> float | None:
    """Price an object beside those chosen, which cover ``once``; None if it would share what cannot be shared."""
    cost = item.cost
    if item.bits & once:
        for member in item.members:
            if once >> member & 1:
                share = share_costs[member]
                if share is None:
                    return None
                cost += share
    return cost


def _price_sharing(fragments: Fragments, width: float) -> list[float | None]:
    """Price each fragment's belonging to two objects; None where it cannot."""
    evidence = [gather_shared_evidence(fragments, index, width) for index in range(fragments.count)]
    likeness = load_likeness()
    return [None if values is None else likeness.shared_cost(values) for values in evidence]
