"""Which settings may be ranked together, and their ranking."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from karyo.evaluation.measure import Estimate
from karyo.identity import REPETITIONS, run_key, setting_key
from karyo.reports.comparing.gather import fingerprint_of, scheme_of
from karyo.reports.comparing.means import average_of, mean_of, middle_of
from karyo.reports.comparing.naming import Values, label_of, name_settings
from karyo.reports.comparing.result import STATUSES, Board, Contender, Mean, RunResult
from karyo.reports.fields import number_at, settings_of, share_estimate_at, text_at

_EQUAL = 9
"""Decimals to which mean accuracies are compared: adding in another order makes no better setting."""

Setting = tuple[RunResult, ...]
"""All repetitions of one setting."""


def arrange(runs: Sequence[RunResult]) -> list[Board]:
    """Put runs on boards, each of settings that may be ranked together, and rank them.

    Settings may be ranked together that were trained on the same images, split in the same way, and are linked by
    common splits: two that share no fold and no draw of the split were tested on different images.

    Args:
        runs: Each once.

    Returns:
        Boards without duels, those of known images first, most contenders first. A run that died before it had looked
        at its images stands with the runs of the same data settings, if these are on one board.
    """
    linked = [group for alike in _by_images(runs).values() for group in _linked(_settings(alike))]
    boards = [_board(group) for group in _with_strays(linked)]
    return sorted(boards, key=lambda board: (not board.fingerprint, -len(board.contenders), board.title))


def _by_images(runs: Iterable[RunResult]) -> dict[tuple[str, ...], list[RunResult]]:
    """Group runs by their images and the scheme of their split."""
    groups: defaultdict[tuple[str, ...], list[RunResult]] = defaultdict(list)
    for run in runs:
        fingerprint = fingerprint_of(run)
        groups[(fingerprint, *scheme_of(run)) if fingerprint else ("",)].append(run)
    return dict(groups)


def _settings(runs: Iterable[RunResult]) -> list[Setting]:
    """Group runs by their setting."""
    groups: defaultdict[str, list[RunResult]] = defaultdict(list)
    for run in runs:
        groups[_key(run)].append(run)
    return [tuple(sorted(group, key=_repetition)) for group in groups.values()]


def _key(run: RunResult) -> str:
    """Give the key of a run's setting; without a configuration, of what was typed for it."""
    if run.settings:
        return setting_key(dict(run.settings))
    typed = {name: value for name, value in settings_of(run.record).items() if name not in REPETITIONS}
    return run_key({**typed, "typed": str(run.directory) if not typed else True})


def _repetition(run: RunResult) -> tuple[tuple[float, ...], str]:
    """Sort key: by fold and seed as numbers, then by place."""
    numbers = (run.settings.get(name) for name in ("data.fold", "seed", "data.split_seed"))
    return tuple(float(it) if isinstance(it, int | float) else -1.0 for it in numbers), str(run.directory)


def _linked(settings: Sequence[Setting]) -> list[list[Setting]]:
    """Part settings into groups whose members are linked by common splits, directly or through others."""
    groups: list[tuple[set[str], list[Setting]]] = []
    for setting in settings:
        splits = {run.split for run in setting if run.split}
        touched = [group for group in groups if group[0] & splits]
        groups = [group for group in groups if not group[0] & splits]
        members = [member for _, group in touched for member in group]
        groups.append((splits.union(*(known for known, _ in touched)), [*members, setting]))
    return [members for _, members in groups]


def _images(group: Sequence[Setting]) -> str:
    return next((fingerprint for setting in group for run in setting if (fingerprint := fingerprint_of(run))), "")


def _with_strays(groups: Sequence[list[Setting]]) -> list[list[Setting]]:
    """Put runs that did not come to look at their images where they would have belonged, the rest together."""
    homes = [group for group in groups if _images(group)]
    strays = [run for group in groups if not _images(group) for setting in group for run in setting]
    joined: defaultdict[int, list[RunResult]] = defaultdict(list)
    for way in (_key, _data_settings, _data_name):
        places: defaultdict[str, set[int]] = defaultdict(set)
        for place, group in enumerate(homes):
            for key in {way(run) for setting in group for run in setting}:
                places[key].add(place)
        for run in [run for run in strays if run.status != "finished" and way(run)]:
            if len(there := places[way(run)]) == 1:
                joined[next(iter(there))].append(run)
                strays.remove(run)
    whole = [
        _settings([*(run for setting in group for run in setting), *joined[place]]) if place in joined else group
        for place, group in enumerate(homes)
    ]
    return [*whole, _settings(strays)] if strays else whole


def _data_settings(run: RunResult) -> str:
    """Give the settings that decide which images a run sees and how they are split, repetitions aside; "" if none."""
    deciding = ("data.source.", "data.split_by", "data.folds", "data.fractions")
    return " ".join(f"{name}={value}" for name, value in run.settings.items() if name.startswith(deciding))


def _data_name(run: RunResult) -> str:
    return text_at(run.record, "dataset")


def _board(group: Sequence[Setting]) -> Board:
    names, values = name_settings([setting[0] for setting in group])
    fingerprint = _images(group)
    expected = max(len(setting) for setting in group)
    contenders = [_contender(setting, own, expected) for setting, own in zip(group, values, strict=True)]
    reached = [accuracy for it in contenders if it.finished and (accuracy := it.validation.value) is not None]
    ranked = [_ranked(it, reached) if fingerprint else it for it in contenders]
    return Board(_title(group), fingerprint, names, tuple(sorted(ranked, key=_order)))


def _contender(runs: Setting, values: Values, expected: int) -> Contender:
    """Take the means over repetitions."""
    counted = [run for run in runs if run.status == "finished"] or list(runs)
    records = [run.record for run in counted]
    parameters = middle_of([number_at(record, "parameters") for record in records])
    size = middle_of([number_at(record, "cost", "checkpoint_bytes") for record in records])
    return Contender(
        key=_key(runs[0]),
        label=label_of(values),
        values=values,
        rank=None,
        runs=runs,
        validation=mean_of([Estimate(run.validation_accuracy) for run in counted]),
        test=mean_of([share_estimate_at(record, "test", "accuracy") for record in records]),
        macro_f1=mean_of([share_estimate_at(record, "test", "macro_f1") for record in records]),
        parameters=None if parameters is None else round(parameters),
        checkpoint_bytes=None if size is None else round(size),
        seconds_per_epoch=average_of([_seconds_per_epoch(run) for run in counted]),
        latency_ms=middle_of([number_at(record, "cost", "latency_ms") for record in records]),
        seconds=average_of([number_at(run.record, "seconds") for run in counted if not run.is_ensemble]),
        expected=expected,
        assigned=_mean_by_cell(counted, "accuracy"),
        cells_right=_mean_by_cell(counted, "cells_right"),
    )


def _mean_by_cell(runs: Sequence[RunResult], measure: str) -> Mean:
    """Give the mean of a measure by cell if every repetition has it: it stands beside means over all of them."""
    estimates = [share_estimate_at(run.by_cell, "assigned", measure) for run in runs]
    return Mean() if any(estimate.value is None for estimate in estimates) else mean_of(estimates)


def partly_by_cell(board: Board) -> list[str]:
    """Say of which settings some repetitions were measured by cell and others not, so that nothing is shown."""
    return [
        f"{contender.label}: {measured} of {len(contender.finished)} finished repetitions {_verb(measured)} measured "
        "by cell, so its assigned accuracy is not shown; measure the others with python src/evaluate.py run=DIRECTORY "
        "by_cell=true."
        for contender in board.contenders
        if (measured := sum(bool(run.by_cell) for run in contender.finished)) and contender.assigned.value is None
    ]


def _verb(count: int) -> str:
    return "was" if count == 1 else "were"


def _seconds_per_epoch(run: RunResult) -> float | None:
    """Give what the record says; else the median of the epochs, which a slow first one does not move."""
    recorded = number_at(run.record, "cost", "seconds_per_epoch")
    return middle_of([row.get("seconds") for row in run.epochs]) if recorded is None else recorded


def _ranked(contender: Contender, reached: Sequence[float]) -> Contender:
    own = contender.validation.value
    if own is None or not contender.finished:
        return contender
    return replace(contender, rank=1 + sum(round(other, _EQUAL) > round(own, _EQUAL) for other in reached))


def _order(contender: Contender) -> tuple[int, int, float, tuple[str, ...], str]:
    """Sort key; equals stand in the order of their settings, so that a table never depends on the file system."""
    accuracy = -1.0 if contender.validation.value is None else round(contender.validation.value, _EQUAL)
    place = STATUSES.index(contender.status)
    return int(contender.rank is None), place, -accuracy, tuple(contender.values.values()), contender.key


def _title(group: Sequence[Setting]) -> str:
    """Say which images a board's runs saw: ``gband65 · split by cell, 5 folds · 5,474 images``."""
    runs = [run for setting in group for run in setting]
    run = next((run for run in runs if fingerprint_of(run)), runs[0])
    if not fingerprint_of(run):
        return "images unknown"
    level, folds = text_at(run.record, "data", "split_by"), run.settings.get("data.folds")
    images = number_at(run.record, "data", "images")
    scheme = f"split by {level or 'image'}" + (_folds(run, folds) if folds else _shares(run.settings))
    count = "" if images is None else f" · {images:,.0f} images"
    return f"{text_at(run.record, 'data', 'name') or 'unnamed images'} · {scheme}{count}"


def _folds(run: RunResult, folds: object) -> str:
    """Write ``, 5 folds``, and which list fixes them."""
    if not isinstance(folds, str):
        return f", {folds} folds"
    count = number_at(run.record, "data", "folds", "count")
    name = text_at(run.record, "data", "folds", "name") or folds
    return f", {'' if count is None else f'{count:.0f} '}folds of {name}"


def _shares(settings: Mapping[str, object]) -> str:
    """Write the fractions of the three sides, `` 70/20/10``; "" where they are not known."""
    fractions = settings.get("data.fractions")
    if not isinstance(fractions, list) or not all(isinstance(share, int | float) for share in fractions):
        return ""
    return " " + "/".join(f"{100 * share:.3g}" for share in fractions)
