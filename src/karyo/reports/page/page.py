"""The page itself: what a comparison found, put into the template, with nothing that the network would have to give."""

import base64
import hashlib
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from karyo import __version__
from karyo.files import write_text
from karyo.reports.comparison import Board, Comparison, Contender, Duel, RunResult
from karyo.reports.fields import duration, number_at, percent
from karyo.reports.page import figures, words
from karyo.reports.page.crossed import Tables, tables_of
from karyo.reports.page.drawing import Drawing
from karyo.reports.page.figures import FigureFolder
from karyo.reports.page.forest import p_text
from karyo.reports.page.hardest import HardClass, confusion_of, hardest_classes
from karyo.reports.page.pareto import front_sentences
from karyo.reports.page.places import places_of
from karyo.reports.page.rows import Column, Row, columns_of, rows_of, scale_of
from karyo.reports.page.settings import settings_data

PAGE = "report.html"
"""Name of the page in its directory."""

_NO_FIGURES = f"Figures are drawn for the first {figures.MOST_BOARDS} boards; compare fewer runs at a time to see them."


@dataclass(frozen=True, slots=True)
class Section:
    """A board as the page shows it.

    Attributes:
        number: 1 for the first board.
        title: Of its data.
        cards: Its numbers to be seen first.
        sentences: What was found.
        columns: Of its leaderboard.
        rows: Of its leaderboard.
        scale: What the bars of its leaderboard span.
        maps: Figures of optimizer and rate.
        costs: Figures of accuracy against cost.
        fronts: What no other setting beats, a sentence for each cost.
        curves: Figures of learning curves.
        duels: The best against the next.
        differences: Figure of the duels.
        best: Label of the best setting; "" if nobody has a rank.
        confusion: Figure of its best run.
        hardest: The classes that run recognises least.
        is_measured: Whether that run has a confusion matrix.
        left_out: What its figures leave out.
        tables: Its cross-validation, its changes, and what did its runs.
        recalls: Figures of recall by class over all folds.
    """

    number: int
    title: str
    cards: tuple[words.Card, ...]
    sentences: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    scale: str
    maps: list[Drawing]
    costs: list[Drawing]
    fronts: tuple[str, ...]
    curves: list[Drawing]
    duels: tuple[Duel, ...]
    differences: list[Drawing]
    best: str
    confusion: list[Drawing]
    hardest: tuple[HardClass, ...]
    is_measured: bool
    left_out: str
    tables: Tables
    recalls: list[Drawing]


def write_page(comparison: Comparison, directory: Path) -> Path:
    """Write ``report.html`` and its figures, ``figures/*.png`` and ``figures/*.svg``.

    The page needs nothing beside it: figures, style and script are inside. Its content security policy forbids
    everything else. The same comparison gives the same bytes, but for the line that says when it was made.

    Args:
        comparison: What was found; nothing at all is a page that says so.
        directory: Where to; made if missing.

    Returns:
        The page's path.

    Raises:
        OSError: If a file cannot be written.
    """
    folder = FigureFolder(directory, len(comparison.boards))
    several = len(comparison.boards) > 1
    sections = [_section(board, number, folder, several) for number, board in enumerate(comparison.boards, start=1)]
    script = _read("page.js")
    html = (
        _environment()
        .from_string(_read("template.html"))
        .render(
            sections=sections,
            overall=words.overall(comparison),
            labelled=_labelled(comparison),
            comparison=comparison,
            settings=settings_data(comparison),
            style=_read("style.css"),
            script=script,
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            version=__version__,
            python=platform.python_version(),
        )
    )
    path = directory / PAGE
    # Names of files need not be valid UTF-8; Python carries their odd bytes as surrogates.
    write_text(path, html.encode("utf-8", errors="replace").decode("utf-8"))
    return path


def _section(board: Board, number: int, folder: FigureFolder, several: bool) -> Section:
    places = places_of(board)
    prefix = f"board{number}-" if several else ""
    best = words.leader(board)
    confusion = None if best is None else confusion_of(best.best_run)
    drawn = number <= figures.MOST_BOARDS
    return Section(
        number=number,
        title=board.title,
        cards=words.cards(board),
        sentences=words.sentences(board),
        columns=columns_of(board),
        rows=rows_of(board),
        scale=scale_of(board),
        maps=figures.map_figures(folder, prefix, places) if drawn else [],
        costs=figures.cost_figures(folder, prefix, places) if drawn else [],
        fronts=front_sentences(places),
        curves=figures.curve_figures(folder, prefix, places) if drawn else [],
        duels=board.duels,
        differences=figures.duel_figures(folder, prefix, board) if drawn else [],
        best="" if best is None else best.label,
        confusion=figures.confusion_figures(folder, prefix, board) if drawn else [],
        hardest=() if confusion is None else hardest_classes(confusion),
        is_measured=confusion is not None,
        left_out=figures.what_is_left_out(folder, places) if drawn else _NO_FIGURES,
        tables=tables_of(board),
        recalls=figures.recall_figures(folder, prefix, board) if drawn else [],
    )


def _labelled(comparison: Comparison) -> list[tuple[Contender, RunResult]]:
    """Give every run with the setting it repeats."""
    return [(it, run) for board in comparison.boards for it in board.contenders for run in it.runs]


def _environment() -> Environment:
    """Give the template's surroundings: everything escaped, and no name that is not there."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "percent": percent,
        "duration": duration,
        "probability": p_text,
        "signed": lambda share: "–" if share is None else f"{100 * share:+.1f}".replace("-", "−"),
        "number": lambda run, *keys: number_at(run.record, *keys),
        "count": words.count,
        "breakable": lambda text: escape(text).replace("_", Markup("_<wbr>")),
    }
    return environment


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
