"""Writing a picture to a file."""

import errno
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.errors import DataError, SettingsError
from karyo.files import write_beside


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Write a PNG in one step: no half picture is ever found.

    Args:
        path: The file; missing folders are made.
        image: uint8, grey ``(H, W)`` or RGB ``(H, W, 3)``.

    Raises:
        SettingsError: If it cannot be written.
        DataError: If its name is too long for the file system: another place would not help, the others can be written.
    """
    # OpenCV keeps colours in the order blue, green, red.
    encoded = cv2.imencode(".png", image if image.ndim == 2 else image[..., ::-1])[1].tobytes()
    try:
        write_beside(path, lambda beside: beside.write_bytes(encoded))
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise DataError(f"cannot write {path}: its name is too long; shorten the name of its input") from error
        raise SettingsError(f"cannot write {path}: {error.strerror}; choose another place") from error
