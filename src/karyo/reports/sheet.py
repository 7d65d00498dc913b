"""A contact sheet: images of a folder before and after preprocessing, those worth a look first."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from karyo.data.sampling import sample_images
from karyo.errors import DataError
from karyo.imaging.polarity import normalise_polarity, stored_bright
from karyo.imaging.quality import FLAGS, assess
from karyo.imaging.read import read_grey
from karyo.imaging.steps import Chain
from karyo.reports.chain_panels import View, count_objects
from karyo.reports.panels import Panel, Picture, add_heading, draw_panel, fitting_scale, shorten, write
from karyo.reports.theme import FIXED_WIDTH, GREY, VERMILLION, drawable, new_figure

WIDTH = 12.8
"""Of the figure, inches."""

COLUMNS = 6
"""Pairs side by side."""

_LOOKED_AT = 8
"""Images looked at for each that is drawn, in search of those worth a look."""

_SIDE, _TALL, _GAP, _STEP, _ROW = 0.8, 1.2, 0.24, 2.06, 1.95
_TOP, _HEAD, _END = 0.95, 0.42, 0.15
_NAME_SIZE = 6.5


@dataclass(frozen=True, slots=True)
class Pair:
    """An image before and after.

    Attributes:
        name: What to call it.
        before: uint8 (H, W), as it shall be seen.
        after: uint8 (h, w), as it shall be seen.
        objects: Chromosomes found in it before.
        flags: What may be wrong with it, names from :data:`karyo.imaging.quality.FLAGS`.
    """

    name: str
    before: Picture
    after: Picture
    objects: int
    flags: tuple[str, ...]


def draw_folder(folder: Path, chain: Chain, polarity: str = "auto", count: int = 24, seed: int = 0) -> Figure:
    """Draw a contact sheet of a folder: up to half of it images worth a look, the rest clear ones.

    Eight times as many images as are drawn are looked at, evenly from all subfolders; the subtitle says how many of
    them are flagged.

    Args:
        folder: A folder of chromosome images.
        chain: The steps.
        polarity: ``auto``, ``bright`` or ``dark``: the background of the images as stored.
        count: How many to draw at most, 1 or more.
        seed: 0 or more; another one chooses other images.

    Returns:
        The figure, two axes for each image.

    Raises:
        SettingsError: If a number is out of range or there are no images.
        DataError: If none of them can be read.
    """
    paths, total = sample_images(folder, count, seed, _LOOKED_AT)
    pairs = _look_at(folder, paths, chain, polarity)
    flagged = [pair for pair in pairs if pair.flags]
    clear = [pair for pair in pairs if not pair.flags]
    worth = flagged[: max(count // 2, count - len(clear))]
    lost = f", {len(paths) - len(pairs):,} unreadable" if len(pairs) < len(paths) else ""
    looked = f"{len(pairs):,} of {total:,} images looked at, {len(flagged):,} flagged{lost}"
    return draw_contact_sheet(folder.absolute().name, f"before and after; {looked}", worth, clear[: count - len(worth)])


def _look_at(folder: Path, paths: Sequence[str], chain: Chain, polarity: str) -> list[Pair]:
    pairs = []
    for path in paths:
        try:
            pairs.append(make_pair(path, read_grey(folder / path), chain, polarity))
        except DataError:
            continue
    if not pairs:
        raise DataError(f"none of the {len(paths)} images of {folder} that were tried can be read")
    return pairs


def make_pair(name: str, stored: Picture, chain: Chain, polarity: str = "auto") -> Pair:
    """Prepare an image and look at what may be wrong with it.

    Args:
        name: What to call it.
        stored: uint8 (H, W), as stored.
        chain: The steps.
        polarity: ``auto``, ``bright`` or ``dark``: the background of the image as stored.

    Raises:
        SettingsError: If ``polarity`` is none of the three.
    """
    grey = normalise_polarity(stored, polarity)
    view = View(stored_bright(stored, polarity))
    quality = assess(grey)
    return Pair(name, stored, view(chain(grey)), quality.objects, quality.flags)


def draw_contact_sheet(title: str, subtitle: str, flagged: Sequence[Pair], clear: Sequence[Pair]) -> Figure:
    """Draw pairs of images, in a section those worth a look, in another one the clear ones.

    Args:
        title: Of the sheet.
        subtitle: Below it.
        flagged: Pairs with flags.
        clear: Pairs without.

    Returns:
        The figure, two axes for each pair.
    """
    sections = [
        (head, pairs)
        for head, pairs in ((f"Worth a look: {len(flagged)}", flagged), (f"Clear: {len(clear)}", clear))
        if pairs
    ]
    height = _TOP + sum(_HEAD + _ROW * -(-len(pairs) // COLUMNS) for _, pairs in sections) + _END
    figure = new_figure(WIDTH, height)
    add_heading(figure, title, subtitle)
    top = _TOP
    for head, pairs in sections:
        write(figure, 0.3, top, head, 11, weight="bold")
        meanings = "; ".join(f"{flag}: {text}" for flag, text in FLAGS.items() if any(flag in p.flags for p in pairs))
        write(figure, 2.34, top + 0.03, shorten(meanings, WIDTH - 2.6, 8), 8, color=GREY)
        top += _HEAD
        for index, pair in enumerate(pairs):
            row, column = divmod(index, COLUMNS)
            _draw_pair(figure, 0.3 + _STEP * column, top + _ROW * row, pair)
        top += _ROW * -(-len(pairs) // COLUMNS)
    return figure


def _draw_pair(figure: Figure, left: float, top: float, pair: Pair) -> None:
    """Draw before and after at one scale, and the caption below."""
    scale = fitting_scale([pair.before, pair.after], _SIDE, _TALL)
    draw_panel(figure, Panel("", pair.before), left, top, _SIDE, _TALL, scale)
    # A ribbon is squeezed rather than drawn as a line, so its place is never narrower than a tenth.
    beside = left + max(pair.before.shape[1] / scale, _SIDE / 10) + _GAP
    write(figure, beside - _GAP / 2, top + 0.25, "→", 10, ha="center", color=GREY)
    draw_panel(figure, Panel("", pair.after), beside, top, _SIDE, _TALL, scale)
    below = top + _TALL + 0.07
    room = 2 * _SIDE + _GAP
    write(figure, left, below, tail(drawable(pair.name), room), _NAME_SIZE, family=FIXED_WIDTH)
    write(figure, left, below + 0.14, count_objects(pair.objects), _NAME_SIZE + 0.5, color=GREY)
    if pair.flags:
        flags = shorten(", ".join(pair.flags), room, _NAME_SIZE + 0.5)
        write(figure, left, below + 0.28, flags, _NAME_SIZE + 0.5, color=VERMILLION)


def tail(name: str, room: float) -> str:
    """Give the end of a name where it is wider than a room in inches, in the fixed-width font of captions."""
    count = int(room / (_NAME_SIZE * 0.602 / 72))
    return name if len(name) <= count else "…" + name[1 - count :]
