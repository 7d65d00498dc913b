"""A contact sheet of suspected labels: each chromosome beside typical ones of both classes, at one scale."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from karyo.chromosomes import CLASSES
from karyo.errors import DataError
from karyo.evaluation.predictions import Predictions
from karyo.imaging.crop import crop_to_object
from karyo.imaging.polarity import normalise_polarity, stored_bright
from karyo.reports.chain_panels import View
from karyo.reports.panels import Panel, Picture, add_heading, draw_panel, fitting_scale, shorten, write
from karyo.reports.sheet import WIDTH, tail
from karyo.reports.suspect_examples import EACH, Comparison
from karyo.reports.theme import FIXED_WIDTH, GREY, VERMILLION, drawable, new_figure

COLUMNS = 2
"""Suspects side by side."""

_STEP, _ROW, _TOP, _END = 6.2, 2.35, 1.0, 0.2
_PLACE, _GAP, _TALL = 0.95, 0.22, 1.25
_NOTE = 7.0


def as_seen(stored: Picture, polarity: str = "auto") -> Picture:
    """Cut an image down to its object, its background as it was.

    Args:
        stored: uint8 (H, W), as stored.
        polarity: ``auto``, ``bright`` or ``dark``: its background.

    Returns:
        uint8 (h, w).
    """
    return View(stored_bright(stored, polarity))(crop_to_object(normalise_polarity(stored, polarity)))


def draw_suspects(
    predictions: Predictions, comparisons: Sequence[Comparison], pictures: Mapping[int, Picture], subtitle: str
) -> Figure:
    """Draw each suspect, then typical chromosomes of the class that it has and of the one that it may be.

    All of a suspect's pictures are at one scale, so that lengths can be compared.

    Args:
        predictions: What the suspects were found in.
        comparisons: In the order in which they are drawn, two in a row.
        pictures: uint8 (H, W) by position among the predictions. Examples that are missing are left out.
        subtitle: Of the sheet.

    Returns:
        The figure.

    Raises:
        DataError: If the pictures hold none of the suspects.
    """
    drawn = [each for each in comparisons if each.suspect.index in pictures]
    if not drawn:
        raise DataError("there is no picture of any suspect to draw")
    figure = new_figure(WIDTH, _TOP + _ROW * -(-len(drawn) // COLUMNS) + _END)
    add_heading(figure, "Suspected labels", subtitle)
    for place, comparison in enumerate(drawn):
        row, column = divmod(place, COLUMNS)
        _draw_one(figure, 0.3 + _STEP * column, _TOP + _ROW * row, predictions, comparison, pictures)
    return figure


def _draw_one(
    figure: Figure,
    left: float,
    top: float,
    predictions: Predictions,
    comparison: Comparison,
    pictures: Mapping[int, Picture],
) -> None:
    suspect, room = comparison.suspect, _STEP - 0.3
    own, shares = int(predictions.labels[suspect.index]), predictions.probabilities[suspect.index]
    label, other = CLASSES[own], CLASSES[suspect.other]
    colour = GREY if suspect.kind == "hard" else VERMILLION
    head = f"{suspect.kind}: {label} → {other}?"
    write(figure, left, top, head, 10, weight="bold", color=colour)
    facts = f"score {suspect.score:.1f}   p({label}) {shares[own]:.3f}   p({other}) {shares[suspect.other]:.3f}"
    write(figure, left + 2.1, top + 0.02, facts, 8, color=GREY)
    scale = fitting_scale([pictures[each] for each in comparison.indices if each in pictures], _PLACE, _TALL)
    groups = ((suspect.index,), comparison.given, comparison.instead)
    for start, group in zip((0, 1, 1 + EACH), groups, strict=True):
        for number, index in enumerate(each for each in group if each in pictures):
            beside = left + (start + number) * (_PLACE + _GAP)
            panel = Panel(_title(predictions, suspect.index, index), pictures[index])
            draw_panel(figure, panel, beside, top + 0.45, _PLACE, _TALL, scale)
    below = top + 0.45 + _TALL + 0.1
    write(figure, left, below, tail(drawable(predictions.paths[suspect.index]), room), 6.5, family=FIXED_WIDTH)
    write(figure, left, below + 0.16, shorten(drawable(suspect.note), room, _NOTE), _NOTE, color=GREY)


def _title(predictions: Predictions, suspect: int, index: int) -> str:
    """Say what a picture shows: the suspect, or a class and whether it is of the suspect's cell."""
    if index == suspect:
        return "suspect"
    cell = predictions.cells[suspect]
    elsewhere = "" if cell is not None and predictions.cells[index] == cell else ", other cell"
    return f"{CLASSES[predictions.labels[index]]}{elsewhere}"
