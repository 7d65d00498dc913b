"""Settings as changes of a baseline: for the terminal, for other programs and for reading."""

from pathlib import Path

from rich.table import Table
from rich.text import Text

from karyo.evaluation.measure import Estimate
from karyo.files import csv_text, write_names
from karyo.reports.comparing.crossed import Ablation, Change
from karyo.reports.comparing.result import Board, Comparison
from karyo.reports.fields import duration, percent_with_interval
from karyo.reports.markdown import markdown_safe, markdown_table
from karyo.reports.repeating import how_to_repeat
from karyo.reports.tables import plain_table

NAME = "ablation"
"""Of its files, without their endings."""

EXPLAINED = (
    "Differences are percentage points of accuracy, each image alone, on the test images that both have answered, with "
    "95 % intervals from resampling cells; they are not corrected for the number of changes."
)

TITLES = ("change", "single", "difference", "assigned", "time")
_CSV = (
    *("board", "baseline", "change", "setting", "single", "single_low", "single_high"),
    *("difference", "difference_low", "difference_high", "assigned", "assigned_low", "assigned_high", "seconds"),
)


def cells_of(change: Change, ablation: Ablation) -> list[str]:
    """Write a line of the table of :data:`TITLES`."""
    return [
        change.change or f"{ablation.baseline} (baseline)",
        percent_with_interval(change.single),
        points(change.difference),
        percent_with_interval(change.assigned),
        duration(change.seconds),
    ]


def is_real(difference: Estimate) -> bool:
    """Tell whether 0 is outside the interval."""
    return difference.low is not None and difference.high is not None and not difference.low <= 0 <= difference.high


def points(difference: Estimate) -> str:
    """Write a difference as ``+1.2 (+0.4 to +2.1)``, unknown as a dash."""
    if difference.value is None:
        return "–"
    text = f"{100 * difference.value:+.1f}"
    if difference.low is not None and difference.high is not None:
        text += f" ({100 * difference.low:+.1f} to {100 * difference.high:+.1f})"
    return text.replace("-", "−")


def ablation_tables(comparison: Comparison) -> list[Table]:
    """Give a table for each board that has an ablation, for the terminal."""
    return [_table(board, board.ablation) for board in comparison.boards if board.ablation]


def write_ablation(comparison: Comparison, directory: Path) -> list[Path]:
    """Write ``ablation.md`` and ``ablation.csv``, each whole or not at all, if there is anything in them.

    Raises:
        OSError: If they cannot be written.
    """
    if not any(board.ablation for board in comparison.boards):
        return []
    paths = [directory / f"{NAME}.md", directory / f"{NAME}.csv"]
    for path, text in zip(paths, (as_markdown(comparison), as_csv(comparison)), strict=True):
        write_names(path, text)
    return paths


def as_markdown(comparison: Comparison) -> str:
    """Give the tables as Markdown, under a heading each."""
    return "\n".join(_section(board, board.ablation) for board in comparison.boards if board.ablation)


def as_csv(comparison: Comparison) -> str:
    """Give the tables for other programs: shares 0..1, seconds, blank where unknown."""
    rows = [
        [number, board.ablation.baseline, change.change, change.label, *_numbers(change), change.seconds]
        for number, board in enumerate(comparison.boards, start=1)
        if board.ablation
        for change in board.ablation.changes
    ]
    return csv_text([_CSV, *rows])


def _table(board: Board, ablation: Ablation) -> Table:
    table = plain_table(f"One change at a time, beside {ablation.baseline}\n{board.title}", EXPLAINED)
    for title in TITLES:
        numeric = title != "change"
        table.add_column(title, justify="right" if numeric else "left", no_wrap=numeric, overflow="fold")
    for change in ablation.changes:
        cells = [Text(text) for text in cells_of(change, ablation)]
        table.add_row(*cells, style="bold" if is_real(change.difference) else None)
    return table


def _section(board: Board, ablation: Ablation) -> str:
    table = markdown_table(TITLES, [cells_of(change, ablation) for change in ablation.changes], ("change",))
    return f"## {markdown_safe(board.title)}\n\n{EXPLAINED}\n\n{table}{how_to_repeat(board)}"


def _numbers(change: Change) -> list[float | None]:
    return [
        end for each in (change.single, change.difference, change.assigned) for end in (each.value, each.low, each.high)
    ]
