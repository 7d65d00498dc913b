"""What settings are called where they differ: as few names as tell them apart, the ones that users type first."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from karyo.identity import REPETITIONS, differing, settings_of_config
from karyo.reports.comparing.result import RunResult
from karyo.reports.fields import settings_of, text_at

ALWAYS_KNOWN = ("model", "optimizer", "lr")
"""Settings that every record names; they stand first, and stand there even where nothing differs."""

Values = dict[str, str]
"""Values by name of the setting."""


def name_settings(runs: Sequence[RunResult]) -> tuple[tuple[str, ...], list[Values]]:
    """Name what differs among settings.

    First come model, optimizer and lr, then what was typed for the runs; where this does not tell two settings apart (a
    preset was changed, a default was left), the names of the resolved configuration that do.

    Args:
        runs: One of each setting.

    Returns:
        The names; and for each run its values by these names, "" where it has none. Values that mean the same number
        are written alike.
    """
    typed = [_typed(run) for run in runs]
    names = _typed_names(typed, runs)
    values = [{name: _value(name, run, own) for name in names} for run, own in zip(runs, typed, strict=True)]
    for name in _further_names(runs, values):
        for run, row in zip(runs, values, strict=True):
            row[name] = _value(name, run, {})
    _name_the_rest(runs, values)
    _write_alike(values)
    return tuple(values[0]) if values else (), values


def label_of(values: Mapping[str, str]) -> str:
    """Write a setting in short: ``resnet18 · adam · 1e-4 · batch_size=64``, names where values say too little."""
    shown = [
        value or "–" if name in ("model", "optimizer") or (name == "lr" and place) else f"{name}={value or '–'}"
        for place, (name, value) in enumerate(values.items())
    ]
    return " · ".join(shown)


def _typed(run: RunResult) -> Values:
    """Give what was typed, and the choices on record, without seeds, folds and places."""
    typed = settings_of(run.record)
    return {name: str(value) for name, value in settings_of_config(typed).items() if name not in REPETITIONS}


def _typed_names(typed: Sequence[Values], runs: Sequence[RunResult]) -> list[str]:
    """Name the typed settings that differ; those that always stand if none does."""
    names = list(dict.fromkeys([*ALWAYS_KNOWN, *sorted({name for own in typed for name in own})]))
    columns = {name: [_value(name, run, own) for run, own in zip(runs, typed, strict=True)] for name in names}
    chosen: list[str] = []
    for name in names:
        differs = len({_meaning(text) for text in columns[name]}) > 1
        # model.name=X under model=timm is already said by the model.
        group = name.partition(".")[0]
        said = group in chosen and group != name and _parts(columns[name]) == _parts(columns[group])
        if differs and not said:
            chosen.append(name)
    return chosen or [name for name in ALWAYS_KNOWN if any(columns[name])]


def _further_names(runs: Sequence[RunResult], values: Sequence[Values]) -> list[str]:
    """Name settings of the configuration that tell apart runs whose values are all the same, shallow ones first."""
    further: list[str] = []
    rows = [tuple(map(_meaning, row.values())) for row in values]
    alike = [run for run, row in zip(runs, rows, strict=True) if rows.count(row) > 1]
    names = [name for name in differing(dict(run.settings) for run in alike) if name not in REPETITIONS]
    for name in sorted(names, key=lambda name: (name.count("."), name)):
        finer = [(*row, _meaning(_value(name, run, {}))) for row, run in zip(rows, runs, strict=True)]
        if len(set(finer)) > len(set(rows)):
            rows = finer
            further.append(name)
    return further


def _name_the_rest(runs: Sequence[RunResult], values: Sequence[Values]) -> None:
    """Tell apart by the run's name what nothing else does: their records hold no configuration."""
    counts = Counter(tuple(row.values()) for row in values)
    if any(count > 1 for count in counts.values()) or not (values and values[0]):
        for run, row in zip(runs, values, strict=True):
            row["run"] = run.name


def _write_alike(values: Sequence[Values]) -> None:
    """Write equal numbers in the same way, the shortest that was used."""
    for name in values[0] if values else ():
        shortest: dict[Any, str] = {}
        for row in values:
            known = shortest.setdefault(_meaning(row[name]), row[name])
            shortest[_meaning(row[name])] = min(known, row[name], key=lambda text: (len(text), text))
        for row in values:
            row[name] = shortest[_meaning(row[name])]


def _value(name: str, run: RunResult, typed: Mapping[str, str]) -> str:
    """Give a setting as it was typed, else the choice on record, else as it was resolved; "" where there is none."""
    if name in typed:
        return typed[name]
    chosen = text_at(run.record, "dataset" if name == "data" else name)
    resolved = run.settings.get(name)
    return chosen or ("" if resolved is None else str(resolved))


def _parts(column: Iterable[str]) -> list[int]:
    """Number the different values in order of appearance: equal lists part the runs in the same way."""
    numbers: dict[Any, int] = {}
    return [numbers.setdefault(_meaning(text), len(numbers)) for text in column]


def _meaning(text: str) -> float | str:
    """Let ``1e-4`` and ``0.0001`` be the same; "nan" is only itself."""
    try:
        number = float(text)
    except ValueError:
        return text
    return number if number == number else text
