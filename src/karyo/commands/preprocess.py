"""``karyo preprocess``: a folder of chromosome images, cleaned."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from karyo.imaging.steps import Chain


def preprocess(
    images: Annotated[Path | None, typer.Argument(help="The folder of images, of any depth.")] = None,
    out: Annotated[Path | None, typer.Argument(help="The folder to fill: the same places, as PNG.")] = None,
    steps: Annotated[
        str, typer.Option(help="Steps in their order, with settings: denoise,clahe:clip_limit=3,largest-object.")
    ] = "",
    preset: Annotated[
        str, typer.Option(help="The steps of a preprocessing= of training: report, clean, straight.")
    ] = "",
    polarity: Annotated[str, typer.Option(help="Background as stored: auto, bright or dark.")] = "auto",
    workers: Annotated[int | None, typer.Option(help="Processes; one per core if not given.")] = None,
    list_steps: Annotated[bool, typer.Option("--list", help="List all steps and their settings, and leave.")] = False,
) -> None:
    """Clean every image of a folder: denoise, contrast, threshold, largest object, straighten and more.

    Can be stopped at any moment; the same command goes on.
    """
    from rich.console import Console

    from karyo.commands.filling import print_totals, stoppable
    from karyo.data.cleaning import Cleaning, clean_folder
    from karyo.data.parallel import check_workers
    from karyo.errors import SettingsError

    if list_steps:
        Console().print(_steps_table())
        return
    if images is None or out is None:
        raise SettingsError("say which images and where to: karyo preprocess IMAGES OUT --steps ...")
    cleaning = Cleaning(_chain(steps, preset), polarity)
    with stoppable(out):
        totals = clean_folder(images, out, cleaning, check_workers(workers))
    print_totals(totals, "images", out)


def _chain(steps: str, preset: str) -> "Chain":
    """Put together what was asked for: the preset's steps, then those that were typed."""
    from karyo.imaging.steps import Chain
    from karyo.training.presets import preset_chain

    begin = preset_chain(preset).steps if preset else ()
    return Chain((*begin, *Chain.from_text(steps).steps))


def _steps_table() -> "Table":
    from rich.table import Column, Table

    from karyo.imaging.steps import STEPS, describe_settings

    # A name that is typed must be readable whole on the narrowest terminal.
    table = Table(Column("step", no_wrap=True), "what it does", Column("setting", no_wrap=True), "default", "range")
    for name, step in STEPS.items():
        columns = zip(*describe_settings(step), strict=True)
        summary = (step.__doc__ or "").strip().splitlines()[0]
        table.add_row(name.replace("_", "-"), summary, *("\n".join(column) for column in columns))
    return table
