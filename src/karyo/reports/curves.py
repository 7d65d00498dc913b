"""The course of a training: loss, accuracy and learning rate by epoch."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from karyo.reports.theme import BLUE, GREEN, GREY, INK, VERMILLION, add_title, new_figure, style_axes

_STYLES = {"training": (BLUE, "train"), "validation": (VERMILLION, "validation")}


def draw_curves(epochs: Sequence[Mapping[str, Any]], kept: int | None = None) -> Figure:
    """Draw loss, accuracy and learning rate of a training.

    Args:
        epochs: A row per epoch, as in ``epochs.csv``: ``epoch`` (from 1), ``train_loss``, ``train_accuracy``,
            ``validation_loss``, ``validation_accuracy`` (0..1) and ``lr``. What is missing, None or not finite is
            left out, and so are rows without an epoch.
        kept: The epoch whose weights were kept; None for that of the best validation accuracy.

    Returns:
        The figure; the epoch whose weights were kept is marked.
    """
    rows = [row for row in map(_finite, epochs) if "epoch" in row]
    figure = new_figure(8.0, 8.6)
    best = _best(rows)
    marked = best[0] if best and kept is None else kept
    add_title(figure, "Training", _sentence(rows, best, marked))
    panels = [figure.add_axes((0.125, bottom, 0.84, height)) for bottom, height in _PANELS]
    _draw_pair(panels[0], rows, "loss")
    _draw_pair(panels[1], rows, "accuracy")
    panels[1].yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g} %"))
    _draw_rate(panels[2], rows)
    for panel in panels:
        _finish(panel, rows, marked, is_last=panel is panels[-1])
    return figure


_PANELS = ((0.585, 0.305), (0.245, 0.305), (0.07, 0.14))


def _finite(row: Mapping[str, Any]) -> dict[str, float]:
    """Give a row's finite numbers."""
    return {name: float(value) for name, value in row.items() if isinstance(value, int | float) and isfinite(value)}


def _points(rows: Sequence[Mapping[str, float]], name: str) -> tuple[list[float], list[float]]:
    """Give the epochs that have a value, and the values."""
    pairs = [(row["epoch"], row[name]) for row in rows if name in row]
    return [epoch for epoch, _ in pairs], [value for _, value in pairs]


def _best(rows: Sequence[Mapping[str, float]]) -> tuple[float, float] | None:
    """Give the first epoch of the best validation accuracy, and that accuracy."""
    pairs = list(zip(*_points(rows, "validation_accuracy"), strict=True))
    return max(pairs, key=lambda pair: (pair[1], -pair[0])) if pairs else None


def _sentence(rows: Sequence[Mapping[str, float]], best: tuple[float, float] | None, marked: float | None) -> str:
    """Say in words how it went."""
    count = f"{len(rows)} epoch{'' if len(rows) == 1 else 's'}" if rows else "no epoch was finished"
    if best is None:
        return count
    said = f"{count}; best validation accuracy {100 * best[1]:.1f} % in epoch {best[0]:.0f}"
    return said if marked == best[0] else f"{said}; kept: epoch {marked:.0f}"


def _draw_pair(axes: Axes, rows: Sequence[Mapping[str, float]], quantity: str) -> None:
    """Draw a quantity of both sides."""
    for name, (colour, side) in _STYLES.items():
        epochs, values = _points(rows, f"{side}_{quantity}")
        if values:
            axes.plot(epochs, values, color=colour, linewidth=1.8, label=name, **_markers(values))
    axes.set_ylabel(quantity)
    if axes.get_lines():
        axes.legend(loc="best", frameon=False, fontsize=10)


def _draw_rate(axes: Axes, rows: Sequence[Mapping[str, float]]) -> None:
    """Draw the learning rate, on a logarithmic axis once it changes tenfold."""
    epochs, values = _points(rows, "lr")
    axes.set_ylabel("lr")
    if values:
        axes.plot(epochs, values, color=GREEN, linewidth=1.8, drawstyle="steps-mid", **_markers(values))
        if min(values) > 0 and max(values) / min(values) >= 10:
            axes.set_yscale("log")
        else:
            axes.set_ylim(0, 1.2 * max(max(values), 1e-12))
            axes.yaxis.set_major_locator(MaxNLocator(3))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:g}"))


def _markers(values: Sequence[float]) -> dict[str, Any]:
    """Mark the points while they are few enough to be told apart."""
    return {"marker": "o", "markersize": 4} if len(values) <= 40 else {}


def _finish(axes: Axes, rows: Sequence[Mapping[str, float]], marked: float | None, is_last: bool) -> None:
    """Give a panel its common epoch axis and mark the epoch whose weights were kept."""
    last = max((row["epoch"] for row in rows), default=1.0)
    axes.set_xlim(0.5, last + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, nbins=12))
    if marked is not None:
        axes.axvline(marked, color=GREY, linewidth=1.0, linestyle=(0, (3, 3)), zorder=1)
    style_axes(axes)
    axes.yaxis.set_label_coords(-0.105, 0.5)
    if is_last:
        axes.set_xlabel("epoch", color=INK)
    else:
        axes.tick_params(labelbottom=False)
