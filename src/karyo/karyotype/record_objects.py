"""The objects of a record, read as if a stranger had written them; :mod:`karyo.karyotype.record` has the layout."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.errors import DataError
from karyo.imaging.read import MAX_PIXELS
from karyo.inference.prediction import REASONS, Prediction
from karyo.karyotype.cell import MOST_OBJECTS, CellObject, Placed, Upright
from karyo.karyotype.data_url import from_data_url
from karyo.karyotype.untrusted import (
    optional,
    read_choice,
    read_flag,
    read_list,
    read_mapping,
    read_number,
    read_text,
    read_whole,
)

LONGEST_NAME = 400
"""Characters of a name in a record at most."""

LABELS = {name: index for index, name in enumerate(CLASSES)}
"""Class 0..23 of each name."""

_RELATIONS = {name: name for name in ("isolated", "touching", "crossing", "given")}
_REASONS = {name: name for name in REASONS}

ROUNDING = 0.01
"""By how much probabilities that were rounded on their way may miss their sum."""

_MOST_POINTS = 20_000
_FARTHEST = 1_000_000


def turned(upright: Upright) -> Upright:
    """Turn a chromosome by half a circle: what was down is up."""
    return Upright(
        np.ascontiguousarray(upright.picture[::-1, ::-1]),
        np.ascontiguousarray(upright.mask[::-1, ::-1]),
        upright.picture.shape[0] - upright.centromere,
        not upright.flipped,
        upright.certainty,
    )


def read_objects(content: Any, max_pixels: int = MAX_PIXELS) -> list[Placed]:
    """Read the ``objects`` of a record.

    Args:
        content: Anything that JSON can hold.
        max_pixels: What all their pictures may have together.

    Returns:
        The objects; pictures that a person turned are turned.

    Raises:
        DataError: If there are too many, two share a name, or anything in one is not what it should be.
    """
    items = read_list(content, "objects", MOST_OBJECTS)
    objects: list[Placed] = []
    names: set[str] = set()
    left = max_pixels
    for at, item in enumerate(items):
        place = f"objects[{at}]"
        placed = _placed(read_mapping(item, place), place, left)
        if placed.object.name in names:
            raise DataError(f"{place}.name must be unique, but another object has it too")
        names.add(placed.object.name)
        left -= placed.object.grey.size + (placed.upright.picture.size if placed.upright else 0)
        objects.append(placed)
    return objects


def _placed(item: Mapping[str, Any], place: str, left: int) -> Placed:
    """Read an object; its pictures may have ``left`` pixels."""
    flags = {
        name: read_flag(item.get(name), f"{place}.{name}") for name in ("reviewed", "debris", "turned", "doubtful")
    }
    label = optional(item.get("place"), lambda name: read_choice(name, f"{place}.place", LABELS))
    if flags["debris"] and label is not None:
        raise DataError(f"{place}.place must be null, because the object is marked as debris")
    flags["doubtful"] = flags["doubtful"] and not flags["reviewed"]
    upright = _upright(item, place, left)
    left -= upright.picture.size if upright else 0
    return Placed(
        _cell_object(item, place, left),
        _alone(read_mapping(item.get("alone"), f"{place}.alone"), f"{place}.alone"),
        _probabilities(read_mapping(item.get("probabilities"), f"{place}.probabilities"), f"{place}.probabilities"),
        label,
        upright=turned(upright) if upright and flags["turned"] else upright,
        **flags,
    )


def _cell_object(item: Mapping[str, Any], place: str, left: int) -> CellObject:
    image = optional(item.get("image"), lambda text: from_data_url(text, f"{place}.image", left)[0])
    return CellObject(
        read_text(item.get("name"), f"{place}.name", LONGEST_NAME),
        np.zeros((0, 0), np.uint8) if image is None else image,
        optional(item.get("edges"), lambda edges: _edges(edges, f"{place}.edges")),
        optional(item.get("outline"), lambda points: _outline(points, f"{place}.outline")),
        read_choice(item.get("relation"), f"{place}.relation", _RELATIONS),
        optional(item.get("truth"), lambda name: read_choice(name, f"{place}.truth", LABELS)),
    )


def _upright(item: Mapping[str, Any], place: str, left: int) -> Upright | None:
    if item.get("picture") is None:
        return None
    picture, mask = from_data_url(item["picture"], f"{place}.picture", left)
    if mask.all():
        mask = picture > 0  # written by someone whose pictures know no transparency
    return Upright(
        np.where(mask, picture, np.uint8(0)),
        mask,
        read_number(item.get("centromere"), f"{place}.centromere", 0, picture.shape[0]),
        read_flag(item.get("flipped"), f"{place}.flipped"),
        read_number(item.get("certainty"), f"{place}.certainty", 0, 1),
    )


def _alone(content: Mapping[str, Any], place: str) -> Prediction:
    label = read_choice(content.get("label"), f"{place}.label", LABELS)
    # The most probable of 24 classes has at least a 24th.
    probability = read_number(content.get("probability"), f"{place}.probability", 1 / len(CLASSES) - 1e-6, 1)
    reasons = read_list(content.get("reasons"), f"{place}.reasons", len(REASONS))
    known = tuple(read_choice(each, f"{place}.reasons[{at}]", _REASONS) for at, each in enumerate(reasons))
    shares = np.full(len(CLASSES), (1 - probability) / (len(CLASSES) - 1))
    shares[label] = probability
    return Prediction("", shares, known)


def _probabilities(content: Mapping[str, Any], place: str) -> NDArray[np.float64]:
    shares = np.zeros(len(CLASSES))
    for name, value in content.items():
        shares[read_choice(name, f"a class of {place}", LABELS)] = read_number(value, f"{place}[{name}]", 0, 1)
    total = float(shares.sum())
    if total > 1 + ROUNDING:
        raise DataError(f"{place} must not add up to more than 1, but they give {total:.3f}")
    return shares / max(total, 1.0)


def _edges(content: Any, place: str) -> tuple[int, int, int, int]:
    items = read_list(content, place, 4, 4)
    left, top, right, bottom = (_coordinate(edge, f"{place}[{at}]") for at, edge in enumerate(items))
    if left >= right or top >= bottom:
        raise DataError(f"{place} must be left, top, right, bottom, but the box ends before it begins")
    return left, top, right, bottom


def _outline(content: Any, place: str) -> NDArray[np.int32]:
    items = read_list(content, place, _MOST_POINTS)
    points = [_point(item, f"{place}[{at}]") for at, item in enumerate(items)]
    return np.array(points, np.int32).reshape(-1, 2)


def _point(content: Any, place: str) -> tuple[int, int]:
    x, y = (_coordinate(each, place) for each in read_list(content, place, 2, 2))
    return x, y


def _coordinate(content: Any, place: str) -> int:
    return read_whole(content, place, -_FARTHEST, _FARTHEST)
