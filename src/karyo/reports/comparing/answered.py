"""What a run answered to each of its test images: alone, and with the whole cell decided together."""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES, parse_label
from karyo.errors import DataError
from karyo.evaluation.predictions import Predictions
from karyo.reports.comparing.result import RunResult
from karyo.reports.fields import number_at
from karyo.reports.runs import ASSIGNED_NAME, BY_CELL_NAME, PREDICTIONS_NAME, SPLIT_NAME

TRAY = len(CLASSES)
"""Stands for the class of an image that was placed nowhere."""


_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """A run's answers.

    Attributes:
        paths: N different images.
        cells: N cells; None where unknown.
        cases: N cases; None where unknown.
        labels: int64 (N,), true classes 0..23.
        single: int64 (N,), the most probable class alone.
        in_cell: int64 (N,), the most probable class when it is seen beside the others of its cell; None where the run
            was not measured by cell, or its network cannot do that.
        assigned: int64 (N,), the class with the whole cell together, :data:`TRAY` if placed nowhere; None where the run
            was not measured by cell.
    """

    paths: list[str]
    cells: list[str | None]
    cases: list[str | None]
    labels: NDArray[np.int64]
    single: NDArray[np.int64]
    in_cell: NDArray[np.int64] | None
    assigned: NDArray[np.int64] | None


def predictions_of(run: RunResult) -> Predictions:
    """Read a finished run's predictions.

    Raises:
        DataError: If they are missing, damaged or not what its record was measured on; without a full stop.
    """
    path = run.directory / PREDICTIONS_NAME
    measured = number_at(run.record, "test", "n_images")
    try:
        predictions = Predictions.read_csv(path)
        if measured is not None and len(predictions) != measured:
            raise DataError(f"it answers {len(predictions)} images and the run was measured on {measured:.0f}")
        if len(set(predictions.paths)) < len(predictions):
            raise DataError("it answers an image twice")
    except (DataError, ValueError) as error:
        raise DataError(f"{path} cannot be used: {str(error).rstrip('.')}") from error
    return predictions


def read_answered(run: RunResult, problems: list[str]) -> Answered | None:
    """Read what a finished run answered.

    Args:
        run: The run.
        problems: Gets a sentence for each file that cannot be used.

    Returns:
        Its answers; None if its predictions are missing or damaged.
    """
    try:
        predictions = predictions_of(run)
    except DataError as error:
        problems.append(f"{error}; its fold is left out of the cross-validation.")
        return None
    in_cell, assigned = _by_cell(run, predictions, problems) if run.by_cell else (None, None)
    cases = _cases(run, predictions.paths)
    return Answered(
        predictions.paths, predictions.cells, cases, predictions.labels, predictions.predicted, in_cell, assigned
    )


def _by_cell(
    run: RunResult, predictions: Predictions, problems: list[str]
) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]:
    """Read the classes in the light of whole cells, and those that whole cells left, in the order of the predictions.

    Returns:
        None for what was not measured; twice None, and a problem, if the file cannot be used.
    """
    path = run.directory / ASSIGNED_NAME
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = {row["path"]: row for row in csv.DictReader(file)}
        own = [rows[name] for name in predictions.paths]
        if len(rows) != len(own) or [parse_label(row["single"]) for row in own] != predictions.predicted.tolist():
            raise DataError("it is of other predictions")
        assigned = np.array([parse_label(row["assigned"]) if row["assigned"] else TRAY for row in own], dtype=np.int64)
        measured = number_at(run.by_cell, "assigned", "accuracy", "value")
        if measured is None or abs(float(np.equal(assigned, predictions.labels).mean()) - measured) > _ROUNDING:
            raise DataError(f"it is not what {BY_CELL_NAME} measured")
        seen = all(row.get("in_cell") for row in own)
        in_cell = np.array([parse_label(row["in_cell"]) for row in own], dtype=np.int64) if seen else None
        return in_cell, assigned
    except FileNotFoundError:
        reason = "is missing"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error, DataError) as error:
        known = isinstance(error, DataError)
        reason = f"cannot be used: {error}" if known else "cannot be used: it lacks images or columns"
    problems.append(
        f"{path} {reason}, so its setting's assigned accuracy is not pooled over folds; "
        f"python src/evaluate.py run={run.directory} by_cell=true writes it."
    )
    return None, None


def _cases(run: RunResult, paths: Sequence[str]) -> list[str | None]:
    """Name the case of each image, as the run's split has it, else as the pattern of its data finds it in the name."""
    split = _content(run.directory / SPLIT_NAME)
    listed = split.get("tested_cases")
    if isinstance(listed, dict):
        found = {name: case for case, names in listed.items() if isinstance(names, list) for name in map(str, names)}
        return [found.get(path) for path in paths]
    pattern = run.settings.get("data.source.pattern")
    try:
        regular = re.compile(pattern) if isinstance(pattern, str) else None
    except re.error:
        regular = None
    if regular is None or "case" not in regular.groupindex:
        return [None] * len(paths)
    return [match["case"] if (match := regular.fullmatch(path)) else None for path in paths]


def _content(path: Path) -> Mapping[str, object]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
