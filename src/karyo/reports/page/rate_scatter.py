"""Validation accuracy against the learning rate, for a search that draws a new rate for every run."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from karyo.reports.page.drawing import SERIES, shown
from karyo.reports.page.places import Place, optimizers, rate_text, rate_value
from karyo.reports.theme import GREY, INK, add_title, new_figure, style_axes

_ACROSS = 3
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 3.2, 2.3, 0.75, 1.3, 0.95


def draw_rate_scatter(places: Sequence[Place], shown_families: Sequence[str]) -> Figure:
    """Draw every setting as a point, a panel for each family, a colour for each optimizer.

    Args:
        places: Contenders of a board.
        shown_families: The families to draw, in order.

    Returns:
        The figure; settings that did not finish are crosses at the accuracy they reached.
    """
    across = min(len(shown_families), _ACROSS)
    lines = math.ceil(len(shown_families) / across)
    figure = new_figure(max(_LEFT + across * (_WIDTH + 0.45), 5.4), _TOP + lines * (_HEIGHT + _GAP))
    add_title(figure, "Validation accuracy by learning rate", "each point is a setting; crosses did not finish")
    colours = {name: SERIES[number % len(SERIES)] for number, name in enumerate(optimizers(places))}
    known = [place for place in places if 0 < rate_value(place.rate) < math.inf]
    limits = _limits([rate_value(place.rate) for place in known])
    for number, family in enumerate(shown_families):
        line, column = divmod(number, across)
        axes = _axes(figure, _LEFT + column * (_WIDTH + 0.45), _TOP + line * (_HEIGHT + _GAP))
        for place in known:
            value = place.contender.validation.value
            if place.family == family and value is not None:
                marker = "o" if place.contender.finished else "x"
                axes.plot(rate_value(place.rate), value, marker, color=colours[place.optimizer], markersize=5)
        _finish(axes, family, limits)
    handles = [
        figure.axes[0].plot([], [], "o", color=colour, label=shown(name, 1.2, 9))[0] for name, colour in colours.items()
    ]
    place_left = (0.22 / figure.get_figwidth(), 1 - 0.7 / figure.get_figheight())
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=place_left, ncols=6, frameon=False, fontsize=9, labelcolor=INK
    )
    return figure


def _axes(figure: Figure, left: float, top: float) -> Axes:
    width, height = figure.get_size_inches()
    return figure.add_axes((left / width, 1 - (top + _HEIGHT) / height, _WIDTH / width, _HEIGHT / height))


def _limits(values: Sequence[float]) -> tuple[float, float]:
    low, high = (min(values), max(values)) if values else (1e-4, 1e-2)
    return low / 1.5, high * 1.5


def _finish(axes: Axes, family: str, limits: tuple[float, float]) -> None:
    style_axes(axes)
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    axes.set_ylim(0, 1.02)
    axes.xaxis.set_major_locator(LogLocator(10, numticks=7))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: rate_text(f"{value:g}")))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f} %"))
    axes.tick_params(labelsize=9)
    axes.set_xlabel("learning rate", size=9, color=GREY)
    axes.set_title(shown(family, _WIDTH, 10.5), size=10.5, weight="bold", color=INK, loc="left", pad=7)
