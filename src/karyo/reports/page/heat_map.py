"""Validation accuracy by optimizer and learning rate, a map for each model, all on one scale."""

import math
from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter

from karyo.reports.comparison import Contender
from karyo.reports.page.drawing import shown
from karyo.reports.page.places import Place, optimizers, rates
from karyo.reports.theme import BLUE, GREY, INK, VERMILLION, add_title, new_figure

_WIDEST = 15.3
"""Of the figure, inches."""

_CELL, _LINE, _LEFT, _TOP, _HEAD, _FOOT = 0.74, 0.44, 0.75, 0.85, 0.42, 0.42
_SCALE_WIDTH = 1.1
# Dark cells for the best; the greys of the text on them must not follow the page into the dark.
_SCALE = LinearSegmentedColormap.from_list("accuracy", ["#F4F6F8", "#BFDBEE", "#4B9CD3", BLUE, "#00324F"])
_ON_LIGHT, _ON_DARK, _EMPTY = "#1B1B1B", "#FDFDFD", "#9A9A9A"
# Half of the colours for the best fifth: that is where settings compete.
_BEND = 3.0


def draw_heat_maps(places: Sequence[Place], shown_families: Sequence[str]) -> Figure:
    """Draw the maps of the families.

    Args:
        places: Contenders of a board, best first; of several in one cell the first is shown.
        shown_families: The families to draw, in order.

    Returns:
        The figure: per cent in each cell; the best of each map is framed, what failed says so, what was not run is
        empty.
    """
    columns, rows = optimizers(places), rates(places)
    map_width, map_height = _CELL * len(columns), _LINE * len(rows)
    step, band = map_width + 0.45, _HEAD + map_height + _FOOT
    across = max(1, min(len(shown_families), int((_WIDEST - _LEFT - _SCALE_WIDTH) / step)))
    width = max(_LEFT + across * step + _SCALE_WIDTH, 6.2)
    figure = new_figure(width, _TOP + math.ceil(len(shown_families) / across) * band)
    add_title(figure, "Validation accuracy by optimizer and learning rate", "per cent; one scale for all models")
    norm = _norm(places)
    for number, family in enumerate(shown_families):
        line, column = divmod(number, across)
        left, top = _LEFT + column * step, _TOP + line * band + _HEAD
        axes = _axes(figure, left, top, map_width, map_height)
        cells = {(p.rate, p.optimizer): p.contender for p in reversed(places) if p.family == family}
        _draw_map(axes, cells, rows, columns, norm)
        axes.set_title(shown(family, map_width + 0.3, 10.5), size=10.5, weight="bold", color=INK, loc="left", pad=7)
        axes.tick_params(labelleft=column == 0)
    _draw_scale(figure, norm, _LEFT + across * step, _TOP + _HEAD, map_height)
    return figure


def fits_a_map(places: Sequence[Place]) -> bool:
    """Whether there is an accuracy, and optimizers and rates span a grid, without a new rate for every run."""
    cells = len(optimizers(places)) * len(rates(places))
    return cells > 1 and len(rates(places)) <= 12 and len(optimizers(places)) <= 10 and _is_any_known(places)


def _is_any_known(places: Sequence[Place]) -> bool:
    return any(place.contender.validation.value is not None for place in places)


def _norm(places: Sequence[Place]) -> PowerNorm:
    values = [value for place in places if (value := place.contender.validation.value) is not None]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    return PowerNorm(_BEND, vmin=min(low, high - 0.01), vmax=high)


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    across, down = figure.get_size_inches()
    return figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))


def _draw_map(
    axes: Axes,
    cells: Mapping[tuple[str, str], Contender],
    rows: Sequence[str],
    columns: Sequence[str],
    norm: PowerNorm,
) -> None:
    """Draw the cells of one family."""
    values = {place: it for place, contender in cells.items() if (it := contender.validation.value) is not None}
    best = max((value for place, value in values.items() if cells[place].finished), default=None)
    for (row, rate), (column, optimizer) in product(enumerate(rows), enumerate(columns)):
        contender = cells.get((rate, optimizer))
        text, colour, ink = _look(contender, norm)
        axes.add_patch(Rectangle((column, row), 1, 1, facecolor=colour, edgecolor=GREY, linewidth=0.5))
        axes.text(column + 0.5, row + 0.52, text, size=9 if len(text) < 5 else 7.5, color=ink, ha="center", va="center")
        if best is not None and contender is not None and contender.finished and contender.validation.value == best:
            axes.add_patch(
                Rectangle((column + 0.05, row + 0.07), 0.9, 0.86, fill=False, edgecolor=VERMILLION, linewidth=2)
            )
    axes.set_xlim(0, len(columns))
    axes.set_ylim(len(rows), 0)
    axes.set_xticks(np.arange(len(columns)) + 0.5, [shown(name, _CELL - 0.04, 8.5) for name in columns])
    axes.set_yticks(np.arange(len(rows)) + 0.5, [shown(name, _LEFT - 0.25, 9) for name in rows])
    axes.tick_params(length=0, labelsize=8.5, colors=INK)
    axes.spines[:].set_visible(False)


def _look(contender: Contender | None, norm: PowerNorm) -> tuple[str, str | tuple[float, ...], str]:
    """Give a cell's text, colour, and the colour of the text."""
    if contender is None:
        return "", "none", _EMPTY
    value = contender.validation.value
    if value is None:
        return {"interrupted": "stopped", "unknown": "?"}.get(contender.status, contender.status), "none", _EMPTY
    strength = float(norm(value))
    mark = "" if contender.finished else "*"
    return f"{100 * value:.1f}{mark}", _SCALE(strength), _ON_DARK if strength > 0.45 else _ON_LIGHT


def _draw_scale(figure: Figure, norm: PowerNorm, left: float, top: float, height: float) -> None:
    """Draw the common scale at the right."""
    axes = _axes(figure, left, top, 0.14, height)
    bar = figure.colorbar(ScalarMappable(norm, _SCALE), cax=axes)
    bar.outline.set_visible(False)
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g} %"))
    bar.set_ticks(_ticks(float(norm.vmin or 0), float(norm.vmax or 1), height))
    bar.ax.tick_params(labelsize=8.5, colors=INK, length=2)


def _ticks(low: float, high: float, height: float) -> list[float]:
    """Place ticks evenly along the bent scale, so that no two lie on each other."""
    count = max(2, min(5, round(height / 0.35)))
    return [low + (high - low) * (place / (count - 1)) ** (1 / _BEND) for place in range(count)]
