"""``karyo download``: public chromosome data sets, fetched, verified and unpacked."""

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from karyo.data.download import Delivery, PublicSet

_STOPPED = 130  # 128 + SIGINT, as shells count


def download(
    name: Annotated[str | None, typer.Argument(help="The data set; without it, all are listed.")] = None,
    folder: Annotated[Path | None, typer.Argument(help="Where to, made if missing: FOLDER/NAME holds the set.")] = None,
    show_list: Annotated[bool, typer.Option("--list", help="List the data sets.")] = False,
) -> None:
    """Download a public data set: resumed where it was cut off, verified, unpacked."""
    from karyo.data.download import deliver, find_public_set
    from karyo.errors import SettingsError

    if name is None or show_list:
        _list_sets()
        return
    public, archive = find_public_set(name)
    if folder is None:
        raise SettingsError(f"say where to: karyo download {public.name} FOLDER.")
    try:
        with _progress(archive.file) as report:
            delivery = deliver(public, archive, folder.expanduser(), report)
    except KeyboardInterrupt:
        typer.echo("Stopped; the same command goes on from there.", err=True)
        raise typer.Exit(_STOPPED) from None
    _print_outcome(public, delivery)


def _list_sets() -> None:
    """Print the data sets, the ones that can be downloaded first."""
    from karyo.data.download import PUBLIC_SETS

    for public in sorted(PUBLIC_SETS, key=lambda each: each.archive is None):
        typer.echo(f"{public.name}: {public.content}")
        typer.echo(f"  paper: {public.citation}")
        if public.terms:
            typer.echo(f"  terms: {public.terms}")
        get = f"karyo download {public.name} FOLDER" if public.archive else "from its authors"
        typer.echo(f"  get it: {get}")


def _print_outcome(public: "PublicSet", delivery: "Delivery") -> None:
    """Print where the set is, what it asks for, and what comes next."""
    came = {
        "downloaded": "downloaded, verified and unpacked",
        "by hand": "verified and unpacked from the archive that was there, without a connection",
        "present": "already there and complete; nothing to do",
    }
    typer.echo(f"{public.name}: {came[delivery.came]}: {delivery.files:,} files in {delivery.folder}")
    typer.echo(f"  cite: {public.citation}")
    if public.terms:
        typer.echo(f"  terms: {public.terms}")
    typer.echo(f"  next: python src/train.py data={public.name} {shlex.quote(f'data.root={delivery.folder}')}")


@contextmanager
def _progress(file: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show bytes, speed and time left on a terminal, one line for each tenth elsewhere; gives the function to call."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain_lines(file)
        return
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(TextColumn("{task.description}"), *columns, console=console) as bar:
        task = None

        def report(have: int, total: int | None) -> None:
            nonlocal task
            if task is None:  # What an earlier attempt left is no speed of this one.
                task = bar.add_task(file, total=total, completed=have)
            bar.update(task, total=total, completed=have)

        yield report


def _plain_lines(file: str) -> Callable[[int, int | None], None]:
    """Give a function that prints a line to stderr for each tenth of a file, and each ten megabytes without an end."""
    last = -1

    def report(have: int, total: int | None) -> None:
        nonlocal last
        step = have * 10 // total if total else have // 10_000_000
        if step > last:
            last = step
            end = f" of {total / 1e6:.1f}" if total else ""
            typer.echo(f"{file}: {have / 1e6:.1f}{end} MB", err=True)

    return report
