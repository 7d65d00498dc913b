"""Accuracy against cost: which settings no other one beats in both."""

import math
from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from karyo.reports.comparison import Contender
from karyo.reports.fields import magnitude
from karyo.reports.page.drawing import SERIES, shown
from karyo.reports.page.places import Place, families
from karyo.reports.theme import GREY, INK, add_title, new_figure, style_axes

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM, _GAP = 3.6, 3.2, 0.85, 1.4, 0.65, 0.3
_BELOW_BEST = 0.12
_WORTH_CHOOSING = 1.1
"""How much dearer the dearest has to be; the same network costs a little more or less every time."""

_GREY_POINT = "#9AA0A6"

Cost = Callable[[Contender], float | None]
Point = tuple[float, float, Place]
"""Cost, validation accuracy 0..1, and whose they are."""

COSTS: dict[str, Cost] = {
    "weights of the network": lambda contender: contender.parameters,
    "milliseconds per image": lambda contender: _measured(contender.latency_ms),
    "seconds per epoch": lambda contender: _measured(contender.seconds_per_epoch),
}
"""What a setting costs, by the name of the axis."""


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Number the points that none beats: none is at most as costly and at least as good, and better in one of both.

    Args:
        points: Cost (less is better) and accuracy (more is better) of each.

    Returns:
        Their positions, the cheapest first; of equal points the first.
    """
    front: list[int] = []
    for number in sorted(range(len(points)), key=lambda place: (points[place][0], -points[place][1], place)):
        if not front or points[number][1] > points[front[-1]][1]:
            front.append(number)
    return front


def draw_pareto(places: Sequence[Place]) -> Figure | None:
    """Draw validation accuracy against every cost that is recorded.

    Args:
        places: Contenders of a board; those that finished take part.

    Returns:
        A panel per cost that differs by a tenth; the front is a line, its points ringed. None where there is no choice.
    """
    panels = {name: points for name, cost in COSTS.items() if _is_choice(points := _points(places, cost))}
    if not panels:
        return None
    width = max(_LEFT + len(panels) * (_WIDTH + _GAP), 5.6)
    figure = new_figure(width, _TOP + _HEIGHT + _BOTTOM)
    add_title(figure, "Accuracy against cost", "the line joins the settings that no other one beats in both")
    names = families([place for points in panels.values() for _, _, place in points])
    colours = {name: SERIES[number] if number < len(SERIES) else _GREY_POINT for number, name in enumerate(names)}
    lowest = min(_lowest(points) for points in panels.values())
    highest = max(value for points in panels.values() for _, value, _ in points)
    for column, (name, points) in enumerate(panels.items()):
        left = _LEFT + column * (_WIDTH + _GAP)
        box = (left / width, _BOTTOM / figure.get_figheight(), _WIDTH / width, _HEIGHT / figure.get_figheight())
        axes = figure.add_axes(box)
        _draw(axes, points, colours, lowest)
        axes.set_ylim(lowest, highest + 0.06 * (highest - lowest))
        _finish(axes, name, [cost for cost, _, _ in points], is_first=column == 0)
    _legend(figure, colours)
    return figure


def front_sentences(places: Sequence[Place]) -> tuple[str, ...]:
    """Name the settings of each front, the cheapest first; nothing where there is no choice to make."""
    found = []
    for name, cost in COSTS.items():
        points = _points(places, cost)
        front = [points[number] for number in pareto_front([(price, value) for price, value, _ in points])]
        if _is_choice(points):
            named = [f"{place.contender.label} ({_short(price)}, {100 * value:.1f} %)" for price, value, place in front]
            found.append(f"By {name}: " + ", then ".join(named) + ".")
    return tuple(found)


def _is_choice(points: Sequence[Point]) -> bool:
    prices = [price for price, _, _ in points]
    return max(prices, default=0.0) > _WORTH_CHOOSING * min(prices, default=0.0)


def _measured(price: float | None) -> float | None:
    """Round to two digits: the same network takes a little longer or shorter every time, and is no cheaper for that."""
    return None if price is None else float(f"{price:.1e}")


def _points(places: Sequence[Place], cost: Cost) -> list[Point]:
    found = []
    for place in places:
        price, value = cost(place.contender), place.contender.validation.value
        if place.contender.finished and price is not None and price > 0 and value is not None:
            found.append((float(price), value, place))
    return found


def _lowest(points: Sequence[Point]) -> float:
    """Give where the axis begins: somewhat below the best; whatever lies deeper would press the others together."""
    values = [value for _, value, _ in points]
    return max(0.0, min(values) - 0.01, max(values) - _BELOW_BEST)


def _draw(axes: Axes, points: Sequence[Point], colours: dict[str, str], lowest: float) -> None:
    """Draw the points, and the front with its names."""
    for price, value, place in reversed(points):
        colour = colours[place.family]
        if value >= lowest:
            axes.plot(price, value, "o", color=colour, markersize=6, markeredgewidth=0, alpha=0.85)
        else:
            axes.plot(price, lowest, "v", color=colour, markersize=6, markeredgewidth=0, alpha=0.6, clip_on=False)
    front = [points[number] for number in pareto_front([(price, value) for price, value, _ in points])]
    axes.step([p for p, _, _ in front], [v for _, v, _ in front], where="post", color=INK, linewidth=1.1, zorder=1)
    for price, value, _ in front:
        if value >= lowest:
            axes.plot(price, value, "o", color="none", markeredgecolor=INK, markersize=9, markeredgewidth=1.1)
    below = sum(value < lowest for _, value, _ in points)
    if below:
        text = f"▾ {below} below {100 * lowest:.0f} %"
        axes.text(1, 1.02, text, transform=axes.transAxes, size=8.5, color=GREY, ha="right", va="bottom")


def _finish(axes: Axes, name: str, prices: Sequence[float], is_first: bool) -> None:
    style_axes(axes)
    axes.tick_params(labelsize=9)
    axes.set_xscale("log")
    low, high = min(prices), max(prices)
    axes.set_xlim(low / 1.35, high * 1.35)
    wide = high / low > 30
    axes.xaxis.set_major_locator(LogLocator(10, subs=(1.0, 3.0) if wide else (1.0, 2.0, 5.0), numticks=12))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g} %"))
    axes.set_xlabel(name, size=10, color=INK)
    axes.tick_params(labelleft=is_first, left=is_first)
    if is_first:
        axes.set_ylabel("validation accuracy", size=10, color=INK)


def _short(value: float) -> str:
    return magnitude(round(value)).replace(" ", "").replace(".0", "") if value >= 1000 else f"{value:.3g}"


def _legend(figure: Figure, colours: dict[str, str]) -> None:
    """Name the colours of the families in up to two lines."""
    width, height = figure.get_size_inches()
    named = {name: colour for name, colour in colours.items() if colour != _GREY_POINT}
    axes = figure.axes[0]
    handles = [axes.plot([], [], "o", color=colour, label=shown(name, 1.9, 9))[0] for name, colour in named.items()]
    if len(named) < len(colours):
        handles += axes.plot([], [], "o", color=_GREY_POINT, label=f"{len(colours) - len(named)} others")
    columns = max(1, math.floor((width - 0.4) / 1.9))
    anchor = (0.2 / width, 1 - 0.72 / height)
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=anchor,
        ncols=columns,
        frameon=False,
        fontsize=9,
        labelcolor=INK,
    )
