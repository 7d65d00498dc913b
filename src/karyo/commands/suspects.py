"""``karyo suspects``: labels that are probably wrong, and hard cases, from the runs of a cross-validation."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from karyo.evaluation.predictions import Predictions
    from karyo.evaluation.suspects import Suspect
    from karyo.reports.panels import Picture
    from karyo.reports.suspect_runs import Unseen

TABLE_NAME, SHEET_NAME = "suspects.csv", "suspects.png"
_USUAL_PLACE = Path("suspects")


def suspects(
    paths: Annotated[list[Path], typer.Argument(help="Sweeps, runs, or directories above them.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = _USUAL_PLACE,
    most: Annotated[int, typer.Option(help="How many to print and to draw at most; the CSV has all.")] = 24,
    root: Annotated[
        Path | None, typer.Option(help="Folder of the images, where it is not the runs' data.root.", show_default=False)
    ] = None,
) -> None:
    """Find labels that are probably wrong, and hard cases: suspects.csv, and suspects.png to look at them.

    Each image is judged by networks that did not see it: give the runs of a cross-validation. Nothing is moved or
    dropped.
    """
    from rich.console import Console

    from karyo.commands.compare import check_runs, print_problems
    from karyo.errors import KaryoError, SettingsError
    from karyo.evaluation.suspects import find_suspects
    from karyo.reports.suspect_runs import gather_unseen
    from karyo.reports.suspect_table import suspects_table, write_suspects

    if most < 1:
        raise SettingsError(f"--most must be 1 or more, not {most}")
    check_runs(paths)
    unseen = gather_unseen(paths)
    found = find_suspects(unseen.predictions)
    try:
        # A sheet of an earlier time beside the new table would show other suspects.
        (out / SHEET_NAME).unlink(missing_ok=True)
        write_suspects(out / TABLE_NAME, unseen.predictions, found)
    except OSError as error:
        raise KaryoError(f"cannot write to {out}: {error.strerror or error}; choose another --out") from error
    problems = (*unseen.problems, *_draw(unseen, found[:most], found, out / SHEET_NAME, root))
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(suspects_table(unseen.predictions, found, most))
    console.print(_coverage(unseen), soft_wrap=True, markup=False, highlight=False)
    print_problems(console, problems)
    for name in (TABLE_NAME, SHEET_NAME):
        if (out / name).exists():
            console.print(str(out / name), soft_wrap=True, markup=False, highlight=False)


def _coverage(unseen: "Unseen") -> str:
    """Say how much of the data set was judged."""
    judged, runs = len(unseen.predictions), len(unseen.runs)
    of_all = "" if unseen.images is None else f" of {unseen.images:,}"
    return f"{judged:,}{of_all} images were on the test side of {runs:,} run{'' if runs == 1 else 's'}."


def _draw(
    unseen: "Unseen", shown: "Sequence[Suspect]", found: "Sequence[Suspect]", path: Path, root: Path | None
) -> list[str]:
    """Draw the sheet; a sentence where there are no images to draw."""
    from karyo.errors import KaryoError
    from karyo.imaging.write import write_png
    from karyo.reports.pictures import figure_to_array
    from karyo.reports.suspect_examples import compare_suspects
    from karyo.reports.suspect_sheet import draw_suspects

    if not shown:
        return []
    comparisons = compare_suspects(unseen.predictions, found, len(shown))
    try:
        read = _open_images(unseen.runs[0], root)
    except KaryoError as error:
        if root is not None:
            raise
        return [f"No pictures are drawn: {str(error).rstrip('.')}; name the folder of the images with --root."]
    wanted = sorted({index for comparison in comparisons for index in comparison.indices})
    pictures, lost = _read_pictures(unseen.predictions, wanted, read)
    if not any(comparison.suspect.index in pictures for comparison in comparisons):
        return [f"No pictures are drawn: {lost}; name the folder of the images with --root."]
    subtitle = (
        f"{len(shown)} of {len(found)}; then the class it has, and the class it may be, from its cell if possible"
    )
    write_png(path, figure_to_array(draw_suspects(unseen.predictions, comparisons, pictures, subtitle)))
    return [f"Some pictures are missing: {lost}."] if lost else []


def _open_images(directory: Path, root: Path | None) -> "Callable[[str], Picture]":
    """Give a function from an image's path to the image, cut to its object, as a run's configuration reads it.

    Raises:
        KaryoError: If the data cannot be opened.
    """
    from karyo.errors import DataError
    from karyo.reports.suspect_sheet import as_seen
    from karyo.training.build import build
    from karyo.training.finished import find_finished, own_data
    from karyo.training.locations import register_resolvers

    config = find_finished(directory).config
    if root is not None:
        config.data.root = str(root)
    register_resolvers()
    node = own_data(config)
    source, polarity = build(node.source), node.get("polarity") or "auto"
    records = {record.path: record for record in source.records}

    def read(path: str) -> "Picture":
        if path not in records:
            raise DataError(f"{path} is not among the images of {source.name}")
        return as_seen(source.read(records[path]), polarity)

    return read


def _read_pictures(
    predictions: "Predictions", indices: "Sequence[int]", read: "Callable[[str], Picture]"
) -> tuple[dict[int, "Picture"], str]:
    """Read images; and say why the first of those that cannot be read is missing, "" where none is."""
    from karyo.errors import DataError, printable

    pictures, lost = {}, ""
    for index in indices:
        try:
            pictures[index] = read(predictions.paths[index])
        except DataError as error:
            lost = lost or printable(error).rstrip(".")
    return pictures, lost
