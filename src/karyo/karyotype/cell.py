"""A cell: the objects that were found or given, and what is decided about all of them together."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.inference.prediction import Prediction

Edges = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels of the spread, right and bottom exclusive."""

MOST_COPIES = 4
"""More copies of one chromosome than this are not told apart."""

MOST_OBJECTS = 400
"""Objects of one cell beyond which nothing is decided: two near-tetraploid cells and their dirt have fewer."""


@dataclass(frozen=True, slots=True, eq=False)
class CellObject:
    """One object of a cell, cut out.

    Attributes:
        name: What to call it: a file's path, or ``spread_7``; unique within the cell.
        grey: uint8 (H, W), polarity as stored, what is not the object painted over: what the classifier gets.
        edges: Where it lies in the spread; None for an image of its own.
        outline: int32 (N, 2), (x, y) of its outline in the spread; None where it is not known.
        relation: ``isolated``, ``touching`` or ``crossing`` as the splitting found it; ``given`` for a box or a file.
        truth: Its class 0..23 where a person named it: by annotation or folder.
    """

    name: str
    grey: NDArray[np.uint8]
    edges: Edges | None = None
    outline: NDArray[np.int32] | None = None
    relation: str = "given"
    truth: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Upright:
    """A chromosome as a karyogram shows it: straight as it lay or unbent, short arm up.

    Attributes:
        picture: uint8 (h, w), background 0, the chromosome bright, scale as in the image it came from.
        mask: bool (h, w), its pixels.
        centromere: Row of the centromere in ``picture``, pixels, 0..h.
        flipped: Whether the object's own upper end is down now.
        certainty: 0..1, how sure it is which end is the short arm.
    """

    picture: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    centromere: float
    flipped: bool
    certainty: float


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """One object and the place that it has in the karyogram.

    Attributes:
        object: The object.
        alone: What the classifier says about it without the cell.
        probabilities: float64 (24,), of each class given the whole cell; what their sum lacks to 1 is the probability
            that it is no chromosome of this cell.
        label: The class 0..23 where it was placed; None in the tray.
        doubtful: Whether a person should look before its place is relied on.
        upright: How the karyogram shows it; None where pictures were not asked for.
        reviewed: Whether a person has looked at it, and moved it or left it where it was. Never set by the program.
        debris: Whether a person marked it as no chromosome; its label is None then.
        turned: Whether a person turned it by half a circle; ``upright`` is as it is to be drawn, turned already.
    """

    object: CellObject
    alone: Prediction
    probabilities: NDArray[np.float64]
    label: int | None
    doubtful: bool
    upright: Upright | None = None
    reviewed: bool = False
    debris: bool = False
    turned: bool = False

    @property
    def probability(self) -> float:
        """The probability of its place given the whole cell, 0..1; in the tray that of being no chromosome."""
        return float(max(1 - self.probabilities.sum(), 0) if self.label is None else self.probabilities[self.label])

    @property
    def place(self) -> str | None:
        """Its class by name, ``"X"``; None in the tray."""
        return None if self.label is None else CLASSES[self.label]


@dataclass(frozen=True, slots=True)
class Finding:
    """A chromosome whose number is not the usual.

    Attributes:
        label: Its class, 0..23.
        copies: How many there are.
        probability: Of this number, given everything seen, 0..1.
    """

    label: int
    copies: int
    probability: float


@dataclass(frozen=True, slots=True)
class Call:
    """Which chromosomes a cell has.

    Attributes:
        copies: 24 numbers, in class order.
        iscn: The same as ISCN text, ``"47,XY,+21"``.
        probability: Of all of them together being right, 0..1.
        abnormal: Whether they are not those of a normal cell.
        findings: What is unusual.
    """

    copies: tuple[int, ...]
    iscn: str
    probability: float
    abnormal: bool
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Karyotype:
    """What is decided about a cell.

    Attributes:
        name: The cell's.
        objects: Its objects, in the order in which they came.
        copies: float64 (24, MOST_COPIES + 1), probability of each number of copies of each chromosome; rows sum to 1.
        call: The most probable numbers.
        remarks: What a person should know, in sentences: objects that are missing, two cells in one picture.
        size: (width, height) of the spread, pixels; None for separate images.
    """

    name: str
    objects: Sequence[Placed]
    copies: NDArray[np.float64]
    call: Call
    remarks: tuple[str, ...] = field(default=())
    size: tuple[int, int] | None = None

    def placed(self, label: int | None) -> list[Placed]:
        """Give the objects of a class, the most probable first; those in the tray for None."""
        chosen = [each for each in self.objects if each.label == label]
        return sorted(chosen, key=lambda each: -each.probability)
