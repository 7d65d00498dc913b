"""Karyotypes of drawn cells, what is decided about them given by hand: for what shows, keeps or edits them."""

from collections.abc import Collection, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES, expected_copies
from karyo.data.synthetic.chromosome import DrawnChromosome, cell_style, draw_chromosome
from karyo.data.synthetic.style import CellSettings
from karyo.inference.prediction import Prediction
from karyo.karyotype.cell import MOST_COPIES, Call, CellObject, Finding, Karyotype, Placed, Upright

SETTINGS = CellSettings(difficulty="easy")


def normal_copies(sex: str = "XX") -> list[int]:
    """Give the 24 numbers of copies of a normal cell."""
    return [expected_copies(label, sex) for label in range(len(CLASSES))]


def made_karyotype(
    copies: Sequence[int] | None = None,
    *,
    sex: str = "XX",
    doubtful: Collection[int] = (),
    tray: int = 0,
    name: str = "cell 1",
    iscn: str | None = None,
    remarks: Sequence[str] = (),
    seed: int = 0,
    pictures: bool = True,
    spread: bool = False,
    settings: CellSettings = SETTINGS,
) -> Karyotype:
    """Make the karyotype of a cell whose chromosomes are drawn.

    Args:
        copies: 24 numbers of copies in class order, each 0 or more; those of a normal cell if None.
        sex: ``"XX"`` or ``"XY"`` of the normal cell.
        doubtful: Positions, in order of class, of the objects that a person should look at; they get 0.55..0.8.
        tray: How many objects have no place; they come last.
        name: The cell's.
        iscn: The text of the call; made from the numbers if None.
        remarks: What the karyotype remarks.
        seed: Of the drawing; every other one is another cell.
        pictures: Whether objects stand upright already.
        spread: Whether objects lie in a spread (with edges, outlines and a size) or are images of their own.
        settings: What to draw.
    """
    numbers = normal_copies(sex) if copies is None else list(copies)
    labels = [label for label, count in enumerate(numbers) for _ in range(count)]
    drawn = [_draw(label, order, seed, settings) for label, order in _ordered(labels)]
    drawn += [_draw(20, 50 + order, seed, settings) for order in range(tray)]
    objects = [
        _placed(
            index,
            each,
            labels[index] if index < len(labels) else None,
            index in set(doubtful),
            pictures,
            spread,
            settings,
        )
        for index, each in enumerate(drawn)
    ]
    return Karyotype(
        name=name,
        objects=objects,
        copies=_certain(numbers),
        call=_call(numbers, iscn),
        remarks=tuple(remarks),
        size=(1000, 800) if spread else None,
    )


def _ordered(labels: Sequence[int]) -> list[tuple[int, int]]:
    """Number the objects of each class."""
    return [(label, labels[:index].count(label)) for index, label in enumerate(labels)]


def _draw(label: int, order: int, seed: int, settings: CellSettings) -> DrawnChromosome:
    """Draw the ``order``-th homolog of a class in the style of its cell."""
    style = cell_style(seed, settings)
    return draw_chromosome(label, seed + 1000 * (order // 2), "ab"[order % 2], settings, style)


def _placed(
    index: int,
    drawn: DrawnChromosome,
    label: int | None,
    doubtful: bool,
    pictures: bool,
    spread: bool,
    settings: CellSettings,
) -> Placed:
    sure = 0.55 + 0.25 * ((index * 7) % 10) / 10 if doubtful else 0.995
    probabilities = np.full(len(CLASSES), (1 - sure) * 0.9 / 23)
    if label is None:
        probabilities[:] = 0.05 / 24
    else:
        probabilities[label] = sure
    alone = np.full(len(CLASSES), 0.1 / 23)
    alone[drawn.label] = 0.9
    name = f"spread_{index + 1}" if spread else f"{CLASSES[drawn.label]}_{index + 1}.png"
    prediction = Prediction(name, alone, ("low_confidence",) if doubtful else ())
    found = _object(index, drawn, name, spread)
    return Placed(
        object=found,
        alone=prediction,
        probabilities=probabilities,
        label=label,
        doubtful=doubtful,
        upright=_upright(drawn, settings) if pictures else None,
    )


def _object(index: int, drawn: DrawnChromosome, name: str, spread: bool) -> CellObject:
    if not spread:
        return CellObject(name, drawn.image)
    left, top = 100 * (index % 9), 90 * (index // 9 % 8)
    outlines, _ = cv2.findContours(drawn.mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=len).reshape(-1, 2).astype(np.int32) + np.array([left, top], np.int32)
    height, width = drawn.image.shape
    return CellObject(name, drawn.image, (left, top, left + width, top + height), outline, "isolated")


def _upright(drawn: DrawnChromosome, settings: CellSettings) -> Upright:
    """Show the chromosome as it was drawn: the short arm is up already."""
    lifted = 255 - drawn.image if settings.polarity == "bright" else drawn.image
    wide = cv2.dilate(drawn.mask.view(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return Upright(np.where(wide, lifted, np.uint8(0)), drawn.mask, float(drawn.centromere[1]), False, 0.95)


def _certain(numbers: Sequence[int]) -> NDArray[np.float64]:
    copies = np.full((len(CLASSES), MOST_COPIES + 1), 0.01 / MOST_COPIES)
    copies[np.arange(len(CLASSES)), np.minimum(numbers, MOST_COPIES)] = 0.99
    return copies


def _call(numbers: Sequence[int], iscn: str | None) -> Call:
    sex = "X" * numbers[22] + "Y" * numbers[23]
    usual = normal_copies("XY" if numbers[23] else "XX")
    findings = tuple(
        Finding(label, count, 0.99) for label, count in enumerate(numbers) if count != usual[label] and label < 22
    )
    changes = [
        f",{'+' if each.copies > 2 else '-'}{CLASSES[each.label]}"
        for each in findings
        for _ in range(abs(each.copies - 2))
    ]
    text = f"{sum(numbers)},{sex or '0'}" + "".join(changes)
    normal = list(numbers) in (normal_copies("XX"), normal_copies("XY"))
    return Call(tuple(numbers), text if iscn is None else iscn, 0.97, not normal, findings)
