"""The bent centre line of a chromosome, and where each pixel of a picture lies relative to it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]

STEP = 1.5
"""Distance between neighbouring samples of a centre line, pixels, before rounding to whole samples."""


@dataclass(frozen=True, slots=True)
class CentreLine:
    """A smooth line from the tip of the short arm to the tip of the long arm.

    Attributes:
        points: float32 ``(N, 2)`` of (x, y), evenly spaced, N >= 4.
        tangents: float32 ``(N, 2)`` of unit vectors towards the long arm.
        length: Its length, pixels.
    """

    points: Points
    tangents: Points
    length: float

    def at(self, fraction: float) -> Points:
        """Give the point float32 ``(2,)`` at a fraction 0..1 of the length."""
        place = fraction * (len(self.points) - 1)
        left = min(int(place), len(self.points) - 2)
        weight = np.float32(place - left)
        return np.asarray((1 - weight) * self.points[left] + weight * self.points[left + 1], np.float32)

    def moved(self, shift: Points) -> "CentreLine":
        """Give the same line moved by ``(dx, dy)``."""
        return CentreLine(self.points + shift, self.tangents, self.length)


def bend_line(length: float, angle: float, bend: float, sway: float, kink: float, hinge: float) -> CentreLine:
    """Draw a centre line by turning steadily while walking along it.

    Args:
        length: Length, pixels.
        angle: Mean direction, radians; 0 points down (short arm up), positive turns towards +x.
        bend: Turn between the two tips, radians, spread evenly: an arc.
        sway: Amplitude of an S-shaped turn, radians.
        kink: Turn concentrated at the hinge, radians.
        hinge: Where that is (the centromere), fraction of the length.

    Returns:
        The line, with the mean of its points at (0, 0).
    """
    count = max(round(length / STEP) + 1, 4)
    place = np.linspace(0.0, 1.0, count)
    turn = bend * (place - 0.5) + sway * np.sin(2 * np.pi * place) + kink * np.tanh((place - hinge) / 0.08) / 2
    heading = angle + turn - turn.mean()
    tangents = np.stack([np.sin(heading), np.cos(heading)], axis=1)
    steps = (tangents[1:] + tangents[:-1]) / 2
    steps *= (length / (count - 1)) / np.linalg.norm(steps, axis=1, keepdims=True)
    points = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
    points -= points.mean(axis=0)
    return CentreLine(points.astype(np.float32), tangents.astype(np.float32), length)


def unbend_pixels(line: CentreLine, width: int, height: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Find for every pixel how far along the line it lies and how far beside it.

    Each pixel is projected on the tangent of the nearest sample of the line, so both answers vary smoothly.

    Args:
        line: The line, in the picture's pixel coordinates.
        width: Picture width, pixels.
        height: Picture height, pixels.

    Returns:
        ``along``, ``across``: float32 ``(height, width)``, pixels. ``along`` is negative before the first tip and
        larger than the length after the last; ``across`` is positive on the right-hand side of a picture in which
        the line runs downwards.
    """
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    pixels = np.stack([x.ravel(), y.ravel()], axis=1)
    # |p - c|^2 without |p|^2, which is the same for every sample c.
    distance = pixels @ (-2 * line.points.T)
    distance += np.einsum("ij,ij->i", line.points, line.points)
    nearest = distance.argmin(axis=1)
    offset = pixels - line.points[nearest]
    tangent = line.tangents[nearest]
    step = np.float32(line.length / (len(line.points) - 1))
    along = nearest.astype(np.float32) * step + np.einsum("ij,ij->i", offset, tangent)
    across = offset[:, 0] * tangent[:, 1] - offset[:, 1] * tangent[:, 0]
    return along.reshape(height, width), across.reshape(height, width)
