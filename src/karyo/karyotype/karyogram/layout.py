"""Where everything of a karyogram stands on its page; all lengths are inches, counted from the upper left corner."""

from collections.abc import Sequence
from dataclasses import dataclass

from karyo.data.ideogram import load_ideogram
from karyo.karyotype.cell import Karyotype, Placed
from karyo.karyotype.karyogram.extents import (
    CLASS_GAP,
    GROUP,
    IDEOGRAM,
    IDEOGRAM_GAP,
    PAIR_GAP,
    TRAY_LINE,
    TRAY_TITLE,
    Box,
    Extents,
    gaps_of,
    measure_extents,
    usual_sizes,
)
from karyo.karyotype.karyogram.rows import ROWS, Row

PAGE_WIDTH, PAGE_HEIGHT = 11.69, 8.27
"""A4, landscape."""

MARGIN = 0.45
"""Empty border of the page."""

_ROOM = PAGE_WIDTH - 2 * MARGIN

_LONGEST = 2.1
"""Height that the ideogram's longest chromosome gets at most."""

_SHRINK, _MOST_STEPS = 0.97, 600
"""Step by which the scale is made smaller until all fits, and how many steps there are: to a hundred-millionth."""

_BRACKET, _GROUP_BRACKET = 0.06, 0.23
"""Where a class's bracket is below the row's lowest point, and a group's below that."""

_RIM = 3
"""Pixels of a picture's upper and lower edge that are not chromosome."""


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """One place of a karyogram.

    Attributes:
        left, top, width, height: The rectangle of its picture.
        placed: The object in it; None where a copy is missing, and for an ideogram.
    """

    left: float
    top: float
    width: float
    height: float
    placed: Placed | None


@dataclass(frozen=True, slots=True, eq=False)
class ClassPlace:
    """The place of one class.

    Attributes:
        label: The class, 0..23.
        left, right: Ends of its bracket.
        bottom: Where the bracket is.
        slots: Its homologs, from left to right.
        ideogram: Where its ideogram stands; None without one.
    """

    label: int
    left: float
    right: float
    bottom: float
    slots: tuple[Slot, ...]
    ideogram: Slot | None


@dataclass(frozen=True, slots=True, eq=False)
class GroupPlace:
    """The bracket of a Denver group: its letter, empty for the sex chromosomes, and where it is."""

    letter: str
    left: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """A karyogram laid out.

    Attributes:
        scale: Inches per pixel of the pictures, the same for all.
        classes: The 24 classes in the order of the page.
        groups: The brackets of the groups.
        tray: Objects without a place.
        tray_top: Where the tray begins.
    """

    scale: float
    classes: tuple[ClassPlace, ...]
    groups: tuple[GroupPlace, ...]
    tray: tuple[Slot, ...]
    tray_top: float


def lay_out_page(karyotype: Karyotype, top: float, bottom: float, ideograms: bool) -> Page:
    """Give every chromosome its place: rows by Denver group, centromeres of a row on one line, all at one scale.

    The scale is the largest at which everything fits between ``top`` and ``bottom``; it is chosen as if no chromosome
    were missing, so that cells with few objects look like whole ones.

    Args:
        karyotype: The cell; its objects have their pictures.
        top: Where the first row begins, below the heading.
        bottom: Where the last row or the tray ends, above the footer.
        ideograms: Whether an ideogram stands beside each class.
    """
    members = {label: karyotype.placed(label) for row in ROWS for _, labels in row for label in labels}
    tray = [each for each in karyotype.placed(None) if not each.debris]
    largest = _LONGEST / (usual_sizes(members, tray).unit * max(each.length for each in load_ideogram(550)))
    few, many = 0, _MOST_STEPS
    while few < many:
        steps = (few + many) // 2
        extents = measure_extents(members, tray, largest * _SHRINK**steps, _ROOM, ideograms)
        few, many = (few, steps) if _fits(extents, bottom - top) else (steps + 1, many)
    extents = measure_extents(members, tray, largest * _SHRINK**few, _ROOM, ideograms)
    return _place_all(extents, top, bottom - top - _height(extents))


def _height(extents: Extents) -> float:
    return sum(extents.row_height(row) for row in ROWS) + extents.tray_height()


def _fits(extents: Extents, height: float) -> bool:
    return _height(extents) <= height and all(extents.row_width(row) <= _ROOM for row in ROWS)


def _place_all(extents: Extents, top: float, spare: float) -> Page:
    """Place rows and tray from top to bottom; height to spare goes between the rows."""
    classes: list[ClassPlace] = []
    groups: list[GroupPlace] = []
    for row in ROWS:
        placed = {place.label: place for place in _place_row(row, extents, top)}
        classes += placed.values()
        for letter, labels in row:
            first, last = placed[labels[0]], placed[labels[-1]]
            groups.append(GroupPlace(letter, first.left, last.right, first.bottom + _GROUP_BRACKET))
        top += extents.row_height(row) + spare / len(ROWS)
    tray = _place_tray(extents.tray, PAIR_GAP * extents.usual, top + TRAY_TITLE)
    return Page(extents.scale, tuple(classes), tuple(groups), tuple(tray), top)


def _place_row(row: Row, extents: Extents, top: float) -> list[ClassPlace]:
    """Spread a row's classes over the width of the page."""
    above, below = extents.of_row(row)
    gap = CLASS_GAP * extents.usual + (_ROOM - extents.row_width(row)) / gaps_of(row)
    left, places = MARGIN + gap / 2, []
    for _, labels in row:
        for label in labels:
            places.append(_place_class(label, extents, left, top + above, top + above + below + _BRACKET))
            left = places[-1].right + gap
        left += (GROUP - 1) * gap
    return places


def _place_class(label: int, extents: Extents, left: float, line: float, bottom: float) -> ClassPlace:
    """Place the homologs of a class side by side, their centromeres on the line."""
    ideogram, start, slots = None, left, []
    if extents.ideograms:
        ideogram = _ideogram_slot(label, extents, left, line)
        start += (IDEOGRAM + IDEOGRAM_GAP) * extents.usual
    for box in extents.boxes[label]:
        slots.append(Slot(start, line - box.above, box.width, box.height, box.placed))
        start += box.width + PAIR_GAP * extents.usual
    return ClassPlace(label, left, left + extents.class_width(label), bottom, tuple(slots), ideogram)


def _ideogram_slot(label: int, extents: Extents, left: float, line: float) -> Slot:
    """Give an ideogram the mean length of its chromosomes."""
    chromosome = load_ideogram(550)[label]
    rims = 2 * _RIM * extents.scale
    lengths = [max(box.height - rims, rims) for box in extents.boxes[label]]
    length = sum(lengths) / len(lengths) if lengths else chromosome.length * extents.sizes.unit * extents.scale
    return Slot(left, line - chromosome.centromere * length, IDEOGRAM * extents.usual, length, None)


def _place_tray(lines: Sequence[Sequence[Box]], gap: float, top: float) -> list[Slot]:
    """Place the objects of the tray line by line, their middles on one height."""
    slots = []
    for line in lines:
        left, height = MARGIN + gap, max(box.height for box in line)
        for box in line:
            slots.append(Slot(left, top + (height - box.height) / 2, box.width, box.height, box.placed))
            left += box.width + 2 * gap
        top += height + TRAY_LINE
    return slots
