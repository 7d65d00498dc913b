"""The test predictions of all runs of a cross-validation, each image once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from karyo.errors import DataError
from karyo.evaluation.out_of_fold import average_predictions
from karyo.evaluation.predictions import Predictions
from karyo.reports.fields import number_at, text_at, value_at
from karyo.reports.runs import read_records

PREDICTIONS_NAME = "predictions.csv"
"""Name of a run's answers for its test side."""


@dataclass(frozen=True, slots=True, eq=False)
class Unseen:
    """What networks said about images that they had not seen.

    Attributes:
        predictions: Each image once.
        runs: Directories of the runs that they are from.
        images: How many images the data set has; None where no run recorded it.
        problems: One sentence for each run that was left out.
    """

    predictions: Predictions
    runs: tuple[Path, ...]
    images: int | None
    problems: tuple[str, ...]


def gather_unseen(roots: Sequence[str | Path]) -> Unseen:
    """Gather the test predictions of all finished runs below directories, averaged where an image has several.

    Args:
        roots: Sweeps' directories, runs', or any above them.

    Returns:
        The predictions. Runs that did not finish, that measured images which their network had seen, or whose
        predictions cannot be read, are left out.

    Raises:
        SettingsError: If a root is no directory.
        DataError: If no run is left, or the runs are of different data.
    """
    records, problems = read_records(*roots)
    parts: dict[Path, Predictions] = {}
    data: dict[str, Path] = {}
    images = None
    for record in records:
        directory = Path(record["directory"])
        unfit = _unfit(record)
        if unfit:
            problems.append(f"{directory} {unfit}; the run is left out.")
            continue
        try:
            parts[directory] = Predictions.read_csv(directory / PREDICTIONS_NAME)
        except DataError as error:
            problems.append(f"{str(error).rstrip('.')}; the run is left out.")
            continue
        data.setdefault(text_at(record, "data", "fingerprint"), directory)
        images = number_at(record, "data", "images") or images
    _check(parts, data, problems, roots)
    return Unseen(
        average_predictions(list(parts.values())),
        tuple(parts),
        None if images is None else int(images),
        tuple(problems),
    )


def _unfit(record: dict[str, object]) -> str:
    """Say why a run's predictions cannot count; "" where they can."""
    status = text_at(record, "status")
    if status != "finished":
        return f"has no result, its status is {status or 'unknown'}"
    if value_at(record, "unseen") is False:
        return "measured images that its network had seen"
    return ""


def _check(
    parts: dict[Path, Predictions], data: dict[str, Path], problems: Sequence[str], roots: Sequence[str | Path]
) -> None:
    """Refuse nothing at all, and runs of different data.

    Raises:
        DataError: With one sentence.
    """
    if not parts:
        first = f": {problems[0].rstrip('.')}" if problems else ""
        raise DataError(f"no run below {', '.join(map(str, roots))} has predictions of unseen images{first}")
    if len(data) > 1:
        one, other = list(data.values())[:2]
        raise DataError(f"{one} and {other} are runs of different data; give runs of one state of one data set")
