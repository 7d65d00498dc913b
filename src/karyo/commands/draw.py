"""``karyo draw``: chromosomes, cells and metaphase spreads drawn from the ideogram."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from karyo.progress import progress_bar

if TYPE_CHECKING:
    from karyo.data.synthetic import CellSettings

draw_app = typer.Typer(
    name="draw", help="Draw chromosomes from the ideogram, with the truth about each.", no_args_is_help=True
)

Seed = Annotated[int, typer.Option(help="0 or more; another seed draws other cells.")]
Difficulty = Annotated[str, typer.Option(help="easy, normal, hard, or a number from 0 (easy) to 1 (hard).")]
Polarity = Annotated[str, typer.Option(help="Background: bright, dark or mixed (one of the two for each cell).")]
Sex = Annotated[str, typer.Option(help="XX, XY or mixed.")]
Scale = Annotated[float, typer.Option(help="Magnification; 1 draws chromosome 1 at about 60 to 120 pixels.")]
Complement = Annotated[
    str | None,
    typer.Option(help="Chromosomes of each cell as ISCN text, such as 47,XY,+21; else normal.", show_default=False),
]
Lost = Annotated[float, typer.Option(help="Share of the chromosomes that are left out, 0 to below 1.")]


@draw_app.command()
def sheet(
    out: Annotated[Path, typer.Argument(help="The PNG to write.")],
    cells: Annotated[int, typer.Option(help="Rows, one cell each.")] = 3,
    seed: Seed = 0,
    difficulty: Difficulty = "normal",
    polarity: Polarity = "bright",
    scale: Scale = 1.0,
) -> None:
    """Draw the 24 classes side by side."""
    from karyo.data.synthetic import CellSettings, draw_sheet
    from karyo.errors import SettingsError
    from karyo.imaging.write import write_png

    if cells < 1 or seed < 0:
        raise SettingsError(f"cells must be 1 or more and seed 0 or more, not {cells} and {seed}")
    if out.suffix.lower() != ".png":
        raise SettingsError(f"{out} must be named *.png")
    settings = CellSettings(read_difficulty(difficulty), polarity, "mixed", scale)
    write_png(out, draw_sheet(cells, seed, settings))
    typer.echo(f"24 classes of {cells} cells: {out}")


@draw_app.command()
def cells(
    out: Annotated[Path, typer.Argument(help="A new folder: OUT/<cell>/<label><homolog>.png and OUT/truth.json.")],
    cells: Annotated[int, typer.Option(help="Number of cells.")] = 40,
    seed: Seed = 0,
    difficulty: Difficulty = "normal",
    polarity: Polarity = "bright",
    sex: Sex = "mixed",
    scale: Scale = 1.0,
    complement: Complement = None,
    lost: Lost = 0.0,
) -> None:
    """Draw whole cells, one PNG per chromosome."""
    from karyo.data.synthetic import write_cells

    settings = _cell_settings(difficulty, polarity, sex, scale, complement, lost)
    with progress_bar("drawing cells", cells) as advance:
        write_cells(out, cells, seed, settings, advance)
    typer.echo(f"{cells} cells: {out}")


@draw_app.command()
def spreads(
    out: Annotated[Path, typer.Argument(help="A new folder: images, annotations (Pascal VOC), masks and truth.")],
    count: Annotated[int, typer.Option(help="Number of spreads.")] = 10,
    width: Annotated[int, typer.Option(help="Pixels.")] = 1000,
    height: Annotated[int, typer.Option(help="Pixels.")] = 800,
    touching: Annotated[float, typer.Option(help="Share of the chromosomes laid against another one.")] = 0.15,
    crossing: Annotated[float, typer.Option(help="Share of the chromosomes laid across another one.")] = 0.1,
    nuclei: Annotated[int, typer.Option(help="Number of interphase nuclei.")] = 2,
    debris: Annotated[int, typer.Option(help="Number of specks of dirt.")] = 25,
    seed: Seed = 0,
    difficulty: Difficulty = "normal",
    polarity: Polarity = "bright",
    sex: Sex = "mixed",
    scale: Scale = 1.0,
    complement: Complement = None,
    lost: Lost = 0.0,
) -> None:
    """Draw metaphase spreads with touching and crossing chromosomes, and the truth about each chromosome."""
    from karyo.data.synthetic import SpreadSettings, write_spreads

    cell = _cell_settings(difficulty, polarity, sex, scale, complement, lost)
    settings = SpreadSettings(width, height, cell, touching, crossing, nuclei, debris)
    with progress_bar("drawing spreads", count) as advance:
        write_spreads(out, count, seed, settings, advance)
    typer.echo(f"{count} spreads: {out}")


def _cell_settings(
    difficulty: str, polarity: str, sex: str, scale: float, complement: str | None, lost: float
) -> "CellSettings":
    """Read what cells should be like."""
    from karyo.data.synthetic import CellSettings
    from karyo.errors import SettingsError
    from karyo.karyotype.iscn import parse_iscn

    if complement is not None and sex != "mixed":
        raise SettingsError(f"--complement {complement} names the sex chromosomes already; leave --sex {sex} out")
    copies = None if complement is None else parse_iscn(complement)
    return CellSettings(read_difficulty(difficulty), polarity, sex, scale, copies, lost)


def read_difficulty(text: str) -> float | str:
    """Read a difficulty as typed: a number where it is one, otherwise the name.

    Args:
        text: ``"0.5"`` or ``"normal"``.

    Returns:
        The number or the name; neither is checked.
    """
    try:
        return float(text)
    except ValueError:
        return text
