"""Drawing a karyogram on its page with matplotlib; imported only when one is drawn."""

import textwrap
from typing import IO, Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.karyotype.cell import Karyotype
from karyo.karyotype.iscn import SCOPE
from karyo.karyotype.karyogram.extents import shown, waits
from karyo.karyotype.karyogram.ideogram import draw_ideogram
from karyo.karyotype.karyogram.layout import (
    MARGIN,
    PAGE_HEIGHT,
    PAGE_WIDTH,
    ClassPlace,
    GroupPlace,
    Page,
    Slot,
    lay_out_page,
)
from karyo.karyotype.karyogram.text import ALERT, GREY, INK, PALE, drawable, fitted, text_width, write

_DPI = 300

_DARKEST = 235
"""How much of the 255 steps from white to black the darkest bands of a cell take."""

_HEADING = 0.78
"""Room of the heading, from the upper edge of the page."""

_LINE = 0.16
"""Height of a line of the footer."""

_LETTERS, _MOST_LINES = 150, 4
"""Letters of a line of remarks, and how many of these lines there are at most."""


def draw_page(karyotype: Karyotype, ideograms: bool, title: str | None) -> Figure:
    """Draw a karyogram.

    Args:
        karyotype: The cell; its objects have their pictures.
        ideograms: Whether an ideogram stands beside each class.
        title: The heading; the cell's name if None.
    """
    figure = Figure(figsize=(PAGE_WIDTH, PAGE_HEIGHT), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    lines = _footer(karyotype)
    page = lay_out_page(karyotype, _HEADING, PAGE_HEIGHT - MARGIN - _LINE * len(lines) - 0.1, ideograms)
    axes = _page_axes(figure)
    darkest = _darkest(karyotype)
    for place in page.classes:
        _draw_class(figure, axes, place, darkest)
    for group in page.groups:
        _draw_group(figure, axes, group)
    _draw_tray(figure, axes, page, darkest)
    _write_heading(figure, karyotype, title)
    for index, line in enumerate(reversed(lines)):
        write(figure, MARGIN, PAGE_HEIGHT - MARGIN - _LINE * index, line, 7.5, va="bottom", color=GREY)
    return figure


def write_page(figure: Figure, target: IO[bytes], kind: str) -> None:
    """Write a page as ``png``, ``svg`` or ``pdf``: the same page gives the same bytes."""
    dates: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
    with mpl.rc_context({"svg.hashsalt": "karyogram", "svg.fonttype": "none", "image.composite_image": False}):
        figure.savefig(target, format=kind, dpi=_DPI, metadata=dates[kind])


def _page_axes(figure: Figure) -> Axes:
    """Give axes in inches over the whole page, y downwards."""
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, PAGE_WIDTH)
    axes.set_ylim(PAGE_HEIGHT, 0)
    axes.set_autoscale_on(False)
    return axes


def _darkest(karyotype: Karyotype) -> float:
    """Give the grey of the cell's darkest bands: one for all, so that pale chromosomes stay paler than others."""
    inside = [shown(each).picture[shown(each).mask] for each in karyotype.objects]
    values = np.concatenate([each for each in inside if len(each)] or [np.full(1, 255, np.uint8)])
    return max(float(np.quantile(values, 0.995)), 1.0)


def _draw_class(figure: Figure, axes: Axes, place: ClassPlace, darkest: float) -> None:
    for slot in place.slots:
        _draw_slot(figure, axes, slot, darkest)
    if place.ideogram is not None:
        draw_ideogram(axes, place.label, place.ideogram)
    axes.plot([place.left, place.right], [place.bottom] * 2, color=INK, linewidth=0.7)
    middle = (place.left + place.right) / 2
    write(figure, middle, place.bottom + 0.03, CLASSES[place.label], 9, ha="center")


def _draw_slot(figure: Figure, axes: Axes, slot: Slot, darkest: float) -> None:
    """Draw a chromosome, framed where it is doubtful, or the dashed place of one that is missing."""
    if slot.placed is None:
        dashes = (0, (3, 2.5))
        empty = Rectangle((slot.left, slot.top), slot.width, slot.height, fc="none", ec=GREY, lw=0.6, ls=dashes)
        axes.add_patch(empty)
        return
    _draw_picture(axes, slot, shown(slot.placed).picture, darkest)
    if not waits(slot.placed):
        return
    frame = FancyBboxPatch(
        (slot.left, slot.top), slot.width, slot.height, "round,pad=0.01,rounding_size=0.04", fc="none", ec=ALERT, lw=0.9
    )
    axes.add_patch(frame)
    if slot.placed.label is not None:
        middle, share = slot.left + slot.width / 2, f"{slot.placed.probability:.0%}"
        write(figure, middle, slot.top + slot.height + 0.03, share, 6, ha="center", color=ALERT)


def _draw_picture(axes: Axes, slot: Slot, picture: NDArray[np.uint8], darkest: float) -> None:
    """Draw a chromosome dark on white; what is white lets through what is under it."""
    ink = np.clip(picture.astype(np.float32) * (_DARKEST / darkest), 0, 255) / 255
    edges = (slot.left, slot.left + slot.width, slot.top + slot.height, slot.top)
    axes.imshow(1 - ink, cmap="gray", vmin=0, vmax=1, extent=edges, interpolation="bicubic", aspect="auto", zorder=1)


def _draw_group(figure: Figure, axes: Axes, group: GroupPlace) -> None:
    if not group.letter:
        return
    axes.plot([group.left, group.right], [group.bottom] * 2, color=PALE, linewidth=0.7)
    middle = (group.left + group.right) / 2
    look = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    write(figure, middle, group.bottom, group.letter, 8, ha="center", va="center", weight="bold", color=GREY, bbox=look)


def _draw_tray(figure: Figure, axes: Axes, page: Page, darkest: float) -> None:
    if not page.tray:
        return
    axes.plot([MARGIN, PAGE_WIDTH - MARGIN], [page.tray_top] * 2, color=PALE, linewidth=0.7)
    write(figure, MARGIN, page.tray_top + 0.06, f"not placed: {len(page.tray)}", 7.5, color=GREY)
    for slot in page.tray:
        _draw_slot(figure, axes, slot, darkest)


def _write_heading(figure: Figure, karyotype: Karyotype, title: str | None) -> None:
    """Write the karyotype at the left and the cell's name at the right."""
    room = PAGE_WIDTH - 2 * MARGIN
    name = fitted(figure, karyotype.name if title is None else title, 10, 0.4 * room)
    left = room - text_width(figure, name, 10) - 0.3
    sizes = [size for size in (14, 11) if text_width(figure, karyotype.call.iscn, size, weight="bold") <= left]
    size = max(sizes, default=8)
    text = fitted(figure, karyotype.call.iscn, size, left, weight="bold")
    write(figure, MARGIN, 0.56, text, size, weight="bold", va="baseline")
    write(figure, PAGE_WIDTH - MARGIN, 0.56, name, 10, ha="right", va="baseline", color=GREY)


def _footer(karyotype: Karyotype) -> list[str]:
    """Give the lines of the footer: remarks, what waits for a person, and what is not looked at."""
    said = [remark for remark in karyotype.remarks if remark != SCOPE]
    remarks = [line for remark in said for line in textwrap.wrap(drawable(remark), _LETTERS)]
    if len(remarks) > _MOST_LINES:
        remarks = [*remarks[: _MOST_LINES - 1], f"… and {len(remarks) - _MOST_LINES + 1} more lines of remarks"]
    return [*remarks, _state(karyotype), SCOPE]


def _state(karyotype: Karyotype) -> str:
    """Say how many objects there are and how many of them wait for a person."""
    count, debris = len(karyotype.objects), sum(each.debris for each in karyotype.objects)
    waiting = sum(waits(each) for each in karyotype.objects)
    objects = f"{count} object" if count == 1 else f"{count} objects"
    marked = f", {debris} of them marked as debris and not shown" if debris else ""
    if not waiting:
        return f"{objects}{marked}; none waits for review."
    return f"{objects}{marked}; {waiting} framed, {'waits' if waiting == 1 else 'wait'} for review."
