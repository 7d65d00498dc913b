"""JPEG (ITU-T T.81): every segment up to the end marker is walked; profiles, previews and comments are left out."""

import re
import struct

from karyo.imaging.formats.essence import BadImageError, Essence, check_size, check_volume, exif_orientation

START = b"\xff\xd8"

_BARE = {0x01, *range(0xD0, 0xD8)}
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_READ_FRAMES = {0xC0, 0xC1, 0xC2}  # baseline, extended and progressive with Huffman codes
_SCAN, _END, _EXIF = 0xDA, 0xD9, 0xE1
_LEFT_OUT = {*range(0xE1, 0xEE), 0xEF, 0xFE}  # APP0 (JFIF) and APP14 (Adobe: CMYK or not) decide the colours
_MOST_SEGMENTS = 10_000
_MOST_SCANS = 100
_MOST_WORK = 2_000_000_000
"""Pixels times scans: a progressive file of a few kilobytes can ask for minutes of decoding."""

_LEAST_FILL = 512
"""Pixels that one byte can hold: every block of 8 x 8 takes at least one bit."""

_FILL = re.compile(rb"\xff+")
_AFTER_PIXELS = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # inside the pixels 00 or a restart marker follows an FF


def read_jpeg(data: bytes, max_pixels: int) -> Essence:
    """Check a JPEG file and keep what makes its pixels.

    Args:
        data: The whole file.
        max_pixels: Largest width times height that is accepted.

    Raises:
        BadImageError: If it is truncated, damaged, of a rare kind, too large, or made to keep a decoder busy.
        struct.error: If it ends inside a header.
        IndexError: The same.
    """
    kept, position, scans, stored, orientation = [START], 2, 0, 0, 1
    size: tuple[int, int] | None = None
    for _ in range(_MOST_SEGMENTS):
        marker, position = _marker(data, position, scans)
        if marker == _END:
            return _finished(kept, size, orientation, scans, stored)
        if marker in _BARE:
            continue
        end = _segment_end(data, position)
        if marker in _FRAMES:
            size = _frame_size(data, marker, position, size, max_pixels)
        if marker == _EXIF and data[position + 2 : position + 8] == b"Exif\0\0":
            orientation = exif_orientation(data[position + 8 : end])
        if marker == _SCAN:
            scans, start = scans + 1, end
            end = _end_of_scan(data, start)
            stored += end - start
        if marker not in _LEFT_OUT:
            kept.append(bytes((0xFF, marker)) + data[position:end])
        position = end
    raise BadImageError("is damaged: the JPEG has too many parts")


def _marker(data: bytes, position: int, scans: int) -> tuple[int, int]:
    """Give the marker at a position and where what follows it begins."""
    fill = _FILL.match(data, position)
    if fill is None and position < len(data):
        raise BadImageError("is damaged: the JPEG's header is broken")
    if fill is None or fill.end() == len(data):
        raise BadImageError(f"is truncated: the file ends inside its {'pixels' if scans else 'header'}")
    return data[fill.end()], fill.end() + 1


def _segment_end(data: bytes, position: int) -> int:
    (length,) = struct.unpack_from(">H", data, position)
    if length < 2:
        raise BadImageError("is damaged: the JPEG's header is broken")
    if position + length > len(data):
        raise BadImageError("is truncated: the file ends inside its header")
    return position + int(length)


def _frame_size(
    data: bytes, marker: int, position: int, known: tuple[int, int] | None, max_pixels: int
) -> tuple[int, int]:
    if known is not None:
        raise BadImageError("is damaged: the JPEG holds two pictures in one")
    if marker not in _READ_FRAMES:
        raise BadImageError("is a rare kind of JPEG (lossless, hierarchical or arithmetic); save it as PNG or TIFF")
    bits, height, width = struct.unpack_from(">BHH", data, position + 2)
    if bits != 8:
        raise BadImageError(f"is a JPEG of {bits} bits; only those of 8 bits are read")
    check_size(width, height, max_pixels)
    return int(width), int(height)


def _end_of_scan(data: bytes, position: int) -> int:
    after = _AFTER_PIXELS.search(data, position)
    if after is None:
        raise BadImageError("is truncated: the file ends inside its pixels")
    return after.start()


def _finished(kept: list[bytes], size: tuple[int, int] | None, orientation: int, scans: int, stored: int) -> Essence:
    if size is None or not scans:
        raise BadImageError("is damaged: the JPEG has no picture in it")
    width, height = size
    if scans > _MOST_SCANS or scans * width * height > _MOST_WORK:
        raise BadImageError(f"is a JPEG in {scans:,} passes, far more than such a picture needs; save it anew")
    check_volume(stored, width * height, _LEAST_FILL)
    return Essence(width, height, b"".join([*kept, b"\xff\xd9"]), orientation)
