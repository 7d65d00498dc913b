"""The band profile: how bright a chromosome is along its axis."""

import numpy as np
from numpy.typing import NDArray

from karyo.imaging.straighten.axis import Axis
from karyo.imaging.straighten.line import sample_across


def band_profile(grey: NDArray[np.uint8], axis: Axis, half_width: float | None = None) -> NDArray[np.float32]:
    """Average the grey values across a chromosome at each point of its axis.

    Args:
        grey: Array (H, W), uint8, background dark: the image that the axis was found in.
        axis: Its axis.
        half_width: How far to average on either side of the axis, pixels; None to go as far as the chromosome does at
            that point.

    Returns:
        float32 (N,), 0..255, one value for each point of the axis, in its order.

    Raises:
        ValueError: If ``half_width`` is not positive.
    """
    if half_width is not None and not half_width > 0:
        raise ValueError(f"half_width must be positive, not {half_width}")
    # The distance from the axis up to which each of its points is averaged: at least the pixel it lies on.
    reach = np.maximum(axis.widths / 2 if half_width is None else np.full(len(axis.points), half_width), 0.5)
    furthest = np.ceil(float(reach.max()))
    offsets = np.arange(-furthest, furthest + 1, dtype=np.float32)
    values = sample_across(grey.astype(np.float32), axis.points, offsets)
    # A pixel that is reached in part counts in part.
    weights = np.clip(reach[:, None] + 0.5 - np.abs(offsets)[None, :], 0, 1)
    profile: NDArray[np.float32] = ((values * weights).sum(axis=1) / weights.sum(axis=1)).astype(np.float32)
    return profile
