"""The confusion matrix, with the Denver groups marked: mistakes inside a group are what a person would make too."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES, DENVER_GROUPS, denver_group
from karyo.reports.theme import BLUE, GREY, INK, PALE, VERMILLION, add_title, new_figure

GROUPED_ORDER: tuple[int, ...] = tuple(index for members in DENVER_GROUPS.values() for index in members)
"""Classes by Denver group, X after 12 (group C) and Y after 22 (group G): each group is one block."""

_RIGHT = LinearSegmentedColormap.from_list("right", ["#FFFFFF", "#9CC7E4", BLUE, "#003A5C"])
_WRONG = LinearSegmentedColormap.from_list("wrong", ["#FFFFFF", "#F6B98C", VERMILLION, "#7A3500"])


def draw_confusion(confusion: NDArray[np.int64]) -> Figure:
    """Draw a confusion matrix of the 24 classes.

    Rows are true classes, columns predicted ones, ordered by Denver group. Right ones are blue, mistakes orange, the
    darker the larger their share of the row (square root, so that single mistakes can be seen); counts are printed,
    zeros left blank. Frames mark the groups A to G; the recall stands at the right.

    Args:
        confusion: Integers (24, 24), rows true, columns predicted, in class order.

    Returns:
        The figure.

    Raises:
        ValueError: If the matrix is not (24, 24) or has negative counts.
    """
    if confusion.shape != (len(CLASSES), len(CLASSES)) or confusion.min() < 0:
        raise ValueError(f"a confusion matrix holds counts of shape (24, 24), not {confusion.shape}")
    ordered = confusion[np.ix_(GROUPED_ORDER, GROUPED_ORDER)]
    total, right = int(confusion.sum()), int(np.trace(confusion))
    inside = sum(int(confusion[np.ix_(members, members)].sum()) for members in DENVER_GROUPS.values()) - right
    figure = new_figure(11.0, 11.4)
    add_title(figure, "Confusion matrix", _sentence(total, right, inside))
    axes = figure.add_axes((0.08, 0.065, 0.855, 0.825))
    axes.imshow(_colours(ordered), aspect="equal", interpolation="nearest")
    _write_counts(axes, ordered)
    _label_axes(axes)
    _mark_groups(axes)
    _write_recalls(axes, ordered)
    return figure


def _sentence(total: int, right: int, inside: int) -> str:
    """Say in words what the matrix shows."""
    if total == 0:
        return "no images"
    wrong = total - right
    text = f"{right:,} of {total:,} chromosomes right ({100 * right / total:.1f} %)"
    return text + (f"; {inside:,} of {wrong:,} mistakes stay inside a Denver group" if wrong else "")


def _shares(ordered: NDArray[np.int64]) -> NDArray[np.float64]:
    """Normalise each row to sum 1; rows of absent classes stay 0."""
    shares: NDArray[np.float64] = ordered / np.maximum(ordered.sum(axis=1, keepdims=True), 1)
    return shares


def _colours(ordered: NDArray[np.int64]) -> NDArray[np.float64]:
    """Colour each cell by its share of the row, (24, 24, 4)."""
    strength = np.sqrt(_shares(ordered))
    diagonal = np.eye(len(ordered), dtype=bool)[:, :, None]
    # Right ones are dark only where nearly all are right; a square root there would hide a recall of 70 %.
    return np.where(diagonal, _RIGHT(_shares(ordered) ** 1.5 * 0.85), _WRONG(strength))


def _write_counts(axes: Axes, ordered: NDArray[np.int64]) -> None:
    """Print the counts, white on dark cells."""
    shares = _shares(ordered)
    size = 10.0 if ordered.max() < 1000 else 8.0 if ordered.max() < 10000 else 6.5
    for row, column in zip(*np.nonzero(ordered), strict=True):
        dark = shares[row, column] > (0.75 if row == column else 0.3)
        axes.text(
            column, row, str(ordered[row, column]), ha="center", va="center", size=size, color="white" if dark else INK
        )


def _label_axes(axes: Axes) -> None:
    """Name the classes on both axes and draw a pale grid between the cells."""
    names = [CLASSES[index] for index in GROUPED_ORDER]
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=PALE, linewidth=0.6)
    axes.tick_params(which="both", length=0, labelsize=11, colors=INK)
    axes.spines[:].set_color(GREY)
    axes.set_xlabel("predicted", size=12, labelpad=8)
    axes.set_ylabel("true", size=12, labelpad=8)


def _mark_groups(axes: Axes) -> None:
    """Frame the groups on the diagonal, letter them along the top and carry their borders through, faintly."""
    groups = [denver_group(index) for index in GROUPED_ORDER]
    for letter in DENVER_GROUPS:
        start, length = groups.index(letter), groups.count(letter)
        if start:
            axes.axhline(start - 0.5, color=GREY, linewidth=0.8)
            axes.axvline(start - 0.5, color=GREY, linewidth=0.8)
        axes.add_patch(
            Rectangle((start - 0.5, start - 0.5), length, length, fill=False, edgecolor=INK, linewidth=2.2, zorder=3)
        )
        centre = start + (length - 1) / 2
        # A patch leaves the limits of the axes alone where a line would widen them.
        axes.add_patch(Rectangle((start - 0.35, -0.86), length - 0.3, 0.07, color=INK, clip_on=False))
        axes.text(centre, -1.02, letter, ha="center", va="bottom", size=13, weight="bold", color=INK)


def _write_recalls(axes: Axes, ordered: NDArray[np.int64]) -> None:
    """Write each class's recall at the right of its row."""
    axes.text(len(ordered) + 0.3, -1.0, "recall", ha="center", va="bottom", size=10, color=GREY)
    for row, share in enumerate(np.diagonal(_shares(ordered))):
        text = f"{100 * share:.0f} %" if ordered[row].sum() else "–"
        axes.text(len(ordered) + 0.3, row, text, ha="center", va="center", size=10, color=INK)
