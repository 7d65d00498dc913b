"""``karyo show``: pictures of what is done to an image, to a spread, or to a folder of images."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from karyo.imaging.steps import Chain

_CLASS_IN_NAME = re.compile(r"(?:.* (?P<spaced>\w+?)|(?P<plain>\w+?))(?P<homolog>[ab])?", re.IGNORECASE)


def show(
    image: Annotated[Path, typer.Argument(help="A chromosome image, a whole spread, or a folder of images.")],
    out: Annotated[Path | None, typer.Option(help="The PNG to write; <image>_stages.png here unless given.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="For a folder: the contact sheet to write, a PNG.")] = None,
    steps: Annotated[str, typer.Option(help="Show these steps: denoise,clahe:clip_limit=3,largest-object.")] = "",
    preset: Annotated[
        str, typer.Option(help="Show a preprocessing= of training; report and straight unless given.")
    ] = "",
    chromosome: Annotated[
        str, typer.Option("--class", help="Its class, 1..22, X, Y; otherwise the folder's or file's name says it.")
    ] = "",
    annotations: Annotated[Path | None, typer.Option(help="For a spread: its Pascal VOC XML.")] = None,
    polarity: Annotated[str, typer.Option(help="Background as stored: auto, bright or dark.")] = "auto",
    count: Annotated[int, typer.Option(help="For a contact sheet: how many images.")] = 24,
    seed: Annotated[int, typer.Option(help="For a contact sheet: another seed chooses other images.")] = 0,
) -> None:
    """Draw what preprocessing does: every stage of one image, the objects of a spread, or a contact sheet.

    The stages end with the axis, the centromere, both ways of straightening, and the bands beside the ideogram's.
    """
    from karyo.errors import SettingsError
    from karyo.imaging.write import write_png
    from karyo.reports.pictures import figure_to_array

    if not image.exists():
        raise SettingsError(f"{image} does not exist; name an image or a folder of images")
    if image.is_dir():
        if chromosome or annotations:
            raise SettingsError(f"{image} is a folder; --class and --annotations go with a single image")
        figure, kind = _draw_folder(image, _one_chain(steps, preset), polarity, count, seed), "sheet"
    elif sheet is not None:
        raise SettingsError(f"{image} is a file; --sheet draws a folder of images")
    else:
        figure, kind = _draw_image(image, _chains(steps, preset), chromosome, annotations, polarity)
    target = sheet or out or Path(f"{image.absolute().stem}_{kind}.png")
    if target.suffix.lower() != ".png":
        raise SettingsError(f"{target} must be named *.png")
    write_png(target, figure_to_array(figure))
    typer.echo(f"{kind} of {image.name}: {target}")


def _draw_folder(folder: Path, chain: "Chain", polarity: str, count: int, seed: int) -> "Figure":
    from karyo.reports.sheet import draw_folder

    return draw_folder(folder, chain, polarity, count, seed)


def _draw_image(
    image: Path, chains: dict[str, "Chain"] | None, chromosome: str, annotations: Path | None, polarity: str
) -> tuple["Figure", str]:
    """Draw one image as what it is, and say what that is; what is asked for a chromosome makes it one."""
    from karyo.data.spreads.annotation import read_annotation
    from karyo.errors import SettingsError
    from karyo.imaging.polarity import normalise_polarity
    from karyo.imaging.read import read_grey
    from karyo.reports.spread import draw_spread_picture, is_spread
    from karyo.reports.stages import draw_stages

    if annotations and (chains or chromosome):
        raise SettingsError("--annotations is for a whole spread; --steps, --preset and --class are for one chromosome")
    label, source = _class_of(image, chromosome)
    known = None if annotations is None else read_annotation(annotations)
    stored = read_grey(image)
    if known and known.size is not None and known.size != stored.shape[::-1]:
        raise SettingsError(
            f"{image} has {stored.shape[1]} x {stored.shape[0]} pixels, but {annotations} was made for "
            f"{known.size[0]} x {known.size[1]}; find the image that was annotated"
        )
    if known or (not chains and not chromosome and is_spread(normalise_polarity(stored, polarity))):
        return draw_spread_picture(image.name, stored, known, polarity), "spread"
    chains = chains or {name: _one_chain("", name) for name in ("report", "straight")}
    name = f"{image.absolute().parent.name}/{image.name}"
    return draw_stages(name, stored, chains, label, source, polarity), "stages"


def _chains(steps: str, preset: str) -> dict[str, "Chain"] | None:
    """Give the one chain that was asked for, by its name; None if none was."""
    return {preset or "steps": _one_chain(steps, preset)} if steps or preset else None


def _one_chain(steps: str, preset: str) -> "Chain":
    """Give the preset's steps, then those that were typed; straight if neither was."""
    from karyo.imaging.steps import Chain
    from karyo.training.presets import preset_chain

    begin = preset_chain(preset or "straight").steps if preset or not steps else ()
    return Chain((*begin, *Chain.from_text(steps).steps))


def _class_of(image: Path, typed: str) -> tuple[int | None, str]:
    """Find the class of an image, and say where it stands."""
    from karyo.chromosomes import parse_label
    from karyo.errors import SettingsError

    if typed:
        try:
            return parse_label(typed), "as given"
        except ValueError as error:
            raise SettingsError(f"--class: {error}") from None
    # `12a` and `cell 12a` name the chromosome; `12_1_56131` and `0007` may be any numbers, and the folder says it.
    match = _CLASS_IN_NAME.fullmatch(image.stem)
    named = (match["spaced"] or (match["plain"] if match["homolog"] else "")) if match else ""
    for text, source in ((named, "from the file's name"), (image.absolute().parent.name, "from the folder's name")):
        try:
            return parse_label(text), source
        except ValueError:
            continue
    return None, ""
