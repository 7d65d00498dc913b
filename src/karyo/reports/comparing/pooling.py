"""A setting's folds put together: measures of all its test images at once, with intervals from resampling units.

Each image counts once, whatever number of repetitions (seeds) answered it: with the share of them that was right. What
is drawn with replacement is what the split kept together (:mod:`karyo.evaluation.bootstrap`), over all folds at once:
the interval says how much depends on the patients or cells that happened to be there. Folds share most of their
training images, which it does not know of (Bengio & Grandvalet, J. Mach. Learn. Res. 5, 2004).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean, stdev

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.evaluation.bootstrap import bootstrap_intervals, cluster_numbers
from karyo.evaluation.measure import estimate
from karyo.reports.comparing.answered import TRAY, Answered, read_answered
from karyo.reports.comparing.crossed import ASSIGNED, IN_CELL, MEASURES, SINGLE, CrossValidation, Scores, Spread
from karyo.reports.comparing.result import Board, Contender, RunResult
from karyo.reports.fields import number_at, text_at

RESAMPLES = 2000

Floats = NDArray[np.float64]
_Counts = dict[str, Floats]
"""Counts of each unit, float64 (U,) or (U, 24), by name."""


def pool_board(board: Board, seed: int = 0) -> tuple[Board, list[str]]:
    """Put the folds of each cross-validated setting of a board together.

    Args:
        board: Any board.
        seed: Of the bootstrap; same seed, same intervals.

    Returns:
        The board with its cross-validations, in its order; and one sentence for each file that could not be used.
    """
    problems: list[str] = []
    found = [pool_folds(contender, seed, problems) for contender in board.contenders]
    return replace(board, crossed=tuple(each for each in found if each is not None)), problems


def pool_folds(contender: Contender, seed: int, problems: list[str]) -> CrossValidation | None:
    """Put the folds of a setting together.

    Args:
        contender: The setting.
        seed: Of the bootstrap.
        problems: Gets a sentence for each file that cannot be used.

    Returns:
        None where fewer than two different folds have finished and left their predictions.
    """
    runs = [run for run in contender.finished if run.settings.get("data.folds")]
    if len({_fold(run) for run in runs}) < 2:
        return None
    read = [(run, answers) for run in runs if (answers := read_answered(run, problems)) is not None]
    by_fold: defaultdict[int, list[Answered]] = defaultdict(list)
    for run, answers in read:
        by_fold[_fold(run)].append(answers)
    if len(by_fold) < 2:
        return None
    answered = [answers for _, answers in read]
    level = text_at(read[0][0].record, "data", "split_by") or text_at(read[0][0].record, "split_by")
    ways = _ways(answered)
    units = _units(answered, level)
    scores = {
        unit: {way: _scores(answered, way, numbers, level != "image", seed) for way in ways}
        for unit, numbers in units.items()
    }
    named = {pair for answers in answered for pair in zip(answers.cases, answers.cells, strict=True)}
    label_of = {path: label for each in answered for path, label in zip(each.paths, each.labels.tolist(), strict=True)}
    support = Counter(label_of.values())
    return CrossValidation(
        key=contender.key,
        label=contender.label,
        folds=tuple(sorted(by_fold)),
        expected=_expected(read[0][0]),
        runs=len(read),
        images=len(label_of),
        cells=sum(cell is not None for _, cell in named),
        resampled={unit: int(numbers.max()) + 1 for unit, numbers in units.items()},
        scores=scores,
        spread={way: _spread(by_fold, way, level != "image") for way in ways},
        support=tuple(support[label] for label in range(len(CLASSES))),
    )


def _fold(run: RunResult) -> int:
    value = run.settings.get("data.fold")
    return value if isinstance(value, int) else 0


def _expected(run: RunResult) -> int | None:
    """Give the number of folds, from the setting or from the list that fixes them."""
    folds = run.settings.get("data.folds")
    count = folds if isinstance(folds, int) else number_at(run.record, "data", "folds", "count")
    return None if count is None else round(count)


def _ways(answered: Sequence[Answered]) -> tuple[str, ...]:
    """Name the ways that every run has: a mean over some folds would be of other images."""
    has = {
        IN_CELL: all(answers.in_cell is not None for answers in answered),
        ASSIGNED: all(answers.assigned is not None for answers in answered),
    }
    return (SINGLE, *(way for way, everywhere in has.items() if everywhere))


def _units(answered: Sequence[Answered], level: str) -> dict[str, NDArray[np.int64]]:
    """Number the units of all answers, int64 (A,): those that the split kept together, and cells below cases."""
    paths = [path for answers in answered for path in answers.paths]
    cells = [cell for answers in answered for cell in answers.cells]
    cases = [case for answers in answered for case in answers.cases]
    known: dict[str, list[str]] = {}
    if level == "case" and all(case is not None for case in cases):
        known["case"] = [str(case) for case in cases]
    if all(cell is not None for cell in cells):
        # Cells of two cases may have the same name.
        known["cell"] = [f"{case}\0{cell}" for case, cell in zip(cases, cells, strict=True)]
    names = known or {"image": paths}
    return {unit: cluster_numbers(each) for unit, each in names.items()}


def _scores(answered: Sequence[Answered], way: str, units: NDArray[np.int64], whole: bool, seed: int) -> Scores:
    """Measure one way, with intervals from resampling units."""
    counts = _count(answered, way, units, whole)
    number = len(counts["images"])
    once = _measures(np.ones((1, number)), counts)
    intervals = bootstrap_intervals(
        lambda weights: _measures(weights, counts), np.arange(number, dtype=np.int64), RESAMPLES, seed
    )
    found = {name: estimate(float(values[0]), intervals.get(name)) for name, values in once.items()}
    recalls = tuple(found[f"recall {label}"] for label in range(len(CLASSES)))
    return Scores(found["accuracy"], found["macro_f1"], found["cells_right"], recalls)


def _count(answered: Sequence[Answered], way: str, units: NDArray[np.int64], whole: bool) -> _Counts:
    """Count images, right ones, those called each class, and cells of each unit; of two answers each counts half."""
    labels = np.concatenate([answers.labels for answers in answered])
    said = np.concatenate([_said(answers, way) for answers in answered])
    paths = [path for answers in answered for path in answers.paths]
    times = Counter(paths)
    weights = np.array([1 / times[path] for path in paths])
    number, classes = int(units.max()) + 1, len(CLASSES)

    def table(columns: NDArray[np.int64], chosen: NDArray[np.bool_]) -> Floats:
        places = units[chosen] * classes + columns[chosen]
        # Without any image numpy would count whole numbers.
        return np.bincount(places, weights[chosen], number * classes).reshape(number, classes).astype(np.float64)

    right = np.equal(labels, said)
    counts = {
        "support": table(labels, np.ones(len(labels), np.bool_)),
        "right": table(labels, right),
        "called": table(said, said != TRAY),
    }
    counts["images"] = counts["support"].sum(axis=1)
    counts["cells"], counts["cells right"] = _count_cells(answered, right, units, number, whole)
    return counts


def _count_cells(
    answered: Sequence[Answered], right: NDArray[np.bool_], units: NDArray[np.int64], number: int, whole: bool
) -> tuple[Floats, Floats]:
    """Count the cells of each unit and those right in full, float64 (U,) each; a cell that two runs answered once."""
    cells, good = np.zeros(number), np.zeros(number)
    if not whole or any(cell is None for answers in answered for cell in answers.cells):
        return cells, good
    found: defaultdict[tuple[str | None, str | None], list[bool]] = defaultdict(list)
    unit_of: dict[tuple[str | None, str | None], int] = {}
    start = 0
    for answers in answered:
        names = list(zip(answers.cases, answers.cells, strict=True))
        own: dict[tuple[str | None, str | None], bool] = {}
        for place, name in enumerate(names, start=start):
            own[name] = own.get(name, True) and bool(right[place])
            unit_of[name] = int(units[place])
        for name, all_right in own.items():
            found[name].append(all_right)
        start += len(names)
    for name, shares in found.items():
        cells[unit_of[name]] += 1
        good[unit_of[name]] += fmean(shares)
    return cells, good


def _said(answers: Answered, way: str) -> NDArray[np.int64]:
    said = {IN_CELL: answers.in_cell, ASSIGNED: answers.assigned}.get(way)
    return answers.single if said is None else said


def _measures(weights: Floats, counts: _Counts) -> dict[str, Floats]:
    """Give the measures of (R,) samples in which each unit stands ``weights`` (R, U) times; NaN of nothing."""
    sums = {name: weights @ values for name, values in counts.items()}
    recalls = _divided(sums["right"], sums["support"])
    f1 = _divided(2 * sums["right"], sums["support"] + sums["called"])
    found = {
        "accuracy": _divided(sums["right"].sum(axis=1), sums["images"]),
        "macro_f1": _divided(np.nansum(f1, axis=1), (~np.isnan(f1)).sum(axis=1).astype(np.float64)),
        "cells_right": _divided(sums["cells right"], sums["cells"]),
    }
    return found | {f"recall {label}": recalls[:, label] for label in range(len(CLASSES))}


def _divided(numerator: Floats, denominator: Floats) -> Floats:
    quotient = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient


def _spread(by_fold: Mapping[int, Sequence[Answered]], way: str, whole: bool) -> dict[str, Spread]:
    """Give mean and deviation over folds of each measure."""
    values: defaultdict[str, list[float]] = defaultdict(list)
    for fold in sorted(by_fold):
        as_one = [_count([each], way, np.zeros(len(each.paths), np.int64), whole) for each in by_fold[fold]]
        runs = [_measures(np.ones((1, 1)), counts) for counts in as_one]
        for measure in MEASURES:
            known = [float(run[measure][0]) for run in runs if not np.isnan(run[measure][0])]
            values[measure] += [fmean(known)] if known else []
    return {measure: _spread_of(values[measure]) for measure in MEASURES}


def _spread_of(values: Iterable[float]) -> Spread:
    known = tuple(values)
    return Spread(fmean(known) if known else None, stdev(known) if len(known) > 1 else None, known)
