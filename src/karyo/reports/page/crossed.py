"""A board's cross-validation, ablation and origins as the page shows them."""

from collections.abc import Sequence
from dataclasses import dataclass

from karyo.reports import ablation, cross_validation
from karyo.reports.comparing.crossed import Ablation, Change, CrossValidation
from karyo.reports.comparison import Board
from karyo.reports.repeating import Origin, origins_of

_COLUMNS = (*cross_validation.COLUMNS, *cross_validation.FURTHER)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table.

    Attributes:
        head: Texts of its first columns.
        cells: Numbers.
        first: Whether it begins a setting.
        strong: Whether it stands out.
    """

    head: tuple[str, ...]
    cells: tuple[str, ...]
    first: bool = True
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Tables:
    """What a board has beside its leaderboard; tables without lines are not shown.

    Attributes:
        crossed_columns: Titles of numbers.
        crossed: Settings over all folds.
        crossed_explained: What its intervals are.
        changes_columns: Titles of numbers.
        changes: Settings beside the baseline.
        changes_explained: What its differences are.
        baseline: Its label; "" if there is none.
        origins: What did the runs.
    """

    crossed_columns: tuple[str, ...]
    crossed: tuple[Line, ...]
    crossed_explained: str
    changes_columns: tuple[str, ...]
    changes: tuple[Line, ...]
    changes_explained: str
    baseline: str
    origins: tuple[Origin, ...]


def tables_of(board: Board) -> Tables:
    """Give the tables of a board."""
    found = board.ablation
    columns = cross_validation.columns_of(board, _COLUMNS)
    return Tables(
        crossed_columns=tuple(f"{title} %" for title, _, _ in columns),
        crossed=tuple(line for crossed in board.crossed for line in _crossed_lines(crossed, columns)),
        crossed_explained=cross_validation.explained(board),
        changes_columns=ablation.TITLES[1:],
        changes=() if found is None else tuple(_change_line(change, found) for change in found.changes),
        changes_explained=ablation.EXPLAINED,
        baseline="" if found is None else found.baseline,
        origins=tuple(origin for origin in origins_of(board) if origin.command),
    )


def _crossed_lines(crossed: CrossValidation, columns: Sequence[cross_validation.Column]) -> list[Line]:
    return [
        Line(
            (crossed.label if place == 0 else "", cross_validation.folds_text(crossed) if place == 0 else "", unit),
            tuple(cell.replace(" %", "") for cell in cells),
            place == 0,
        )
        for place, (unit, cells) in enumerate(cross_validation.lines_of(crossed, columns))
    ]


def _change_line(change: Change, found: Ablation) -> Line:
    head, *cells = ablation.cells_of(change, found)
    return Line((head,), tuple(cells), strong=ablation.is_real(change.difference))
