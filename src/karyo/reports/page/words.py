"""What a comparison found, in sentences: the summary at the top of its page."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from karyo.reports.comparison import Board, Comparison, Contender, Duel, Mean, RunResult
from karyo.reports.fields import magnitude, percent

NEAR = 0.01
"""A setting this close to the best in validation accuracy is named if it costs less."""

_STATUS_ORDER = ("finished", "running", "interrupted", "pruned", "failed", "unknown")


@dataclass(frozen=True, slots=True)
class Card:
    """A number to be seen first.

    Attributes:
        title: What it is.
        value: The number.
        note: What it rests on.
    """

    title: str
    value: str
    note: str


def runs_of(comparison: Comparison) -> list[RunResult]:
    """Give every run of a comparison, in the order of its boards."""
    return [run for board in comparison.boards for contender in board.contenders for run in contender.runs]


def count(number: int, noun: str) -> str:
    """Write ``1 run``, ``2 runs``, ``1,204 images``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def statuses(runs: Iterable[RunResult]) -> str:
    """Say what became of runs: ``41 finished, 2 failed, 1 pruned``."""
    numbers = Counter(run.status for run in runs)
    known = [status for status in _STATUS_ORDER if numbers[status]] + sorted(set(numbers) - set(_STATUS_ORDER))
    return ", ".join(f"{numbers[status]:,} {status}" for status in known) or "none"


def leader(board: Board) -> Contender | None:
    """Give the best contender of a board; None if nobody has a rank."""
    return next((contender for contender in board.contenders if contender.rank == 1), None)


def cards(board: Board) -> tuple[Card, ...]:
    """Give the numbers to be seen first: the best setting, its accuracies, whether its lead is real, the runs."""
    runs = [run for contender in board.contenders for run in contender.runs]
    finished = sum(run.status == "finished" for run in runs)
    done = Card("runs finished", f"{finished:,} of {len(runs):,}", statuses(runs))
    best = leader(board)
    if best is None:
        return (done,)
    test = Card("test accuracy of the best", percent(best.test.value), interval_note(best.test))
    validation = Card("its validation accuracy", percent(best.validation.value), interval_note(best.validation))
    return tuple(card for card in (test, validation, _lead(board, best), done) if card)


def sentences(board: Board) -> tuple[str, ...]:
    """Say what won, by how much, whether that is more than chance, and what would do nearly as well for less."""
    best = leader(board)
    if best is None:
        return (_nobody(board),)
    behind = [contender for contender in board.contenders if contender.rank is not None and contender is not best]
    duel = _duel_against(board.duels, behind[0].key) if behind else None
    found = [_won(best, behind), _by_cell(best), duel.verdict if duel else "", _alike(board), _cheaper(best, behind)]
    return tuple(sentence for sentence in found if sentence)


def overall(comparison: Comparison) -> str:
    """Say what was compared."""
    runs = runs_of(comparison)
    settings = sum(len(board.contenders) for board in comparison.boards)
    if not runs:
        return "No run was found."
    return f"{count(len(runs), 'run')} of {count(settings, 'setting')}: {statuses(runs)}."


def interval_note(mean: Mean) -> str:
    """Say where a mean lies and what its interval rests on."""
    repetitions = count(mean.count, "repetition") if mean.count > 1 else ""
    if mean.low is None or mean.high is None:
        return f"mean of {repetitions}" if repetitions else "one run"
    limits = f"{100 * mean.low:.1f}–{100 * mean.high:.1f} %"
    return f"{limits} over {repetitions}" if repetitions else f"{limits} over cells"


def _nobody(board: Board) -> str:
    finished = any(contender.finished for contender in board.contenders)
    if finished:
        return "Nothing is ranked here: the records do not say which images the runs saw."
    return "No run has finished yet, so that there is nothing to rank; what the runs have reached so far is below."


def _won(best: Contender, behind: Sequence[Contender]) -> str:
    value = best.validation.value or 0.0
    text = f"{best.label} is best on the validation side with {percent(value)}"
    if not behind:
        return f"{text}; it is the only setting that finished."
    second = behind[0]
    lead = value - (second.validation.value or 0.0)
    if second.rank == 1:
        return f"{text}, together with {second.label}."
    return f"{text}, {_points(lead)} ahead of {second.label}."


def _by_cell(best: Contender) -> str:
    """Say what deciding each cell together is worth, where that was measured."""
    if best.assigned.value is None or best.test.value is None:
        return ""
    text = f"With each cell's chromosomes decided together it is right on {percent(best.assigned.value)} of the test"
    text += f" side, and on {percent(best.test.value)} with each alone"
    cells = best.cells_right.value
    return f"{text}." if cells is None else f"{text}; {percent(cells)} of the cells are right in full."


def _points(share: float) -> str:
    points = f"{100 * share:.1f}" if share >= 0.0005 else f"{100 * share:.2f}"
    return f"{points} percentage point{'' if points == '1.0' else 's'}"


def _alike(board: Board) -> str:
    """Count those behind the best that cannot be told from it."""
    alike = sum(not duel.real for duel in board.duels)
    if len(board.duels) < 2:
        return ""
    if not alike:
        return f"Its lead over each of the next {len(board.duels)} is more than chance."
    if alike == len(board.duels):
        return f"None of the next {alike} settings can be told from it on these test images."
    return f"Of the next {len(board.duels)} settings, {alike} cannot be told from it on these test images."


def _cheaper(best: Contender, behind: Sequence[Contender]) -> str:
    """Name the setting of fewest weights that is nearly as good."""
    if best.parameters is None or best.validation.value is None:
        return ""
    least = best.validation.value - NEAR
    near = [it for it in behind if it.parameters is not None and (it.validation.value or 0.0) >= least]
    smallest = min(near, key=lambda it: it.parameters or 0, default=None)
    if smallest is None or (smallest.parameters or 0) > 0.9 * best.parameters:
        return ""
    return (
        f"Nearly as good with fewer weights: {smallest.label} reaches {percent(smallest.validation.value)} "
        f"with {magnitude(smallest.parameters)} instead of {magnitude(best.parameters)}."
    )


def _lead(board: Board, best: Contender) -> Card | None:
    duel = next((duel for duel in board.duels if duel.first_key == best.key), None)
    if duel is None:
        return None
    value = f"{100 * duel.difference:+.1f}".replace("-", "−") + " points"
    return Card("test lead over the second", value, "more than chance" if duel.real else "may be chance")


def _duel_against(duels: Sequence[Duel], key: str) -> Duel | None:
    return next((duel for duel in duels if duel.second_key == key), None)
