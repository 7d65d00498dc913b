"""All figures of a board, as many as a page can carry."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from karyo.reports.comparison import Board
from karyo.reports.confusion import draw_confusion
from karyo.reports.page.class_recalls import draw_class_recalls
from karyo.reports.page.drawing import Drawing, figure_settings, file_name, save_figure
from karyo.reports.page.forest import draw_forest
from karyo.reports.page.grid_curves import MOST_LINES, draw_grid_curves
from karyo.reports.page.hardest import confusion_of
from karyo.reports.page.heat_map import draw_heat_maps, fits_a_map
from karyo.reports.page.pareto import draw_pareto
from karyo.reports.page.places import Place, families, rates
from karyo.reports.page.rate_scatter import draw_rate_scatter
from karyo.reports.page.words import leader

MOST_FAMILIES = 6
"""Families of a board that get curves and a map, the best ones; fewer where there are many boards."""

MOST_BOARDS = 10
"""Boards that get figures, the largest ones."""

_MOST_CURVES = 20


class FigureFolder:
    """Draws figures into ``figures/`` of a page's directory, each under a name of its own.

    Args:
        directory: Of the page.
        boards: How many share the page.

    Attributes:
        families: How many families of a board get figures.
    """

    def __init__(self, directory: Path, boards: int = 1) -> None:
        self.directory = directory
        self.families = max(1, min(MOST_FAMILIES, _MOST_CURVES // max(1, boards)))
        self.taken: set[str] = set()

    def draw(self, words: str, caption: str, make: Callable[[], Figure | None], card: bool = False) -> list[Drawing]:
        """Draw a figure.

        Args:
            words: What it is, for its file's name.
            caption: What it shows.
            make: Draws it, or gives None where there is nothing to draw.
            card: Whether it keeps its colours in the dark.

        Returns:
            The figure, or nothing.

        Raises:
            OSError: If its files cannot be written.
        """
        name = file_name(words, self.taken)
        with figure_settings(name):
            figure = make()
        return [] if figure is None else [save_figure(figure, name, self.directory, caption, card)]


def curve_figures(folder: FigureFolder, prefix: str, places: Sequence[Place]) -> list[Drawing]:
    """Draw the learning curves of each family that has any."""
    drawings: list[Drawing] = []
    for family in families(places)[: folder.families]:
        mine = [place for place in places if place.family == family]
        if any(run.epochs for place in mine for run in place.contender.runs):
            caption = (
                f"{family}: accuracy and loss by epoch, an optimizer in each column, a colour for each learning rate. "
                "Training dashed, validation solid; a cross where one did not finish; dotted: the loss of guessing."
            )
            drawings += folder.draw(
                f"{prefix}curves-{family}", caption, partial(draw_grid_curves, family, mine, places)
            )
    return drawings


def map_figures(folder: FigureFolder, prefix: str, places: Sequence[Place]) -> list[Drawing]:
    """Draw validation accuracy by optimizer and rate: as maps for a grid, as points for a search."""
    shown = families(places)[: folder.families]
    if fits_a_map(places):
        caption = (
            "Validation accuracy in per cent by optimizer and learning rate; * marks settings that did not finish."
        )
        return folder.draw(f"{prefix}heat-maps", caption, lambda: draw_heat_maps(places, shown))
    if len(rates(places)) < 3 or all(place.contender.validation.value is None for place in places):
        return []
    caption = "Validation accuracy of every setting by its learning rate."
    return folder.draw(f"{prefix}rates", caption, lambda: draw_rate_scatter(places, shown))


def cost_figures(folder: FigureFolder, prefix: str, places: Sequence[Place]) -> list[Drawing]:
    """Draw accuracy against what it costs."""
    caption = "Validation accuracy against cost. Rings: no other setting is at least as good for less. ▾: lies deeper."
    return folder.draw(f"{prefix}accuracy-against-cost", caption, lambda: draw_pareto(places))


def duel_figures(folder: FigureFolder, prefix: str, board: Board) -> list[Drawing]:
    """Draw the duels of the best setting."""
    if not board.duels:
        return []
    caption = "Difference in accuracy on the same test images, with the 95 % interval from resampling cells."
    return folder.draw(f"{prefix}differences", caption, lambda: draw_forest(board.duels))


def confusion_figures(folder: FigureFolder, prefix: str, board: Board) -> list[Drawing]:
    """Draw the confusion matrix of the best setting's best run."""
    best = leader(board)
    confusion = None if best is None else confusion_of(best.best_run)
    if best is None or confusion is None:
        return []
    caption = f"Confusion matrix of {best.label}, run {best.best_run.name}: rows true, columns predicted."
    return folder.draw(f"{prefix}confusion", caption, lambda: draw_confusion(confusion), card=True)


def recall_figures(folder: FigureFolder, prefix: str, board: Board) -> list[Drawing]:
    """Draw the recall of each class of the first cross-validated setting."""
    if not board.crossed:
        return []
    first = board.crossed[0]
    caption = f"Recall of each chromosome over all folds of {first.label}, with 95 % intervals by {first.unit}."
    return folder.draw(f"{prefix}recall-by-class", caption, lambda: draw_class_recalls(first))


def what_is_left_out(folder: FigureFolder, places: Sequence[Place]) -> str:
    """Say what the figures leave out; "" if nothing."""
    left = []
    all_families = families(places)
    if len(all_families) > folder.families:
        left.append(f"Curves and maps show the best {folder.families} of {len(all_families)} models and variants.")
    counts: dict[tuple[str, str], int] = {}
    for place in places:
        counts[place.family, place.optimizer] = counts.get((place.family, place.optimizer), 0) + 1
    if max(counts.values(), default=0) > MOST_LINES:
        left.append(f"A panel of curves shows its best {MOST_LINES} settings.")
    return " ".join(left)
