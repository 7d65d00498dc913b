"""The runs of a sweep side by side, best first.

The order is that of the *validation* accuracy. The test accuracy stands beside it, with its interval, but never
decides: a run chosen by the test set has a test accuracy that is too good.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from karyo.evaluation.measure import Estimate
from karyo.files import write_beside
from karyo.reports.fields import (
    differing_settings,
    duration,
    estimate_at,
    magnitude,
    number_at,
    percent,
    percent_with_interval,
    settings_of,
    text_at,
)

_STATUS_ORDER = {"finished": 0, "running": 1, "interrupted": 1, "unknown": 2, "failed": 3}
_STATUS_STYLE = {"finished": "green", "failed": "bold red"}
_CSV_COLUMNS = (
    "validation_accuracy",
    "test_accuracy",
    "test_accuracy_low",
    "test_accuracy_high",
    "test_macro_f1",
    "parameters",
    "seconds",
    "status",
    "error",
    "directory",
)
_TABLE_COLUMNS = ("validation", "test accuracy (95 % interval)", "macro-F1", "parameters", "time", "status")

_NARROW_COLUMNS = ("valid.\n%", "test %\n(95 % interval)", "F1\n%", "weights", "time")
# "finished" in one line; settings fold at this width at the earliest.
_FOLDED_WIDTH = 8


@dataclass(frozen=True, slots=True)
class Row:
    """One run; None where its record does not say.

    Attributes:
        rank: 1 for the best validation accuracy, equals share a rank; None if the run has not finished.
        settings: Values of the settings that differ among the runs; "" where the run does not set one.
        validation_accuracy: 0..1.
        test_accuracy: 0..1 with its 95 % interval.
        macro_f1: On the test set, 0..1.
        parameters: Trained weights of the network.
        seconds: From start to end.
        status: ``finished``, ``failed``, ``interrupted``, ``running`` or ``unknown``.
        error: Last line of the error; "" if there was none.
        directory: Of the run.
    """

    rank: int | None
    settings: tuple[str, ...]
    validation_accuracy: float | None
    test_accuracy: Estimate
    macro_f1: float | None
    parameters: int | None
    seconds: float | None
    status: str
    error: str
    directory: str


class Leaderboard:
    """Runs in order: finished ones by validation accuracy, then those under way or interrupted, failed ones last.

    Args:
        records: Contents of ``summary.json`` of each run. Every key may be missing or hold nonsense (a run may have
            died while starting); what is missing stays blank.

    Attributes:
        settings: Names of the settings that differ among the runs; ``("run",)`` if none does.
        rows: One per run; none if there are no records.
    """

    def __init__(self, records: Sequence[Mapping[str, Any]]) -> None:
        names = differing_settings(records)
        finished = [accuracy for record in records if (accuracy := _ranked_accuracy(record)) is not None]
        self.settings: tuple[str, ...] = names or ("run",)
        self.rows: tuple[Row, ...] = tuple(sorted((_row(record, names, finished) for record in records), key=_order))

    def as_table(self) -> Table:
        """Give the leaderboard for the terminal; the best run is bold."""
        title = "Leaderboard, best validation accuracy first"
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        lines = [_cells(row) for row in self.rows]
        # Numbers are never cut; a narrow terminal folds the names and the errors instead.
        table.add_column("#", justify="right", no_wrap=True)
        for place, name in enumerate(self.settings, start=1):
            longest = max((len(line[place]) for line in lines), default=0)
            table.add_column(Text(name), overflow="fold", min_width=min(longest, _FOLDED_WIDTH))
        for name in _NARROW_COLUMNS:
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("status", overflow="fold", min_width=_FOLDED_WIDTH)
        for row, line in zip(self.rows, lines, strict=True):
            # The percent signs of the numbers stand in the headers.
            cells = [Text(cell) for cell in [*line[:-6], *(cell.replace(" %", "") for cell in line[-6:-1]), line[-1]]]
            cells[-1].stylize(_STATUS_STYLE.get(row.status, "yellow"))
            table.add_row(*cells, style="bold" if row.rank == 1 else None)
        return table

    def as_csv(self) -> str:
        """Give the leaderboard for other programs: plain numbers (shares 0..1, seconds), blank where unknown."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["rank", *self.settings, *_CSV_COLUMNS])
        writer.writerows(_csv_cells(row) for row in self.rows)
        return text.getvalue()

    def as_markdown(self) -> str:
        """Give the leaderboard as a Markdown table."""
        header = ["rank", *self.settings, *_TABLE_COLUMNS]
        left = {*self.settings, "status"}
        rule = [":--" if name in left else "--:" for name in header]
        lines = [header, rule, *(_cells(row) for row in self.rows)]
        return "".join("| " + " | ".join(_markdown_safe(cell) for cell in line) + " |\n" for line in lines)

    def write(self, directory: str | Path) -> None:
        """Write ``leaderboard.csv`` and ``leaderboard.md``, each whole or not at all.

        Args:
            directory: Where to; made if missing.

        Raises:
            OSError: If they cannot be written.
        """
        for name, text in (("leaderboard.csv", self.as_csv()), ("leaderboard.md", self.as_markdown())):
            # File names need not be valid UTF-8; Python carries their odd bytes as surrogates.
            content = text.encode("utf-8", errors="surrogateescape")
            write_beside(Path(directory) / name, partial(Path.write_bytes, data=content))


def _row(record: Mapping[str, Any], names: Sequence[str], finished: Iterable[float]) -> Row:
    """Take from a record what the leaderboard shows."""
    accuracy = _ranked_accuracy(record)
    settings = settings_of(record)
    directory = text_at(record, "directory")
    parameters = number_at(record, "parameters")
    error_lines = text_at(record, "error").strip().splitlines()
    return Row(
        rank=None if accuracy is None else 1 + sum(other > accuracy for other in finished),
        settings=tuple(settings.get(name, "") for name in names) or (text_at(record, "name") or Path(directory).name,),
        validation_accuracy=number_at(record, "validation", "accuracy"),
        test_accuracy=estimate_at(record, "test", "accuracy"),
        macro_f1=estimate_at(record, "test", "macro_f1").value,
        parameters=None if parameters is None else round(parameters),
        seconds=number_at(record, "seconds"),
        status=text_at(record, "status") or "unknown",
        error=error_lines[-1].strip() if error_lines else "",
        directory=directory,
    )


def _ranked_accuracy(record: Mapping[str, Any]) -> float | None:
    """Give the validation accuracy of a run that takes part: one that finished."""
    return number_at(record, "validation", "accuracy") if text_at(record, "status") == "finished" else None


def _order(row: Row) -> tuple[int, float, tuple[str, ...], str]:
    """Sort key; equals stand in the order of their settings, so that the table never depends on the file system."""
    accuracy = -1.0 if row.validation_accuracy is None else row.validation_accuracy
    return _STATUS_ORDER.get(row.status, 2), -accuracy, row.settings, row.directory


def _cells(row: Row) -> list[str]:
    """Give a run as people read it."""
    return [
        "–" if row.rank is None else str(row.rank),
        *row.settings,
        percent(row.validation_accuracy),
        percent_with_interval(row.test_accuracy),
        percent(row.macro_f1),
        magnitude(row.parameters),
        duration(row.seconds),
        f"{row.status}: {row.error}" if row.error else row.status,
    ]


def _csv_cells(row: Row) -> list[str | int | float | None]:
    """Give a run as programs read it; None becomes a blank."""
    return [
        row.rank,
        *row.settings,
        row.validation_accuracy,
        row.test_accuracy.value,
        row.test_accuracy.low,
        row.test_accuracy.high,
        row.macro_f1,
        row.parameters,
        row.seconds,
        row.status,
        row.error,
        row.directory,
    ]


def _markdown_safe(cell: str) -> str:
    """Keep a cell from breaking its table."""
    return " ".join(cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())
