"""The reliability diagram: whether 90 % confidence means that 90 % are right."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from karyo.evaluation.metrics import CalibrationBins, calibration_bins, calibration_error
from karyo.evaluation.predictions import Predictions
from karyo.reports.theme import BLUE, INK, SKY, VERMILLION, add_title, new_figure, style_axes


def draw_reliability(predictions: Predictions) -> Figure:
    """Draw accuracy against confidence in 15 equal-width bins, over a histogram of the confidences.

    After Guo et al., ICML 2017 (figure 1). A bin is over-confident where fewer are right than its mean confidence
    promises, and under-confident where more are.

    Args:
        predictions: Of at least one image.

    Returns:
        The figure.
    """
    bins = calibration_bins(predictions.labels, predictions.probabilities)
    error = float(calibration_error(predictions.labels, predictions.probabilities))
    figure = new_figure(7.2, 8.0)
    accuracy, confidence = float(predictions.correct.mean()), float(predictions.confidence.mean())
    add_title(
        figure, "Reliability", f"expected calibration error {100 * error:.1f} %, {_verdict(accuracy, confidence)}"
    )
    upper = figure.add_axes((0.115, 0.375, 0.845, 0.485))
    lower = figure.add_axes((0.115, 0.08, 0.845, 0.215))
    _draw_accuracy(upper, bins)
    _draw_counts(lower, bins, accuracy, confidence)
    return figure


def _verdict(accuracy: float, confidence: float) -> str:
    """Say in words how far confidence and accuracy lie apart."""
    means = f"mean confidence {100 * confidence:.1f} %, accuracy {100 * accuracy:.1f} %"
    if abs(confidence - accuracy) < 0.005:
        return means
    return means + (": over-confident" if confidence > accuracy else ": under-confident")


def _draw_accuracy(axes: Axes, bins: CalibrationBins) -> None:
    """Draw a bar per bin that holds images, split where its mean confidence lies."""
    filled = bins.counts > 0
    left, width = bins.edges[:-1][filled], np.diff(bins.edges)[filled]
    accuracy, confidence = bins.accuracy[filled], bins.confidence[filled]
    bottom = np.minimum(accuracy, confidence)
    shape: dict[str, Any] = {"align": "edge", "linewidth": 1.0}
    axes.bar(left, bottom, width, color=BLUE, edgecolor="white", label="right, up to mean confidence", **shape)
    axes.bar(left, accuracy - bottom, width, bottom, color=SKY, edgecolor="white", label="right beyond it", **shape)
    short = {"color": "#FBE3D3", "edgecolor": VERMILLION, "hatch": "///", "label": "short of it"} | shape
    over = confidence > accuracy
    # An empty set of bars would stand in the legend with another colour.
    if over.any():
        axes.bar(left[over], (confidence - accuracy)[over], width[over], bottom[over], **short)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1.2, linestyle=(0, (4, 3)), label="calibrated")
    axes.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    axes.set_xticks(np.linspace(0, 1, 6), [])
    _legend(axes)
    style_axes(axes)


def _draw_counts(axes: Axes, bins: CalibrationBins, accuracy: float, confidence: float) -> None:
    """Draw how many images each bin holds, with lines at the mean confidence and at the accuracy."""
    axes.bar(bins.edges[:-1], bins.counts, np.diff(bins.edges), align="edge", color="#B5B5B5", edgecolor="white")
    axes.axvline(accuracy, color=BLUE, linewidth=1.6, label="accuracy", clip_on=False)
    axes.axvline(
        confidence, color=VERMILLION, linewidth=1.6, linestyle=(0, (4, 2)), label="mean confidence", clip_on=False
    )
    axes.set(xlim=(0, 1), xlabel="confidence", ylabel="images")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    _legend(axes)
    style_axes(axes)


def _legend(axes: Axes) -> None:
    """Put the legend above the axes, where no bar can be hidden by it."""
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.012, 1.0),
        ncols=4,
        frameon=False,
        fontsize=9.5,
        handlelength=1.6,
        columnspacing=1.3,
    )
