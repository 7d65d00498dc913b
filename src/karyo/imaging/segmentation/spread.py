"""From the picture of a whole metaphase spread to its chromosomes, each with its own mask."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.imaging.polarity import spread_is_bright
from karyo.imaging.segmentation.model import Segmentation, SpreadObject
from karyo.imaging.segmentation.scene import Piece, Scene, look_at
from karyo.imaging.segmentation.verdict import judge_objects, judge_scene
from karyo.imaging.split.cover import Reluctance
from karyo.imaging.split.objects import split_one
from karyo.imaging.split.part import Part, Relation

_EACH = 0.25
_SMALL = 10.0
"""What every object, and every square of the width that one lacks to the smallest chromosome, is charged with: chosen
on real spreads for the best balance of chromosomes found and pieces taken for one."""

_SLIGHTLY_LARGER = 1.3
"""Parts of a cluster are charged up to this multiple of the smallest chromosome's area ..."""

_FRAGMENT = 0.85
"""... and below this one they are left-overs."""


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """An object of the scene: its mask, the corner of its box, and what the splitting says of it."""

    mask: NDArray[np.bool_]
    left: int
    top: int
    relation: Relation
    confidence: float


def segment_spread(grey: NDArray[np.uint8]) -> Segmentation:
    """Find the chromosomes of a whole metaphase spread.

    The uneven background is taken off, nuclei and dirt are taken out, and what touches or crosses is split. Nothing is
    learned but the weights of the splitting (:mod:`karyo.imaging.split`). How well it works is in
    ``docs/preprocessing.md``; ``karyo measure segmentation`` measures it.

    Args:
        grey: Array (H, W), uint8, as stored, background bright or dark.

    Returns:
        What was found. Where ``verdict`` says that the picture is no spread, objects are given as far as there are
        separate ones.
    """
    if not grey.size:
        return _nothing(grey, False, "the picture has no pixels")
    bright = spread_is_bright(grey)
    scene = look_at(255 - grey if bright else grey)
    candidates = [piece for piece in scene.pieces if not scene.is_debris(piece)]
    verdict = judge_scene(scene, candidates)
    if verdict is not None:
        return _nothing(grey, bright, verdict, scene)
    places, crumbs = _split(scene, candidates)
    crumbs += [
        _Place(piece.mask, piece.left, piece.top, "isolated", 0.0) for piece in scene.pieces if scene.is_debris(piece)
    ]
    chromosomes = _in_reading_order([_to_picture(place, scene.scale, grey.shape) for place in places])
    remarks: list[str] = []
    verdict = judge_objects(chromosomes, remarks)
    return Segmentation(
        chromosomes=tuple(chromosomes),
        debris=tuple(_in_reading_order([_to_picture(place, scene.scale, grey.shape) for place in crumbs])),
        nuclei=_enlarged(scene.nuclei, grey.shape),
        width=scene.width / scene.scale,
        bright=bright,
        verdict=verdict,
        remarks=tuple(remarks),
    )


def _nothing(grey: NDArray[np.uint8], bright: bool, verdict: str, scene: Scene | None = None) -> Segmentation:
    """Give a segmentation without objects."""
    nuclei = np.zeros(grey.shape, np.bool_) if scene is None else _enlarged(scene.nuclei, grey.shape)
    return Segmentation((), (), nuclei, 0.0 if scene is None else scene.width / scene.scale, bright, verdict)


def _split(scene: Scene, candidates: Sequence[Piece]) -> tuple[list[_Place], list[_Place]]:
    """Split objects into chromosomes and left-overs of less than one."""
    reluctance = Reluctance(_EACH, _SMALL, _SLIGHTLY_LARGER * scene.smallest)
    least = _FRAGMENT * scene.smallest * scene.width**2
    whole: list[_Place] = []
    crumbs: list[_Place] = []
    for piece in candidates:
        parts = split_one(piece.mask, scene.lifted[piece.window], scene.width, reluctance)
        large = [part for part in parts if np.count_nonzero(part.mask) >= least]
        for part in parts:
            fits = np.count_nonzero(part.mask) >= least
            alone = len(large) == 1 and fits
            place = _Place(part.mask, piece.left, piece.top, "isolated" if alone else part.relation, _sure(part, piece))
            (whole if fits else crumbs).append(place)
    return whole, crumbs


def _sure(part: Part, piece: Piece) -> float:
    """Give the confidence of a part; what the picture's border cuts off is at best half a chromosome."""
    return part.confidence / 2 if piece.cut_off else part.confidence


def _to_picture(place: _Place, scale: float, shape: tuple[int, ...]) -> SpreadObject:
    """Bring an object from the scene into the picture."""
    padded = np.pad(place.mask, 1).astype(np.float32)
    left, top = round((place.left - 1) / scale), round((place.top - 1) / scale)
    right = round((place.left - 1 + padded.shape[1]) / scale)
    bottom = round((place.top - 1 + padded.shape[0]) / scale)
    large = cv2.resize(padded, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR) > 0.5
    kept = large[max(-top, 0) : shape[0] - top, max(-left, 0) : shape[1] - left]
    x, y, width, height = cv2.boundingRect(kept.astype(np.uint8))
    corner = max(left, 0) + x, max(top, 0) + y
    mask = np.ascontiguousarray(kept[y : y + height, x : x + width])
    return SpreadObject(mask, (*corner, corner[0] + width, corner[1] + height), place.relation, place.confidence)


def _enlarged(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Bring a mask of the scene to the picture's size."""
    if mask.shape == shape:
        return mask
    size = shape[1], shape[0]
    return np.asarray(cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5, np.bool_)


def _in_reading_order(objects: Sequence[SpreadObject]) -> list[SpreadObject]:
    """Sort objects by bands as high as the typical object, from the top, and in each from the left."""
    if not objects:
        return []
    band = max(float(np.median([each.edges[3] - each.edges[1] for each in objects])), 1.0)
    return sorted(
        objects, key=lambda each: ((each.edges[1] + each.edges[3]) // 2 // band, each.edges[0], each.edges[1])
    )
