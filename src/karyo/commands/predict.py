"""``karyo predict``: images through an exported model, as a table, CSV or JSON lines."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from karyo.inference import Predictor
    from karyo.inference.journal import Journal, Row

_SHOWN = 40
_SCREEN = Path("-")


def predict(
    model: Annotated[Path, typer.Argument(help="A file that karyo export wrote.", show_default=False)],
    images: Annotated[
        list[Path],
        typer.Argument(help="Image files, folders, or patterns such as 'cells/*/7_*.png'.", show_default=False),
    ],
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write a table to this file; - for the screen.", show_default=False)
    ] = None,
    jsonl: Annotated[
        Path | None,
        typer.Option("--jsonl", help="Write JSON lines to this file; - for the screen.", show_default=False),
    ] = None,
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Write all 24 probabilities.")] = False,
    top: Annotated[int, typer.Option(help="How many classes JSON lines name.", min=1, max=24)] = 5,
    batch_size: Annotated[int, typer.Option(help="Images that go through the network together.", min=1)] = 32,
    threads: Annotated[
        int | None,
        typer.Option(help="Threads of the network; one per core if not given.", min=1, max=256),
    ] = None,
) -> None:
    """Say which chromosome each image shows, how sure that is, and which ones a person should look at.

    With --csv or --jsonl a stopped command goes on where it was. An image that cannot be read is named and does not
    stop the others; the exit code is 1 only if none could be read.
    """
    from karyo.inference import load
    from karyo.inference.many import find_images
    from karyo.inference.results import to_csv, to_json_lines

    outs = [out for out in (csv, jsonl) if out is not None]
    paths = [str(path) for path in find_images(images)]
    _check_places(outs, [model, *map(Path, paths)])
    predictor = load(model, threads)
    began = time.monotonic()
    with _journal(outs, predictor) as journal:
        rows = _predicted(predictor, paths, journal, batch_size)
        seconds = time.monotonic() - began
        if csv is not None:
            _write(csv, to_csv(rows, probabilities))
        if jsonl is not None:
            _write(jsonl, to_json_lines(rows, probabilities, top))
        if journal is not None:
            journal.done()
    _print(rows, seconds, outs)
    if all("error" in row for row in rows):
        raise typer.Exit(1)


def _check_places(outs: list[Path], taken: list[Path]) -> None:
    """Refuse to write over the model, an image, or what is no file, before anything is done.

    Raises:
        SettingsError: Naming the place.
    """
    from karyo.errors import SettingsError

    if len({out if out == _SCREEN else out.resolve() for out in outs}) < len(outs):
        raise SettingsError(f"--csv and --jsonl both name {outs[0]}; give each a place of its own")
    needed = {path.resolve() for path in taken}
    for out in outs:
        if out == _SCREEN:
            continue
        if out.resolve() in needed:
            raise SettingsError(f"{out} is the model or one of the images; write the result elsewhere")
        if out.exists() and not out.is_file():
            raise SettingsError(f"{out} is no file that can be written over; choose another, or - for the screen")


@contextmanager
def _journal(outs: list[Path], predictor: "Predictor") -> "Iterator[Journal | None]":
    """Keep what comes beside the first file that shall be made, where there is one."""
    file = next((out for out in outs if out != _SCREEN), None)
    if file is None:
        yield None
        return
    from karyo.commands.filling import stoppable
    from karyo.inference.journal import Journal

    with stoppable(file), Journal(file.resolve(), predictor.passport) as journal:
        yield journal


def _predicted(predictor: "Predictor", paths: Sequence[str], journal: "Journal | None", batch_size: int) -> "list[Row]":
    """Give the row of each path, those that the journal knows without another look."""
    from karyo.inference.many import predict_many
    from karyo.inference.results import row_of
    from karyo.progress import progress_bar

    rows = dict(journal.rows) if journal else {}
    missing = [path for path in paths if path not in rows]
    with progress_bar("predicting", len(paths), len(paths) - len(missing), only_on_terminals=True) as advance:
        for outcome in predict_many(predictor, missing, batch_size):
            rows[outcome.name] = row_of(outcome)
            if journal:
                journal.add(rows[outcome.name])
            advance()
    return [rows[path] for path in paths]


def _write(out: Path, text: str) -> None:
    from karyo.errors import KaryoError
    from karyo.files import encode_names, write_names

    try:
        if out == _SCREEN:
            sys.stdout.buffer.write(encode_names(text))
            sys.stdout.buffer.flush()
        else:
            # Through a link: what it points to is replaced, and the link stays.
            write_names(out.resolve(), text)
    except OSError as error:
        raise KaryoError(f"{out} cannot be written: {error.strerror or error}") from error


def _print(rows: "Sequence[Row]", seconds: float, written: list[Path]) -> None:
    """Print the table, unless the screen or a file has it already, and what the images came to."""
    from rich.console import Console
    from rich.table import Table

    from karyo.errors import printable
    from karyo.inference.results import tally

    console = Console(stderr=_SCREEN in written, width=None if sys.stdout.isatty() else 120)
    if not written:
        folder = _common_folder([row["name"] for row in rows])
        if folder:
            console.print(f"{printable(folder)}:", highlight=False, markup=False, soft_wrap=True)
        table = Table("image", "class", "probability", "second", "remark", box=None, header_style="bold")
        for row in rows[:_SHOWN]:
            table.add_row(*_cells(row, folder))
        console.print(table)
        if len(rows) > _SHOWN:
            console.print(f"... and {len(rows) - _SHOWN:,} more; --csv FILE writes them all", highlight=False)
    counts = tally(rows)
    reasons = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.reasons)
    parts = [f"{counts.accepted:,} accepted", f"{counts.rejected:,} rejected" + (f" ({reasons})" if reasons else "")]
    parts += [f"{counts.unreadable:,} unreadable"] if counts.unreadable else []
    named = f"{len(rows):,} image{'' if len(rows) == 1 else 's'}: "
    console.print(f"{named}{', '.join(parts)}; {seconds:.1f} s", highlight=False, markup=False, soft_wrap=True)
    for out in written:
        if out != _SCREEN:
            console.print(f"written: {out}", highlight=False, markup=False, soft_wrap=True)


def _common_folder(names: list[str]) -> str:
    """Give the folder that all images lie in, to print it once; nothing where they have none in common."""
    try:
        return os.path.commonpath([str(Path(name).parent) for name in names])
    except ValueError:  # absolute and relative names together
        return ""


def _cells(row: "Row", folder: str) -> list[str]:
    from rich.markup import escape

    from karyo.errors import printable
    from karyo.inference.prediction import REASONS
    from karyo.inference.results import ranked

    name = escape(printable(os.path.relpath(row["name"], folder) if folder else row["name"]))
    if "error" in row:
        return [name, "", "", "", f"[red]{escape(row['error'].removeprefix(printable(row['name'])).strip())}[/red]"]
    second, share = ranked(row)[1]
    remark = "; ".join(REASONS[reason] for reason in row["reasons"])
    return [name, row["label"], f"{row['probability']:.1%}", f"{second} {share:.1%}", f"[yellow]{remark}[/yellow]"]
