"""From a spread, or from the chromosomes of a cell, to its karyotype."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.data.spreads import Box, Spread
from karyo.errors import DataError
from karyo.imaging.segmentation import segment_spread
from karyo.imaging.size import size_logarithms
from karyo.inference.prediction import Prediction
from karyo.inference.predictor import Predictor, PreparedImage
from karyo.inference.sizes import MEASURES
from karyo.karyotype.cell import MOST_OBJECTS, CellObject, Karyotype, Placed
from karyo.karyotype.decision import Decision, decide_cell
from karyo.karyotype.priors import Priors
from karyo.karyotype.upright import stand_upright

_BATCH = 32
_MARGIN = 2
"""Pixels around an object that are cut out with it, as for training (``data.source.margin``)."""

_SURE = 0.95
"""Probability of its place, given the whole cell, below which a person should look at an object."""

_FLAT = 0.15
"""Mean probability of the classifier's answers below which it says nothing about a cell."""

_LIKELY = 0.5
"""Probability of all numbers together below which they are said to be uncertain."""

_POSSIBLE = 0.1
"""Probability from which on another number of copies is named beside the one that was called."""

_WHOLE = 46


class Karyotyper:
    """A model that looks at whole cells. Safe to use from several threads at once.

    Args:
        predictor: The opened model.
        priors: What is expected of cells; the defaults if None.
    """

    def __init__(self, predictor: Predictor, priors: Priors | None = None) -> None:
        self.predictor = predictor
        self.priors = priors or Priors()

    def spread(
        self, name: str, grey: NDArray[np.uint8], boxes: Sequence[Box] | None = None, pictures: bool = True
    ) -> Karyotype:
        """Karyotype a whole metaphase spread.

        Args:
            name: What to call the cell; its objects are called ``<name>_1`` and so on.
            grey: uint8 (H, W), as stored.
            boxes: Where a person marked the chromosomes, each with its name; None to find them.
            pictures: Whether to make the pictures for the karyogram.

        Returns:
            The karyotype.

        Raises:
            DataError: If the picture is no spread, or a box lies outside of it.
        """
        objects, remarks = find_objects(name, grey) if boxes is None else cut_boxes(name, grey, boxes)
        height, width = grey.shape
        found = self.decide(name, objects, (width, height), pictures)
        return replace(found, remarks=(*remarks, *found.remarks))

    def decide(
        self, name: str, objects: Sequence[CellObject], size: tuple[int, int] | None = None, pictures: bool = True
    ) -> Karyotype:
        """Karyotype a cell whose chromosomes are cut out already.

        Args:
            name: What to call the cell.
            objects: Its objects; none at all is a cell about which nothing is known.
            size: (width, height) of the spread that they come from, pixels; None for separate images.
            pictures: Whether to make the pictures for the karyogram.

        Returns:
            The karyotype, its objects in the order given.

        Raises:
            DataError: If there are more than :data:`~karyo.karyotype.cell.MOST_OBJECTS`, none of them is a chromosome,
                or the model is damaged.
        """
        if len(objects) > MOST_OBJECTS:
            raise DataError(f"{name} has {len(objects):,} objects; one cell has at most {MOST_OBJECTS} here")
        prepared = [self.predictor.prepare(each.grey, name=each.name) for each in objects]
        alone = self._classify(prepared)
        decision = self._decide_once(objects, prepared, alone)
        if len(objects) and not (decision.labels >= 0).any():
            raise DataError(f"{name}: none of its {_images(len(objects))} shows a chromosome")
        placed = [
            self._place(each, answer, decision, row, pictures)
            for row, (each, answer) in enumerate(zip(objects, alone, strict=True))
        ]
        remarks = tuple(remarks_on(objects, alone, decision))
        return Karyotype(name, placed, decision.copies, decision.call, remarks, size)

    def _decide_once(
        self, objects: Sequence[CellObject], prepared: Sequence[PreparedImage], alone: Sequence[Prediction]
    ) -> Decision:
        """Decide with each image counting once: a copy of a file is no second chromosome, and waits in the tray."""
        first: dict[tuple[tuple[int, ...], bytes], int] = {}
        for row, each in enumerate(objects):
            first.setdefault(_pixels(each), row)
        counted = list(first.values())
        some = [objects[row] for row in counted]
        probabilities = self._see([prepared[row] for row in counted], [alone[row] for row in counted])
        reasons = [alone[row].reasons for row in counted]
        found = any(each.relation != "given" for each in some)
        sizes, norms = self._measure(some), self.predictor.passport.sizes
        decision = decide_cell(probabilities, sizes, norms, reasons, self.priors, found)
        labels, classes = np.full(len(objects), -1), np.zeros((len(objects), len(CLASSES)))
        labels[counted], classes[counted] = decision.labels, decision.classes
        return replace(decision, labels=labels, classes=classes)

    def _classify(self, prepared: Sequence[PreparedImage]) -> list[Prediction]:
        starts = range(0, len(prepared), _BATCH)
        return [answer for start in starts for answer in self.predictor.classify(prepared[start : start + _BATCH])]

    def _see(self, prepared: Sequence[PreparedImage], alone: Sequence[Prediction]) -> NDArray[np.float64]:
        """Give the probabilities to decide from, (N, 24): of each object in its cell if that can be, else alone."""
        probabilities = np.array([each.probabilities for each in alone]).reshape(-1, len(CLASSES))
        return self.predictor.see_in_cell(prepared, probabilities)

    def _measure(self, objects: Sequence[CellObject]) -> NDArray[np.float64] | None:
        if self.predictor.passport.sizes is None:
            return None
        polarity = self.predictor.passport.preparation.polarity
        return np.array([size_logarithms(each.grey, polarity) for each in objects]).reshape(-1, len(MEASURES))

    def _place(self, each: CellObject, alone: Prediction, decision: Decision, row: int, pictures: bool) -> Placed:
        label = None if decision.labels[row] < 0 else int(decision.labels[row])
        preparation = self.predictor.passport.preparation
        upright = None
        if pictures:
            # A model that was trained on images as they stand was trained on upright ones, and is asked about such.
            standing = each.edges is None and not preparation.align and not preparation.steps.straightens
            upright = stand_upright(each.grey, label, preparation.polarity, trusted_upright=standing)
        doubtful = label is None or bool(decision.classes[row, label] < _SURE)
        return Placed(each, alone, decision.classes[row], label, doubtful, upright)


def find_objects(name: str, grey: NDArray[np.uint8]) -> tuple[list[CellObject], tuple[str, ...]]:
    """Find the chromosomes of a spread and cut them out.

    Args:
        name: The spread's.
        grey: uint8 (H, W), as stored.

    Returns:
        The objects, and remarks on the picture.

    Raises:
        DataError: If it is no spread, with the reason.
    """
    segmentation = segment_spread(grey)
    if segmentation.verdict is not None:
        raise DataError(f"{name} is no metaphase spread: {segmentation.verdict}")
    spread = Spread(grey)
    objects = [
        CellObject(
            f"{name}_{number}",
            spread.cut_object(each.mask, each.edges, _MARGIN),
            each.edges,
            each.outline,
            each.relation,
        )
        for number, each in enumerate(segmentation.chromosomes, 1)
    ]
    return objects, segmentation.remarks


def cut_boxes(name: str, grey: NDArray[np.uint8], boxes: Sequence[Box]) -> tuple[list[CellObject], tuple[str, ...]]:
    """Cut out the chromosomes that a person marked.

    Args:
        name: The spread's.
        grey: uint8 (H, W), as stored.
        boxes: One for each chromosome, with its class.

    Returns:
        The objects, and remarks on the boxes.

    Raises:
        DataError: If a box lies outside the picture.
    """
    spread = Spread(grey, [box.edges for box in boxes])
    objects, loose = [], 0
    for box in boxes:
        crop = spread.cut(box.edges, _MARGIN, "object")
        loose += not crop.object_found
        objects.append(CellObject(f"{name}_{box.number}", crop.grey, box.edges, truth=box.label))
    if not loose:
        return objects, ()
    some = "1 box" if loose == 1 else f"{loose} boxes"
    return objects, (f"no object fits {some}: neighbours may be left in the picture there",)


def remarks_on(objects: Sequence[CellObject], alone: Sequence[Prediction], decision: Decision) -> list[str]:
    """Say what a person should know about a cell before relying on its karyotype.

    Args:
        objects: Its objects.
        alone: What the classifier says about each.
        decision: What was decided.

    Returns:
        Sentences without a full stop.
    """
    if not len(objects):
        return ["there is no chromosome in it"]
    count = int((decision.labels >= 0).sum())
    remarks = []
    if decision.call.probability < _LIKELY:
        remarks.append(
            f"the numbers are uncertain: {decision.call.iscn} has a probability of only {decision.call.probability:.2f}"
        )
    if decision.sets > 2:
        remarks.append(f"{count} chromosomes: two cells lie in it, or one with {decision.sets} sets of chromosomes")
    elif count < _WHOLE:
        remarks.append(
            f"{count} of the {_WHOLE} places of a normal cell are filled; what is missing may only be unseen"
        )
    remarks += _possible(decision)
    if np.mean([each.probability for each in alone]) < _FLAT:
        remarks.append("the classifier says next to nothing about these images: they are not of the kind it knows")
    remarks += [f"{' and '.join(names)} are the same image, which counts once" for names in _same(objects)]
    return remarks


def _possible(decision: Decision) -> list[str]:
    """Name the numbers of copies that were not called and are not to be dismissed."""
    shares = decision.copies.copy()
    shares[range(len(CLASSES)), decision.call.copies] = 0
    return [
        f"{copies} of {CLASSES[label]} instead of {decision.call.copies[label]} cannot be excluded "
        f"({shares[label, copies]:.2f})"
        for label, copies in np.argwhere(shares >= _POSSIBLE)
    ]


def _same(objects: Sequence[CellObject]) -> list[list[str]]:
    """List the names of objects whose images are the same pixel for pixel."""
    names: dict[tuple[tuple[int, ...], bytes], list[str]] = defaultdict(list)
    for each in objects:
        names[_pixels(each)].append(each.name)
    return [each for each in names.values() if len(each) > 1]


def _pixels(each: CellObject) -> tuple[tuple[int, ...], bytes]:
    return each.grey.shape, each.grey.tobytes()


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"
