"""Learning curves of one model: loss and accuracy by epoch, an optimizer in each column, a colour for each rate."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from karyo.chromosomes import CLASSES
from karyo.reports.comparison import Contender, RunResult
from karyo.reports.page.drawing import ORANGE, PURPLE, shown
from karyo.reports.page.places import Place, optimizers, rates
from karyo.reports.theme import BLUE, GREEN, GREY, INK, SKY, VERMILLION, add_title, new_figure, style_axes

MOST_LINES = 12
"""Settings drawn in one column, the best ones; a search has more than the eye can follow."""

_COLUMNS = 6
_WIDEST, _PANELS_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM, _GAP, _NOTES = 3.4, 11.4, 1.75, 0.85, 1.15, 0.6, 0.25, 0.3
_GUESSING = math.log(len(CLASSES))
_HIGHEST_LOSS = 1.3 * _GUESSING
_MOST_POINTS = 200
_SIDES: tuple[tuple[str, Any, float], ...] = (("train", (0, (3, 2)), 1.1), ("validation", "-", 1.7))
_PALETTE = (BLUE, GREEN, VERMILLION, PURPLE, ORANGE, SKY)

Points = tuple[list[float], list[float]]
"""Epochs and values."""


def draw_grid_curves(family: str, places: Sequence[Place], all_places: Sequence[Place]) -> Figure:
    """Draw the curves of one family.

    Args:
        family: Its name.
        places: Its contenders, best first.
        all_places: Those of the whole board, so that optimizers and colours are the same in all figures.

    Returns:
        The figure: accuracy above loss; training dashed, validation solid; repetitions as their mean. A cross ends the
        curve of a setting that ended early, and a note says what became of it.
    """
    columns, colours = optimizers(all_places), rate_colours(rates(all_places))
    bands = math.ceil(len(columns) / _COLUMNS)
    band_height = _NOTES + 2 * _HEIGHT + 0.2 + _BOTTOM
    across = min(len(columns), _COLUMNS)
    wide = min(_WIDEST, _PANELS_WIDTH / across - _GAP)
    figure = new_figure(max(_LEFT + across * (wide + _GAP), 5.2), _TOP + bands * band_height)
    add_title(figure, shown(family, figure.get_figwidth() - 0.6, 14), _sentence(places))
    _legend(figure, rates(places), colours)
    last = max((epoch for place in places for epoch in _epochs(place.contender)), default=1.0)
    for number, optimizer in enumerate(columns):
        band, column = divmod(number, _COLUMNS)
        top = _TOP + band * band_height + _NOTES
        accuracy, loss = (_axes(figure, column, wide, top + row * (_HEIGHT + 0.2)) for row in (0, 1))
        chosen = [place for place in places if place.optimizer == optimizer][:MOST_LINES]
        for place in reversed(chosen):
            _draw(accuracy, loss, place.contender, colours[place.rate])
        _finish(accuracy, loss, last, wide if column == 0 else None)
        _write_notes(accuracy, optimizer, chosen, wide)
    return figure


def rate_colours(names: Sequence[str]) -> dict[str, str]:
    """Give each learning rate a colour: clearly different ones for a few, a scale for many."""
    if len(names) <= len(_PALETTE):
        return dict(zip(names, _PALETTE, strict=False))
    scale = mpl.colormaps["viridis"]
    return {name: to_hex(scale(0.92 * place / (len(names) - 1))) for place, name in enumerate(names)}


def mean_points(runs: Sequence[RunResult], name: str) -> Points:
    """Give the mean over repetitions, by epoch, of those that have come that far; at most some 200 points."""
    values: dict[float, list[float]] = defaultdict(list)
    for run in runs:
        for row in run.epochs:
            value = row.get(name, math.nan)
            if math.isfinite(value) and "epoch" in row:
                values[row["epoch"]].append(value)
    epochs = sorted(values)
    step = max(1, math.ceil(len(epochs) / _MOST_POINTS))
    kept = sorted({*epochs[::step], *epochs[-1:]})
    return kept, [sum(values[epoch]) / len(values[epoch]) for epoch in kept]


def _epochs(contender: Contender) -> list[float]:
    return [row["epoch"] for run in contender.runs for row in run.epochs if "epoch" in row]


def _sentence(places: Sequence[Place]) -> str:
    best = next((place for place in places if place.contender.finished), None)
    if best is None:
        return "no run has finished"
    value = best.contender.validation.value or 0.0
    return f"best: {best.optimizer} at {best.rate}, {100 * value:.1f} % of the validation side"


def _axes(figure: Figure, column: int, wide: float, top: float) -> Axes:
    width, height = figure.get_size_inches()
    left = _LEFT + column * (wide + _GAP)
    return figure.add_axes((left / width, 1 - (top + _HEIGHT) / height, wide / width, _HEIGHT / height))


def _draw(accuracy: Axes, loss: Axes, contender: Contender, colour: str) -> None:
    """Draw a setting's four curves; a cross where it ended before its time."""
    runs = contender.finished or contender.runs
    for axes, quantity in ((accuracy, "accuracy"), (loss, "loss")):
        for side, dashes, width in _SIDES:
            epochs, values = mean_points(runs, f"{side}_{quantity}")
            marker = {"marker": "o", "markersize": 3} if len(epochs) == 1 else {}
            axes.plot(epochs, values, color=colour, linestyle=dashes, linewidth=width, **marker)  # type: ignore[arg-type]
            if epochs and side == "validation" and contender.status not in ("finished", "running"):
                end = min(values[-1], _HIGHEST_LOSS) if quantity == "loss" else values[-1]
                axes.plot(epochs[-1:], [end], color=colour, marker="x", markersize=7, mew=2, clip_on=False)


def _finish(accuracy: Axes, loss: Axes, last: float, first_wide: float | None) -> None:
    """Give both panels the same epochs, and every figure the same heights; label the first column, of that width."""
    for axes in (accuracy, loss):
        style_axes(axes)
        axes.tick_params(labelsize=9)
        axes.set_xlim(0.5, last + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, nbins=7))
    accuracy.tick_params(labelbottom=False)
    accuracy.set_ylim(0, 1.02)
    accuracy.set_yticks([0, 0.25, 0.5, 0.75, 1])
    accuracy.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f} %"))
    loss.set_ylim(0, _HIGHEST_LOSS)
    loss.axhline(_GUESSING, color=GREY, linewidth=0.8, linestyle=(0, (1, 2)))
    loss.set_xlabel("epoch", size=9, color=INK)
    for axes, name in ((accuracy, "accuracy"), (loss, "loss")):
        axes.tick_params(labelleft=first_wide is not None, left=first_wide is not None)
        if first_wide is not None:
            axes.set_ylabel(name, size=10, color=INK)
            axes.yaxis.set_label_coords(-0.54 / first_wide, 0.5)


def _write_notes(axes: Axes, optimizer: str, places: Sequence[Place], wide: float) -> None:
    """Head a column with its optimizer, and say which of its settings came to nothing."""
    axes.text(
        0, 1.06, shown(optimizer, 0.4 * wide, 10.5), transform=axes.transAxes, size=10.5, weight="bold", color=INK
    )
    notes = [_note(place) for place in places if place.contender.status != "finished"]
    text = " · ".join(notes) if places else "not run"
    axes.text(1, 1.06, shown(text, 0.56 * wide, 8.5), transform=axes.transAxes, size=8.5, color=GREY, ha="right")


def _note(place: Place) -> str:
    status = {"interrupted": "stopped", "unknown": "unfinished"}.get(place.contender.status, place.contender.status)
    epochs = _epochs(place.contender)
    return f"{place.rate} {status}" + (f", epoch {max(epochs):.0f}" if epochs else "")


def _legend(figure: Figure, names: Sequence[str], colours: Mapping[str, str]) -> None:
    """Explain colours and dashes in one line under the title."""
    if len(names) > len(_PALETTE):
        names = [names[round(place * (len(names) - 1) / 4)] for place in range(5)]
    handles = [Line2D([], [], color=colours[name], linewidth=2.4, label=name) for name in names]
    for (_, dashes, width), label in zip(_SIDES, ("training", "validation"), strict=True):
        handles.append(Line2D([], [], color=GREY, linestyle=dashes, linewidth=width, label=label))
    width, height = figure.get_size_inches()
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.22 / width, 1 - 0.72 / height),
        ncols=min(len(handles), 4 if width < 6 else 8),
        frameon=False,
        fontsize=9,
        labelcolor=INK,
        handlelength=1.9,
        columnspacing=1.4,
        borderpad=0.2,
    )
