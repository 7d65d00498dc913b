"""How many chromosomes of whole spreads are found without annotations, and how much else is taken for one.

Real spreads have a box around each chromosome, drawn by a person, who keeps a distance: boxes are compared as they are
and, besides, with the found ones widened by a few pixels. Drawn spreads have outlines, and those are compared.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyo.data.spreads import Pair, load_spread, read_annotation
from karyo.data.synthetic import Spread, SpreadSettings, derive_seed, draw_spread
from karyo.errors import SettingsError
from karyo.evaluation.bootstrap import bootstrap_intervals
from karyo.evaluation.instances import iou_table, match_overlaps
from karyo.imaging.segmentation import Segmentation, segment_spread

FOUND_FROM = 0.5
"""Overlap (IoU) from which on a chromosome counts as found."""

USUAL_MARGIN = 3
"""Pixels that drawn boxes typically keep from their chromosomes."""

Segmenter = Callable[[NDArray[np.uint8]], Segmentation]


@dataclass(frozen=True, slots=True)
class SpreadScore:
    """What was found in one spread.

    Attributes:
        name: The spread's.
        true: Chromosomes that it has.
        found: Objects given as chromosomes.
        right: Chromosomes found with an overlap of at least :data:`FOUND_FROM`, each object counting once.
        right_widened: The same with the found boxes widened; for drawn spreads the same as ``right``.
        verdict: Why it was said to be no spread; None where it was taken for one.
        seconds: Processor time of the segmentation.
    """

    name: str
    true: int
    found: int
    right: int
    right_widened: int
    verdict: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure with its 95 % interval from resampled spreads; the ends are None where there is one spread only."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class DetectionMeasures:
    """How well chromosomes are found.

    Attributes:
        spreads: Each spread's score.
        measures: ``recall``, ``precision``, ``recall widened``, ``precision widened`` (shares, 0..1), ``count error``
            (mean of the absolute difference of found and true number), ``count bias`` (mean of the difference),
            ``refused`` (share of the spreads said to be none).
    """

    spreads: tuple[SpreadScore, ...]
    measures: dict[str, Measure]

    @property
    def seconds(self) -> float:
        """Median processor time of a spread."""
        return float(np.median([each.seconds for each in self.spreads]))

    def to_dict(self) -> dict[str, Any]:
        """Give primitives that JSON can hold, keyed as the attributes are."""
        return {**asdict(self), "seconds": self.seconds}


def measure_annotated(
    pairs: Iterable[Pair],
    margin: float = USUAL_MARGIN,
    seed: int = 0,
    advance: Callable[[], None] = lambda: None,
    segment: Segmenter = segment_spread,
) -> DetectionMeasures:
    """Segment real spreads and compare what is found with annotated boxes.

    Args:
        pairs: Their images and annotations, at least one.
        margin: Pixels by which found boxes are widened for the widened measures, 0 or more.
        seed: Of the resampling.
        advance: Called after each spread.
        segment: The way to segment.

    Returns:
        The measures.

    Raises:
        SettingsError: If ``margin`` or ``seed`` is negative, or there is no spread.
        DataError: If an image or an annotation cannot be used.
    """
    if margin < 0 or seed < 0:
        raise SettingsError(f"margin and seed must be 0 or more, not {margin} and {seed}")
    scores = []
    for pair in pairs:
        annotation = read_annotation(pair.annotation)
        grey = load_spread(pair, annotation).grey
        true = np.array([box.edges for box in annotation.boxes], np.float64).reshape(-1, 4)
        scores.append(_score_boxes(pair.name, grey, true, margin, segment))
        advance()
    return summarise(scores, seed)


def measure_drawn(
    count: int,
    settings: SpreadSettings | None = None,
    seed: int = 0,
    advance: Callable[[], None] = lambda: None,
    segment: Segmenter = segment_spread,
) -> DetectionMeasures:
    """Segment drawn spreads and compare what is found with their outlines.

    Args:
        count: Number of spreads, 1 or more.
        settings: What to draw; the defaults if None.
        seed: Of the spreads and of the resampling, 0 or more.
        advance: Called after each spread.
        segment: The way to segment.

    Returns:
        The measures.

    Raises:
        SettingsError: If ``count`` or ``seed`` is out of its range.
    """
    if count < 1 or seed < 0:
        raise SettingsError(f"count must be 1 or more and seed 0 or more, not {count} and {seed}")
    scores = []
    for index in range(count):
        scores.append(_score_masks(f"drawn {index + 1}", draw_spread(derive_seed(seed, index), settings), segment))
        advance()
    return summarise(scores, seed)


def summarise(scores: Sequence[SpreadScore], seed: int = 0) -> DetectionMeasures:
    """Add the scores of spreads up.

    Args:
        scores: At least one.
        seed: Of the resampling.

    Returns:
        The measures with their intervals.

    Raises:
        SettingsError: If there is no spread.
    """
    if not scores:
        raise SettingsError("there is no spread to measure on; name a folder with annotated spreads")
    table = np.array([_countable(each) for each in scores], np.float64)

    def statistics(weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        true, found, right, widened, error, bias, refused = (weights @ table).T
        number = weights.sum(axis=1)
        return {
            "recall": _ratio(right, true),
            "precision": _ratio(right, found),
            "recall widened": _ratio(widened, true),
            "precision widened": _ratio(widened, found),
            "count error": error / number,
            "count bias": bias / number,
            "refused": refused / number,
        }

    values = statistics(np.ones((1, len(scores))))
    intervals = bootstrap_intervals(statistics, np.arange(len(scores)), seed=seed)
    measures = {}
    for name, value in values.items():
        interval = intervals.get(name)
        ends = (interval.low, interval.high) if interval else (None, None)
        measures[name] = Measure(None if np.isnan(value[0]) else float(value[0]), *ends)
    return DetectionMeasures(tuple(scores), measures)


def _countable(score: SpreadScore) -> tuple[float, ...]:
    difference = score.found - score.true
    refused = score.verdict is not None
    return score.true, score.found, score.right, score.right_widened, abs(difference), difference, refused


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


def _score_boxes(
    name: str, grey: NDArray[np.uint8], true: NDArray[np.float64], margin: float, segment: Segmenter
) -> SpreadScore:
    """Segment one real spread and count the boxes that are found."""
    found, seconds = _timed(segment, grey)
    boxes = np.array([each.edges for each in found.chromosomes], np.float64).reshape(-1, 4)
    wide = boxes + margin * np.array([-1.0, -1.0, 1.0, 1.0])
    right, widened = (_count_right(box_overlaps(each, true)) for each in (boxes, wide))
    return SpreadScore(name, len(true), len(boxes), right, widened, found.verdict, seconds)


def _score_masks(name: str, spread: Spread, segment: Segmenter) -> SpreadScore:
    """Segment one drawn spread and count the outlines that are found."""
    found, seconds = _timed(segment, spread.image)
    masks = [_in_full(each.mask, each.edges, spread.image.shape) for each in found.chromosomes]
    true = [each.full_mask(*spread.image.shape) for each in spread.chromosomes]
    right = _count_right(iou_table(masks, true))
    return SpreadScore(name, len(true), len(masks), right, right, found.verdict, seconds)


def _timed(segment: Segmenter, grey: NDArray[np.uint8]) -> tuple[Segmentation, float]:
    start = time.process_time()
    found = segment(grey)
    return found, time.process_time() - start


def _count_right(table: NDArray[np.float64]) -> int:
    return int(np.count_nonzero(match_overlaps(table) >= FOUND_FROM))


def _in_full(mask: NDArray[np.bool_], edges: tuple[int, int, int, int], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    full = np.zeros(shape, np.bool_)
    full[edges[1] : edges[3], edges[0] : edges[2]] = mask
    return full


def box_overlaps(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the intersection over union of boxes (N, 4) and (M, 4) of left, top, right, bottom, float64 (N, M)."""
    corners = np.maximum(first[:, None, :2], second[None, :, :2]), np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(corners[1] - corners[0], 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.asarray(shared / np.maximum(union, 1e-9), np.float64)
