"""How many chromosomes of a spread are found whole: predicted masks against the true ones, by how they lie."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyo.data.synthetic import RELATIONS, Spread, SpreadSettings, derive_seed, draw_spread
from karyo.errors import SettingsError
from karyo.imaging.foreground import foreground, lift, typical_width, without_nuclei
from karyo.imaging.polarity import normalise_polarity
from karyo.imaging.split import split_objects
from karyo.imaging.split.watershed import components, watershed_parts

Mask = NDArray[np.bool_]
Splitter = Callable[[Mask, NDArray[np.uint8], float], Sequence[Mask]]
"""From a foreground mask, the grey levels above the background and the typical width to one mask per chromosome."""

_Scored = tuple[list[str], NDArray[np.float64], int]
"""Of one spread: the true relations, the IoU of each true chromosome, the number of predictions."""

_LOOSE, _STRICT = 0.5, 0.75
"""The two overlaps from which on a chromosome counts as found."""


@dataclass(frozen=True, slots=True)
class InstanceScore:
    """How well the chromosomes of one relation are found; shares and means are None where there are none.

    Attributes:
        objects: True chromosomes.
        mean_iou: Mean intersection over union of true and matched mask; an unmatched one counts 0.
        right_50: Share matched with an IoU of at least 0.5.
        right_75: Share matched with an IoU of at least 0.75.
    """

    objects: int
    mean_iou: float | None
    right_50: float | None
    right_75: float | None


@dataclass(frozen=True, slots=True)
class SplittingMeasures:
    """How well a way of splitting finds the chromosomes of drawn spreads.

    No two true chromosomes share a prediction: a mask that holds two of them is right for one at most.

    Attributes:
        by_relation: A score for ``isolated``, ``touching``, ``crossing`` and ``all``.
        spurious: Predictions that match no true chromosome with an IoU of at least 0.5.
        predictions: Predictions in all.
        spreads: Spreads measured.
    """

    by_relation: dict[str, InstanceScore]
    spurious: int
    predictions: int
    spreads: int

    def to_dict(self) -> dict[str, Any]:
        """Give primitives that JSON can hold, keyed as the attributes are."""
        return asdict(self)


def match_instances(predicted: Sequence[Mask], true: Sequence[Mask]) -> NDArray[np.float64]:
    """Match predicted masks to true ones, the best pairs first, each mask at most once.

    Args:
        predicted: Arrays (H, W), bool, of one picture; they may overlap.
        true: Arrays (H, W), bool, of the same picture; they may overlap.

    Returns:
        Float64 (len(true),): the IoU of each true mask with the predicted one it was matched to, 0 where there is none.
    """
    return match_overlaps(iou_table(predicted, true))


def match_overlaps(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Match what was predicted to what is true by a table of overlaps, the best pairs first, each at most once.

    Args:
        table: Float64 (predicted, true), 0..1.

    Returns:
        Float64 (true,): the overlap of each true one with the predicted one it was matched to, 0 where there is none.
    """
    overlaps = table.copy()
    matched = np.zeros(table.shape[1])
    while overlaps.size and overlaps.max() > 0:
        row, column = np.unravel_index(int(overlaps.argmax()), overlaps.shape)
        matched[column] = overlaps[row, column]
        overlaps[row] = overlaps[:, column] = 0
    return matched


def iou_table(predicted: Sequence[Mask], true: Sequence[Mask]) -> NDArray[np.float64]:
    """Give the intersection over union of every predicted mask (rows) with every true one (columns), float64."""
    table = np.zeros((len(predicted), len(true)))
    boxes, others = [_box(mask) for mask in predicted], [_box(mask) for mask in true]
    areas, other_areas = ([int(np.count_nonzero(mask)) for mask in masks] for masks in (predicted, true))
    for row, (top, bottom, left, right) in enumerate(boxes):
        for column, (other_top, other_bottom, other_left, other_right) in enumerate(others):
            rows = slice(max(top, other_top), min(bottom, other_bottom))
            columns = slice(max(left, other_left), min(right, other_right))
            if rows.start >= rows.stop or columns.start >= columns.stop:
                continue
            shared = int(np.count_nonzero(predicted[row][rows, columns] & true[column][rows, columns]))
            table[row, column] = shared / max(areas[row] + other_areas[column] - shared, 1)
    return table


def measure_splitting(
    count: int,
    settings: SpreadSettings,
    seed: int,
    ways: Mapping[str, Splitter] | None = None,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, SplittingMeasures]:
    """Draw spreads, split each in several ways and measure each way.

    Args:
        count: Number of spreads, 1 or more.
        settings: What to draw.
        seed: Of the spreads, 0 or more.
        ways: The ways to split, by name; None takes :func:`known_splitters`.
        advance: Called after each spread.

    Returns:
        The measures of each way, by name.

    Raises:
        SettingsError: If ``count`` or ``seed`` is out of its range.
    """
    if count < 1 or seed < 0:
        raise SettingsError(f"count must be 1 or more and seed 0 or more, not {count} and {seed}")
    ways = known_splitters() if ways is None else ways
    found: dict[str, list[_Scored]] = {name: [] for name in ways}
    for index in range(count):
        spread = draw_spread(derive_seed(seed, index), settings)
        for name, matched in _score_spread(spread, ways).items():
            found[name].append(matched)
        advance()
    return {name: _sum_up(items) for name, items in found.items()}


def known_splitters() -> dict[str, Splitter]:
    """Give the ways to split that are worth comparing.

    Returns:
        ``components`` (connected parts as they are), ``watershed`` (of the distance transform, alone) and ``split``
        (:func:`karyo.imaging.split.split_objects`).
    """
    return {
        "components": lambda mask, grey, width: components(mask),
        "watershed": lambda mask, grey, width: watershed_parts(mask, width),
        "split": lambda mask, grey, width: [part.mask for part in split_objects(mask, grey, width)],
    }


def _score_spread(spread: Spread, ways: Mapping[str, Splitter]) -> dict[str, _Scored]:
    """Split one spread in every way: relations, IoUs and number of predictions for each."""
    grey = normalise_polarity(spread.image)
    mask = foreground(grey)
    width = typical_width(mask)
    mask = without_nuclei(mask, width)
    lifted = lift(grey)
    true = [chromosome.full_mask(*grey.shape) for chromosome in spread.chromosomes]
    relations = [chromosome.relation for chromosome in spread.chromosomes]
    scores: dict[str, _Scored] = {}
    for name, split in ways.items():
        predicted = split(mask, lifted, width)
        scores[name] = relations, match_instances(predicted, true), len(predicted)
    return scores


def _sum_up(items: Sequence[_Scored]) -> SplittingMeasures:
    """Add the spreads up by relation."""
    relations = np.array([relation for names, _, _ in items for relation in names])
    ious = np.concatenate([matched for _, matched, _ in items])
    predictions = sum(number for _, _, number in items)
    by_relation = {relation: _score(ious[relations == relation]) for relation in RELATIONS}
    return SplittingMeasures(
        by_relation={**by_relation, "all": _score(ious)},
        spurious=predictions - int(np.count_nonzero(ious >= _LOOSE)),
        predictions=predictions,
        spreads=len(items),
    )


def _score(ious: NDArray[np.float64]) -> InstanceScore:
    """Score the chromosomes of one relation."""
    if not len(ious):
        return InstanceScore(0, None, None, None)
    means = (float(np.mean(values)) for values in (ious, ious >= _LOOSE, ious >= _STRICT))
    return InstanceScore(len(ious), *means)


def _box(mask: Mask) -> tuple[int, int, int, int]:
    """Give (top, bottom, left, right) of a mask, bottom and right exclusive; an empty box where it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
