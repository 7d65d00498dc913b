"""Settings side by side, best first: for the terminal, for other programs and for reading.

The order is that of the *validation* accuracy. The test accuracy stands beside it, with its interval, but never
decides: a setting chosen by the test set has a test accuracy that is too good.
"""

import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from karyo.evaluation.measure import Estimate
from karyo.files import write_beside
from karyo.reports.comparing.result import STATUSES, Board, Comparison, Contender, Mean
from karyo.reports.fields import duration, magnitude, megabytes, milliseconds, percent, percent_with_interval
from karyo.reports.markdown import markdown_lines, markdown_safe
from karyo.reports.repeating import how_to_repeat
from karyo.reports.tables import plain_table

_STATUS_STYLE = {"finished": "green", "failed": "bold red"}
_CSV_COLUMNS = (
    "repetitions",
    "finished",
    "validation_accuracy",
    "validation_accuracy_low",
    "validation_accuracy_high",
    "test_accuracy",
    "test_accuracy_low",
    "test_accuracy_high",
    "test_macro_f1",
    "parameters",
    "checkpoint_bytes",
    "seconds",
    "seconds_per_epoch",
    "latency_ms",
    "status",
    "error",
    "directory",
)
_BY_CELL_COLUMNS = (
    *("assigned_accuracy", "assigned_accuracy_low", "assigned_accuracy_high"),
    *("cells_right", "cells_right_low", "cells_right_high"),
)
# "finished" in one line.
_STATUS_WIDTH = 8
# Settings fold at this width at the earliest: "optimizer" in one line.
_SETTING_WIDTH = 9
# Between two columns of a terminal's table.
_GAP = 2
# Characters beside the status from which errors are told in the table; folded into less nobody could read them.
_ERROR_ROOM = 24
_EMPTY = Board("", "", ("run",), ())


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of numbers.

    Attributes:
        title: Over the column of a document.
        narrow: Over the column of a terminal's table, on two lines, with the unit.
        cell: Writes a contender's value, the unit included; a dash where it is unknown.
        rank: Which columns a narrow terminal keeps: 0 always, the others from 1 on while there is room.
        silent: Cells that say nothing; a column of nothing else is left out in a terminal, unless its rank is 0.
    """

    title: str
    narrow: str
    cell: Callable[[Contender], str]
    rank: int
    silent: tuple[str, ...] = ("–",)


_BY_CELL = (
    _Column("assigned (95 % interval)", "assigned %\n(95 % interval)", lambda it: _with_interval(it.assigned), 1),
    _Column("cells right", "cells\nright %", lambda it: percent(it.cells_right.value), 2),
)
"""Only where an evaluation by cell has measured any of them."""

_COLUMNS = (
    _Column("runs", "\nruns", lambda it: _runs(it), 1, ("1",)),
    _Column("validation", "valid.\n%", lambda it: percent(it.validation.value), 0),
    _Column("95 % interval", "95 % in-\nterval", lambda it: _interval(it.validation), 7),
    _Column("test accuracy (95 % interval)", "test %\n(95 % interval)", lambda it: _with_interval(it.test), 0),
    _Column("macro-F1", "F1\n%", lambda it: percent(it.macro_f1.value), 8),
    *_BY_CELL,
    _Column("parameters", "\nweights", lambda it: magnitude(it.parameters), 3),
    _Column("size", "size\nMB", lambda it: megabytes(it.checkpoint_bytes), 6),
    _Column("time", "\ntime", lambda it: duration(it.seconds), 2),
    _Column("per epoch", "per\nepoch", lambda it: _seconds(it.seconds_per_epoch), 4),
    _Column("latency", "latency\nms", lambda it: milliseconds(it.latency_ms), 5),
)


class Leaderboard:
    """Contenders in order: finished ones by validation accuracy, then those under way or stopped, failed ones last.

    Args:
        comparison: Of any runs; one table for each of its boards.

    Attributes:
        boards: Its boards; an empty one if there are no runs.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.boards: tuple[Board, ...] = comparison.boards or (_EMPTY,)

    def as_tables(self, width: int = 120) -> list[Table]:
        """Give a table for each board for the terminal; the best contender is bold.

        Args:
            width: Characters that there is room for. Columns are left out where they do not fit, the least important
                first. Numbers are never cut, names and errors are folded; errors are left out where they would have to
                be folded into a few letters a line.
        """
        return [_table(board, width) for board in self.boards]

    def as_csv(self) -> str:
        """Give the leaderboard for other programs: plain numbers (shares 0..1, seconds), blank where unknown."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        names = list(dict.fromkeys(name for board in self.boards for name in board.names))
        by_cell = any(board.by_cell for board in self.boards)
        writer.writerow(["board", "rank", *names, *_CSV_COLUMNS, *(_BY_CELL_COLUMNS if by_cell else ())])
        for number, board in enumerate(self.boards, start=1):
            for contender in board.contenders:
                settings = [contender.values.get(name, "") for name in names]
                further = _csv_by_cell(contender) if by_cell else []
                writer.writerow([number, contender.rank, *settings, *_csv_cells(contender), *further])
        return text.getvalue()

    def as_markdown(self) -> str:
        """Give the leaderboard as Markdown tables, under a heading each if there are several."""
        tables = [_markdown_table(board) + how_to_repeat(board) for board in self.boards]
        if len(tables) == 1:
            return tables[0]
        heads = [f"## {markdown_safe(board.title)}\n\n" for board in self.boards]
        return "\n".join(head + table for head, table in zip(heads, tables, strict=True))

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


def _table(board: Board, width: int) -> Table:
    title = "Leaderboard, best validation accuracy first" + (f"\n{board.title}" if board.title else "")
    table = plain_table(title)
    settings = {name: [contender.values.get(name, "") for contender in board.contenders] for name in board.names}
    widths = {name: _folded([name, *cells]) for name, cells in settings.items()}
    room = width - 3 - _GAP - sum(wide + _GAP for wide in widths.values()) - _STATUS_WIDTH
    columns, room = _fitting(board, room)
    table.add_column("\n#", justify="right", no_wrap=True)
    for name, wide in widths.items():
        table.add_column(Text(f"\n{name}"), overflow="fold", min_width=wide)
    for column in columns:
        table.add_column(column.narrow, justify="right", no_wrap=True)
    table.add_column("\nstatus", overflow="fold", min_width=_STATUS_WIDTH)
    for row, contender in enumerate(board.contenders):
        texts = [_rank(contender), *(cells[row] for cells in settings.values())]
        # The signs of the units stand in the headers.
        texts += [_without_unit(column.cell(contender)) for column in columns]
        status = _status(contender) if room >= _ERROR_ROOM else _short_status(contender)
        style = "bold" if contender.rank == 1 else None
        table.add_row(*map(Text, texts), Text(status, style=_STATUS_STYLE.get(contender.status, "yellow")), style=style)
    return table


def _fitting(board: Board, room: int) -> tuple[list[_Column], int]:
    """Choose the columns that say something and fit: those that must stand, then others by their importance.

    Returns:
        The columns in their order, and the characters that are left.
    """
    chosen: list[_Column] = []
    for column in sorted(_COLUMNS, key=lambda column: column.rank):
        cells = [_without_unit(column.cell(contender)) for contender in board.contenders]
        wide = _GAP + max(map(cell_len, [*cells, *column.narrow.split("\n")]))
        says_something = any(cell not in column.silent for cell in cells)
        if column.rank == 0 or (says_something and wide <= room):
            chosen.append(column)
            room -= wide
    return [column for column in _COLUMNS if column in chosen], room


def _markdown_table(board: Board) -> str:
    columns = [column for column in _COLUMNS if column not in _BY_CELL or board.by_cell]
    header = ["rank", *board.names, *(column.title for column in columns), "status"]
    left = {*board.names, "status"}
    rule = [":--" if name in left else "--:" for name in header]
    rows = [
        [
            _rank(contender),
            *(contender.values.get(name, "") for name in board.names),
            *(column.cell(contender) for column in columns),
            _status(contender),
        ]
        for contender in board.contenders
    ]
    return markdown_lines([header, rule, *rows])


def _csv_cells(contender: Contender) -> list[str | int | float | None]:
    """Give a contender as programs read it; None becomes a blank."""
    return [
        len(contender.runs),
        len(contender.finished),
        contender.validation.value,
        contender.validation.low,
        contender.validation.high,
        contender.test.value,
        contender.test.low,
        contender.test.high,
        contender.macro_f1.value,
        contender.parameters,
        contender.checkpoint_bytes,
        contender.seconds,
        contender.seconds_per_epoch,
        contender.latency_ms,
        contender.status,
        contender.error,
        str(contender.best_run.directory),
    ]


def _csv_by_cell(contender: Contender) -> list[float | None]:
    return [
        value for mean in (contender.assigned, contender.cells_right) for value in (mean.value, mean.low, mean.high)
    ]


def _rank(contender: Contender) -> str:
    return "–" if contender.rank is None else str(contender.rank)


def _runs(contender: Contender) -> str:
    """Say how many repetitions are behind the means: ``3``, or ``2 of 3`` where other contenders have more."""
    count = len(contender.finished)
    return str(count) if count == contender.expected else f"{count} of {contender.expected}"


def _status(contender: Contender) -> str:
    """Say what became of the repetitions, and why some failed."""
    counts = Counter(run.status for run in contender.runs)
    text = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
    text = contender.status if len(counts) == 1 else text
    return f"{text}: {contender.error}" if contender.error else text


def _short_status(contender: Contender) -> str:
    return contender.status if len({run.status for run in contender.runs}) == 1 else "partly"


def _with_interval(mean: Mean) -> str:
    return percent_with_interval(Estimate(mean.value, mean.low, mean.high))


def _interval(mean: Mean) -> str:
    if mean.low is None or mean.high is None:
        return "–"
    return f"{100 * mean.low:.1f}–{100 * mean.high:.1f}"


def _seconds(value: float | None) -> str:
    return f"{value:.1f} s" if value is not None and value < 10 else duration(value)


def _without_unit(cell: str) -> str:
    return cell.replace(" %", "").removesuffix(" MB").removesuffix(" ms")


def _folded(cells: Sequence[str]) -> int:
    return min(max(map(cell_len, cells), default=0), _SETTING_WIDTH)
