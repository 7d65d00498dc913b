"""A whole metaphase spread: the annotated boxes, and the chromosomes that are found without them."""

from collections import Counter
from collections.abc import Sequence

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES, DENVER_GROUPS, denver_group
from karyo.data.spreads.annotation import Annotation
from karyo.imaging.foreground import foreground, typical_width, without_nuclei
from karyo.imaging.polarity import normalise_polarity, stored_bright
from karyo.imaging.split import Part, split_objects
from karyo.reports.panels import Picture, add_heading, draw_outline, paint_parts, place, text_width, write
from karyo.reports.theme import GREY, INK, VERMILLION, new_figure

WIDTH = 12.8
"""Of the figure, inches."""

_SPREAD_FROM = 10
"""Separate objects from which an image is a spread: a box around one chromosome holds parts of a few others at most."""

_GAP, _TOP, _BELOW = 0.25, 1.25, 0.45
_TALLEST, _LOWEST = 7.0, 1.0
_NAME_SIZE = 7.0

GROUP_COLOURS: dict[str, str] = dict(
    zip(DENVER_GROUPS, ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#A06A00", "#3C8DBC", INK), strict=True)
)
"""Colour of the boxes of each Denver group."""

Bounds = tuple[float, float, float, float]


def is_spread(grey: Picture) -> bool:
    """Tell whether an image, uint8 (H, W), background dark, holds so many objects that it is a whole spread."""
    mask = without_nuclei(foreground(grey))
    return cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0] - 1 >= _SPREAD_FROM


def find_chromosomes(grey: Picture) -> list[Part]:
    """Find the chromosomes of a spread, uint8 (H, W), background dark: foreground without nuclei, split."""
    mask = without_nuclei(foreground(grey))
    return split_objects(mask, grey, typical_width(mask) or None)


def draw_spread_picture(
    name: str, stored: Picture, annotation: Annotation | None = None, polarity: str = "auto"
) -> Figure:
    """Draw a spread with its annotated boxes, and beside it in colours the chromosomes found in it.

    Args:
        name: What to call the image.
        stored: uint8 (H, W), as stored.
        annotation: Its boxes; None draws the picture as it is.
        polarity: ``auto``, ``bright`` or ``dark``: the background of the image as stored.

    Returns:
        The figure; its first axes hold the spread as stored, its second ones the chromosomes found.

    Raises:
        SettingsError: If ``polarity`` is none of the three.
    """
    grey = normalise_polarity(stored, polarity)
    bright = stored_bright(stored, polarity)
    parts = find_chromosomes(grey)
    rows, columns = stored.shape
    width = (WIDTH - 0.6 - _GAP) / 2
    height = float(np.clip(width * rows / columns, _LOWEST, _TALLEST))
    figure = new_figure(WIDTH, _TOP + height + _BELOW)
    add_heading(figure, name, _summary(stored, bright, annotation, parts))
    left, right = (place(figure, 0.3 + (width + _GAP) * index, _TOP, width, height) for index in (0, 1))
    scale = max(rows / height, columns / width)
    _show(left, stored, scale, width, height)
    _show(right, paint_parts(stored, parts, 0.55), scale, width, height)
    if annotation is not None:
        _draw_boxes(left, annotation, scale)
    _draw_outlines(right, parts, grey.shape)
    _write_headings(figure, width, height, annotation, parts)
    return figure


def _summary(stored: Picture, bright: bool, annotation: Annotation | None, parts: Sequence[Part]) -> str:
    size = f"{stored.shape[1]} × {stored.shape[0]} px · {'bright' if bright else 'dark'} background"
    if annotation is None:
        return f"{size} · {len(parts)} chromosomes found"
    bad = f", {len(annotation.problems)} unusable" if annotation.problems else ""
    return f"{size} · {len(annotation.boxes)} boxes annotated{bad} · {len(parts)} chromosomes found"


def _write_headings(
    figure: Figure, width: float, height: float, annotation: Annotation | None, parts: Sequence[Part]
) -> None:
    """Title both pictures, and explain their colours below."""
    beside = 0.3 + width + _GAP
    heads = ("as stored" if annotation is None else "annotated boxes, by Denver group", _relations(parts))
    write(figure, 0.3, _TOP - 0.26, heads[0], 10, weight="bold")
    write(figure, beside, _TOP - 0.26, heads[1], 10, weight="bold")
    below = _TOP + height + 0.12
    note = "found without the boxes; a colour for each, both in stripes, outlined, where two cross"
    write(figure, beside, below, note, 8, color=GREY)
    if annotation is None:
        return
    left = 0.3
    for group in sorted({denver_group(box.label) for box in annotation.boxes}):
        members = DENVER_GROUPS[group]
        text = f"{group}: " + (", ".join(CLASSES[index] for index in members) if len(members) < 4 else "6–12, X")
        write(figure, left, below, text, 8, color=GROUP_COLOURS[group], weight="bold")
        left += text_width(text, 8, "bold") + 0.16


def _relations(parts: Sequence[Part]) -> str:
    counts = Counter(part.relation for part in parts)
    named = [f"{counts[kind]} {kind}" for kind in ("isolated", "touching", "crossing") if counts[kind]]
    return "chromosomes found: " + (", ".join(named) or "none")


def _show(axes: Axes, picture: Picture, scale: float, width: float, height: float) -> None:
    looks = {"cmap": "gray", "vmin": 0, "vmax": 255} if picture.ndim == 2 else {}
    axes.imshow(picture, interpolation="antialiased", aspect="auto", **looks)  # type: ignore[arg-type]
    rows, columns = picture.shape[:2]
    # A ribbon may not be drawn thinner than a tenth of its place.
    axes.set_xlim(-0.5, min(scale, 10 * columns / width) * width - 0.5)
    axes.set_ylim(min(scale, 10 * rows / height) * height - 0.5, -0.5)
    axes.set_axis_off()


def _draw_boxes(axes: Axes, annotation: Annotation, scale: float) -> None:
    """Draw the boxes and their classes' names, each name where it hides no other."""
    taken: list[Bounds] = []
    halo = [withStroke(linewidth=1.6, foreground="white")]
    for box in annotation.boxes:
        left, top, right, bottom = box.edges
        colour = GROUP_COLOURS[denver_group(box.label)]
        frame = Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, ec=colour, lw=0.9)
        axes.add_patch(frame)
        name = CLASSES[box.label]
        size = (text_width(name, _NAME_SIZE, "bold") * scale, _NAME_SIZE / 72 * scale)
        spot = _free_spot(box.edges, size, taken, (axes.get_xlim()[1], axes.get_ylim()[0]))
        taken.append((*spot, spot[0] + size[0], spot[1] + size[1]))
        axes.text(
            *spot, name, size=_NAME_SIZE, weight="bold", color=colour, va="top", ha="left", path_effects=halo, zorder=5
        )


def _free_spot(
    edges: tuple[int, int, int, int], size: tuple[float, float], taken: Sequence[Bounds], end: tuple[float, float]
) -> tuple[float, float]:
    """Find a place (left, top) for a name at a box, inside the picture and over no other name if there is one."""
    left, top, right, bottom = edges
    width, height = size
    tops = (top - 1.15 * height, bottom + 0.1 * height, top + 0.1 * height, bottom - 1.15 * height)
    spots = [(x, y) for y in tops for x in (left, right - width, (left + right - width) / 2)]
    spots = [(min(max(x, 0.0), end[0] - width), min(max(y, 0.0), end[1] - height)) for x, y in spots]
    free = (
        (x, y)
        for x, y in spots
        if not any(x < b[2] and b[0] < x + width and y < b[3] and b[1] < y + height for b in taken)
    )
    return next(free, spots[0])


def _draw_outlines(axes: Axes, parts: Sequence[Part], shape: tuple[int, ...]) -> None:
    """Draw the outline of what two chromosomes share."""
    covers = np.zeros(shape, np.int32)
    for part in parts:
        covers += part.mask
    shared: NDArray[np.bool_] = covers > 1
    draw_outline(axes, shared, VERMILLION, 1.1)
