"""``karyo folds``: a data set divided into folds once and for all, in a file by the names of its cases or cells."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from karyo.data.folds.fold_list import FoldList
    from karyo.data.records import Record

EXAMPLE = """Example: karyo folds data=folders data.root=FOLDER 'data.source.pattern=(?P<cell>[^/]+)/(?P<label>\\d+)_.*'
-o ours.json, then python src/train.py -m data=folders data.root=FOLDER ... data.folds=ours.json 'data.fold=range(5)'"""


def folds(
    settings: Annotated[
        list[str], typer.Argument(help="The data, as for training: data=NAME data.root=FOLDER ...", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write, .json.", show_default=False)],
    by: Annotated[str | None, typer.Option(help="case or cell; the strictest known.", show_default=False)] = None,
    count: Annotated[int, typer.Option(help="How many folds.")] = 5,
    validation: Annotated[float, typer.Option(help="Share to validate on, of what a fold does not test.")] = 0.1,
    seed: Annotated[int, typer.Option(help="Same seed, same folds.")] = 0,
) -> None:
    """Fix the folds of a data set in a file, for data.folds=FILE: each case or cell is tested once."""
    from rich.console import Console

    from karyo.data.folds.drawing import draw_folds
    from karyo.errors import KaryoError, SettingsError
    from karyo.files import write_text
    from karyo.training.source import open_source

    if out.exists():
        raise SettingsError(f"{out} is there already, and runs may rest on it; choose another --out")
    records = open_source(settings).records
    fold_list = draw_folds(records, out.stem, by, count, validation, seed)
    try:
        write_text(out, fold_list.to_json())
    except OSError as error:
        raise KaryoError(f"cannot write {out}: {error.strerror or error}; choose another --out") from error
    console = Console()
    console.print(_table(fold_list, records))
    console.print(f"{out}: use it with data.folds={out}", soft_wrap=True, markup=False, highlight=False)


def _table(fold_list: "FoldList", records: "Sequence[Record]") -> "Table":
    """Show how many cases or cells, and images, each side of each fold has."""
    from rich.table import Table

    from karyo.data.folds.fold_list import SIDES, names_of

    names = names_of(records, fold_list.by)
    table = Table("fold", *SIDES, title=f"{fold_list.name}: {fold_list.by}s and images of each side")
    for number in range(len(fold_list.folds)):
        sides, _ = fold_list.sides(records, number)
        cells = [f"{len({names[i] for i in side.tolist()}):,} · {len(side):,}" for side in sides.values()]
        table.add_row(str(number), *cells)
    return table
