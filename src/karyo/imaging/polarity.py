"""Which side of the grey scale the background is on, and how bright it is.

G-banded chromosomes are dark on a bright ground, fluorescent ones (Q-banding, FISH) bright on a dark ground. Inside the
program the background is always dark, so that dark G-bands and bright Q-bands, which are the same bands, look alike.
"""

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.errors import SettingsError

Polarity = Literal["auto", "bright", "dark"]
"""What is known of the background: ``auto`` looks at each image, ``bright`` and ``dark`` say it for all."""

POLARITIES: tuple[str, ...] = ("auto", "bright", "dark")


def background_is_bright(grey: NDArray[np.uint8]) -> bool:
    """Tell whether the background of a chromosome image is bright.

    Otsu's threshold splits the image in two; the background is the side that holds most of the border, the corners
    counting most, because a tightly cropped chromosome touches the middle of the edges but rarely the corners.
    A constant image is background through and through.

    Args:
        grey: Array (H, W), uint8.

    Returns:
        True for a bright background.
    """
    low, high = int(grey.min()), int(grey.max())
    if low == high:
        return low >= 128
    bright = grey > _otsu(grey)
    return float(np.average(_border(bright), weights=_border_weights(*grey.shape))) > 0.5


def spread_is_bright(grey: NDArray[np.uint8]) -> bool:
    """Tell whether the background of a whole spread is bright.

    Chromosomes and nuclei cover less than half of a spread, so the background is the side of Otsu's threshold with more
    pixels. (The border, which tells in a picture of one chromosome, may be covered by nuclei here.)

    Args:
        grey: Array (H, W), uint8.

    Returns:
        True for a bright background.
    """
    if int(grey.min()) == int(grey.max()):
        return bool(grey.flat[0] >= 128)
    return float((grey > _otsu(grey)).mean()) > 0.5


def background_level(grey: NDArray[np.uint8]) -> int:
    """Estimate the grey value of the background of an image whose background is dark.

    Args:
        grey: Array (H, W), uint8, background dark.

    Returns:
        The median of the border pixels below Otsu's threshold, 0..255; of a constant image its value.
    """
    border = _border(grey)
    dark = border[border <= _otsu(grey)]
    return int(np.median(dark if dark.size else border))


def normalise_polarity(grey: NDArray[np.uint8], polarity: str = "auto") -> NDArray[np.uint8]:
    """Invert the image where its background is bright, so that the background is dark.

    Args:
        grey: Array (H, W), uint8.
        polarity: ``auto`` to look at the image, ``bright`` or ``dark`` where the background is known.

    Returns:
        Array (H, W), uint8, background dark.

    Raises:
        SettingsError: If ``polarity`` is none of the three.
    """
    return 255 - grey if stored_bright(grey, polarity) else grey


def stored_bright(grey: NDArray[np.uint8], polarity: str = "auto") -> bool:
    """Tell whether the background of an image as stored is bright, by what is known of it or by a look.

    Args:
        grey: Array (H, W), uint8.
        polarity: ``auto`` to look at the image, ``bright`` or ``dark`` where the background is known.

    Returns:
        True for a bright background.

    Raises:
        SettingsError: If ``polarity`` is none of the three.
    """
    if polarity not in POLARITIES:
        raise SettingsError(f"polarity must be one of {', '.join(POLARITIES)}, not {polarity!r}")
    return background_is_bright(grey) if polarity == "auto" else polarity == "bright"


def _otsu(grey: NDArray[np.uint8]) -> float:
    return float(cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0])


def _border(image: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])


def _border_weights(height: int, width: int) -> NDArray[np.float64]:
    """Weights of the four edges in the order of :func:`_border`: 1 in the corners, falling to 0 in the middle."""
    row, column = (np.abs(np.linspace(-1, 1, length)) ** 2 if length > 1 else np.ones(1) for length in (width, height))
    return np.concatenate([row, row, column, column]) + 1e-3
