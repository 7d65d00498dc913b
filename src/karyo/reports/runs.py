"""Finding the records that runs left behind."""

import json
from pathlib import Path
from typing import Any

from karyo.errors import SettingsError

RECORD_NAME = "summary.json"
"""Name of a run's record in its directory."""


def read_records(root: str | Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Read every run's record below a directory.

    Args:
        root: A sweep's directory, or any directory above runs.

    Returns:
        The records, in the order of their paths, each with ``directory`` set to where it was found (runs are moved and
        copied); and one sentence for each record that could not be read.

    Raises:
        SettingsError: If ``root`` is no directory.
    """
    root = Path(root)
    if not root.is_dir():
        raise SettingsError(f"there is no directory {root} to look for runs in; give one below multirun/ or logs/")
    records: list[dict[str, Any]] = []
    problems: list[str] = []
    for path in sorted(root.rglob(RECORD_NAME)):
        try:
            records.append(_read_record(path) | {"directory": str(path.parent)})
        except OSError as error:
            problems.append(f"{path} cannot be read: {error.strerror or error}; the run is left out.")
        except (ValueError, RecursionError) as error:
            problems.append(f"{path} is no run record: {error}; the run is left out.")
    return records, problems


def _read_record(path: Path) -> dict[str, Any]:
    """Read one record; ValueError covers bad JSON and bad UTF-8 too."""
    record = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(record, dict):
        raise ValueError(f"it holds a {type(record).__name__} instead of named values")
    return record
