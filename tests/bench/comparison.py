"""One line of the benchmark: a figure of ours beside a peer's, from rounds that took turns."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Round = tuple[float, float]
"""What ours and what the peer needed in one round, in the same unit (seconds, megabytes)."""


@dataclass(frozen=True)
class Comparison:
    """A row of the table.

    Attributes:
        what: What is measured.
        ours: Our figure with its unit.
        peer: The peer's name and figure; a dash where there is none.
        ratio: How many times better than the peer, as "median (least to most)"; a dash where there is no peer.
        target: What is asked for; a dash where nothing is.
        met: Whether it is reached; None where nothing is asked for.
    """

    what: str
    ours: str
    peer: str = "–"
    ratio: str = "–"
    target: str = "–"
    met: bool | None = None


def skipped(what: str, reason: str, target: str) -> Comparison:
    """Say why something was not measured."""
    return Comparison(what, f"not measured: {reason}", target=target)


def take_turns(ours: Callable[[], float], peer: Callable[[], float], rounds: int) -> list[Round]:
    """Measure both alternately, so that whatever else the machine does falls on both; a first round is not counted."""
    return [(ours(), peer()) for _ in range(rounds + 1)][1:]


def ratios(rounds: Sequence[Round]) -> list[float]:
    """Say for each round how many times less than the peer ours needed."""
    return [peer / ours for ours, peer in rounds]


def shown(values: Sequence[float]) -> str:
    """Write a ratio as its median, with the least and the most of the rounds behind it."""
    middle = statistics.median(values)
    return f"{middle:.2f}" if len(values) < 2 else f"{middle:.2f} ({min(values):.2f} to {max(values):.2f})"


def medians(rounds: Sequence[Round]) -> Round:
    """Give the median of ours and of the peer's."""
    return statistics.median(ours for ours, _ in rounds), statistics.median(peer for _, peer in rounds)
