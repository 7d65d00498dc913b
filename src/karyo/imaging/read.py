"""Reading any image file of a laboratory to 8-bit grey, safely and quietly.

TIFF, BMP, PNG and JPEG are read; 8 or 16 bits; grey, RGB, RGBA or palette. The headers are looked at before anything
is decoded, because the decoders underneath are too forgiving: a JPEG that stops half-way decodes to a half-grey
picture, and a file of a few bytes can declare a picture of gigabytes. They get only what makes the pixels
(:mod:`karyo.imaging.formats`); an attacker has little left to say to them.

Importing this module lowers OpenCV's log level to "fatal": libtiff warns about every private tag, for each of
thousands of files, and every failure is reported here as an exception anyway. Redirecting the file descriptor instead
would swallow what other threads print meanwhile.
"""

import errno
import os
import stat
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.errors import DataError, printable
from karyo.imaging.formats import BadImageError, Essence, bmp, jpeg, png, read_bmp, read_jpeg, read_png, read_tiff, tiff

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_FATAL)

IMAGE_EXTENSIONS: tuple[str, ...] = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff")
"""What the names of image files end with, in any case, where folders are searched for them."""

MAX_PIXELS = 100_000_000
"""Pixels, width times height, above which an image is refused unless the caller allows more."""

_BYTES_PER_PIXEL = 8
"""What the largest pixel takes, four channels of 16 bits: a longer file is not even opened."""

_CAMERA_DEPTHS = (8, 10, 12, 14, 16)


def read_grey(path: str | Path, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Read an image file as 8-bit grey, as stored (no polarity change).

    Colours become luminance. 16-bit values are scaled by the camera's range: the smallest of 8, 10, 12, 14 and 16
    bits that holds the image's largest value becomes 255. Transparent pixels are composited over the median of the
    opaque border pixels, or over white where less than a quarter of the border is opaque (a chromosome cut out on a
    transparent ground). Of a file with several pages the first is read, of an animation the still picture. A picture
    that a camera or a person has turned (the orientation of EXIF, or TIFF's own) is turned here too.

    Args:
        path: The file; any characters are allowed in its name.
        max_pixels: Largest width times height that is accepted.

    Returns:
        Array (H, W), uint8.

    Raises:
        DataError: If the file is missing, empty, no image, truncated, damaged or larger than ``max_pixels``. The
            message names the file and the reason in one sentence.
    """
    return decode_grey(_content(Path(path), max_pixels), str(path), max_pixels)


def decode_grey(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode the bytes of an image file as :func:`read_grey` does.

    Args:
        data: The whole file.
        name: What to call it in an error.
        max_pixels: Largest width times height that is accepted.

    Returns:
        Array (H, W), uint8.

    Raises:
        DataError: See :func:`read_grey`; the message begins with ``name``.
    """
    try:
        image, orientation = _decoded(data, max_pixels)
        return _turned(_to_grey(image), orientation)
    except BadImageError as error:
        raise DataError(f"{printable(name)} {error}") from None


def decode_cut_out(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Decode a picture of something cut out: its grey values beneath transparent pixels too, and which are opaque.

    Args:
        data: The whole file.
        name: What to call it in an error.
        max_pixels: Largest width times height that is accepted.

    Returns:
        Array (H, W), uint8, and array (H, W), bool: pixels that are at least half opaque, all of them where the picture
        knows no transparency.

    Raises:
        DataError: See :func:`read_grey`; the message begins with ``name``.
    """
    try:
        image, orientation = _decoded(data, max_pixels)
        opaque = np.ones(image.shape[:2], np.uint8)
        if image.ndim == 3 and image.shape[2] == 4:
            opaque = (image[..., 3] > np.iinfo(image.dtype).max // 2).astype(np.uint8)
            image = image[..., :3]
        return _turned(_to_grey(image), orientation), _turned(opaque, orientation) > 0
    except BadImageError as error:
        raise DataError(f"{printable(name)} {error}") from None


def array_to_grey(image: NDArray[Any], name: str = "the array") -> NDArray[np.uint8]:
    """Turn an array of pixels into 8-bit grey as :func:`read_grey` turns a file's.

    Args:
        image: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA, uint8 or uint16, at least one pixel.
        name: What to call it in an error.

    Returns:
        Array (H, W), uint8.

    Raises:
        DataError: If shape or type are others.
    """
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise DataError(
            f"{printable(name)} has the shape {image.shape}; an image is (height, width) or (height, width, channels)"
        )
    reordered = image[..., [2, 1, 0, 3][: image.shape[2]]] if image.ndim == 3 and image.shape[2] in (3, 4) else image
    try:
        return _to_grey(np.ascontiguousarray(reordered))
    except BadImageError as error:
        raise DataError(f"{printable(name)} {error}") from None


def _content(path: Path, max_pixels: int) -> bytes:
    """A file's bytes, never more of them than the largest image has."""
    most = _BYTES_PER_PIXEL * max_pixels
    try:
        state = path.stat()
        if stat.S_ISDIR(state.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        # A pipe or a device may go on for ever.
        if not stat.S_ISREG(state.st_mode):
            raise DataError(f"{printable(path)} cannot be read: it is no file")
        with path.open("rb") as stream:
            content = stream.read(most + 1) if state.st_size <= most else b""
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise DataError(f"{printable(path)} cannot be read: {reason or 'its name cannot be one'}") from error
    length = max(state.st_size, len(content))
    if length > most:
        raise DataError(f"{printable(path)} is too large: {length:,} bytes")
    return content


def _decoded(data: bytes, max_pixels: int) -> tuple[NDArray[Any], int]:
    """The stored pixels, and the orientation that they are to be shown in."""
    if not data:
        raise BadImageError("is empty (0 bytes)")
    essence = _essence(data, max_pixels)
    try:
        image = cv2.imdecode(np.frombuffer(essence.data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None or image.shape[:2] != (essence.height, essence.width):
        raise BadImageError("is damaged or of a kind that cannot be decoded")
    return image, essence.orientation


def _essence(data: bytes, max_pixels: int) -> Essence:
    """What the decoder shall see of a file, after checking that the file is whole."""
    try:
        if data.startswith(png.START):
            return read_png(data, max_pixels)
        if data.startswith(jpeg.START):
            return read_jpeg(data, max_pixels)
        if data.startswith(bmp.START):
            return read_bmp(data, max_pixels)
        if data[:4] in tiff.STARTS:
            return read_tiff(data, max_pixels)
    except (struct.error, IndexError):
        raise BadImageError("is truncated: the file ends inside its header") from None
    raise BadImageError("is not an image that can be read (TIFF, BMP, PNG or JPEG)")


def _turned(grey: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Bring an image as stored to the way it is to be shown (TIFF 6.0, tag 274; EXIF has the same numbers)."""
    if orientation >= 5:
        grey = grey.T
    if orientation in (2, 3, 6, 7):
        grey = grey[:, ::-1]
    if orientation in (3, 4, 7, 8):
        grey = grey[::-1]
    return np.ascontiguousarray(grey)


def _to_grey(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Turn (H, W), (H, W, 3) as BGR or (H, W, 4) as BGRA, uint8 or uint16, into (H, W) uint8."""
    if image.dtype not in (np.uint8, np.uint16):
        raise BadImageError(f"holds {image.dtype} values; only 8-bit and 16-bit images are read")
    channels = 1 if image.ndim == 2 else image.shape[2]
    if channels == 1:
        return _to_eight_bits(image.reshape(image.shape[:2]))
    if channels == 3:
        return _to_eight_bits(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
    if channels == 4:
        return _to_eight_bits(_without_alpha(image))
    raise BadImageError(f"has {channels} channels; 1, 3 or 4 are read")


def _to_eight_bits(grey: NDArray[Any]) -> NDArray[np.uint8]:
    if grey.dtype == np.uint8:
        return np.ascontiguousarray(grey, dtype=np.uint8)
    bits = next(depth for depth in _CAMERA_DEPTHS if int(grey.max()) < 1 << depth)
    scaled = grey.astype(np.float32) * np.float32(255 / ((1 << bits) - 1))
    rounded: NDArray[np.uint8] = np.rint(scaled).astype(np.uint8)
    return rounded


def _without_alpha(image: NDArray[Any]) -> NDArray[Any]:
    full = np.iinfo(image.dtype).max
    grey, alpha = cv2.cvtColor(image, cv2.COLOR_BGRA2GRAY), image[..., 3]
    if alpha.min() == full:
        return grey
    ring = np.ones(grey.shape, bool)
    ring[1:-1, 1:-1] = False
    opaque = ring & (alpha == full)
    ground = float(np.median(grey[opaque])) if opaque.sum() * 4 >= ring.sum() else float(full)
    share = alpha.astype(np.float64) / full
    composite: NDArray[Any] = np.rint(grey * share + ground * (1 - share)).astype(image.dtype)
    return composite
