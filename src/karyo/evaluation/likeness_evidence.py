"""Clusters to fit the splitter's weights to: of drawn spreads, and of real ones with a box around each chromosome."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.data.spreads import Pair, find_pairs, load_spread, read_annotation
from karyo.data.spreads.pairs import existing_folder
from karyo.data.synthetic import DIFFICULTIES, CellSettings, SpreadSettings, derive_seed, draw_spread
from karyo.errors import SettingsError
from karyo.evaluation.likeness_ways import ClusterEvidence, weigh_ways
from karyo.imaging.foreground import foreground, lift, typical_width, without_nuclei
from karyo.imaging.polarity import normalise_polarity
from karyo.imaging.split.fragments import Fragments
from karyo.imaging.split.objects import fragments_of

DRAWN: tuple[tuple[str, float, float], ...] = (
    ("easy", 0.25, 0.3),
    ("normal", 0.25, 0.3),
    ("hard", 0.25, 0.3),
    ("normal", 0.15, 0.1),
)
"""The kinds of spreads that are drawn: difficulty, share of touching and share of crossing chromosomes."""

_DRAWN_WAYS, _ANNOTATED_WAYS = 150, 400
"""How many ways of one cluster are kept."""

_DRAWN_STRICT, _ANNOTATED_STRICT = 0.68, 0.65
"""Overlap from which on an object begins to count as found well; boxes are drawn less exactly than outlines."""

_SURE = 0.4
"""Overlap of a connected object's box with an annotated one from which on they mean the same."""

_WIDEST_MARGIN = 8.0
_USUAL_MARGIN = 3.0
"""How far, in pixels, annotated boxes keep from their objects at most, and where nothing tells."""

_OUTWARD = np.array([-1.0, -1.0, 1.0, 1.0])
"""Which way the edges of a box move when it is widened."""


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    """A spread and its connected objects."""

    lifted: NDArray[np.uint8]
    width: float
    numbers: NDArray[np.int32]
    table: NDArray[np.int32]

    def window(self, number: int) -> tuple[slice, slice]:
        left, top, columns, rows = self.table[number, :4].tolist()
        return slice(top, top + rows), slice(left, left + columns)

    def fragments(self, number: int) -> Fragments:
        window = self.window(number)
        return fragments_of(np.ascontiguousarray(self.numbers[window] == number), self.lifted[window], self.width)

    def boxes(self) -> NDArray[np.float64]:
        """Left, top, right, bottom of each object."""
        corners = self.table[1:, :2].astype(np.float64)
        return np.hstack([corners, corners + self.table[1:, 2:4]])


def drawn_evidence(count: int, seed: int, advance: Callable[[], None] = lambda: None) -> list[ClusterEvidence]:
    """Gather evidence from drawn spreads, whose outlines are known.

    Args:
        count: Number of spreads of each of the kinds of :data:`DRAWN`, 1 or more.
        seed: Of the spreads, 0 or more.
        advance: Called after each spread.

    Returns:
        Their clusters of two to eight fragments.

    Raises:
        SettingsError: If ``count`` or ``seed`` is out of its range.
    """
    if count < 1 or seed < 0:
        raise SettingsError(f"count must be 1 or more and seed 0 or more, not {count} and {seed}")
    found: list[ClusterEvidence] = []
    for difficulty, touching, crossing in DRAWN:
        settings = SpreadSettings(cell=CellSettings(DIFFICULTIES[difficulty]), touching=touching, crossing=crossing)
        for index in range(count):
            spread = draw_spread(derive_seed(seed, index), settings)
            masks = [chromosome.full_mask(*spread.image.shape) for chromosome in spread.chromosomes]
            rng = np.random.default_rng([seed, index])
            found += _clusters_of_masks(_look_at(spread.image), masks, rng)
            advance()
    return found


def annotated_pairs(folder: Path) -> tuple[Pair, ...]:
    """Find annotated spreads to gather evidence from: every second one of a folder, from the first.

    The others are left out, so that the splitter can be measured on spreads that it was not fitted to.

    Args:
        folder: Of the images and their Pascal VOC annotations, at any depth.

    Returns:
        The files.

    Raises:
        SettingsError: If the folder is missing or holds no image with an annotation.
    """
    root = existing_folder(folder, "the folder of annotated spreads")
    return find_pairs(root, root).pairs[::2]


def annotated_evidence(
    pairs: Sequence[Pair], seed: int, advance: Callable[[], None] = lambda: None
) -> list[ClusterEvidence]:
    """Gather evidence from annotated spreads, whose boxes are known.

    Args:
        pairs: From :func:`annotated_pairs`.
        seed: Of the choice among the ways to put a cluster together.
        advance: Called after each spread.

    Returns:
        Their clusters of two to eight fragments.

    Raises:
        DataError: If an image or an annotation cannot be used.
    """
    found: list[ClusterEvidence] = []
    for index, pair in enumerate(pairs):
        annotation = read_annotation(pair.annotation)
        boxes = np.array([box.edges for box in annotation.boxes], np.float64).reshape(-1, 4)
        picture = _look_at(load_spread(pair, annotation).grey)
        found += _clusters_of_boxes(picture, boxes, np.random.default_rng([seed, index]))
        advance()
    return found


def _look_at(image: NDArray[np.uint8]) -> _Picture:
    """Find a spread's connected objects."""
    grey = normalise_polarity(image)
    mask = foreground(grey)
    width = typical_width(mask)
    mask = without_nuclei(mask, width)
    _, numbers, table, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return _Picture(lift(grey), width, np.asarray(numbers, np.int32), np.asarray(table, np.int32))


def _clusters_of_masks(
    picture: _Picture, masks: Sequence[NDArray[np.bool_]], rng: np.random.Generator
) -> Iterator[ClusterEvidence]:
    """Weigh the ways to put each cluster together by true outlines."""
    count = len(picture.table)
    owners = np.array([_most_frequent(picture.numbers[mask], count) for mask in masks])
    for number in range(1, count):
        true = [masks[place][picture.window(number)] for place in np.flatnonzero(owners == number).tolist()]
        if not true:
            continue
        fragments = picture.fragments(number)
        overlap = partial(_mask_overlaps, fragments, true)
        cluster = weigh_ways(fragments, picture.width, overlap, _DRAWN_STRICT, _DRAWN_WAYS, rng)
        if cluster is not None:
            yield cluster


def _clusters_of_boxes(
    picture: _Picture, boxes: NDArray[np.float64], rng: np.random.Generator
) -> Iterator[ClusterEvidence]:
    """Weigh the ways to put each cluster together by annotated boxes."""
    count = len(picture.table)
    margin = _margin(picture.boxes(), boxes)
    cores = np.maximum(boxes - margin * _OUTWARD, 0).astype(np.int64).tolist()
    owners = np.array([_most_frequent(picture.numbers[top:low, left:right], count) for left, top, right, low in cores])
    for number in range(1, count):
        rows, columns = picture.window(number)
        true = boxes[np.flatnonzero(owners == number)] - [columns.start, rows.start, columns.start, rows.start]
        if not len(true):
            continue
        fragments = picture.fragments(number)
        overlap = partial(_joined_box_overlaps, fragments, true, margin)
        cluster = weigh_ways(fragments, picture.width, overlap, _ANNOTATED_STRICT, _ANNOTATED_WAYS, rng)
        if cluster is not None:
            yield cluster


def _mask_overlaps(
    fragments: Fragments, true: Sequence[NDArray[np.bool_]], sets: Sequence[frozenset[int]]
) -> NDArray[np.float64]:
    """Give the intersection over union of joined fragments with true outlines in the same window."""
    inside = np.stack(
        [np.bincount(fragments.numbers[mask], minlength=fragments.count + 1)[1:] for mask in true], axis=1
    )
    areas = np.array([np.count_nonzero(mask) for mask in true])
    member = np.array([[index in one for index in range(fragments.count)] for one in sets], np.float64)
    shared = member @ inside
    return np.asarray(shared / (areas + (member @ fragments.areas)[:, None] - shared), np.float64)


def _joined_box_overlaps(
    fragments: Fragments, true: NDArray[np.float64], margin: float, sets: Sequence[frozenset[int]]
) -> NDArray[np.float64]:
    """Give the intersection over union of the boxes of joined fragments, widened by a margin, with true boxes."""
    own = [fragments.boxes[list(one)] for one in sets]
    boxes = np.array([[*each[:, :2].min(axis=0), *each[:, 2:].max(axis=0)] for each in own], np.float64)
    return _box_overlaps(boxes + margin * _OUTWARD, true)


def _most_frequent(numbers: NDArray[np.int32], count: int) -> int:
    """Give the object that most of some pixels belong to; 0 where none does."""
    times = np.bincount(numbers.ravel(), minlength=count)
    times[0] = 0
    return int(times.argmax())


def _margin(objects: NDArray[np.float64], boxes: NDArray[np.float64]) -> float:
    """Measure how far annotated boxes keep from what they were drawn around, in pixels."""
    table = _box_overlaps(objects, boxes)
    if not table.size:
        return _USUAL_MARGIN
    sure = table.max(axis=0) > _SURE
    if not sure.any():
        return _USUAL_MARGIN
    inner, outer = objects[table.argmax(axis=0)[sure]], boxes[sure]
    distances = np.concatenate([inner[:, :2] - outer[:, :2], outer[:, 2:] - inner[:, 2:]])
    return float(np.clip(np.median(distances), 0, _WIDEST_MARGIN))


def _box_overlaps(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the intersection over union of boxes (N, 4) and (M, 4), float64 (N, M)."""
    corners = np.maximum(first[:, None, :2], second[None, :, :2]), np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(corners[1] - corners[0], 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    return np.asarray(shared / (areas[0][:, None] + areas[1][None] - shared), np.float64)
