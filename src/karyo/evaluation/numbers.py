"""How often an abnormal number of chromosomes is found, and how often a normal cell is called abnormal.

Every cell of a pool (:mod:`karyo.evaluation.planting`) is decided as it is and with each change that can be planted in
it. A change is *found* where the call is abnormal and names the changed chromosome with its new number. Cells by
themselves are tried with changes only where all of that chromosome are there: one more of what had lost one looks like
a normal cell to anybody. Cases, all cells of a patient with the same change, are tried with what is left of every cell.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.evaluation.bootstrap import bootstrap_intervals, cluster_numbers
from karyo.evaluation.planting import Change, KnownCell, Pool
from karyo.evaluation.shares import wilson_interval
from karyo.inference.sizes import SizeNorms
from karyo.karyotype.case import judge_votes
from karyo.karyotype.cell import MOST_COPIES
from karyo.karyotype.clones import CELLS_WITH_GAIN, CELLS_WITH_LOSS, Vote
from karyo.karyotype.decision import decide_cell
from karyo.karyotype.iscn import is_normal, iscn_of, normal_copies

NORMAL = "normal"
"""The kind of what has no change."""

KINDS: tuple[str, ...] = (NORMAL, "trisomy", "monosomy", "sex chromosomes")
"""What is tried, in the order of tables."""

LEVELS: tuple[str, ...] = ("cell", "case")
"""What is called: each cell by itself, or a patient by all cells."""

LEAST_CELLS = CELLS_WITH_LOSS
"""Cases of fewer cells are not tried."""

_Y = CLASSES.index("Y")


Numbers = tuple[int, ...]
"""24 numbers of copies."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a way of deciding says about a cell.

    Attributes:
        numbers: Its copies.
        posteriors: float64 (24, MOST_COPIES + 1), rows sum to 1.
        placed: How many objects have a place.
    """

    numbers: Numbers
    posteriors: NDArray[np.float64]
    placed: int


Way = Callable[[NDArray[np.float64], NDArray[np.float64] | None, SizeNorms | None], Answer]
"""From probabilities (N, 24), sizes (N, 3) or None, and the usual sizes or None, to an answer."""

Judge = Callable[[Sequence[Answer]], Sequence[Numbers]]
"""From the answers about the cells of a case to its abnormal clones."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One call.

    Attributes:
        level: One of :data:`LEVELS`.
        way: Who decided, a name in :data:`WAYS`.
        case: The patient.
        cell: The cell; the case's name for a case.
        change: What was planted; None for nothing.
        abnormal: Whether it was called abnormal.
        found: Whether what was planted was named.
    """

    level: str
    way: str
    case: str
    cell: str
    change: Change | None
    abnormal: bool
    found: bool

    @property
    def kind(self) -> str:
        """One of :data:`KINDS`."""
        return NORMAL if self.change is None else self.change.kind


@dataclass(frozen=True, slots=True)
class Share:
    """How often a call was abnormal, and how often right.

    Attributes:
        level: One of :data:`LEVELS`.
        way: Who decided.
        kind: One of :data:`KINDS`.
        change: ``"+21"`` where only that change is counted, else None.
        tries: How many calls.
        abnormal: How many of them were abnormal.
        right: Of a change how many found it; of normal ones how many were not abnormal.
        low: Lower end of the 95 % interval of ``right / tries``.
        high: Upper end.
    """

    level: str
    way: str
    kind: str
    change: str | None
    tries: int
    abnormal: int
    right: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Sensitivity for a change, specificity for normal ones, 0..1."""
        return self.right / max(self.tries, 1)

    def to_dict(self) -> dict[str, Any]:
        """Give everything as primitives."""
        names = ("level", "way", "kind", "change", "tries", "abnormal", "right", "low", "high", "share")
        return {name: getattr(self, name) for name in names}


def together(
    probabilities: NDArray[np.float64], sizes: NDArray[np.float64] | None = None, norms: SizeNorms | None = None
) -> Answer:
    """Decide all objects of a cell together (:func:`karyo.karyotype.decision.decide_cell`)."""
    decision = decide_cell(probabilities, sizes, norms)
    return Answer(decision.call.copies, decision.copies, int((decision.labels >= 0).sum()))


def counted(
    probabilities: NDArray[np.float64], sizes: NDArray[np.float64] | None = None, norms: SizeNorms | None = None
) -> Answer:
    """Count the most probable class of each object, what anybody would do first; sizes are not looked at."""
    counts = np.bincount(probabilities.argmax(axis=1), minlength=len(CLASSES)) if len(probabilities) else np.zeros(24)
    return _sure([int(number) for number in counts], len(probabilities))


def counted_gains(
    probabilities: NDArray[np.float64], sizes: NDArray[np.float64] | None = None, norms: SizeNorms | None = None
) -> Answer:
    """Count likewise, but take whatever is missing for lost in the preparation."""
    answer = counted(probabilities)
    normal = normal_copies("XY" if answer.numbers[_Y] else "XX")
    return _sure([max(pair) for pair in zip(answer.numbers, normal, strict=True)], len(probabilities))


def vote(answers: Sequence[Answer]) -> list[Numbers]:
    """Let cells vote by their probabilities (:func:`karyo.karyotype.case.judge_votes`): the abnormal clones."""
    votes = [Vote(f"{i}", each.posteriors, iscn_of(each.numbers), each.placed) for i, each in enumerate(answers)]
    return [clone.copies for clone in judge_votes(votes).clones if not is_normal(clone.copies)]


def vote_by_counts(answers: Sequence[Answer]) -> list[Numbers]:
    """Apply ISCN's rule for clones to the cells' numbers as they are: two cells with a gain, three with a loss.

    Of each chromosome the most frequent unusual number that has enough cells is taken; all of them make one clone.
    """
    male = 2 * sum(bool(each.numbers[_Y]) for each in answers) > len(answers)
    found = list(normal_copies("XY" if male else "XX"))
    for label, normal in enumerate(found):
        often = Counter(each.numbers[label] for each in answers)
        for number, cells in reversed(often.most_common()):
            if number != normal and cells >= (CELLS_WITH_GAIN if number > normal else CELLS_WITH_LOSS):
                found[label] = number
    return [] if is_normal(found) else [tuple(found)]


WAYS: dict[str, tuple[Way, Judge]] = {
    "together": (together, vote),
    "counted": (counted, vote_by_counts),
    "counted, gains only": (counted_gains, vote_by_counts),
}
"""Who decides: names, how a cell is decided, and how the cells of a case."""


def measure_numbers(
    pool: Pool,
    ways: Mapping[str, tuple[Way, Judge]] = WAYS,
    seed: int = 0,
    advance: Callable[[], None] = lambda: None,
) -> list[Trial]:
    """Try every cell and case of a pool, as they are and with each change.

    Args:
        pool: The cells.
        ways: Who decides.
        seed: 0 or more; chooses which chromosomes are added and taken.
        advance: Called after each cell.

    Returns:
        All calls.
    """
    trials: list[Trial] = []
    of_cases: dict[tuple[str, str, Change | None], list[Answer]] = defaultdict(list)
    male = {cell.case: cell.male for cell in pool.cells}
    for cell in pool.cells:
        for change in (None, *pool.changes(cell)):
            rows = pool.planted(cell, change, seed)
            whole = change is None or pool.complete(cell, change.label)
            sizes = None if pool.sizes is None else pool.sizes[rows]
            for name, (way, _) in ways.items():
                answer = way(pool.probabilities[rows], sizes, cell.norms)
                of_cases[name, cell.case, change].append(answer)
                if whole:
                    abnormal = [] if is_normal(answer.numbers) else [answer.numbers]
                    trials.append(_trial("cell", name, cell, change, abnormal))
        advance()
    return [*trials, *_case_trials(of_cases, ways, male)]


def summarise(trials: Sequence[Trial], by_change: bool = False, resamples: int = 1000) -> list[Share]:
    """Count calls, with 95 % intervals.

    Where a cell or a patient was tried more than once, the interval is that of a bootstrap over cells, or patients
    where they are known; otherwise, and where all calls are right or all wrong, Wilson's.

    Args:
        trials: The calls.
        by_change: Whether to count each change by itself instead of all of a kind together.
        resamples: Of the bootstrap.

    Returns:
        The counts: cells before cases, in the order of :data:`KINDS` and of the classes.
    """
    groups: dict[tuple[str, str, str, str | None], list[Trial]] = defaultdict(list)
    order = sorted(trials, key=lambda each: (LEVELS.index(each.level), KINDS.index(each.kind), _place(each.change)))
    for each in order:
        groups[each.level, each.kind, each.way, str(each.change) if by_change and each.change else None].append(each)
    return [_share(key, group, resamples) for key, group in groups.items()]


def _share(key: tuple[str, str, str, str | None], trials: Sequence[Trial], resamples: int) -> Share:
    """Count the calls of a group."""
    level, kind, way, change = key
    right = np.array([each.found if each.change else not each.abnormal for each in trials])
    low, high = _interval(right, [each.case for each in trials], resamples)
    abnormal = sum(each.abnormal for each in trials)
    return Share(level, way, kind, change, len(trials), abnormal, int(right.sum()), low, high)


def _interval(right: NDArray[np.bool_], clusters: Sequence[str], resamples: int) -> tuple[float, float]:
    """Give the 95 % interval of a share of calls, some of the same patient."""
    numbers = cluster_numbers(clusters)
    if len(set(clusters)) in (1, len(clusters)) or right.all() or not right.any():
        return wilson_interval(int(right.sum()), len(right))
    found = bootstrap_intervals(
        lambda weights: {"share": weights @ right / weights.sum(axis=1)}, numbers, resamples=resamples
    )["share"]
    return wilson_interval(int(right.sum()), len(right)) if found is None else (found.low, found.high)


def _case_trials(
    of_cases: Mapping[tuple[str, str, Change | None], Sequence[Answer]],
    ways: Mapping[str, tuple[Way, Judge]],
    male: Mapping[str, bool],
) -> Iterator[Trial]:
    """Let the cells of each case vote."""
    for (way, case, change), answers in of_cases.items():
        if len(answers) >= LEAST_CELLS:
            cell = KnownCell(case, case, male[case], (), {})
            yield _trial("case", way, cell, change, ways[way][1](answers))


def _trial(level: str, way: str, cell: KnownCell, change: Change | None, abnormal: Sequence[Numbers]) -> Trial:
    """Judge a call by its abnormal clones."""
    found = change is not None and any(
        clone[change.label] == cell.normal(change.label) + change.step for clone in abnormal
    )
    return Trial(level, way, cell.case, cell.name, change, bool(abnormal), found)


def _sure(numbers: Iterable[int], placed: int) -> Answer:
    """Make an answer of numbers that are taken for certain."""
    bounded = tuple(min(number, 99) for number in numbers)
    posteriors = np.zeros((len(CLASSES), MOST_COPIES + 1))
    posteriors[np.arange(len(CLASSES)), np.minimum(bounded, MOST_COPIES)] = 1
    return Answer(bounded, posteriors, placed)


def _place(change: Change | None) -> tuple[int, int]:
    """Give what changes are sorted by."""
    return (-1, 0) if change is None else (change.label, -change.step)
