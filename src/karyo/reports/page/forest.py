"""The best setting against those behind it: the differences on the same test images, with their intervals."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from karyo.reports.comparison import Duel
from karyo.reports.page.drawing import shown
from karyo.reports.panels import text_width
from karyo.reports.theme import BLUE, GREY, INK, add_title, new_figure, style_axes

_PLOT, _LEFT_MOST, _RIGHT, _TOP, _BOTTOM, _LINE, _NAME_SIZE = 5.4, 3.6, 1.9, 1.2, 0.65, 0.42, 10


def draw_forest(duels: Sequence[Duel]) -> Figure:
    """Draw a line for each duel.

    Args:
        duels: At least one, of one board.

    Returns:
        The figure: points are differences of test accuracy, bars their 95 % intervals; those that are more than chance
        are blue, the others grey.
    """
    names = [shown(duel.second, _LEFT_MOST, _NAME_SIZE) for duel in duels]
    left = 0.5 + max(text_width(name, _NAME_SIZE) for name in names)
    width, height = left + _PLOT + _RIGHT, _TOP + _LINE * len(duels) + _BOTTOM
    figure = new_figure(width, height)
    title = f"{shown(duels[0].first, width - 1.8, 14)} against …"
    add_title(figure, title, "difference in test accuracy, 95 % interval; right of zero: the first is better")
    box = (left / width, _BOTTOM / height, _PLOT / width, _LINE * len(duels) / height)
    axes = figure.add_axes(box)
    for row, duel in enumerate(duels):
        colour = BLUE if duel.real else GREY
        if duel.low is not None and duel.high is not None:
            axes.plot([duel.low, duel.high], [row, row], color=colour, linewidth=2.4, solid_capstyle="round")
        axes.plot(duel.difference, row, "o", color=colour, markersize=8)
        _write_numbers(axes, row, (_signed(duel.difference), p_text(duel.p_holm)), INK)
    _write_numbers(axes, -0.72, ("points", "p (Holm)"), GREY)
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_ylim(len(duels) - 0.5, -0.5)
    axes.set_yticks(range(len(duels)), names, size=_NAME_SIZE)
    style_axes(axes)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    _widen(axes, duels)
    axes.xaxis.set_major_locator(MaxNLocator(7))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda share, _: f"{100 * share:+.3g}".replace("-", "−") if share else "0")
    )
    axes.set_xlabel("percentage points", size=10, color=INK)
    return figure


def _widen(axes: Axes, duels: Sequence[Duel]) -> None:
    """Keep zero inside, and some air at both ends."""
    ends = [end for duel in duels for end in (duel.low, duel.high, duel.difference, 0.0) if end is not None]
    air = max(0.06 * (max(ends) - min(ends)), 0.002)
    axes.set_xlim(min(ends) - air, max(ends) + air)


def _write_numbers(axes: Axes, row: float, texts: tuple[str, str], colour: str) -> None:
    """Write two columns of numbers at the right."""
    for inches, text in zip((0.75, 1.65), texts, strict=True):
        place = 1 + inches / _PLOT
        axes.text(
            place, row, text, transform=axes.get_yaxis_transform(), size=9.5, color=colour, ha="right", va="center"
        )


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


def p_text(value: float) -> str:
    """Write a probability, ``0.031``, ``< 0.001``."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"
