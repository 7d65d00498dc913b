"""Pictures made from chromosomes that are no longer one whole, sharp chromosome."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.imaging.align import align_to_axis
from karyo.imaging.crop import crop_to_object, object_mask
from karyo.imaging.foreground import typical_width
from karyo.imaging.polarity import background_level, normalise_polarity

Picture = NDArray[np.uint8]
"""Array (H, W), uint8, background dark."""

_ROOM = 4
"""Pixels of background kept around what is made."""


def lift_chromosome(grey: Picture, polarity: str = "auto") -> Picture:
    """Cut a chromosome out, on nothing.

    Args:
        grey: uint8 (H, W), as stored: one chromosome.
        polarity: What is known of its background; see :mod:`karyo.imaging.polarity`.

    Returns:
        uint8 (h, w), exactly 0 around the chromosome.
    """
    dark = normalise_polarity(grey, polarity)
    around = cv2.dilate(object_mask(dark).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    level = np.uint8(background_level(dark))
    return crop_to_object(np.where(around, np.maximum(dark, level) - level, np.uint8(0)))


def two_apart(one: Picture, other: Picture, rng: np.random.Generator) -> Picture:
    """Lay two chromosomes beside each other, 3 to 20 pixels apart."""
    return _beside(one, other, int(rng.integers(3, 21)), rng)


def touching(one: Picture, other: Picture, rng: np.random.Generator) -> Picture:
    """Lay two chromosomes against each other, so that their outlines share 1 or 2 pixels of depth."""
    return _beside(one, other, -int(rng.integers(1, 3)), rng)


def crossing(one: Picture, other: Picture, rng: np.random.Generator) -> Picture:
    """Lay a chromosome across another one, 40 to 90 degrees between them; their darkness adds."""
    first = align_to_axis(_framed(one))
    second = _turned(align_to_axis(_framed(other)), float(rng.choice([-1, 1]) * rng.uniform(40, 90)))
    side = max(*first.shape, *second.shape) * 2
    places = [_in_the_middle(each, side) for each in (first, second)]
    shift = np.array([[1, 0, 0], [0, 1, rng.uniform(-0.25, 0.25) * one.shape[0]]], np.float32)
    moved = cv2.warpAffine(places[1], shift, (side, side))
    return _finished(np.asarray(cv2.add(places[0], moved), np.uint8))


def half(one: Picture, rng: np.random.Generator) -> Picture:
    """Cut a chromosome across and keep a third to two thirds of it."""
    upright = crop_to_object(align_to_axis(_framed(one)), 0)
    cut = round(float(rng.uniform(0.35, 0.65)) * upright.shape[0])
    return _finished(upright[:cut] if rng.random() < 0.5 else upright[cut:])


def blurred(one: Picture, rng: np.random.Generator) -> Picture:
    """Blur a chromosome until no band is left: by a quarter to half of its width."""
    width = max(typical_width(object_mask(one)), 4.0)
    sigma = float(rng.uniform(0.25, 0.5)) * width
    return _finished(np.asarray(cv2.GaussianBlur(np.pad(one, int(3 * sigma)), (0, 0), sigma), np.uint8))


def tiny(one: Picture, rng: np.random.Generator) -> Picture:
    """Shrink a chromosome until it is 4 to 9 pixels long."""
    scale = float(rng.uniform(4, 9)) / max(one.shape)
    size = (max(round(one.shape[1] * scale), 1), max(round(one.shape[0] * scale), 1))
    return _finished(np.asarray(cv2.resize(one, size, interpolation=cv2.INTER_AREA), np.uint8))


PAIRED: dict[str, Callable[[Picture, Picture, np.random.Generator], Picture]] = {
    "two chromosomes apart": two_apart,
    "two touching": touching,
    "two crossing": crossing,
}
"""What is made of two chromosomes, by the name that tables show."""

SPOILED: dict[str, Callable[[Picture, np.random.Generator], Picture]] = {
    "half a chromosome": half,
    "heavily blurred": blurred,
    "tiny": tiny,
}
"""What is made of one chromosome, by the name that tables show."""


def _beside(one: Picture, other: Picture, gap: int, rng: np.random.Generator) -> Picture:
    """Turn both a little and put the second to the right of the first, their outlines ``gap`` pixels apart."""
    left, right = (crop_to_object(_turned(_framed(each), float(rng.uniform(-30, 30))), 0) for each in (one, other))
    rows = max(left.shape[0], right.shape[0])
    left, right = (_in_rows(each, rows, rng) for each in (left, right))
    left_ends = np.where(left.any(axis=1), left.shape[1] - np.argmax(left[:, ::-1] > 0, axis=1), -rows * 10)
    right_starts = np.where(right.any(axis=1), np.argmax(right > 0, axis=1), rows * 10)
    offset = max(int((left_ends - right_starts).max()) + gap, 0)
    joined = np.zeros((rows, max(left.shape[1], offset + right.shape[1])), np.uint8)
    joined[:, : left.shape[1]] = left
    place = joined[:, offset : offset + right.shape[1]]
    place[...] = cv2.add(place, right)
    return _finished(joined)


def _turned(picture: Picture, degrees: float) -> Picture:
    """Turn a picture about its middle, on a square that holds it whole."""
    side = int(np.hypot(*picture.shape)) + 2
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), degrees, 1.0)
    return np.asarray(cv2.warpAffine(_in_the_middle(picture, side), turn, (side, side)), np.uint8)


def _in_the_middle(picture: Picture, side: int) -> Picture:
    square = np.zeros((side, side), np.uint8)
    top, left = (side - picture.shape[0]) // 2, (side - picture.shape[1]) // 2
    square[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return square


def _in_rows(picture: Picture, rows: int, rng: np.random.Generator) -> Picture:
    """Put a picture somewhere into a strip of so many rows."""
    above = int(rng.integers(rows - picture.shape[0] + 1))
    return np.pad(picture, ((above, rows - picture.shape[0] - above), (0, 0)))


def _framed(picture: Picture) -> Picture:
    return np.pad(picture, _ROOM)


def _finished(picture: Picture) -> Picture:
    return _framed(crop_to_object(picture, 0))
