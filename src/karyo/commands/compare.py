"""``karyo compare``: runs side by side, as a page, as tables and on the screen."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from karyo.reports.comparison import Comparison

_RUNS_ELSEWHERE = Path("comparison")


def compare(
    paths: Annotated[list[Path], typer.Argument(help="Sweeps, runs, or directories above them.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option(help="Where to write; the sweep's own directory, or ./comparison.", show_default=False),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="The setting, or the name of a run, that the others are changes of.",
            show_default=False,
            metavar="LABEL",
        ),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open/--no-open", help="Show the page in the browser.")] = False,
) -> None:
    """Compare runs: report.html, leaderboard.csv, leaderboard.md, figures, and the leaderboard on the screen.

    Folds of a cross-validation are put together in cross_validation.md and .csv, settings that differ in one thing in
    ablation.md and .csv.
    """
    from rich.console import Console

    from karyo.errors import KaryoError
    from karyo.reports.ablation import write_ablation
    from karyo.reports.comparison import compare as compare_runs
    from karyo.reports.cross_validation import write_cross_validation
    from karyo.reports.leaderboard import Leaderboard
    from karyo.reports.page import write_page

    check_runs(paths)
    comparison = compare_runs(paths, baseline=baseline)
    out = out or _usual_place(paths)
    try:
        Leaderboard(comparison).write(out)
        write_cross_validation(comparison, out)
        write_ablation(comparison, out)
        page = write_page(comparison, out)
    except OSError as error:
        raise KaryoError(f"cannot write to {out}: {error.strerror or error}; choose another --out") from error
    console = Console(width=None if sys.stdout.isatty() else 120)
    print_comparison(console, comparison)
    console.print(f"\n{page}", soft_wrap=True, markup=False, highlight=False)
    if open_page:
        typer.launch(page.resolve().as_uri())
    if not any(contender.finished for board in comparison.boards for contender in board.contenders):
        raise KaryoError("no run has finished, so there is nothing to rank; the page shows what there is")


def check_runs(paths: list[Path]) -> None:
    """Refuse directories without runs.

    Raises:
        SettingsError: Naming the first.
    """
    from karyo.errors import SettingsError
    from karyo.reports.runs import RECORD_NAME, find_records

    for path in paths:
        if not find_records(path):
            raise SettingsError(f"there are no runs below {path}: no {RECORD_NAME} is found; give a sweep or a run")


def print_comparison(console: "Console", comparison: "Comparison") -> None:
    """Print the leaderboards, what the duels came to, and what failed or was damaged."""
    from karyo.reports.ablation import ablation_tables
    from karyo.reports.cross_validation import cross_validation_tables
    from karyo.reports.leaderboard import Leaderboard

    for board, table in zip(comparison.boards, Leaderboard(comparison).as_tables(console.width), strict=False):
        console.print()
        console.print(table)
        for duel in board.duels:
            console.print(duel.verdict, markup=False, highlight=False)
    for table in [*cross_validation_tables(comparison, console.width), *ablation_tables(comparison)]:
        console.print()
        console.print(table)
    if comparison.failed:
        console.print("\nFailed", style="bold red")
    for run in comparison.failed:
        console.print(f"  {run.directory}: {run.error}", soft_wrap=True, markup=False, highlight=False)
    print_problems(console, comparison.problems)


def print_problems(console: "Console", problems: tuple[str, ...]) -> None:
    """Print sentences on what was damaged."""
    if problems:
        console.print()
    for problem in problems:
        console.print(problem, style="yellow", soft_wrap=True, markup=False, highlight=False)


def _usual_place(paths: list[Path]) -> Path:
    """Give the directory of a sweep, if it is one sweep that is compared."""
    sweep = len(paths) == 1 and any(paths[0].glob("*/summary.json"))
    return paths[0] if sweep else _RUNS_ELSEWHERE
