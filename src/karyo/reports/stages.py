"""Every stage of one chromosome image side by side: what each step did, the axis, the bands, the numbers."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from karyo.chromosomes import CLASSES
from karyo.imaging.polarity import normalise_polarity, stored_bright
from karyo.imaging.quality import FLAGS, assess
from karyo.imaging.steps import Chain
from karyo.reports.anatomy import anatomy_height, draw_anatomy, examine, lone_chromosome
from karyo.reports.chain_panels import View, chain_panels, count_objects, parts_panel, plain_name, size_of
from karyo.reports.panels import Panel, Picture, add_heading, draw_panel, fitting_scale, shorten, write
from karyo.reports.theme import GREY, drawable, new_figure

WIDTH = 12.8
"""Of the figure, inches."""

_PLACE, _STEP, _TALL = 1.3, 1.53, 1.75
_COLUMNS = 8
_LOW = 0.4
_HEAD, _MARGIN = 0.62, 0.65
"""Height of a chain's heading, and what titles and notes add to a row of its panels, inches."""


def draw_stages(
    name: str,
    stored: Picture,
    chains: Mapping[str, Chain],
    label: int | None = None,
    source: str = "",
    polarity: str = "auto",
) -> Figure:
    """Draw what chains of steps make of a chromosome image, its axis and both ways of straightening, and its bands.

    Pictures are shown with the background that the file has; the steps see it dark.

    Args:
        name: What to call the image.
        stored: uint8 (H, W), as stored.
        chains: The chains by name; each gets a row of its own.
        label: The class, 0..23, for the ideogram; None where it is unknown.
        source: Where the class is known from; said beside it.
        polarity: ``auto``, ``bright`` or ``dark``: the background of the image as stored.

    Returns:
        The figure.

    Raises:
        SettingsError: If ``polarity`` is none of the three.
    """
    grey = normalise_polarity(stored, polarity)
    view = View(stored_bright(stored, polarity))
    rows = {title: chain_panels(chain, grey, view) for title, chain in chains.items()}
    if rows:
        # What the count of objects and the flags above go by.
        next(iter(rows.values())).insert(1, parts_panel(grey, view))
    anatomy = examine(lone_chromosome(grey, chains.values()), label)
    height = sum(_height(panels) for panels in rows.values()) + 0.6 + anatomy_height(anatomy)
    figure = new_figure(WIDTH, 0.95 + height + 0.6)
    add_heading(figure, name, _summary(grey, view, label, source))
    top = 0.95
    for title, panels in rows.items():
        _draw_chain(figure, top, title, chains[title], panels)
        top += _height(panels)
    write(figure, 0.3, top, "Axis, straightening, bands", 11, weight="bold")
    draw_anatomy(figure, top + 0.6, anatomy, view)
    return figure


def _summary(grey: Picture, view: View, label: int | None, source: str) -> str:
    quality = assess(grey)
    found = [f"{flag} ({FLAGS[flag]})" for flag in quality.flags]
    ground = "bright" if view.bright else "dark"
    known = "class unknown" if label is None else f"chromosome {CLASSES[label]}{f' ({source})' if source else ''}"
    parts = [size_of(grey), f"{ground} background", known, count_objects(quality.objects)]
    return " · ".join([*parts, "; ".join(found) if found else "no flags"])


def _height(panels: list[Panel]) -> float:
    return _HEAD + sum(_row_height(row, panels[0].picture) + _MARGIN for row in _rows(panels))


def _rows(panels: list[Panel]) -> list[list[Panel]]:
    return [panels[start : start + _COLUMNS] for start in range(0, len(panels), _COLUMNS)]


def _scale(panel: Panel, first: Picture) -> float:
    """Give the pixels per inch of a panel: that of the image as stored, or fewer where it would not fit."""
    return fitting_scale([first, panel.picture], _PLACE, _TALL)


def _row_height(row: list[Panel], first: Picture) -> float:
    tallest: float = max(panel.picture.shape[0] / _scale(panel, first) for panel in row)
    return max(tallest, _LOW)


def _draw_chain(figure: Figure, top: float, title: str, chain: Chain, panels: list[Panel]) -> None:
    """Draw the panels of a chain under its name, as far as they fit at one scale."""
    write(figure, 0.3, top, shorten(drawable(title), 5, 11), 11, weight="bold")
    names = " → ".join(plain_name(type(step)) for step in chain.steps) or "nothing is done"
    write(figure, 0.3, top + 0.22, shorten(names, WIDTH - 0.6, 8.5), 8.5, color=GREY)
    top += _HEAD + 0.05
    for row in _rows(panels):
        height = _row_height(row, panels[0].picture)
        for column, panel in enumerate(row):
            scale = _scale(panel, panels[0].picture)
            draw_panel(figure, panel, 0.3 + _STEP * column, top, _PLACE, height, scale)
        top += height + _MARGIN
