"""Pictures inside JSON: PNG as base64 in a data URL, as a page shows it without asking for more."""

import base64
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.errors import DataError, SettingsError
from karyo.imaging.read import decode_cut_out

_START = "data:image/png;base64,"


def to_data_url(grey: NDArray[np.uint8], mask: NDArray[np.bool_] | None = None) -> str:
    """Give a picture as the text of a data URL, without loss.

    Args:
        grey: uint8 (H, W), at least one pixel.
        mask: bool (H, W), what is opaque; None for a picture without transparency.

    Raises:
        SettingsError: If it has no pixel.
    """
    if not grey.size:
        raise SettingsError("a picture without pixels cannot be kept in a record")
    stored = grey
    if mask is not None:
        # OpenCV writes no grey with transparency: three equal channels and the fourth.
        stored = np.dstack([grey, grey, grey, np.where(mask, np.uint8(255), np.uint8(0))])
    return _START + base64.b64encode(cv2.imencode(".png", stored)[1].tobytes()).decode("ascii")


def from_data_url(content: Any, place: str, max_pixels: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Read a picture that :func:`to_data_url` or a stranger wrote.

    Args:
        content: Anything that JSON can hold.
        place: Where it stands, the beginning of an error's sentence.
        max_pixels: Largest width times height.

    Returns:
        uint8 (H, W) and bool (H, W), what is opaque.

    Raises:
        DataError: If it is no PNG in a data URL, damaged or too large.
    """
    if not isinstance(content, str) or not content.startswith(_START):
        raise DataError(f"{place} must be a PNG as a data URL, a text that begins with {_START}")
    try:
        data = base64.b64decode(content[len(_START) :], validate=True)
    except ValueError:
        raise DataError(f"{place} is not base64; its text is damaged") from None
    return decode_cut_out(data, place, max_pixels)
