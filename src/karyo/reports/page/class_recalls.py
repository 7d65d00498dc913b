"""Which chromosomes a cross-validated setting recognises: the recall of each class over all folds, with intervals."""

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from karyo.chromosomes import CLASSES
from karyo.evaluation.measure import Estimate
from karyo.reports.comparing.crossed import ASSIGNED, IN_CELL, SINGLE, CrossValidation
from karyo.reports.page.drawing import shown
from karyo.reports.theme import BLUE, GREEN, INK, VERMILLION, add_title, new_figure, style_axes

_WIDTH, _HEIGHT = 10.5, 4.6
_WAYS = {
    SINGLE: ("each alone", VERMILLION, "o"),
    IN_CELL: ("each, in its cell", GREEN, "D"),
    ASSIGNED: ("each cell together", BLUE, "s"),
}


def draw_class_recalls(crossed: CrossValidation) -> Figure:
    """Draw the recall of each class, with a bar for its 95 % interval.

    Args:
        crossed: The setting.

    Returns:
        The figure: a column for each class, in it a mark for each way to decide.
    """
    figure = new_figure(_WIDTH, _HEIGHT)
    title = shown(f"Recall by chromosome: {crossed.label}", _WIDTH - 0.8, 14)
    add_title(figure, title, f"all folds, 95 % interval from resampling {crossed.unit}s")
    axes = figure.add_axes((0.075, 0.14, 0.9, 0.62))
    ways = [way for way in _WAYS if way in crossed.own]
    for number, way in enumerate(ways):
        name, colour, marker = _WAYS[way]
        across = (number - (len(ways) - 1) / 2) * 0.6 / len(ways)
        points = [
            (label + across, recall)
            for label, recall in enumerate(crossed.own[way].recalls)
            if recall.value is not None
        ]
        for place, recall in points:
            if recall.low is not None and recall.high is not None:
                axes.plot([place, place], [recall.low, recall.high], color=colour, linewidth=1.8, alpha=0.6)
        axes.plot(*_coordinates(points), marker, color=colour, markersize=5, linestyle="none", label=name)
    axes.set_xlim(-0.6, len(CLASSES) - 0.4)
    axes.set_ylim(top=1.01)
    axes.set_xticks(range(len(CLASSES)), CLASSES)
    style_axes(axes)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g} %"))
    axes.set_xlabel("chromosome", color=INK)
    if len(ways) > 1:
        axes.legend(frameon=False, fontsize=9.5, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(ways))
    return figure


def _coordinates(points: list[tuple[float, Estimate]]) -> tuple[list[float], list[float]]:
    return [place for place, _ in points], [recall.value or 0.0 for _, recall in points]
