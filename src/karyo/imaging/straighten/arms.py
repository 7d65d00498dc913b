"""Turning the two arms of a cut chromosome upright about the middle of the cut."""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.imaging.straighten.axis import Axis
from karyo.imaging.straighten.bend import Bend

Map = NDArray[np.float32]

_MARGIN = 2


@dataclass(frozen=True)
class Sweep:
    """Where each pixel of the unbent picture comes from.

    Attributes:
        x: float32 (h, w), column in the bent picture.
        y: float32 (h, w), row in it.
    """

    x: Map
    y: Map

    def sample(self, picture: NDArray[Any], interpolation: int = cv2.INTER_LINEAR) -> NDArray[Any]:
        """Unbend a picture, (H, W) to (h, w), of the same type."""
        return np.asarray(cv2.remap(picture, self.x, self.y, interpolation, borderMode=cv2.BORDER_CONSTANT))

    def moved(self, shift: NDArray[np.float32]) -> "Sweep":
        """Give the same for a bent picture whose content lies (dx, dy) further."""
        return replace(self, x=self.x + shift[0], y=self.y + shift[1])

    def trace(self, axis: Axis) -> Axis:
        """Take an axis of the unbent picture back to the bent one; its measures stay those of the unbent one."""
        x, y = np.ascontiguousarray(axis.points.T)[:, :, None]
        back = [cv2.remap(part, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for part in (self.x, self.y)]
        return replace(axis, points=np.concatenate(back, axis=1).astype(np.float32))


def lay_arms(body: NDArray[np.uint8], bend: Bend) -> Sweep:
    """Cut an object at its bend and turn each arm about the middle of the cut until it stands narrowest.

    The arms are rejoined at that point. On the inner side of the bend they overlap and each keeps to its own half; on
    the outer side a wedge opens between the two edges of the cut, which is filled by sweeping the cut from the one to
    the other.

    Args:
        body: Array (H, W), uint8, 0 and 255, one object.
        bend: Its bending axis.

    Returns:
        The way from the unbent picture, just large enough, to the bent one.
    """
    points: NDArray[np.float32] = np.argwhere(body)[:, ::-1].astype(np.float32) - bend.centre
    cosine, sine = np.cos(bend.angle), np.sin(bend.angle)
    # Rows of this matrix turn the picture so that the bending axis lies along x.
    level = np.array([[cosine, -sine], [sine, cosine]], np.float32)
    placed = np.asarray(points @ level.T, np.float32)
    above, below = placed[placed[:, 1] < 0], placed[placed[:, 1] >= 0]
    turns = _narrowest(above, -1.0), _narrowest(below, 1.0)
    stood = np.concatenate([part @ _turned(turn).T for part, turn in zip((above, below), turns, strict=True)])
    left, top = np.floor(stood.min(axis=0)).astype(int) - _MARGIN
    right, bottom = np.ceil(stood.max(axis=0)).astype(int) + _MARGIN + 1
    x, y = np.meshgrid(np.arange(left, right, dtype=np.float32), np.arange(top, bottom, dtype=np.float32))
    target = np.stack([x.ravel(), y.ravel()], axis=1)
    source = np.where((target[:, 1] < 0)[:, None], _source(target, turns[0], -1.0), _source(target, turns[1], 1.0))
    source = source @ level + bend.centre
    back = source.astype(np.float32).T.reshape(2, *x.shape)
    return Sweep(np.ascontiguousarray(back[0]), np.ascontiguousarray(back[1]))


def _source(target: NDArray[np.float32], turn: float, side: float) -> NDArray[np.float32]:
    """Say where pixels of one half come from in the levelled picture; those in the wedge come from the cut."""
    source = target @ _turned(turn)
    away = np.linalg.norm(target, axis=1)
    swept = np.stack([np.copysign(away, target[:, 0]), np.zeros_like(away)], axis=1)
    return np.where((source[:, 1] * side < 0)[:, None], swept, source)


def _narrowest(arm: NDArray[np.float32], side: float) -> float:
    """Find the turn, radians, that makes an arm's projection onto the columns narrowest and keeps it on its side."""
    hull = cv2.convexHull(arm)[:, 0]
    centre = arm.mean(axis=0)
    # Only turns that bring the arm's middle within 60 degrees of upright.
    lean = float(np.arctan2(centre[0] * side, centre[1] * side))
    turns = lean + np.deg2rad(np.arange(-60, 61, 1.0))
    columns = hull @ np.stack([np.cos(turns), -np.sin(turns)]).astype(np.float32)
    return float(turns[np.ptp(columns, axis=0).argmin()])


def _turned(turn: float) -> NDArray[np.float32]:
    """Give the matrix that turns points by an angle, clockwise as seen in a picture."""
    return np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]], np.float32)
