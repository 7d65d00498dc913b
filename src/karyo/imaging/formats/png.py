"""PNG (W3C, Portable Network Graphics, third edition): checksums are checked, only what makes the pixels is kept."""

import struct
import zlib
from collections.abc import Iterator

from karyo.imaging.formats.essence import BadImageError, Essence, check_size, exif_orientation

START = b"\x89PNG\r\n\x1a\n"

_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_MOST_CHUNKS = 200_000
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PIECE_IN, _PIECE_OUT = 1 << 16, 1 << 20
_INTERLACED = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column, first row, and the steps across and down of the seven passes (section 8.1)."""


def read_png(data: bytes, max_pixels: int) -> Essence:
    """Check a PNG file and keep what makes its pixels; of an animation its still picture.

    Args:
        data: The whole file.
        max_pixels: Largest width times height that is accepted.

    Raises:
        BadImageError: If it is truncated, damaged or too large.
        struct.error: If it ends inside a header.
    """
    kept, pixels, orientation = [START], [], 1
    width, height, volume = _header(data, max_pixels)
    for kind, start, end in _chunks(data):
        if kind in _KEPT:
            kept.append(data[start - 8 : end + 4])
        elif kind[0] & 0x20 == 0:
            raise BadImageError("is damaged: it has a PNG chunk that no reader knows")
        if kind == b"IDAT":
            pixels.append(memoryview(data)[start:end])
        elif kind == b"eXIf":
            orientation = exif_orientation(data[start:end])
    _check_inflated(pixels, volume)
    return Essence(width, height, b"".join(kept), orientation)


def _header(data: bytes, max_pixels: int) -> tuple[int, int, int]:
    """Width, height and the bytes that the pixels inflate to."""
    length, kind, width, height, depth, colour, *methods = struct.unpack_from(">I4sIIBBBBB", data, len(START))
    if (length, kind) != (13, b"IHDR") or colour not in _CHANNELS or depth not in (1, 2, 4, 8, 16) or max(methods) > 1:
        raise BadImageError("is damaged: the PNG's header is broken")
    check_size(width, height, max_pixels)
    passes = _INTERLACED if methods[2] else ((0, 0, 1, 1),)
    sizes = [(-(-(width - x) // across), -(-(height - y) // down)) for x, y, across, down in passes]
    bits = depth * _CHANNELS[colour]
    # Every row begins with the number of its filter.
    return (
        width,
        height,
        sum((1 + (columns * bits + 7) // 8) * rows for columns, rows in sizes if min(columns, rows) > 0),
    )


def _check_inflated(pixels: list[memoryview], volume: int) -> None:
    """Inflate once, keeping nothing: a decoder would inflate the gigabytes behind the last row as well."""
    packed, total = zlib.decompressobj(), 0
    try:
        for part in pixels:
            for start in range(0, len(part), _PIECE_IN):
                rest: bytes | memoryview = part[start : start + _PIECE_IN]
                while rest and not packed.eof and total <= volume:
                    total += len(packed.decompress(rest, _PIECE_OUT))
                    rest = packed.unconsumed_tail
    except zlib.error:
        raise BadImageError("is damaged: the PNG's pixels cannot be unpacked") from None
    if total < volume:
        raise BadImageError("is truncated: it holds too few bytes for its pixels")
    if total > volume:
        raise BadImageError("is damaged: the PNG holds more pixels than it declares")


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Give kind, first and end of the content of every chunk up to the last, each with a right checksum."""
    view, position = memoryview(data), len(START)
    for _ in range(_MOST_CHUNKS):
        length, kind = struct.unpack_from(">I4s", data, position)
        start, end = position + 8, position + 8 + length
        if end + 4 > len(data):
            raise BadImageError("is truncated: the file ends inside its pixels")
        if zlib.crc32(view[start - 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            raise BadImageError("is damaged: a checksum inside the PNG does not match")
        yield kind, start, end
        if kind == b"IEND":
            return
        position = end + 4
    raise BadImageError(f"is damaged: it has more than {_MOST_CHUNKS:,} PNG chunks")
