"""The outline of one object: cutting it out, its long side, and what a perpendicular meets of it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.imaging.straighten.line import Points

PADDING = 2
"""Empty pixels around a cut-out object."""

_LARGEST = 16_000
"""Side in pixels above which OpenCV's sampling may not reach all of an object."""

_SMALLEST = 12
"""Pixels of area below which an object is a speck."""


def largest_object(mask: NDArray[np.bool_]) -> tuple[NDArray[np.uint8], NDArray[np.float32]] | None:
    """Cut out the largest connected part of a mask, its holes filled.

    Args:
        mask: Array (H, W), bool.

    Returns:
        The object, uint8 (h, w), 0 and 255, with :data:`PADDING` empty pixels on each side, and float32 (2,), the
        (x, y) of its corner in the mask; None where the mask is empty, holds nothing but specks, or an object with a
        side of more than 16,000 pixels.
    """
    _, numbers, parts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = parts[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    largest = int(areas.argmax())
    if areas[largest] < _SMALLEST:
        return None
    left, top, width, height = (int(value) for value in parts[largest, :4])
    if max(width, height) > _LARGEST:
        return None
    inside = numbers[top : top + height, left : left + width] == largest
    body = np.pad(np.where(inside, np.uint8(255), np.uint8(0)), PADDING)
    outlines, _ = cv2.findContours(body, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(body, outlines, -1, 255, cv2.FILLED)
    return body, np.array([left - PADDING, top - PADDING], np.float32)


def straight_line(body: NDArray[np.uint8]) -> Points:
    """Lay a line along the middle of an object's smallest enclosing rectangle.

    Args:
        body: Array (H, W), uint8, 0 and 255, not empty.

    Returns:
        float32 (2, 2), its ends, a little outside the object.
    """
    rows, columns = np.nonzero(body)
    centre, (width, height), angle = cv2.minAreaRect(np.stack([columns, rows], axis=1).astype(np.float32))
    turn = np.deg2rad(angle if width >= height else angle + 90)
    reach = (max(width, height) / 2 + 2) * np.array([np.cos(turn), np.sin(turn)])
    return np.array([centre - reach, centre + reach], np.float32)


def joined(across: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Keep of what perpendiculars meet only what joins the largest part: not the other arm of a hairpin.

    Args:
        across: Array (N, M), uint8, an object sampled on perpendiculars, 0..255.

    Returns:
        Array (N, M), uint8, the other parts set to 0.
    """
    _, numbers, parts, _ = cv2.connectedComponentsWithStats((across > 127).astype(np.uint8), connectivity=8)
    if len(parts) <= 2:
        return across
    largest = 1 + int(parts[1:, cv2.CC_STAT_AREA].argmax())
    others = (numbers > 0) & (numbers != largest)
    return np.where(others, np.uint8(0), across)


def longest_run(present: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Give the positions of the longest run of True in a bool (N,) array, intp (M,); the first of several."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], present, [False]]).astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    if not len(starts):
        return np.zeros(0, np.intp)
    longest = int((stops - starts).argmax())
    return np.arange(starts[longest], stops[longest])
