"""From directories to runs: reading records and epochs, each with care."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from karyo.identity import run_key, settings_of_config, with_listed_folds
from karyo.reports.comparing.result import STATUSES, RunResult
from karyo.reports.fields import number_at, text_at, value_at
from karyo.reports.runs import read_by_cell, read_epochs, read_records


def gather(roots: Sequence[str | Path]) -> tuple[list[RunResult], list[str]]:
    """Read every training run below directories.

    Args:
        roots: As for :func:`karyo.reports.runs.read_records`.

    Returns:
        The runs, in the order of their paths, each done once (see :func:`without_copies`); and one sentence for all
        that was damaged.

    Raises:
        SettingsError: If a root is no directory.
    """
    records, problems = read_records(*roots)
    # Measurements of a trained network leave records of their own, which are not runs; but of several as one they are.
    runs = [_run(record, problems) for record in records if "measured" not in record or "members" in record]
    kept, repeated = without_copies(runs)
    return with_splits(kept), [*problems, *repeated]


def without_copies(runs: Iterable[RunResult]) -> tuple[list[RunResult], list[str]]:
    """Keep one of the runs that have every setting in common, seed and fold too.

    They are one run done twice, and no two repetitions: counted as such they would make the interval too narrow.
    A finished one is kept before others, and of several finished ones the one that finished last.

    Args:
        runs: Any runs; those without a configuration are all kept.

    Returns:
        Those kept, in their order; and one sentence for each that is left out.
    """
    kept: dict[str, RunResult] = {}
    problems = []
    for run in runs:
        # Where the images are is no setting: the same settings may have been trained on others.
        key = run_key(dict(run.settings)) + fingerprint_of(run) if run.settings else str(run.directory)
        other = kept.get(key)
        chosen, dropped = (run, other) if other is None or _standing(run) > _standing(other) else (other, run)
        kept[key] = chosen
        if dropped is not None:
            problems.append(f"{dropped.directory} has the same settings as {chosen.directory}; only the latter counts.")
    return list(kept.values()), problems


def with_splits(runs: Sequence[RunResult]) -> list[RunResult]:
    """Say of each run which split it had: by its digest, where it is recorded, else by what drew it.

    A run without a digest has that of the runs on the same images whose split was drawn in the same way, if they agree.
    """
    digests: defaultdict[str, set[str]] = defaultdict(set)
    for run in runs:
        if recorded := text_at(run.record, "data", "split"):
            digests[_drawn(run)].add(recorded)
    return [replace(run, split=_split(run, digests)) for run in runs]


def scheme_of(run: RunResult) -> tuple[str, ...]:
    """Say how a run's images are split, whatever drew the split: level, folds, fractions; () where unknown."""
    if not run.settings:
        return ()
    # The level as it was resolved ("cell"), not as it was asked for (null: the strictest).
    level = text_at(run.record, "data", "split_by") or run.settings.get("data.split_by")
    return (str(level), *(str(run.settings.get(f"data.{name}")) for name in ("folds", "fractions")))


def fingerprint_of(run: RunResult) -> str:
    """Give the fingerprint of a run's images; "" where it is not recorded."""
    return text_at(run.record, "data", "fingerprint")


def _run(record: Mapping[str, Any], problems: list[str]) -> RunResult:
    """Make a run of its record; what is wrong with it is added to the problems."""
    directory = Path(text_at(record, "directory"))
    status = text_at(record, "status")
    epochs, problem = read_epochs(directory)
    seconds = number_at(record, "seconds")
    config = value_at(record, "config")
    error = text_at(record, "error").strip().splitlines()
    by_cell, unusable = read_by_cell(directory, record) if status == "finished" else ({}, "")
    run = RunResult(
        record=record,
        directory=directory,
        name=directory.name,
        status=status if status in STATUSES else "unknown",
        settings=_settings(record, config) if isinstance(config, Mapping) and config else {},
        epochs=epochs,
        error=error[-1].strip() if error else "",
        by_cell=by_cell,
    )
    problems += [sentence for sentence in (problem, unusable) if sentence]
    if seconds is not None and seconds < 0:
        problems.append(f"{directory} says it took {seconds:g} s, so a clock went backwards; its times are left out.")
    if status == "finished" and run.validation_accuracy is None:
        problems.append(f"{directory} has finished and records no validation accuracy; it is not ranked.")
    return run


def _settings(record: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Give a run's settings, a list of folds by what it holds: two files of the same folds are the same."""
    settings = settings_of_config(config)
    count, digest = number_at(record, "data", "folds", "count"), text_at(record, "data", "folds", "digest")
    if isinstance(settings.get("data.folds"), str) and count and digest:
        return with_listed_folds(settings, round(count), digest)
    return settings


def _split(run: RunResult, digests: Mapping[str, set[str]]) -> str:
    recorded, drawn = text_at(run.record, "data", "split"), _drawn(run)
    if recorded or not drawn:
        return recorded
    known = digests.get(drawn, set())
    return next(iter(known)) if len(known) == 1 else drawn


def _drawn(run: RunResult) -> str:
    """Say what drew a run's split: images, scheme, seed and fold; "" where it is not known."""
    if not run.settings:
        return ""
    seeds = (run.settings.get(name) for name in ("data.split_seed", "data.seed", "seed"))
    seed = next((seed for seed in seeds if seed is not None), None)
    if isinstance(run.settings.get("data.folds"), str):
        seed = None  # a list is not drawn
    fold = run.settings.get("data.fold") if run.settings.get("data.folds") else None
    return " ".join(map(str, (fingerprint_of(run), *scheme_of(run), seed, fold)))


def _standing(run: RunResult) -> tuple[int, str]:
    return -STATUSES.index(run.status), text_at(run.record, "finished")
