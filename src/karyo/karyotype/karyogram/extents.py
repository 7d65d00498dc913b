"""How much room the chromosomes of a karyogram take at a scale; all lengths are inches."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from karyo.data.ideogram import load_ideogram
from karyo.karyotype.cell import Placed, Upright
from karyo.karyotype.karyogram.rows import Row, expected_places

IDEOGRAM, IDEOGRAM_GAP = 0.6, 0.35
"""Width of an ideogram and the gap after it, in widths of a chromosome."""

PAIR_GAP, CLASS_GAP = 0.15, 0.55
"""Least gaps between homologs and between classes, in widths of a chromosome."""

GROUP = 2.0
"""A gap between two groups beside one between two classes."""

TRAY_TITLE, TRAY_LINE = 0.24, 0.1
"""Room for the title of the tray, and between its lines."""

_LABELS = 0.42
"""Room below the chromosomes of a row for brackets, numbers and the letters of the groups."""

_NOTE, _NO_NOTE = 0.13, 0.03
"""Room below a chromosome with its probability, and without."""

_MISSING = 0.8
"""Width of the place of a missing copy, in widths of a chromosome."""

_UNKNOWN_LENGTH, _UNKNOWN_WIDTH = 100.0, 17.0
"""Pixels of chromosome 1 where there is nothing to measure."""

Members = Mapping[int, Sequence[Placed]]


@dataclass(frozen=True, slots=True)
class Box:
    """An object's width, and its height above and below the centromere; ``placed`` is None for a missing copy."""

    width: float
    above: float
    below: float
    placed: Placed | None

    @property
    def height(self) -> float:
        """Above and below together."""
        return self.above + self.below


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the pictures tell: pixels per unit of the ideogram, and the usual width in pixels."""

    unit: float
    width: float


@dataclass(frozen=True, slots=True)
class Extents:
    """The room that everything takes at one scale.

    Attributes:
        sizes: What the pictures tell.
        scale: Inches per pixel.
        boxes: The boxes of each class: its objects, then its missing copies.
        tray: The lines of the tray.
        ideograms: Whether an ideogram stands beside each class.
    """

    sizes: Sizes
    scale: float
    boxes: Mapping[int, Sequence[Box]]
    tray: Sequence[Sequence[Box]]
    ideograms: bool

    @property
    def usual(self) -> float:
        """The usual width of a chromosome."""
        return self.sizes.width * self.scale

    def of_row(self, row: Row) -> tuple[float, float]:
        """Give how far a row reaches above its centromeres and below them, with the notes under doubtful ones."""
        boxes = [box for _, labels in row for label in labels for box in self.boxes[label]]
        return max(box.above for box in boxes), max(box.below + _note(box) for box in boxes)

    def row_height(self, row: Row) -> float:
        """Give the height of a row with its labels."""
        return sum(self.of_row(row)) + _LABELS

    def class_width(self, label: int) -> float:
        """Give the width of a class; one without any object has the room of a single one."""
        boxes = self.boxes[label]
        own = sum(box.width for box in boxes) + PAIR_GAP * self.usual * (len(boxes) - 1) if boxes else self.usual
        return own + ((IDEOGRAM + IDEOGRAM_GAP) * self.usual if self.ideograms else 0)

    def row_width(self, row: Row) -> float:
        """Give the least width of a row, half a gap on either side."""
        widths = sum(self.class_width(label) for _, labels in row for label in labels)
        return widths + gaps_of(row) * CLASS_GAP * self.usual

    def tray_height(self) -> float:
        """Give the height of the tray with its title; 0 without objects in it."""
        heights = [max(box.height for box in line) + TRAY_LINE for line in self.tray]
        return sum(heights) + TRAY_TITLE if heights else 0.0


def measure_extents(members: Members, tray: Sequence[Placed], scale: float, room: float, ideograms: bool) -> Extents:
    """Measure the room that everything takes.

    Args:
        members: The objects of each of the 24 classes.
        tray: The objects without a place.
        scale: Inches per pixel.
        room: Width of the page between its margins.
        ideograms: Whether an ideogram stands beside each class.
    """
    sizes = usual_sizes(members, tray)
    boxes = {label: _boxes(label, members, sizes, scale) for label in members}
    lines = _tray_lines((_box(each, scale) for each in tray), 2 * PAIR_GAP * sizes.width * scale, room)
    return Extents(sizes, scale, boxes, lines, ideograms)


def shown(placed: Placed) -> Upright:
    """Give an object's picture.

    Raises:
        ValueError: If it has none.
    """
    if placed.upright is None:
        raise ValueError(f"{placed.object.name} has no picture; make it stand upright first")
    return placed.upright


def waits(placed: Placed) -> bool:
    """Say whether an object is doubtful and no person has looked at it yet; what is debris is settled."""
    return placed.doubtful and not placed.reviewed and not placed.debris


def gaps_of(row: Row) -> float:
    """Count the gaps of a row, those between groups more than once."""
    return sum(len(labels) for _, labels in row) + (GROUP - 1) * (len(row) - 1)


def usual_sizes(members: Members, tray: Sequence[Placed]) -> Sizes:
    """Measure the pictures of the placed objects; without any, those in the tray are of a middling chromosome."""
    ideogram = load_ideogram(550)
    units = [_height(each) / ideogram[label].length for label, those in members.items() for each in those]
    units = units or [_height(each) / median(each.length for each in ideogram) for each in tray]
    widths = [shown(each).picture.shape[1] for those in members.values() for each in those]
    widths = widths or [shown(each).picture.shape[1] for each in tray]
    unit = median(units) if units else _UNKNOWN_LENGTH / ideogram[0].length
    return Sizes(unit, float(median(widths)) if widths else _UNKNOWN_WIDTH)


def _height(placed: Placed) -> int:
    return len(shown(placed).picture)


def _note(box: Box) -> float:
    return _NOTE if box.placed is not None and waits(box.placed) else _NO_NOTE


def _box(placed: Placed, scale: float) -> Box:
    upright = shown(placed)
    height, width = upright.picture.shape
    return Box(width * scale, upright.centromere * scale, (height - upright.centromere) * scale, placed)


def _boxes(label: int, members: Members, sizes: Sizes, scale: float) -> list[Box]:
    """Give the boxes of a class: its objects, then the places of missing copies."""
    there = [_box(each, scale) for each in members[label]]
    counts = {each: len(those) for each, those in members.items()}
    missing = max(expected_places(label, counts) - len(there), 0)
    chromosome = load_ideogram(550)[label]
    length = chromosome.length * sizes.unit * scale
    above = length * chromosome.centromere
    return there + [Box(_MISSING * sizes.width * scale, above, length - above, None)] * missing


def _tray_lines(boxes: Iterable[Box], gap: float, room: float) -> list[list[Box]]:
    """Break the objects of the tray into lines of the page's width."""
    lines: list[list[Box]] = []
    filled = 0.0
    for box in boxes:
        filled += box.width + gap
        if not lines or filled > room:
            lines.append([])
            filled = box.width + gap
        lines[-1].append(box)
    return lines
