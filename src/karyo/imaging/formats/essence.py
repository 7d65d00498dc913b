"""The part of an image file that a decoder needs, and nothing else."""

import struct
from dataclasses import dataclass

MAX_SIDE = 1 << 20
"""Pixels of the longest side that the decoders take."""

ORIENTATION_TAG = 274
"""Of TIFF and EXIF: which way up the stored rows are to be shown, 1..8."""


class BadImageError(Exception):
    """Why a file's bytes are no whole image; the end of a sentence that begins with the file's name."""


@dataclass(frozen=True, slots=True)
class Essence:
    """What is left of an image file after its header was checked.

    Attributes:
        width: Pixels in a row, as stored.
        height: Rows, as stored.
        data: A file of the same kind with only what the pixels need: no previews, colour profiles, comments, further
            pages or private tags, which decoders have more defects in than in the pixels themselves.
        orientation: How the stored rows are to be shown, 1..8 as in TIFF 6.0, tag 274; 1 for as they are.
    """

    width: int
    height: int
    data: bytes
    orientation: int = 1


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse a size that no image has or that the caller does not allow.

    Raises:
        BadImageError: If a side is 0 or longer than :data:`MAX_SIDE`, or the area larger than ``max_pixels``.
    """
    if width <= 0 or height <= 0:
        raise BadImageError(f"declares an impossible size of {width} x {height} pixels")
    if width * height > max_pixels:
        raise BadImageError(f"is too large: {width} x {height} pixels, at most {max_pixels:,} pixels are read")
    if max(width, height) > MAX_SIDE:
        raise BadImageError(f"is too large: {width} x {height} pixels, a side may have {MAX_SIDE:,}")


def check_volume(stored: int, needed: int, most: int) -> None:
    """Refuse a file that holds too few bytes for its pixels, before memory is taken for them.

    Args:
        stored: Bytes of pixels in the file.
        needed: What they have to become.
        most: The most that one stored byte can become in this compression.

    Raises:
        BadImageError: If even the best compression could not have made so few bytes.
    """
    if needed > stored * most:
        raise BadImageError("is truncated: it holds too few bytes for its pixels")


def exif_orientation(exif: bytes) -> int:
    """Read the orientation from an EXIF block, a little TIFF; 1 where it is damaged or says nothing.

    Args:
        exif: From its byte order mark on.
    """
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(order + "I", exif, 4)
        (entries,) = struct.unpack_from(order + "H", exif, directory)
        for position in range(directory + 2, directory + 2 + 12 * entries, 12):
            tag, kind, count, value = struct.unpack_from(order + "HHIH", exif, position)
            if (tag, kind, count) == (ORIENTATION_TAG, 3, 1):
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1
