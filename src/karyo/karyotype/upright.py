"""Chromosomes as a karyogram shows them: alone, upright, short arm up."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.data.ideogram import load_ideogram
from karyo.imaging.crop import object_mask
from karyo.imaging.polarity import background_level, normalise_polarity
from karyo.imaging.profile import band_profile
from karyo.imaging.straighten import Axis, find_axis
from karyo.imaging.straighten.axis import measure_along
from karyo.imaging.straighten.line import resample
from karyo.imaging.straighten.medial import lay_out
from karyo.imaging.straighten.outline import largest_object
from karyo.karyotype.cell import Upright
from karyo.karyotype.short_arm import short_arm_first

_TRUSTED = 0.6
"""Confidence in the axis from which a chromosome is unbent along it."""

_MEASURED = 0.2
"""Confidence in the axis from which bands and widths are measured along it."""

_BENT = 0.4
"""How far, in widths of the chromosome, its axis lies off the straight line between its tips before it is unbent: what
bends less is shown as it lay, which keeps its picture sharp."""

_CLEAR, _OFF = 0.25, 0.12
"""Clearness of a waist from which it is taken for the centromere, and how far it may lie off the ideogram's place."""

_RIM, _SOFT = 2, 1.0
"""Pixels of blurred edge that are kept around an object, and the deviation of the blur that ends them."""

_GAP = 5
"""Parts of an object that lie nearer than this many pixels are one: satellites on their stalks."""

_GIVEN = 4.6
"""Log odds of 99 to 1: what is given as upright is believed to be."""


@dataclass(frozen=True, slots=True, eq=False)
class _Alone:
    """One object without its background: grey lifted to 0, its mask, and the axis that is measured along."""

    grey: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    axis: Axis
    straight: Axis


def stand_upright(
    grey: NDArray[np.uint8], label: int | None, polarity: str = "auto", trusted_upright: bool = False
) -> Upright:
    """Show one object as a karyogram does: scale kept, unbent where it is really bent, the short arm up.

    Which end is the short arm is told by bands, waist and widths, weighed against the ideogram of the class; without a
    class by the waist alone (:mod:`karyo.karyotype.short_arm`).

    Args:
        grey: uint8 (H, W), one object, polarity as stored, its neighbours painted over.
        label: Its class, 0..23; None where it has none.
        polarity: ``auto``, ``bright`` or ``dark``: the background of the image as stored.
        trusted_upright: Whether the image is upright already, as a crop of a karyogram is: it is neither turned nor
            flipped then, only cut out.

    Returns:
        The object; its certainty is the probability that the short arm is up, 0.5 where nothing tells. An image without
        an object is given back whole, with an empty mask.

    Raises:
        SettingsError: If ``polarity`` is none of the three.
        ValueError: If ``label`` is no class.
    """
    if label is not None and not 0 <= label < len(load_ideogram(550)):
        raise ValueError(f"label must be a class, 0 to 23, or None, not {label}")
    lifted = _lifted(grey, polarity)
    mask = _lone_object(lifted)
    alone = _measure(lifted, mask)
    if alone is None:
        return Upright(lifted, np.zeros(lifted.shape, np.bool_), lifted.shape[0] / 2, False, 0.5)
    odds = short_arm_first(alone.axis, band_profile(alone.grey, alone.axis), label)
    if trusted_upright:
        return _as_given(alone, label, odds + _GIVEN)
    flipped = odds < 0
    if flipped:
        alone = _Alone(alone.grey, alone.mask, alone.axis.reversed(), alone.straight.reversed())
    return _turned(alone, label, flipped, abs(odds))


def _lifted(grey: NDArray[np.uint8], polarity: str) -> NDArray[np.uint8]:
    """Give the image with a background of 0 and the chromosome bright."""
    dark = normalise_polarity(grey, polarity)
    level = np.uint8(background_level(dark))
    return np.asarray(np.maximum(dark, level) - level, np.uint8)


def _lone_object(lifted: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find the largest object, with the parts that lie close to it, its holes filled."""
    parts = object_mask(lifted)
    # Room around it: at the border of the image the closing would eat into the object.
    padded = np.pad(parts.view(np.uint8), _GAP)
    joined = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_GAP, _GAP)))
    found = largest_object(joined > 0)
    if found is None:
        return np.zeros_like(parts)
    body, corner = found
    whole = np.zeros(padded.shape, np.bool_)
    left, top = (int(value) for value in corner)
    rows, columns = np.nonzero(body)
    whole[rows + top, columns + left] = True
    return whole[_GAP:-_GAP, _GAP:-_GAP]


def _measure(lifted: NDArray[np.uint8], mask: NDArray[np.bool_]) -> _Alone | None:
    """Find the axes of an object, both beginning at its upper end; None where there is no object."""
    straight, along = _straight_axis(mask), find_axis(mask)
    if straight is None or along is None:
        return None
    if straight.points[0, 1] > straight.points[-1, 1]:
        straight = straight.reversed()
    if np.dot(along.points[-1] - along.points[0], straight.points[-1] - straight.points[0]) < 0:
        along = along.reversed()
    return _Alone(lifted, mask, along if along.confidence >= _MEASURED else straight, straight)


def _straight_axis(mask: NDArray[np.bool_]) -> Axis | None:
    """Lay a straight axis through an object along the longer axis of inertia of its area.

    Beside the long side of the smallest enclosing rectangle it errs by more than 20 degrees half as often on the
    smallest, hardly longer than wide.
    """
    found = largest_object(mask)
    if found is None:
        return None
    body, corner = found
    points = np.argwhere(body)[:, ::-1].astype(np.float64)
    middle = points.mean(axis=0)
    way = np.linalg.eigh(np.cov((points - middle).T))[1][:, 1]
    reach = float(np.abs((points - middle) @ way).max()) + 2
    axis = measure_along(body, resample(np.array([middle - reach * way, middle + reach * way], np.float32)))
    return axis and axis.moved(corner)


def _turned(alone: _Alone, label: int | None, flipped: bool, odds: float) -> Upright:
    """Sample the object along its axis, which begins at the short arm."""
    shown = alone.axis if _really_bent(alone.axis) else alone.straight
    laid = lay_out(alone.grey, _with_rim(alone.mask), shown, "upright")
    place = _centromere_place(alone.axis, label)
    along = shown.points - alone.axis.at(place)
    nearest = int(np.hypot(along[:, 0], along[:, 1]).argmin())
    picture = _soft(laid.image, laid.mask)
    return _trimmed(picture, laid.mask, float(laid.line[nearest, 1]), flipped, _certainty(odds))


def _as_given(alone: _Alone, label: int | None, odds: float) -> Upright:
    """Cut the object out as it stands."""
    mask = np.pad(_with_rim(alone.mask), _RIM + 1)
    picture = _soft(np.pad(alone.grey, _RIM + 1), mask)
    row = float(alone.axis.at(_centromere_place(alone.axis, label))[1]) + _RIM + 1
    return _trimmed(picture, mask, row, False, _certainty(odds))


def _really_bent(axis: Axis) -> bool:
    """Say whether an axis is to be believed and lies far off the straight line between its ends."""
    if axis.confidence < _TRUSTED:
        return False
    first, chord = axis.points[0], axis.points[-1] - axis.points[0]
    beside = axis.points - first
    off = np.abs(beside[:, 0] * chord[1] - beside[:, 1] * chord[0]) / max(float(np.hypot(*chord)), 1.0)
    return float(off.max()) > _BENT * 2 * axis.half_width


def _centromere_place(axis: Axis, label: int | None) -> float:
    """Give where the centromere is, 0..1 along the axis: the waist if clear and likely, else the ideogram's place."""
    if label is None:
        return axis.centromere if axis.waist >= _CLEAR else 0.5
    place = load_ideogram(550)[label].centromere
    believed = axis.waist >= _CLEAR and abs(axis.centromere - place) <= _OFF
    return axis.centromere if believed else place


def _with_rim(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Widen a mask by the blurred edge of its object."""
    size = 2 * _RIM + 1
    wide = cv2.dilate(mask.view(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    return wide > 0


def _soft(picture: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Let a picture fade out at the rim of its mask."""
    fade = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), _SOFT)
    # The middle of the blurred step lies on the outline: within the mask it falls from 1 to a half, stretched to 0.
    return np.asarray(np.round(picture * np.clip(2 * fade - 1, 0, 1)), np.uint8)


def _trimmed(
    picture: NDArray[np.uint8], mask: NDArray[np.bool_], centromere: float, flipped: bool, certainty: float
) -> Upright:
    """Cut a picture to its mask, with a pixel of ground on each side."""
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    rows, columns = slice(max(top - 1, 0), top + height + 1), slice(max(left - 1, 0), left + width + 1)
    cut = np.ascontiguousarray(picture[rows, columns])
    row = float(np.clip(centromere - rows.start, 0, cut.shape[0]))
    return Upright(cut, np.ascontiguousarray(mask[rows, columns]), row, flipped, certainty)


def _certainty(odds: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(odds, -50, 50))))
