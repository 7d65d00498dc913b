"""Reading any image file of a laboratory to 8-bit grey, safely and quietly.

TIFF, BMP, PNG and JPEG are read; 8 or 16 bits; grey, RGB, RGBA or palette. The headers are looked at before anything
is decoded, because the decoders underneath are too forgiving: a JPEG that stops half-way decodes to a half-grey
picture, and a file of a few bytes can declare a picture of gigabytes.

Importing this module lowers OpenCV's log level to "fatal": libtiff warns about every private tag, for each of
thousands of files, and every failure is reported here as an exception anyway. Redirecting the file descriptor instead
would swallow what other threads print meanwhile.
"""

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.errors import DataError

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_FATAL)

MAX_PIXELS = 100_000_000
"""Pixels, width times height, above which an image is refused unless the caller allows more."""

_BYTES_PER_PIXEL = 8
"""What the largest pixel takes, four channels of 16 bits: a longer file is not even opened."""

_CAMERA_DEPTHS = (8, 10, 12, 14, 16)
_PNG_START = b"\x89PNG\r\n\x1a\n"
_TIFF_STARTS = {b"II*\0": "<", b"MM\0*": ">"}
_TIFF_FORMATS = {1: "B", 3: "H", 4: "I"}
_JPEG_BARE_MARKERS = {0x01, *range(0xD0, 0xD9)}
_JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class _BadImageError(Exception):
    """Why a file's bytes are no whole image; becomes a DataError that names the file."""


def read_grey(path: str | Path, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Read an image file as 8-bit grey, as stored (no polarity change).

    Colours become luminance. 16-bit values are scaled by the camera's range: the smallest of 8, 10, 12, 14 and 16
    bits that holds the image's largest value becomes 255. Transparent pixels are composited over the median of the
    opaque border pixels, or over white where less than a quarter of the border is opaque (a chromosome cut out on a
    transparent ground). Of a file with several pages the first is read.

    Args:
        path: The file; any characters are allowed in its name.
        max_pixels: Largest width times height that is accepted.

    Returns:
        Array (H, W), uint8.

    Raises:
        DataError: If the file is missing, empty, no image, truncated, damaged or larger than ``max_pixels``. The
            message names the file and the reason in one sentence.
    """
    try:
        size = Path(path).stat().st_size
        if size > _BYTES_PER_PIXEL * max_pixels:
            raise DataError(f"{path} is too large: {size:,} bytes")
        data = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    return decode_grey(data, str(path), max_pixels)


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
        return _to_grey(_decoded(data, max_pixels))
    except _BadImageError as error:
        raise DataError(f"{name} {error}") from None


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
        raise DataError(f"{name} has the shape {image.shape}; an image is (height, width) or (height, width, channels)")
    reordered = image[..., [2, 1, 0, 3][: image.shape[2]]] if image.ndim == 3 and image.shape[2] in (3, 4) else image
    try:
        return _to_grey(np.ascontiguousarray(reordered))
    except _BadImageError as error:
        raise DataError(f"{name} {error}") from None


def _decoded(data: bytes, max_pixels: int) -> NDArray[Any]:
    if not data:
        raise _BadImageError("is empty (0 bytes)")
    width, height = _checked_size(data)
    if width <= 0 or height <= 0:
        raise _BadImageError(f"declares an impossible size of {width} x {height} pixels")
    if width * height > max_pixels:
        raise _BadImageError(f"is too large: {width} x {height} pixels, at most {max_pixels:,} pixels are read")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None:
        raise _BadImageError("is damaged or of a kind that cannot be decoded")
    decoded: NDArray[Any] = image
    return decoded


def _to_grey(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Turn (H, W), (H, W, 3) as BGR or (H, W, 4) as BGRA, uint8 or uint16, into (H, W) uint8."""
    if image.dtype not in (np.uint8, np.uint16):
        raise _BadImageError(f"holds {image.dtype} values; only 8-bit and 16-bit images are read")
    channels = 1 if image.ndim == 2 else image.shape[2]
    if channels == 1:
        return _to_eight_bits(image.reshape(image.shape[:2]))
    if channels == 3:
        return _to_eight_bits(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
    if channels == 4:
        return _to_eight_bits(_without_alpha(image))
    raise _BadImageError(f"has {channels} channels; 1, 3 or 4 are read")


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


def _checked_size(data: bytes) -> tuple[int, int]:
    """Width and height from the header, after checking that the file is whole."""
    try:
        if data.startswith(_PNG_START):
            return _png_size(data)
        if data.startswith(b"\xff\xd8"):
            return _jpeg_size(data)
        if data.startswith(b"BM"):
            return _bmp_size(data)
        if data[:4] in _TIFF_STARTS:
            return _tiff_size(data, _TIFF_STARTS[data[:4]])
    except (struct.error, IndexError):
        raise _BadImageError("is truncated: the file ends inside its header") from None
    raise _BadImageError("is not an image that can be read (TIFF, BMP, PNG or JPEG)")


def _png_size(data: bytes) -> tuple[int, int]:
    position = len(_PNG_START)
    while True:
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            raise _BadImageError("is truncated: the file ends inside its pixels")
        if zlib.crc32(data[position + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            raise _BadImageError("is damaged: a checksum inside the PNG does not match")
        position = end + 4
        if kind == b"IEND":
            width, height = struct.unpack_from(">II", data, len(_PNG_START) + 8)
            return int(width), int(height)


def _jpeg_size(data: bytes) -> tuple[int, int]:
    position, size = 2, (0, 0)
    while True:
        if data[position] != 0xFF:
            raise _BadImageError("is damaged: the JPEG's header is broken")
        marker = data[position + 1]
        if marker == 0xFF or marker in _JPEG_BARE_MARKERS:
            position += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 5)
            size = (int(width), int(height))
        position += 2 + length
        if marker == 0xDA:
            break
    # Inside the pixels an FF byte is always followed by 00 or a restart marker: the end marker cannot occur by chance.
    if data.find(b"\xff\xd9", position) < 0:
        raise _BadImageError("is truncated: the file ends inside its pixels")
    return size


def _bmp_size(data: bytes) -> tuple[int, int]:
    (first_pixel,) = struct.unpack_from("<I", data, 10)
    (header,) = struct.unpack_from("<I", data, 14)
    if header == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    row = (width * bits + 31) // 32 * 4
    (declared,) = struct.unpack_from("<I", data, 2)
    needed = first_pixel + row * abs(height) if compression in (0, 3) else declared
    if width > 0 and width * abs(height) <= MAX_PIXELS and needed > len(data):
        raise _BadImageError("is truncated: the file ends inside its pixels")
    return int(width), abs(int(height))


def _tiff_size(data: bytes, order: str) -> tuple[int, int]:
    tags = _tiff_tags(data, order)
    width, height = tags.get(256, [0])[0], tags.get(257, [0])[0]
    if 322 in tags:
        offsets, counts = tags.get(324, []), tags.get(325, [])
        needed = len(offsets)
    else:
        offsets, counts = tags.get(273, []), tags.get(279, [])
        rows = min(tags.get(278, [height])[0], height) or 1
        # Some writers declare more strips than the image has rows for; the spare ones point outside the file.
        needed = -(-height // rows) * (tags.get(277, [1])[0] if tags.get(284, [1])[0] == 2 else 1)
    if len(offsets) < needed:
        raise _BadImageError("is damaged: the TIFF does not say where its pixels are")
    ends = [offset + count for offset, count in zip(offsets[:needed], counts[:needed], strict=False)]
    if max(ends, default=0) > len(data):
        raise _BadImageError("is truncated: the file ends inside its pixels")
    return width, height


def _tiff_tags(data: bytes, order: str) -> dict[int, list[int]]:
    """Read the whole-number tags of a TIFF's first page."""
    (directory,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, directory)
    tags = {}
    for position in range(directory + 2, directory + 2 + 12 * entries, 12):
        tag, kind, count = struct.unpack_from(order + "HHI", data, position)
        if kind in _TIFF_FORMATS:
            layout = order + _TIFF_FORMATS[kind] * min(count, len(data))
            start = position + 8
            if struct.calcsize(layout) > 4:
                (start,) = struct.unpack_from(order + "I", data, start)
            tags[tag] = [int(value) for value in struct.unpack_from(layout, data, start)]
    return tags
