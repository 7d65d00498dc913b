"""Why a picture is no metaphase spread, and what is unusual about one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from karyo.imaging.segmentation.model import SpreadObject
from karyo.imaging.segmentation.scene import Piece, Scene

_ONE_FILLS = 0.09
"""Chromosomes this broad, as a share of the picture's side (root of its area), leave no room for 46: real ones of
spreads have 0.014 to 0.046, single chromosomes and nuclei in pictures of their own 0.1 and more."""

_UNEVEN = 0.2
"""Unrest of the background over the grey of the objects: up to 0.09 in real spreads, up to 0.15 in drawn ones."""

_COVERED = 0.5
"""Share of the picture that objects cover: up to 0.42 in real spreads."""

_THINNEST = 3.0
"""Width, in pixels, below which an object has no shape."""

_MOST = 200
"""More objects than two cells with twice the usual number have."""

_ROW_OBJECTS = 12
_ORDERLY = 0.75
_TRIMMED = 0.15
_UPRIGHT = 0.966
"""A karyogram has so many objects at least, of which this share stand in rows without being above one another, and as
many of the long ones within 15 degrees (a cosine) of upright; heights are trimmed a little, so that rows part."""

_ELONGATED = 1.6

_TWO_CELLS, _ONE_CELL = 70, 60
"""More chromosomes than this are two cells; this many are more than one cell usually has."""

_FEW = 30


def judge_scene(scene: Scene, candidates: Sequence[Piece]) -> str | None:
    """Say why a picture is no spread, before anything is split.

    Args:
        scene: The picture.
        candidates: Its objects without debris.

    Returns:
        One sentence without a full stop, or None.
    """
    height, width = scene.nuclei.shape
    if not scene.pieces and not scene.nuclei.any():
        return "the picture is blank: nothing stands out from its background"
    if scene.width > _ONE_FILLS * np.sqrt(height * width):
        return (
            "the picture shows a single large object, as one chromosome or one nucleus does, and no spread of separate "
            "chromosomes"
        )
    level = float(np.median([float(np.median(scene.lifted[each.window][each.mask])) for each in scene.pieces] or [0.0]))
    restless = scene.noise > _UNEVEN * level or scene.covered > _COVERED
    if restless or scene.width < _THINNEST or len(candidates) > _MOST:
        return (
            "the picture has no separate objects on an even background: it looks like a photograph, noise or a page, "
            "not like a metaphase spread"
        )
    if not candidates:
        what = "only nuclei" if scene.nuclei.any() else "only specks"
        return f"the picture shows {what} and no object that could be a chromosome"
    return None


def judge_objects(objects: Sequence[SpreadObject], remarks: list[str]) -> str | None:
    """Say why a picture is no spread, from its separate objects, and remark on their number.

    Args:
        objects: The chromosomes found.
        remarks: To which sentences are added.

    Returns:
        One sentence without a full stop, or None.
    """
    if len(objects) <= 2:
        number = "one object" if len(objects) == 1 else f"{len(objects)} objects"
        return f"the picture shows only {number}; a metaphase spread has about 46 chromosomes"
    if len(objects) > _MOST:
        return f"the picture shows {len(objects)} separate objects, far more than a cell has chromosomes"
    if _stand_in_rows(objects):
        return "the picture is a karyogram or a sheet: its chromosomes already stand in rows; give the spread itself"
    if len(objects) > _TWO_CELLS:
        remarks.append(f"{len(objects)} objects look like chromosomes: there may be two cells in the picture")
    elif len(objects) > _ONE_CELL:
        remarks.append(f"{len(objects)} objects look like chromosomes, more than one cell has")
    elif len(objects) < _FEW:
        remarks.append(f"only {len(objects)} chromosomes were found; the cell seems not to be complete")
    return None


def _stand_in_rows(objects: Sequence[SpreadObject]) -> bool:
    """Say whether objects are arranged as in a karyogram: upright, in rows, none above another of its row."""
    if len(objects) < _ROW_OBJECTS:
        return False
    boxes = np.array([each.edges for each in objects], np.float64)
    heights = boxes[:, 3] - boxes[:, 1]
    rows = _group(boxes[:, 1] + _TRIMMED * heights, boxes[:, 3] - _TRIMMED * heights)
    alone = 0
    for row in np.unique(rows):
        members = boxes[rows == row]
        centres = (members[:, 0] + members[:, 2]) / 2
        inside = (members[:, None, 0] < centres) & (centres < members[:, None, 2])
        alone += int(np.count_nonzero(inside.sum(axis=0) == 1))
    tilts = [_uprightness(each.mask) for each in objects]
    long = [tilt for tilt in tilts if tilt is not None]
    upright = np.mean([tilt > _UPRIGHT for tilt in long]) if long else 1.0
    return alone >= _ORDERLY * len(objects) and bool(upright >= _ORDERLY)


def _group(starts: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number the groups of intervals that overlap, in order."""
    order = np.argsort(starts)
    reached = np.maximum.accumulate(ends[order])
    groups = np.concatenate([[0], np.cumsum(starts[order][1:] > reached[:-1])])
    numbers = np.empty(len(starts), np.int64)
    numbers[order] = groups
    return numbers


def _uprightness(mask: NDArray[np.bool_]) -> float | None:
    """Give the cosine of the angle between an object's long axis and the vertical; None for a roundish one."""
    points = np.argwhere(mask).astype(np.float64)
    if len(points) < 3:
        return None
    values, axes = np.linalg.eigh(np.cov(points.T))
    if values[1] < _ELONGATED**2 * max(values[0], 1e-6):
        return None
    return float(abs(axes[0, 1]))
