"""Lines through a chromosome: smoothing, even spacing, and the picture sampled across them."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]


def resample(points: Points, spacing: float = 1.0) -> Points:
    """Space the points of a line evenly.

    Args:
        points: float32 (N, 2), N >= 2, not all the same.
        spacing: Wanted distance of neighbours along the line, pixels; rounded so that both ends stay.

    Returns:
        float32 (M, 2), M >= 2.
    """
    along = arc_lengths(points)
    at = np.linspace(0, along[-1], max(round(float(along[-1]) / spacing) + 1, 2))
    spaced = np.empty((len(at), 2), np.float32)
    for axis in (0, 1):
        spaced[:, axis] = np.interp(at, along, points[:, axis])
    return spaced


def arc_lengths(points: Points) -> NDArray[np.float64]:
    """Give how far along a line each of its points lies, float64 (N,), pixels, the first at 0."""
    along = np.zeros(len(points))
    along[1:] = np.cumsum(np.hypot(*(points[1:] - points[:-1]).T))
    return along


def tangents(points: Points) -> Points:
    """Give the unit vector along a line at each of its points, float32 (N, 2), N >= 2."""
    steps = np.empty_like(points)
    steps[1:-1] = points[2:] - points[:-2]
    steps[0], steps[-1] = points[1] - points[0], points[-1] - points[-2]
    steps /= np.maximum(np.hypot(steps[:, 0], steps[:, 1]), 1e-6)[:, None]
    return steps


def normals(points: Points) -> Points:
    """Give the unit vectors across a line, float32 (N, 2); to the right in a picture in which it runs downwards."""
    way = tangents(points)
    return np.stack([way[:, 1], -way[:, 0]], axis=1)


def smooth(values: NDArray[Any], sigma: float) -> NDArray[np.float64]:
    """Smooth by a Gaussian whose ends neither shrink nor curl: what lies beyond is the inside, mirrored in the end.

    Args:
        values: Array (N,) or (N, 2), N >= 1.
        sigma: Standard deviation in samples; 0 leaves all as it is.

    Returns:
        float64 of the same shape.
    """
    values = np.asarray(values, np.float64)
    reach = min(int(3 * sigma + 0.5), len(values) - 1)
    if reach < 1:
        return values
    weights = np.exp(-np.square(np.arange(-reach, reach + 1) / sigma) / 2)
    weights /= weights.sum()
    first = 2 * values[0] - values[reach:0:-1]
    last = 2 * values[-1] - values[-2 : -reach - 2 : -1]
    padded = np.concatenate([first, values, last])
    if values.ndim == 1:
        return np.convolve(padded, weights, "valid")
    return np.stack([np.convolve(column, weights, "valid") for column in padded.T], axis=1)


def extend(points: Points, pixels: int, over: float) -> Points:
    """Lengthen a line straight on at both ends.

    Args:
        points: float32 (N, 2), about 1 px apart, N >= 2.
        pixels: How many points to add at each end, 1 px apart.
        over: Length of the piece at each end whose direction is taken, pixels.

    Returns:
        float32 (N + 2 pixels, 2).
    """
    back = min(max(round(over), 1), len(points) - 1)
    steps = np.arange(1, pixels + 1, dtype=np.float32)[:, None]
    first, last = points[0] - points[back], points[-1] - points[-1 - back]
    first, last = (way / max(float(np.linalg.norm(way)), 1e-6) for way in (first, last))
    return np.concatenate([(points[0] + steps * first)[::-1], points, points[-1] + steps * last])


def turning(points: Points) -> NDArray[np.float64]:
    """Give how sharply an evenly spaced line turns at each point: radians per pixel, float64 (N,), N >= 2."""
    way = tangents(points).astype(np.float64)
    heading = np.unwrap(np.arctan2(way[:, 1], way[:, 0]))
    step = max(float(arc_lengths(points)[-1]) / (len(points) - 1), 1e-6)
    return np.asarray(np.gradient(heading), np.float64) / step


def sample_across(
    picture: NDArray[Any], points: Points, offsets: NDArray[np.float32], interpolation: int = cv2.INTER_LINEAR
) -> NDArray[Any]:
    """Sample a picture on the perpendiculars of a line; 0 outside the picture.

    Args:
        picture: Array (H, W), uint8 or float32.
        points: float32 (N, 2), the line; each point becomes a row.
        offsets: float32 (M,), pixels beside the line; each becomes a column. Positive is to the right in a picture in
            which the line runs downwards.
        interpolation: OpenCV's constant.

    Returns:
        Array (N, M) of the picture's type.
    """
    way = normals(points)
    x = points[:, :1] + offsets[None, :] * way[:, :1]
    y = points[:, 1:] + offsets[None, :] * way[:, 1:]
    return np.asarray(cv2.remap(picture, x, y, interpolation, borderMode=cv2.BORDER_CONSTANT, borderValue=0))
