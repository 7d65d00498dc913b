"""Small pictures on a large figure: placed in inches, titled, outlined, their objects in colours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from numpy.typing import NDArray

from karyo.imaging.split import Part
from karyo.imaging.steps.objects import COUNTED
from karyo.imaging.straighten import Axis
from karyo.reports.theme import BLUE, GREY, INK, VERMILLION, add_title, drawable

Picture = NDArray[np.uint8]

COLOURS: tuple[str, ...] = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#F0E442")
"""Colours of objects, by Okabe & Ito (2008), in the order in which they are used."""

_PAPER, _DROPPED = "#F3F3F3", "#F2C4A6"
_NARROWEST = 1 / 10
"""Share of its place that the short side of a picture fills at least; longer pictures are squeezed to that."""

_SPECK = "#B0B0B0"


@dataclass(frozen=True, slots=True)
class Panel:
    """One small picture.

    Attributes:
        title: What stands above it.
        picture: uint8 (H, W), or (H, W, 3) as RGB.
        outline: bool (H, W), a mask whose outline is drawn; None for none.
        axis: An axis to draw, with its centromere; None for none.
        note: What stands below it; lines are broken at line feeds.
    """

    title: str
    picture: Picture
    outline: NDArray[np.bool_] | None = None
    axis: Axis | None = None
    note: str = ""


def place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Give empty axes at a place in inches from the figure's top left corner."""
    whole_width, whole_height = figure.get_size_inches()
    bounds = (left / whole_width, 1 - (top + height) / whole_height, width / whole_width, height / whole_height)
    return figure.add_axes(bounds)


def write(figure: Figure, left: float, top: float, text: str, size: float = 8.0, **looks: Any) -> None:
    """Write text, never as a formula, with its top left corner at a place in inches from the figure's."""
    width, height = figure.get_size_inches()
    looks = {"color": INK, "va": "top", "parse_math": False, **looks}
    figure.text(left / width, 1 - top / height, text, size=size, **looks)


def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Give the width of a line of text in inches."""
    font = FontProperties(size=size, weight=weight)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / 72


def shorten(text: str, width: float, size: float, weight: str = "normal") -> str:
    """Cut the end of a line of text off where it is wider than a width in inches."""
    if text_width(text, size, weight) <= width:
        return text
    fitting = (end for end in range(len(text) - 1, 0, -1) if text_width(text[:end] + "…", size, weight) <= width)
    return text[: next(fitting, 0)].rstrip() + "…"


def add_heading(figure: Figure, title: str, subtitle: str) -> None:
    """Write title and subtitle at the top left of a figure, as far as they fit; characters of any script may occur."""
    room = figure.get_figwidth() - 0.6
    add_title(figure, shorten(drawable(title), room, 14, "bold"), shorten(subtitle, room, 10))
    for text in figure.texts:
        text.set_parse_math(False)


def draw_panel(
    figure: Figure, panel: Panel, left: float, top: float, width: float, height: float, scale: float | None = None
) -> Axes:
    """Draw a small picture, its title above and its note below its place.

    Args:
        figure: Where to.
        panel: The picture.
        left: Left edge of the place, inches from the left.
        top: Upper edge of the place, inches from the top; the title stands above it.
        width: Of the place, inches.
        height: Of the place, inches.
        scale: Pixels of the picture per inch; None makes it as large as fits.

    Returns:
        Its axes.
    """
    axes = place(figure, left, top, width, height)
    _show(axes, panel.picture, width, height, scale)
    if panel.outline is not None:
        draw_outline(axes, panel.outline)
    if panel.axis is not None:
        draw_axis(axes, panel.axis)
    axes.set_title(shorten(panel.title, width + 0.1, 8.5), size=8.5, color=INK, pad=4, loc="left", parse_math=False)
    lines = [shorten(line, width + 0.1, 7) for line in panel.note.split("\n")]
    bottom = (panel.picture.shape[0] - 1) / (axes.get_ylim()[0] + 0.5) * height
    write(figure, left, top + min(bottom, height) + 0.06, "\n".join(lines), 7, color=GREY, linespacing=1.25)
    return axes


def fitting_scale(pictures: Sequence[Picture], width: float, height: float) -> float:
    """Give the pixels per inch at which all pictures fit into a place of a size in inches."""
    return max((max(picture.shape[0] / height, picture.shape[1] / width) for picture in pictures), default=1.0)


def draw_outline(axes: Axes, mask: NDArray[np.bool_], colour: str = VERMILLION, width: float = 1.0) -> None:
    """Draw the outline of a mask, bool (H, W), on its picture; nothing where the mask is empty."""
    if mask.any():
        height, columns = mask.shape
        x, y = np.arange(-1, columns + 1), np.arange(-1, height + 1)
        axes.contour(x, y, np.pad(mask, 1).astype(np.float32), levels=[0.5], colors=colour, linewidths=width)


def draw_axis(axes: Axes, axis: Axis) -> None:
    """Draw an axis tip to tip, and its centromere as a bar across it where it has a waist."""
    axes.plot(*axis.points.T, color=BLUE, linewidth=1.3)
    axes.plot(*axis.points[[0, -1]].T, "o", color=BLUE, markersize=2.6)
    if axis.waist > 0:
        ends = centromere_bar(axis)
        axes.plot(*ends.T, color=VERMILLION, linewidth=2.0, solid_capstyle="butt")


def centromere_bar(axis: Axis) -> NDArray[np.float64]:
    """Give the two ends (x, y) of a bar across an axis at its centromere, a little longer than the body is wide."""
    place = round(axis.centromere * (len(axis.points) - 1))
    before, after = axis.points[max(place - 2, 0)], axis.points[min(place + 2, len(axis.points) - 1)]
    way = (after - before).astype(np.float64)
    across = np.array([way[1], -way[0]]) / max(float(np.linalg.norm(way)), 1e-6)
    reach = 1.25 * axis.half_width
    return axis.at(axis.centromere) + np.outer([-reach, reach], across)


def paint_components(mask: NDArray[np.uint8]) -> Picture:
    """Paint each connected part of a mask in a colour of its own, the largest first; specks grey.

    Args:
        mask: uint8 (H, W) of 0 and 255.

    Returns:
        uint8 (H, W, 3), RGB.
    """
    _, numbers, parts, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = parts[1:, cv2.CC_STAT_AREA]
    table = np.tile(to_rgb(_SPECK), (len(parts), 1))
    table[0] = to_rgb(_PAPER)
    for rank, index in enumerate(np.argsort(-areas, kind="stable")):
        if areas[index] >= COUNTED * areas.max():
            table[index + 1] = to_rgb(COLOURS[rank % len(COLOURS)])
    painted: Picture = table[numbers]
    return painted


def count_components(mask: NDArray[np.uint8]) -> tuple[int, int]:
    """Count the connected parts of a mask, uint8 (H, W): those that count as objects, and specks."""
    areas = cv2.connectedComponentsWithStats(mask, connectivity=8)[2][1:, cv2.CC_STAT_AREA]
    large = int((areas >= COUNTED * areas.max(initial=1)).sum())
    return large, len(areas) - large


def paint_kept(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> Picture:
    """Paint what is left of a mask dark, and what a step took away pale.

    Args:
        before: uint8 (H, W) of 0 and 255.
        after: The same size.

    Returns:
        uint8 (H, W, 3), RGB.
    """
    table = np.array([to_rgb(_PAPER), to_rgb(_DROPPED), to_rgb(INK)], np.uint8)
    return table[np.where(after > 0, 2, (before > 0).astype(np.intp))]


def paint_parts(grey: Picture, parts: Sequence[Part], strength: float = 0.5) -> Picture:
    """Lay colours over chromosomes, neighbours' different ones; what two share has both in stripes.

    Args:
        grey: uint8 (H, W), as it shall be seen.
        parts: The chromosomes of that picture.
        strength: Share of the colour, 0..1; the rest is the picture.

    Returns:
        uint8 (H, W, 3), RGB.
    """
    below = np.repeat(grey[:, :, None], 3, axis=2).astype(np.float32)
    painted = below.copy()
    owners = np.zeros(grey.shape, np.uint8)
    height, width = grey.shape
    period = max(2, round(min(height, width) / 60))
    stripes = (np.add.outer(np.arange(height), np.arange(width)) // period) % 2 == 0
    for part in parts:
        number = _free_colour(part.mask, owners, period)
        here = part.mask & ~((owners > 0) & stripes)
        painted[here] = (1 - strength) * below[here] + strength * to_rgb(COLOURS[number - 1])
        owners[here] = number
    return np.rint(painted).astype(np.uint8)


def _free_colour(mask: NDArray[np.bool_], owners: NDArray[np.uint8], reach: int) -> int:
    """Choose the number, from 1, of the colour that is used least, and not at all within reach of a mask."""
    side = 4 * reach + 1
    near = cv2.dilate(mask.view(np.uint8), np.ones((side, side), np.uint8)) > 0
    used = np.bincount(owners[near], minlength=len(COLOURS) + 1)[1:] > 0
    sizes = np.bincount(owners.ravel(), minlength=len(COLOURS) + 1)[1:]
    return 1 + int(np.lexsort((np.arange(len(COLOURS)), sizes, used))[0])


def to_rgb(colour: str) -> Picture:
    """Read a colour ``#RRGGBB`` as uint8 (3,)."""
    return np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)], np.uint8)


def _show(axes: Axes, picture: Picture, width: float, height: float, scale: float | None) -> None:
    """Show a picture at the top left of its axes, at true proportions unless it is far too long."""
    rows, columns = picture.shape[:2]
    scale = scale or max(rows / height, columns / width)
    # A ribbon of 3000 x 20 pixels at true proportions would be a line.
    across = min(scale, columns / (_NARROWEST * width))
    down = min(scale, rows / (_NARROWEST * height))
    smooth = "bilinear" if picture.ndim == 2 else "nearest"
    looks = {"cmap": "gray", "vmin": 0, "vmax": 255} if picture.ndim == 2 else {}
    axes.imshow(picture, interpolation=smooth, aspect="auto", **looks)  # type: ignore[arg-type]
    axes.set_xlim(-0.5, across * width - 0.5)
    axes.set_ylim(down * height - 0.5, -0.5)
    axes.set_axis_off()
    frame = np.array([[-0.5, -0.5], [columns - 0.5, -0.5], [columns - 0.5, rows - 0.5], [-0.5, rows - 0.5]])
    axes.fill(*frame.T, fill=False, edgecolor="#BDBDBD", linewidth=0.7, clip_on=False)
