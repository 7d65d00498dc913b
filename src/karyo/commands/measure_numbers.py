"""``karyo measure numbers``: abnormal numbers of chromosomes, planted and looked for."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from karyo.commands.draw import read_difficulty
from karyo.progress import progress_bar

if TYPE_CHECKING:
    from rich.table import Table

    from karyo.evaluation.numbers import Share
    from karyo.evaluation.planting import Pool


def numbers(
    model: Annotated[
        Path | None, typer.Argument(help="A file that karyo export wrote; for drawn cells.", show_default=False)
    ] = None,
    synthetic: Annotated[int, typer.Option(help="Cells to draw.")] = 20,
    predictions: Annotated[
        list[Path] | None,
        typer.Option(
            help="predictions.csv, or predictions_in_cell.csv, of normal cells unseen in training, in place of drawn "
            "ones; each fold once."
        ),
    ] = None,
    cases_by: Annotated[
        str | None,
        typer.Option(help="Regular expression that finds the patient in a cell's name: its first group, or all of it."),
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option(help="Folder of the predicted images; their sizes then count too.")
    ] = None,
    cells_per_case: Annotated[int, typer.Option(help="Drawn cells that are one patient's.")] = 5,
    lost: Annotated[
        float, typer.Option(help="Share of each drawn cell's chromosomes that got lost, 0 to below 1.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="0 or more; another seed draws other cells and plants others.")] = 0,
    difficulty: Annotated[str, typer.Option(help="easy, normal, hard, or a number from 0 to 1.")] = "normal",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure how often planted trisomies, monosomies ... are found, and how often normal cells are called abnormal."""
    from rich.console import Console

    from karyo.errors import SettingsError
    from karyo.evaluation.numbers import measure_numbers, summarise

    if predictions and model is not None:
        raise SettingsError("give a model to draw cells for it, or --predictions of real cells, not both")
    if predictions:
        pool = _real_pool(predictions, cases_by, data_root)
    else:
        pool = _drawn_pool(model, synthetic, cells_per_case, lost, seed, difficulty)
    with progress_bar("deciding cells", len(pool.cells)) as advance:
        trials = measure_numbers(pool, seed=seed, advance=advance)
    totals, single = summarise(trials), summarise(trials, by_change=True)
    if as_json:
        content = {"cells": len(pool.cells), "left_out": pool.left_out, "seed": seed}
        by_change = [each.to_dict() for each in single if each.change]
        typer.echo(json.dumps(content | {"all": [each.to_dict() for each in totals], "by_change": by_change}, indent=2))
        return
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(_numbers_table(totals, pool))
    console.print(_changes_table(single))


def _real_pool(predictions: list[Path], cases_by: str | None, data_root: Path | None) -> "Pool":
    """Read the cells of predictions."""
    from karyo.evaluation.pools import join_predictions, pool_of_predictions, sizes_of_predictions
    from karyo.evaluation.predictions import Predictions

    joined = join_predictions([Predictions.read_csv(path) for path in predictions])
    sizes = None if data_root is None else sizes_of_predictions(joined, data_root)
    return pool_of_predictions(joined, cases_by, sizes)


def _drawn_pool(model: Path | None, cells: int, cells_per_case: int, lost: float, seed: int, difficulty: str) -> "Pool":
    """Draw cells for a model."""
    from karyo.data.synthetic import CellSettings
    from karyo.errors import SettingsError
    from karyo.evaluation.pools import draw_pool
    from karyo.inference import load

    if model is None:
        raise SettingsError("name a model to draw cells for it, or give --predictions of real cells")
    predictor = load(model)
    polarity = predictor.passport.preparation.polarity
    settings = CellSettings(read_difficulty(difficulty), "bright" if polarity == "auto" else polarity, lost=lost)
    with progress_bar("drawing cells", max(cells, 0)) as advance:
        return draw_pool(predictor, cells, cells_per_case, seed, settings, advance)


def _numbers_table(shares: "list[Share]", pool: "Pool") -> "Table":
    """Lay out sensitivity and specificity, a row for each way to decide."""
    from rich.table import Table

    left_out = f" {pool.left_out} cells with too few chromosomes were left out." if pool.left_out else ""
    table = Table(
        title=f"Numbers of chromosomes in {len(pool.cells)} normal cells, as they are and with planted changes",
        caption="Right: the planted change is named; normal ones are not abnormal. In brackets the 95 % interval."
        + left_out,
    )
    for column in ("of a", "planted", "decided", "calls", "abnormal", "right"):
        table.add_column(column, justify="right" if column in ("calls", "abnormal") else "left")
    for index, each in enumerate(shares):
        if index and (each.level, each.kind) != (shares[index - 1].level, shares[index - 1].kind):
            table.add_section()
        right = f"{100 * each.share:.1f} % ({100 * each.low:.1f} .. {100 * each.high:.1f})"
        table.add_row(each.level, each.kind, each.way, str(each.tries), str(each.abnormal), right)
    return table


def _changes_table(shares: "list[Share]") -> "Table":
    """Lay out how often each change is found, decided together: cells and cases beside each other."""
    from rich.table import Table

    from karyo.evaluation.numbers import LEVELS

    found = {(each.level, each.change): each for each in shares if each.change and each.way == "together"}
    table = Table(title="Found, decided together")
    for column in ("planted", *LEVELS):
        table.add_column(column, justify="right")
    for change in dict.fromkeys(change for _, change in found):
        both = [found.get((level, change)) for level in LEVELS]
        table.add_row(str(change), *(f"{each.right} of {each.tries}" if each else "-" for each in both))
    return table
