"""What else lies on the slide: nuclei of cells that were not dividing, dirt, and faint smears."""

import cv2
import numpy as np
from numpy.typing import NDArray


def draw_nucleus(width: int, height: int, scale: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw one interphase nucleus near the edge of the field.

    Args:
        width: Field width, pixels.
        height: Field height, pixels.
        scale: Magnification; at 1 its radius is 40 to 70 pixels.
        rng: Chooses everything about it.

    Returns:
        Absorbance float32 ``(height, width)``, 0 outside the nucleus.
    """
    long_axis = float(rng.uniform(48, 70)) * scale
    short_axis = long_axis * float(rng.uniform(0.65, 0.95))
    angle = float(rng.uniform(0, np.pi))
    side = float(rng.uniform(0, 2 * np.pi))
    x = np.arange(width, dtype=np.float32)[None, :] - np.float32(width * (0.5 + 0.47 * np.cos(side)))
    y = np.arange(height, dtype=np.float32)[:, None] - np.float32(height * (0.5 + 0.47 * np.sin(side)))
    along = (x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))) / np.float32(long_axis)
    across = (y * np.float32(np.cos(angle)) - x * np.float32(np.sin(angle))) / np.float32(short_axis)
    radius = np.sqrt(along * along + across * across)
    edge = np.clip((1 - radius) * np.float32(long_axis / 3), 0, 1)
    texture = 1 + 0.3 * _grain(rng, width, height, 3 * scale) + 0.15 * _grain(rng, width, height, 12 * scale)
    return np.asarray(edge * texture.clip(0.3, 2) * np.float32(rng.uniform(0.55, 0.95)), np.float32)


def draw_debris(width: int, height: int, count: int, scale: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw specks of dirt, each with a faint smear of cytoplasm somewhere else.

    Args:
        width: Field width, pixels.
        height: Field height, pixels.
        count: Number of specks.
        scale: Magnification.
        rng: Chooses places, sizes and darkness.

    Returns:
        Absorbance float32 ``(height, width)``.
    """
    absorbance = np.zeros((height, width), np.float32)
    smears = np.zeros((height // 8 + 1, width // 8 + 1), np.float32)
    for _ in range(count):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        radius = max(round(float(rng.gamma(2.0, 0.6)) * scale), 1)
        cv2.circle(absorbance, centre, radius, float(rng.uniform(0.2, 1.2)), -1)
        far = (int(rng.integers(width // 8)), int(rng.integers(height // 8)))
        cv2.circle(smears, far, int(rng.integers(1, max(int(6 * scale), 2))), float(rng.uniform(0.0, 0.1)), -1)
    smears = np.asarray(cv2.GaussianBlur(smears, (0, 0), 1.2), np.float32)
    return absorbance + np.asarray(cv2.resize(smears, (width, height)), np.float32)


def _grain(rng: np.random.Generator, width: int, height: int, size: float) -> NDArray[np.float32]:
    """Draw smooth noise of unit deviation in grains of a size in pixels."""
    coarse = rng.standard_normal((int(height / size) + 2, int(width / size) + 2), np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
