"""Cross-validated settings over all their folds together: for the terminal, for other programs and for reading."""

from collections.abc import Iterable
from pathlib import Path

from rich.table import Table
from rich.text import Text

from karyo.chromosomes import CLASSES
from karyo.evaluation.measure import Estimate
from karyo.files import csv_text, write_names
from karyo.reports.comparing.crossed import ASSIGNED, IN_CELL, MEASURES, SINGLE, CrossValidation, Scores, Spread
from karyo.reports.comparing.result import Board, Comparison
from karyo.reports.fields import percent, percent_with_interval
from karyo.reports.markdown import markdown_safe, markdown_table
from karyo.reports.repeating import how_to_repeat
from karyo.reports.tables import plain_table

NAME = "cross_validation"
"""Of its files, without their endings."""

EXPLAINED = (
    "All folds together, each test image once. Intervals hold 95 %, from resampling what the line names; “folds” is "
    "the mean of the folds ± their standard deviation."
)
IN_CELL_EXPLAINED = (
    " “In its cell”: each image by itself too, but seen beside the others of its cell, of which no class is known."
)

Column = tuple[str, str, str]
"""Title, way and measure."""

COLUMNS: tuple[Column, ...] = (
    ("single", SINGLE, "accuracy"),
    ("macro-F1", SINGLE, "macro_f1"),
    ("in its cell", IN_CELL, "accuracy"),
    ("assigned", ASSIGNED, "accuracy"),
)
FURTHER: tuple[Column, ...] = (
    ("macro-F1 assigned", ASSIGNED, "macro_f1"),
    ("cells right", ASSIGNED, "cells_right"),
)
"""What a table shows; the further ones where there is room."""

_WIDE, _WIDER = 105, 128
"""Characters in which the whole table fits, without and with what is seen in cells."""

_CSV = ("board", "setting", "folds", "runs", "way", "measure", "class", "resampled", "units", "value", "low", "high")


def columns_of(board: Board, columns: Iterable[Column]) -> list[Column]:
    """Leave out what no setting of a board can do: to see an image in its cell."""
    return [column for column in columns if column[1] != IN_CELL or _sees_cells(board)]


def explained(board: Board) -> str:
    """Say what the numbers of a board's table are."""
    return EXPLAINED + (IN_CELL_EXPLAINED if _sees_cells(board) else "")


def _sees_cells(board: Board) -> bool:
    return any(IN_CELL in crossed.own for crossed in board.crossed)


def lines_of(crossed: CrossValidation, columns: Iterable[Column]) -> list[tuple[str, list[str]]]:
    """Write a setting's numbers: a line for each unit that was resampled, and one for the spread of the folds.

    Returns:
        For each line what it rests on (``13 cases``), and a text for each column.
    """
    chosen = list(columns)
    lines = [
        (_count(number, unit), [_estimate(crossed.scores[unit].get(way), measure) for _, way, measure in chosen])
        for unit, number in crossed.resampled.items()
    ]
    return [*lines, ("folds", [_spread(crossed, way, measure) for _, way, measure in chosen])]


def folds_text(crossed: CrossValidation) -> str:
    """Say how many folds there are, ``5``, or ``4 of 5``; and runs where folds were repeated."""
    number = len(crossed.folds)
    text = str(number) if crossed.expected in (None, number) else f"{number} of {crossed.expected}"
    return text if crossed.runs == number else f"{text}, {crossed.runs} runs"


def cross_validation_tables(comparison: Comparison, width: int = 120) -> list[Table]:
    """Give a table for each board with cross-validated settings, for a terminal of so many characters."""
    return [_table(board, width) for board in comparison.boards if board.crossed]


def write_cross_validation(comparison: Comparison, directory: Path) -> list[Path]:
    """Write ``cross_validation.md`` and ``cross_validation.csv``, each whole or not at all, if there is anything in it.

    Returns:
        Their paths; none where no setting has several folds.

    Raises:
        OSError: If they cannot be written.
    """
    if not any(board.crossed for board in comparison.boards):
        return []
    paths = [directory / f"{NAME}.md", directory / f"{NAME}.csv"]
    for path, text in zip(paths, (as_markdown(comparison), as_csv(comparison)), strict=True):
        write_names(path, text)
    return paths


def as_markdown(comparison: Comparison) -> str:
    """Give the tables as Markdown: of each board its settings, and the classes of the first of them."""
    return "\n".join(_section(board) for board in comparison.boards if board.crossed)


def as_csv(comparison: Comparison) -> str:
    """Give every number on a line of its own for other programs: shares 0..1, blank where unknown."""
    rows = [
        row
        for number, board in enumerate(comparison.boards, start=1)
        for crossed in board.crossed
        for row in _csv_rows(number, crossed)
    ]
    return csv_text([_CSV, *rows])


def _table(board: Board, width: int) -> Table:
    table = plain_table(f"Cross-validation, all folds together\n{board.title}", explained(board))
    table.add_column("setting", overflow="fold", min_width=9)
    table.add_column("folds", justify="right", no_wrap=True)
    table.add_column("from", no_wrap=True)
    # Numbers are never cut: where they do not fit, the less important ones are left to the files.
    fits = width >= (_WIDER if _sees_cells(board) else _WIDE)
    narrow = [column for column in COLUMNS if column[2] == "accuracy"]
    columns = columns_of(board, (*COLUMNS, FURTHER[-1]) if fits else narrow)
    for title, _, _ in columns:
        table.add_column(f"{title} %", justify="right", no_wrap=True)
    for crossed in board.crossed:
        for place, (unit, cells) in enumerate(lines_of(crossed, columns)):
            head = [crossed.label, folds_text(crossed)] if place == 0 else ["", ""]
            table.add_row(*map(Text, [*head, unit, *(cell.replace(" %", "") for cell in cells)]))
    return table


def _section(board: Board) -> str:
    columns = columns_of(board, (*COLUMNS, *FURTHER))
    header = ["setting", "folds", "images", "from", *(title for title, _, _ in columns)]
    rows = []
    for crossed in board.crossed:
        for place, (unit, cells) in enumerate(lines_of(crossed, columns)):
            head = [crossed.label, folds_text(crossed), f"{crossed.images:,}"] if place == 0 else ["", "", ""]
            rows.append([*head, unit, *cells])
    first = board.crossed[0]
    parts = [
        f"## {markdown_safe(board.title)}\n",
        f"{explained(board)}\n",
        markdown_table(header, rows, ("setting", "from")),
        f"Classes, {markdown_safe(first.label)} (intervals from {_count(first.resampled[first.unit], first.unit)}):\n",
        _classes(first),
    ]
    return "\n".join(parts) + how_to_repeat(board)


def _classes(crossed: CrossValidation) -> str:
    named = {"recall, single": SINGLE, "recall, in its cell": IN_CELL, "recall, assigned": ASSIGNED}
    ways = {name: way for name, way in named.items() if way in crossed.own}
    rows = [
        [name, f"{crossed.support[label]:,}", *(_plain(crossed.own[way].recalls[label]) for way in ways.values())]
        for label, name in enumerate(CLASSES)
    ]
    return markdown_table(["class", "images", *ways], rows, ["class"])


def _csv_rows(board: int, crossed: CrossValidation) -> list[list[object]]:
    head = [board, crossed.label, " ".join(map(str, crossed.folds)), crossed.runs]
    rows: list[list[object]] = []
    for unit, number in crossed.resampled.items():
        for way, scores in crossed.scores[unit].items():
            measured = [(measure, getattr(scores, measure)) for measure in MEASURES]
            rows += [[*head, way, measure, "", unit, number, *_ends(value)] for measure, value in measured]
            recalls = zip(CLASSES, scores.recalls, strict=True)
            rows += [[*head, way, "recall", name, unit, number, *_ends(recall)] for name, recall in recalls]
    for way, measures in crossed.spread.items():
        for measure, spread in measures.items():
            low, high = (None, None) if not spread.values else (min(spread.values), max(spread.values))
            rows.append([*head, way, measure, "", "folds: mean, min, max", len(spread.values), spread.mean, low, high])
            rows.append([*head, way, measure, "", "folds: s.d.", len(spread.values), spread.deviation, None, None])
    return rows


def _ends(estimate: Estimate) -> list[float | None]:
    return [estimate.value, estimate.low, estimate.high]


def _estimate(scores: Scores | None, measure: str) -> str:
    return percent(None) if scores is None else _plain(getattr(scores, measure))


def _plain(estimate: Estimate) -> str:
    return percent_with_interval(estimate)


def _spread(crossed: CrossValidation, way: str, measure: str) -> str:
    spread: Spread | None = crossed.spread.get(way, {}).get(measure)
    if spread is None or spread.mean is None:
        return percent(None)
    return (
        percent(spread.mean) if spread.deviation is None else f"{percent(spread.mean)} ± {100 * spread.deviation:.1f}"
    )


def _count(number: int, unit: str) -> str:
    return f"{number:,} {unit}{'' if number == 1 else 's'}"
