"""Settings as changes of a baseline: what each change is worth, paired on the same test images."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from karyo.errors import SettingsError
from karyo.evaluation.measure import Estimate
from karyo.reports.comparing.crossed import ASSIGNED, SINGLE, Ablation, Change
from karyo.reports.comparing.duels import Answers, pair, paired_interval, read_answers
from karyo.reports.comparing.result import Board, Contender, Mean
from karyo.reports.fields import text_at

_NOT_CHANGES = ("run",)
"""Names that tell settings apart without being a setting."""


def with_ablation(board: Board, baseline: str | None, seed: int = 0) -> tuple[Board, list[str]]:
    """Say what each setting of a board is worth beside the baseline.

    Args:
        board: Any board.
        baseline: Label of the setting, or name of one of its runs' directories. None for the setting from which every
            other differs in one thing, of several such the one that was begun first; boards without one are left alone.
        seed: Of the bootstrap.

    Returns:
        The board with its ablation, if there is one; and one sentence for each file that could not be used.
    """
    finished = [contender for contender in board.contenders if contender.finished]
    base = _find_baseline(finished, baseline) if len(finished) > 1 else None
    if base is None:
        return board, []
    problems: list[str] = []
    own = read_answers(base, problems)
    singles = {each.key: each.own[SINGLE].accuracy for each in board.crossed}
    together = {each.key: each.own[ASSIGNED].accuracy for each in board.crossed if ASSIGNED in each.own}
    changes = [
        Change(
            key=each.key,
            label=each.label,
            change=", ".join(_changes(base, each)),
            single=singles.get(each.key) or _as_estimate(each.test),
            difference=Estimate(None) if each is base else _difference(read_answers(each, problems), own, seed),
            assigned=together.get(each.key) or _as_estimate(each.assigned),
            seconds=each.seconds,
        )
        for each in finished
    ]
    return replace(board, ablation=Ablation(base.label, tuple(sorted(changes, key=_order)))), problems


def check_baseline(boards: Sequence[Board], baseline: str | None) -> None:
    """Refuse a baseline that no board has.

    Raises:
        SettingsError: Naming what there is.
    """
    if baseline is None or any(_find_baseline(board.contenders, baseline) for board in boards):
        return
    labels = [f"“{contender.label}”" for board in boards for contender in board.contenders]
    shown = ", ".join(labels[:5]) + (f" and {len(labels) - 5} more" if len(labels) > 5 else "")
    raise SettingsError(f"--baseline {baseline!r} is no setting here; there are {shown or 'none'}")


def _find_baseline(contenders: Sequence[Contender], baseline: str | None) -> Contender | None:
    if baseline is not None:
        named = [each for each in contenders if baseline == each.label or baseline in [run.name for run in each.runs]]
        return named[0] if named else None
    centres = [
        each
        for each in contenders
        if all(len(_changes(each, other)) == 1 for other in contenders if other is not each)
        and not set(each.values) & set(_NOT_CHANGES)
    ]
    return min(centres, key=_begun, default=None)


def _begun(contender: Contender) -> tuple[str, str]:
    return min(text_at(run.record, "started") or "~" for run in contender.runs), contender.label


def _changes(base: Contender, other: Contender) -> list[str]:
    """Name in what a setting differs from the baseline, ``augmentation=none``."""
    return [f"{name}={value or 'null'}" for name, value in other.values.items() if value != _at(base.values, name)]


def _at(values: Mapping[str, str], name: str) -> str:
    return values.get(name, "")


def _difference(answers: Answers, base: Answers, seed: int) -> Estimate:
    """Give the paired difference on common images, with its interval from resampling cells."""
    pairing = pair(answers, base)
    if pairing is None:
        return Estimate(None)
    gaps = pairing.first - pairing.second
    low, high = paired_interval(gaps, pairing.clusters, seed)
    return Estimate(float(gaps.mean()), low, high)


def _as_estimate(mean: Mean) -> Estimate:
    return Estimate(mean.value, mean.low, mean.high)


def _order(change: Change) -> tuple[bool, float, str]:
    value = change.difference.value
    return bool(change.change), 2.0 if value is None else -value, change.label
