"""The worst mistakes as pictures: the quickest way to see wrong labels, bad crops and real confusions."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.evaluation.predictions import Predictions
from karyo.reports.theme import BLUE, FIXED_WIDTH, GREY, INK, VERMILLION, add_title, drawable, new_figure

_COLUMNS = 6
# Fixed-width characters that fit under a picture.
_LINE = 30


def draw_mistakes(predictions: Predictions, images: NDArray[np.uint8], count: int = 24) -> Figure:
    """Draw the most confident mistakes, the worst first; without mistakes, the least confident right ones.

    Args:
        predictions: Of N images.
        images: uint8 (N, H, W), as the network sees them (background dark), in the order of the predictions.
        count: How many to draw at most.

    Returns:
        The figure. Each picture is titled with true → predicted class, confidence, and the end of its path.

    Raises:
        ValueError: If ``images`` do not fit to the predictions or ``count`` is not positive.
    """
    if images.ndim != 3 or len(images) != len(predictions) or count < 1:
        raise ValueError(
            f"{len(predictions)} predictions need images (N, H, W) and a positive count, not {images.shape}"
        )
    chosen, mistakes = _choose(predictions, count)
    rows = -(-len(chosen) // _COLUMNS)
    figure = new_figure(11.0, 0.95 + 2.3 * rows)
    if mistakes:
        add_title(figure, "Most confident mistakes", f"{len(chosen)} of {mistakes:,}; true → predicted, confidence")
    else:
        add_title(figure, "No mistakes", "the least confident of the right ones instead; class, confidence")
    for place, index in enumerate(chosen.tolist()):
        axes = _place(figure, place)
        axes.imshow(images[index], cmap="gray", vmin=0, vmax=255, interpolation="bilinear", aspect="equal")
        _caption(axes, predictions, index)
    return figure


def _choose(predictions: Predictions, count: int) -> tuple[NDArray[np.int64], int]:
    """Choose which images to draw, and count the mistakes."""
    wrong = np.flatnonzero(~predictions.correct)
    confidence = predictions.confidence
    if wrong.size:
        return wrong[np.argsort(-confidence[wrong], kind="stable")][:count], int(wrong.size)
    return np.argsort(confidence, kind="stable")[:count], 0


def _place(figure: Figure, place: int) -> Axes:
    """Give the axes of the n-th picture, in inches from the top left, so that any number of rows looks alike."""
    width, height = figure.get_size_inches()
    row, column = divmod(place, _COLUMNS)
    side, step = 1.5, (width - 0.6) / _COLUMNS
    left, top = 0.3 + step * column + (step - side) / 2, 1.22 + 2.3 * row
    return figure.add_axes((left / width, 1 - (top + side) / height, side / width, side / height))


def _caption(axes: Axes, predictions: Predictions, index: int) -> None:
    """Write what was mistaken for what above a picture, and where it comes from below."""
    label, predicted = int(predictions.labels[index]), int(predictions.predicted[index])
    right = label == predicted
    names = CLASSES[label] if right else f"{CLASSES[label]} → {CLASSES[predicted]}"
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(BLUE if right else VERMILLION)
    axes.spines[:].set_linewidth(1.6)
    axes.text(0.0, 1.04, names, transform=axes.transAxes, ha="left", va="bottom", size=12, weight="bold", color=INK)
    share = f"{100 * predictions.confidence[index]:.1f} %"
    axes.text(1.0, 1.045, share, transform=axes.transAxes, ha="right", va="bottom", size=10, color=GREY)
    path = predictions.paths[index]
    # A dollar sign in a file name is no formula.
    axes.text(
        0.5,
        -0.05,
        _tail(drawable(path)),
        transform=axes.transAxes,
        ha="center",
        va="top",
        size=6.5,
        family=FIXED_WIDTH,
        color=GREY,
        parse_math=False,
    )


def _tail(path: str) -> str:
    """Give the end of a path in two lines: folder and file name, or the last of a long file name."""
    folder, slash, name = path.rpartition("/")
    if len(name) > _LINE:
        end = _shortened(path, 2 * _LINE)
        return f"{end[:_LINE]}\n{end[_LINE:]}"
    return f"{_shortened(folder + slash, _LINE)}\n{name}" if slash else name


def _shortened(text: str, room: int) -> str:
    """Cut the beginning off where there is no room for it."""
    return text if len(text) <= room else "…" + text[-room + 1 :]
