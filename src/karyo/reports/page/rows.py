"""The leaderboard's cells: what people read, what the page sorts by, and where a bar of an interval begins and ends."""

from dataclasses import dataclass
from statistics import median

from karyo.reports.comparison import Board, Contender, Mean
from karyo.reports.fields import duration, magnitude
from karyo.reports.page.places import rate_text, rate_value

_RATES = ("lr",)


@dataclass(frozen=True, slots=True)
class Bar:
    """An interval drawn in a cell, each in per cent of the cell's width.

    Attributes:
        left: Lower end.
        width: Of the interval.
        value: Of the mean.
    """

    left: float
    width: float
    value: float


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the leaderboard.

    Attributes:
        text: As people read it.
        order: What the page sorts by: a number, or "" where it is not known; None for a text, sorted as it is.
        note: Smaller, behind the text.
        bar: Of an accuracy with an interval.
    """

    text: str
    order: str | None = None
    note: str = ""
    bar: Bar | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the leaderboard.

    Attributes:
        title: Its header.
        numeric: Whether it holds numbers, aligned at the right.
        falls: Whether a first click puts the largest first.
        hint: What it is, in a sentence.
    """

    title: str
    numeric: bool = True
    falls: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the leaderboard.

    Attributes:
        cells: One per column.
        status: Of its repetitions.
        best: Whether it leads.
    """

    cells: tuple[Cell, ...]
    status: str
    best: bool


_MEASURES = (
    Column("validation %", falls=True, hint="Accuracy on the validation side; it decides the rank"),
    Column("test %", falls=True, hint="Accuracy on the test side, with its 95 % interval; it does not decide the rank"),
    Column("F1 %", falls=True, hint="Mean F1 of the classes on the test side"),
)
_BY_CELL = (
    Column("assigned %", falls=True, hint="Accuracy on the test side with each cell's chromosomes decided together"),
    Column("cells right %", falls=True, hint="Cells of which every chromosome is right then"),
)
_COSTS = (
    Column("weights", hint="Weights of the network"),
    Column("size", hint="Size of the best checkpoint"),
    Column("s/epoch", hint="Seconds per epoch"),
    Column("ms/image", hint="One image through the network, on the machine that trained it"),
    Column("time", hint="From start to end of one run"),
    Column("runs", falls=True, hint="Repetitions over seeds and folds that finished"),
    Column("status", numeric=False, hint="Of its repetitions"),
)


def columns_of(board: Board) -> tuple[Column, ...]:
    """Give the columns of a board: rank, the settings that differ, the measures that any of its contenders has."""
    settings = tuple(Column(name, numeric=_are_numbers(board, name)) for name in board.names)
    by_cell = _BY_CELL if board.by_cell else ()
    return (Column("#", hint="Rank by validation accuracy"), *settings, *_MEASURES, *by_cell, *_COSTS)


def rows_of(board: Board) -> tuple[Row, ...]:
    """Give the lines of a board, in its order."""
    low = _scale_start(board)
    numeric = {name: _are_numbers(board, name) for name in board.names}
    return tuple(_row(contender, numeric, low, board.by_cell) for contender in board.contenders)


def scale_of(board: Board) -> str:
    """Say what the bars of a board span."""
    return f"{100 * _scale_start(board):.0f} to 100 %"


def file_size(size: int | None) -> str:
    """Write bytes as ``44.8 MB``, unknown as a dash."""
    if size is None:
        return "–"
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"


def _row(contender: Contender, numeric: dict[str, bool], low: float, by_cell: bool) -> Row:
    settings = [_setting(name, contender.values.get(name, ""), known) for name, known in numeric.items()]
    done = len(contender.finished)
    cells = (
        Cell("–" if contender.rank is None else str(contender.rank), _order(contender.rank)),
        *settings,
        _accuracy(contender.validation, low),
        _accuracy(contender.test, low),
        Cell(_percent(contender.macro_f1.value), _order(contender.macro_f1.value)),
        *(_by_cell(contender, low) if by_cell else ()),
        Cell(magnitude(contender.parameters), _order(contender.parameters)),
        Cell(file_size(contender.checkpoint_bytes), _order(contender.checkpoint_bytes)),
        _decimal(contender.seconds_per_epoch),
        _decimal(contender.latency_ms),
        Cell(duration(contender.seconds), _order(contender.seconds)),
        Cell(_repetitions(contender), _order(done)),
        Cell(contender.status),
    )
    return Row(cells, contender.status, contender.rank == 1)


def _by_cell(contender: Contender, low: float) -> tuple[Cell, Cell]:
    # No bar for cells: they are far below the accuracies that the bars are made for.
    right = contender.cells_right
    note = "" if right.low is None or right.high is None else f"{100 * right.low:.1f}–{100 * right.high:.1f}"
    return _accuracy(contender.assigned, low), Cell(_percent(right.value), _order(right.value), note)


def _setting(name: str, value: str, numeric: bool) -> Cell:
    if not numeric:
        return Cell(value or "–")
    text = rate_text(value) if name in _RATES else value
    return Cell(text or "–", _order(rate_value(value)) if value else "")


def _repetitions(contender: Contender) -> str:
    done, expected = len(contender.finished), max(contender.expected, len(contender.runs))
    return str(done) if done == expected else f"{done} of {expected}"


def _accuracy(mean: Mean, low: float) -> Cell:
    if mean.value is None:
        return Cell("–", "")
    if mean.low is None or mean.high is None:
        return Cell(_percent(mean.value), _order(mean.value), bar=_bar(mean.value, mean.value, mean.value, low))
    note = f"{100 * mean.low:.1f}–{100 * mean.high:.1f}"
    return Cell(_percent(mean.value), _order(mean.value), note, _bar(mean.low, mean.high, mean.value, low))


def _bar(low: float, high: float, value: float, start: float) -> Bar | None:
    if value < start:
        return None
    left, right, place = (min(1.0, max(0.0, (end - start) / (1 - start))) for end in (low, high, value))
    return Bar(round(100 * left, 2), round(100 * (right - left), 2), round(100 * place, 2))


def _scale_start(board: Board) -> float:
    """Begin the bars at a round tenth below the better half: beside one that learned nothing, all look the same."""
    values = [value for contender in board.contenders if (value := contender.validation.value) is not None]
    return max(0.0, min(0.9, int(10 * median(values) - 0.3) / 10)) if values else 0.0


def _decimal(value: float | None) -> Cell:
    if value is None:
        return Cell("–", "")
    return Cell(f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}", _order(value))


def _percent(share: float | None) -> str:
    """Write a share without the sign, which stands in the header."""
    return "–" if share is None else f"{100 * share:.1f}"


def _order(value: float | None) -> str:
    return "" if value is None else f"{value:.15g}"


def _are_numbers(board: Board, name: str) -> bool:
    values = [value for contender in board.contenders if (value := contender.values.get(name, ""))]
    return bool(values) and all(_is_number(value) for value in values)


def _is_number(text: str) -> bool:
    return rate_value(text) != float("inf")
