"""From absorbance to the grey picture: illumination, optical blur, camera noise, and which way round it is."""

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.data.synthetic.style import CellStyle


def photograph(absorbance: NDArray[np.float32], style: CellStyle, rng: np.random.Generator) -> NDArray[np.float32]:
    """Take the picture that a bright-field microscope gives.

    Args:
        absorbance: float32 ``(H, W)``, natural logarithm, 0 where the field is empty.
        style: Blur, noise, background and illumination.
        rng: Generator of the noise.

    Returns:
        float32 ``(H, W)`` of grey levels, about 0..255 and not yet clipped; the background is bright.
    """
    height, width = absorbance.shape
    transmitted = np.asarray(cv2.GaussianBlur(np.exp(-absorbance), (0, 0), style.blur), np.float32)
    slope_x, slope_y = (np.float32(slope / 100) for slope in style.tilt)
    across = (np.arange(width, dtype=np.float32) - width / 2) * slope_x
    down = (np.arange(height, dtype=np.float32) - height / 2) * slope_y
    light = np.float32(style.background) * (1 + across[None, :] + down[:, None])
    noise = rng.standard_normal((height, width), np.float32) * np.float32(style.noise)
    return np.asarray(transmitted * light + noise, np.float32)


def develop(picture: NDArray[np.float32], dark_field: bool) -> NDArray[np.uint8]:
    """Turn a bright-field picture into 8-bit grey.

    Args:
        picture: float32 ``(H, W)``, background bright.
        dark_field: Whether to turn it into its negative, background dark.

    Returns:
        uint8 ``(H, W)``.
    """
    grey = np.clip(picture + np.float32(0.5), 0, 255).astype(np.uint8)
    return np.asarray(255 - grey if dark_field else grey, np.uint8)
