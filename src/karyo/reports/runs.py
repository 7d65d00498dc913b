"""Finding what runs left behind: their records and their epochs."""

import csv
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from karyo.errors import SettingsError

RECORD_NAME = "summary.json"
"""Name of a run's record in its directory."""

EPOCHS_NAME = "epochs.csv"
"""Name of the table of its epochs."""

BY_CELL_NAME = "by_cell.json"
"""Name of what an evaluation by cell leaves beside a run's record."""

PREDICTIONS_NAME = "predictions.csv"
"""Name of a run's answers to its test images."""

ASSIGNED_NAME = "assigned.csv"
"""Name of what each test image is with its whole cell decided together."""

SPLIT_NAME = "split.json"
"""Name of which images were on which side."""

SET_ASIDE = "outdated"
"""Directory below a sweep's that keeps runs which no longer count."""


def read_records(*roots: str | Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Read every run's record below directories, once even where they lie in one another or are given twice.

    Left out are directories named ``outdated`` and hidden ones, unless they are themselves given.

    Args:
        roots: Sweeps' directories, runs', or any above them.

    Returns:
        The records, in the order of their paths, each with ``directory`` set to where it was found (runs are moved and
        copied); and one sentence for each record that could not be read.

    Raises:
        SettingsError: If a root is no directory.
    """
    records: list[dict[str, Any]] = []
    problems: list[str] = []
    for path in find_records(*roots):
        try:
            records.append(_read_record(path) | {"directory": str(path.parent)})
        except OSError as error:
            problems.append(f"{path} cannot be read: {error.strerror or error}; the run is left out.")
        except (ValueError, RecursionError) as error:
            problems.append(f"{path} is no run record: {error}; the run is left out.")
    return records, problems


def find_records(*roots: str | Path) -> list[Path]:
    """Find the records that :func:`read_records` would read, readable or not.

    Raises:
        SettingsError: If a root is no directory.
    """
    found: dict[Path, Path] = {}
    for root in map(Path, roots):
        if not root.is_dir():
            raise SettingsError(f"there is no directory {root} to look for runs in; give one below multirun/ or logs/")
        for path in sorted(_walk(root)):
            found.setdefault(path.resolve(), path)
    return list(found.values())


def read_epochs(directory: Path) -> tuple[tuple[dict[str, float], ...], str]:
    """Read a run's ``epochs.csv`` as far as it can be read.

    Args:
        directory: The run's.

    Returns:
        A row for each epoch with the columns that hold numbers, NaN among them; and a sentence on what was damaged, ""
        if nothing was. A missing file has no rows and is no damage: a run that fails early has none.
    """
    path = directory / EPOCHS_NAME
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            rows = [_numbers(row) for row in csv.DictReader(lines)]
    except FileNotFoundError:
        return (), ""
    except (OSError, ValueError, csv.Error) as error:
        return (), f"{path} cannot be read: {error}; the run is compared without its epochs."
    whole = tuple(row for row in rows if "epoch" in row and len(row) > 1)
    if len(whole) == len(rows) and rows:
        return whole, ""
    if not whole:
        return (), f"{path} holds no epochs; the run is compared without them."
    return whole, f"{path} is damaged: {len(rows) - len(whole)} of its {len(rows)} rows are left out."


def read_by_cell(directory: Path, record: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Read what an evaluation by cell has measured of a run's result.

    Args:
        directory: The run's.
        record: Content of its ``summary.json``: a measurement of another result than it records does not count.

    Returns:
        The measures (``karyo.evaluation.by_cell.ByCell.to_dict``), unchecked, {} where there are none; and a sentence
        on why a file that is there does not count, "" otherwise.
    """
    path = directory / BY_CELL_NAME
    try:
        content = _read_record(path)
    except (FileNotFoundError, NotADirectoryError):
        return {}, ""
    except (OSError, ValueError, RecursionError) as error:
        return {}, f"{path} cannot be read: {error}; the run is compared without it."
    measures = content.get("by_cell")
    if not isinstance(measures, dict):
        return {}, f"{path} holds no measures by cell; the run is compared without it."
    if not any(record.get(name) and content.get(name) == record[name] for name in ("result", "finished")):
        return {}, f"{path} is of an earlier result of the run and does not count; measure by cell again."
    return measures, ""


def _walk(root: Path) -> Iterator[Path]:
    for directory, below, names in os.walk(root):
        below[:] = [name for name in below if name != SET_ASIDE and not name.startswith(".")]
        if RECORD_NAME in names or RECORD_NAME in below:
            yield Path(directory) / RECORD_NAME


def _numbers(row: dict[str | Any, str | Any]) -> dict[str, float]:
    """Give the cells that hold a number."""
    numbers = {}
    for name, text in row.items():
        try:
            numbers[name] = float(text)
        except (TypeError, ValueError):
            continue
    return numbers


def _read_record(path: Path) -> dict[str, Any]:
    """Read one record; ValueError covers bad JSON and bad UTF-8 too."""
    record = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(record, dict):
        raise ValueError(f"it holds a {type(record).__name__} instead of named values")
    return record
