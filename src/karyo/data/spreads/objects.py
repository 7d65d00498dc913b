"""The objects of a spread, and which of them an annotated box was drawn around.

Chromosomes that touch or cross are one object. Such an object is cut into fragments between the dents of its outline
(:mod:`karyo.imaging.split`), and the fragments are put together again as the box asks for it: the connected set whose
own box fits the annotated one. That is an easier question than which chromosomes a cluster is made of, which
:func:`karyo.imaging.split.split_objects` has to answer without boxes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.imaging.foreground import foreground, typical_width, without_nuclei
from karyo.imaging.split.objects import fragments_of

Edges = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels, right and bottom exclusive."""

GOOD_FIT = 0.7
"""Fit, 0..1, from which an object is the one that a box was drawn around."""

_SLACK = 0.4
"""How far a drawn box may keep from its object, in typical widths of a chromosome."""

_INSIDE = 0.5
"""Share of a fragment that lies in a box for it to be a candidate."""

_ELSEWHERE = 0.7
"""Share of a fragment that lies in other boxes for these to explain it."""

_PREFERENCE = 0.02
"""What a fragment's area, in squares of the width, adds to the fit if no other box explains it, or else takes off."""

_UNSHARED = 0.3
"""Area, in squares of the width, in other boxes up to which an object that fits its box is not cut into fragments."""

_WEDGE = 0.8
"""Area, in squares of the width, up to which a fragment between two chosen ones is taken with them."""

_CUT_FIT = 0.8
"""Fit, 0..1, from which what hangs together inside a box is taken for its object where none fits as it is."""

_MOST_SETS = 1000


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of the foreground.

    Attributes:
        box: Where it is.
        mask: bool (bottom - top, right - left).
        area: Pixels.
    """

    box: Edges
    mask: NDArray[np.bool_]
    area: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """A connected object in fragments.

    Attributes:
        fragments: The pieces.
        neighbours: For each one the positions of those that it borders on.
    """

    fragments: Sequence[Fragment]
    neighbours: Sequence[frozenset[int]]


class SpreadObjects:
    """The foreground of a spread, cut into fragments as far as boxes ask for it.

    Args:
        grey: Array (H, W), uint8, background dark.
        boxes: All annotated boxes: what lies in a box and fits another one better belongs there.
    """

    def __init__(self, grey: NDArray[np.uint8], boxes: Iterable[Edges] = ()) -> None:
        self._grey = grey
        self.mask = without_nuclei(foreground(grey))
        _, self._numbers, self._table, _ = cv2.connectedComponentsWithStats(self.mask.astype(np.uint8), connectivity=8)
        self._covered = np.zeros(grey.shape, np.uint16)
        self._boxes = frozenset(boxes)
        for left, top, right, bottom in self._boxes:
            self._covered[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] += 1
        self._clusters: dict[int, Cluster] = {}

    def belonging_to(self, box: Edges) -> tuple[NDArray[np.bool_], float]:
        """Find the object that an annotated box was drawn around.

        Args:
            box: The annotated box; what of it lies in the image counts.

        Returns:
            The object's mask in the whole spread, bool (H, W), and how well it fits, 0..1; see :func:`fit_of_boxes`.
            Nothing and 0 where there is no foreground in the box.
        """
        inside = self._within(box)
        others = self._elsewhere(box, inside)
        numbers = np.unique(self._numbers[inside[1] : inside[3], inside[0] : inside[2]])
        options = [self._best_part(int(number), inside, others) for number in numbers if number]
        chosen = self._joined(sorted(options, key=lambda option: -option[1]), inside)
        mask = np.zeros(self.mask.shape, np.bool_)
        for piece in chosen:
            left, top, right, bottom = piece.box
            mask[top:bottom, left:right] |= piece.mask
        return mask, self._fit(chosen, inside)

    def cut_off(self, box: Edges) -> NDArray[np.bool_]:
        """Find what hangs together inside an annotated box and fills it best, cut off at the box's edges.

        For boxes that no object fits: stain too pale for the threshold of the whole spread, which is chosen anew inside
        the box, or a cluster that is not cut where it should be. What touches the chromosome stays with it; what
        other boxes explain is none of its own.

        Args:
            box: The annotated box; what of it lies in the image counts.

        Returns:
            Mask in the whole spread, bool (H, W); empty where nothing fills the box either.
        """
        found = np.zeros(self.mask.shape, np.bool_)
        left, top, right, bottom = inside = self._within(box)
        window = foreground(np.ascontiguousarray(self._grey[top:bottom, left:right]))
        # Where only corners touch, two objects do.
        count, numbers = cv2.connectedComponents(window.astype(np.uint8), connectivity=4)
        others = self._elsewhere(box, inside)
        pieces = [
            piece
            for number in range(1, count)
            if _pixels(piece := _shrunk(numbers == number, left, top), others) < _ELSEWHERE * piece.area
        ]
        best = max(pieces, key=lambda piece: self._fit([piece], inside), default=None)
        if best is not None and self._fit([best], inside) >= _CUT_FIT:
            found[best.box[1] : best.box[3], best.box[0] : best.box[2]] = best.mask
        return found

    def _elsewhere(self, box: Edges, inside: Edges) -> NDArray[np.bool_]:
        """Mark what lies in other boxes than this one, bool (H, W)."""
        others = self._covered > 0
        if box in self._boxes:
            window = slice(inside[1], inside[3]), slice(inside[0], inside[2])
            others[window] = self._covered[window] > 1
        return others

    def _within(self, box: Edges) -> Edges:
        height, width = self.mask.shape
        return max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height)

    @cached_property
    def _width(self) -> float:
        return max(typical_width(self.mask), 1.0)

    def _fit(self, pieces: Sequence[Fragment], box: Edges) -> float:
        return fit_of_boxes(_hull(pieces), box, _SLACK * self._width) if pieces else 0.0

    def _best_part(self, number: int, box: Edges, others: NDArray[np.bool_]) -> tuple[Sequence[Fragment], float]:
        """Find the connected fragments of one object that a box is best explained by, and how well."""
        whole = self._component(number)
        shared = _pixels(whole, others)
        if shared < _UNSHARED * self._width**2 and self._fit([whole], box) >= GOOD_FIT:
            return [whole], self._fit([whole], box)
        cluster = self._cluster(number, whole)
        window = np.zeros(self.mask.shape, np.bool_)
        window[box[1] : box[3], box[0] : box[2]] = True
        eligible = {i for i, item in enumerate(cluster.fragments) if _pixels(item, window) >= _INSIDE * item.area}
        worth = [
            (1 if _pixels(item, others) < _ELSEWHERE * item.area else -1) * _PREFERENCE * item.area / self._width**2
            for item in cluster.fragments
        ]
        best, score = frozenset[int](), 0.0
        for members in connected_sets(eligible, cluster.neighbours):
            pieces = [cluster.fragments[i] for i in members]
            found = self._fit(pieces, box) + sum(worth[i] for i in members)
            if not best or found > score:
                best, score = members, found
        return [cluster.fragments[i] for i in sorted(best | self._between(best, eligible, cluster))], score

    def _between(self, members: frozenset[int], eligible: set[int], cluster: Cluster) -> set[int]:
        """Find the small fragments that lie between chosen ones: the inside of a bend, or where two cross."""
        return {
            index
            for index in eligible
            if len(members & cluster.neighbours[index]) >= 2
            and cluster.fragments[index].area <= _WEDGE * self._width**2
        }

    def _joined(self, options: Sequence[tuple[Sequence[Fragment], float]], box: Edges) -> list[Fragment]:
        """Join what is apart and fits better together: a chromosome may be broken at a pale band."""
        chosen: list[Fragment] = []
        for pieces, _ in options:
            if pieces and self._fit([*chosen, *pieces], box) > self._fit(chosen, box) + 0.05:
                chosen += pieces
        return chosen

    def _component(self, number: int) -> Fragment:
        left, top, width, height, area = (int(value) for value in self._table[number])
        window = slice(top, top + height), slice(left, left + width)
        return Fragment((left, top, left + width, top + height), self._numbers[window] == number, area)

    def _cluster(self, number: int, whole: Fragment) -> Cluster:
        """Cut an object into fragments; each is cut once, however many boxes ask."""
        if number not in self._clusters:
            left, top = whole.box[:2]
            # By the outline alone: cuts along grey levels would follow the bands as well.
            cut = fragments_of(whole.mask, None, self._width)
            pieces = [_shrunk(cut.numbers == index, left, top) for index in range(1, cut.count + 1)]
            neighbours = [
                frozenset(first + second - index for first, second in cut.borders if index in (first, second))
                for index in range(cut.count)
            ]
            self._clusters[number] = Cluster(pieces, neighbours)
        return self._clusters[number]


def fit_of_boxes(found: Edges, annotated: Edges, slack: float = 0) -> float:
    """Say how well the box of an object fits the one that a person drew.

    Args:
        found: The object's own box.
        annotated: The drawn box.
        slack: Pixels by which each of its edges may lie outside the object's without being worse for it: people leave
            a gap.

    Returns:
        Intersection over union, 0..1, after the object's box was grown by up to ``slack`` towards the drawn one.
    """
    left, top, right, bottom = found
    grown = (
        min(max(annotated[0], left - slack), left),
        min(max(annotated[1], top - slack), top),
        max(min(annotated[2], right + slack), right),
        max(min(annotated[3], bottom + slack), bottom),
    )
    width = min(grown[2], annotated[2]) - max(grown[0], annotated[0])
    height = min(grown[3], annotated[3]) - max(grown[1], annotated[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (_area(grown) + _area(annotated) - shared)


def connected_sets(members: Iterable[int], neighbours: Sequence[Iterable[int]]) -> set[frozenset[int]]:
    """List the connected sets of some members of a graph, the small ones first, up to a limit.

    Args:
        members: Those that may be in a set.
        neighbours: For each node of the graph those beside it.

    Returns:
        Sets of one, of two and so on; the size that would bring them over a thousand and larger ones are left out.
    """
    allowed = frozenset(members)
    layer = {frozenset([member]) for member in allowed}
    sets = set(layer)
    while layer:
        layer = {
            known | {other} for known in layer for member in known for other in allowed.intersection(neighbours[member])
        } - sets
        if len(sets) + len(layer) > _MOST_SETS:
            break
        sets |= layer
    return sets


def _hull(pieces: Sequence[Fragment]) -> Edges:
    lefts, tops, rights, bottoms = zip(*(piece.box for piece in pieces), strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _pixels(piece: Fragment, where: NDArray[np.bool_]) -> int:
    """Count a piece's pixels in a mask of the whole spread."""
    left, top, right, bottom = piece.box
    return int(np.count_nonzero(piece.mask & where[top:bottom, left:right]))


def _shrunk(mask: NDArray[np.bool_], left: int, top: int) -> Fragment:
    """Cut a mask whose corner lies at ``left`` and ``top`` of the spread down to its object."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    box = (left + x, top + y, left + x + width, top + y + height)
    return Fragment(box, np.ascontiguousarray(mask[y : y + height, x : x + width]), int(np.count_nonzero(mask)))


def _area(box: tuple[float, ...]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
