"""TIFF 6.0 (Adobe, 1992) and BigTIFF: the first page's tags are checked and written anew, in a directory of their own.

What the decoder gets has one page and only the tags that say where the pixels are and what they mean. Directories
that refer to themselves, previews, private tags and tags of four billion values stay outside.
"""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from karyo.imaging.formats.essence import ORIENTATION_TAG, BadImageError, Essence, check_size, check_volume

STARTS = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _OFFSETS, _SAMPLES = 256, 257, 258, 259, 262, 273, 277
_ROWS, _COUNTS, _PLANES, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS = 278, 279, 284, 322, 323, 324, 325
_SAMPLE_FORMAT = 339
# Beside those: fill order, fax options, predictor, colour map, extra samples, JPEG tables, what YCbCr means.
_KEPT = {_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _PLANES, _TILE_WIDTH, _TILE_HEIGHT} | {
    266, 292, 293, 317, 320, 338, _SAMPLE_FORMAT, 347, 529, 530, 531, 532
}  # fmt: skip
_SIZES = {1: 1, 3: 2, 4: 4, 5: 8, 7: 1, 13: 4, 16: 8}
_NUMBERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8"}
_MOST_ENTRIES = 4096
_LARGEST_VALUE = 1 << 20
_LEAST_TILE = 1 << 20
_BEYOND_ANY_FILE = 1 << 40

_MOST = {1: 1, 2: 1 << 20, 3: 1 << 20, 4: 1 << 20, 5: 4096, 7: 4096, 8: 1032, 32773: 64, 32946: 1032}
"""The compressions that are read, and what one stored byte can become at most."""

_PHOTOMETRICS = (0, 1, 2, 3, 5, 6, 8)
_DEPTHS = (1, 2, 4, 8, 10, 12, 14, 16)
_SHARED = 4
"""How often the same stored bytes may be used: a thousand strips over the same bytes would be read a thousand times."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A tag: its kind, its count of values, and where they stand in the file."""

    kind: int
    count: int
    start: int


class _Page:
    """The tags of the first page, read when asked for."""

    def __init__(self, data: bytes) -> None:
        self.data, self.order = data, STARTS[data[:4]]
        self._entries = _entries(data, self.order)

    def number(self, tag: int, otherwise: int) -> int:
        values = self.numbers(tag, 1)
        return int(values[0]) if len(values) else otherwise

    def numbers(self, tag: int, most: int) -> NDArray[np.int64]:
        """The first values of a tag; none where it is missing or no whole number."""
        entry = self._entries.get(tag)
        if entry is None or entry.kind not in _NUMBERS:
            return np.zeros(0, np.int64)
        count, dtype = min(entry.count, most), np.dtype(self.order + _NUMBERS[entry.kind])
        if entry.start + count * dtype.itemsize > len(self.data):
            raise BadImageError("is truncated: the file ends inside its header")
        values = np.frombuffer(self.data, dtype, count, entry.start)
        return np.minimum(values.astype(np.uint64), np.uint64(_BEYOND_ANY_FILE)).astype(np.int64)

    def kept(self) -> dict[int, tuple[int, int, bytes]]:
        """Kind, count and bytes of every tag that the pixels' meaning depends on."""
        found = {}
        for tag, entry in self._entries.items():
            if tag in _KEPT and entry.kind in _SIZES:
                length = entry.count * _SIZES[entry.kind]
                if length > _LARGEST_VALUE or entry.start + length > len(self.data):
                    raise BadImageError(f"is damaged: the TIFF's tag {tag} is longer than it can be")
                found[tag] = (entry.kind, entry.count, self.data[entry.start : entry.start + length])
        return found


def read_tiff(data: bytes, max_pixels: int) -> Essence:
    """Check a TIFF file's first page and write it as a TIFF of that page alone.

    Args:
        data: The whole file.
        max_pixels: Largest width times height that is accepted.

    Raises:
        BadImageError: If it is truncated, damaged, of a kind that is not read, or too large.
        struct.error: If it ends inside its header.
    """
    page = _Page(data)
    width, height = page.number(_WIDTH, 0), page.number(_HEIGHT, 0)
    check_size(width, height, max_pixels)
    _check_kind(page)
    offsets, counts, rows = _places(page, width, height)
    if int((offsets + counts).max()) > len(data):
        raise BadImageError("is truncated: the file ends inside its pixels")
    if int(counts.sum()) > _SHARED * len(data):
        raise BadImageError("is damaged: the TIFF uses the same bytes for many parts of its picture")
    bits, samples = page.number(_BITS, 1), page.number(_SAMPLES, 1)
    # Colours that are stored at half the resolution take half the bytes: 6 is YCbCr.
    halves = 2 if page.number(_PHOTOMETRIC, 1) == 6 else 1
    needed = width * height * bits * samples // 8 // halves
    check_volume(int(counts.sum()), needed, _MOST[page.number(_COMPRESSION, 1)])
    orientation = page.number(ORIENTATION_TAG, 1)
    return Essence(width, height, _rewritten(page, offsets, counts, rows), orientation if 1 <= orientation <= 8 else 1)


def _check_kind(page: _Page) -> None:
    compression, samples, photometric = (
        page.number(tag, 1) for tag in (_COMPRESSION, _SAMPLES, _PHOTOMETRIC)
    )  # fmt: skip
    if compression not in _MOST:
        raise BadImageError(f"is a TIFF in a compression that is not read (number {compression}); save it with LZW")
    if not 1 <= samples <= 4 or photometric not in _PHOTOMETRICS:
        raise BadImageError(f"is a TIFF of a kind that is not read ({samples} channels, colours {photometric})")
    depths, formats = set(page.numbers(_BITS, samples).tolist()), set(page.numbers(_SAMPLE_FORMAT, samples).tolist())
    if len(depths) > 1:
        raise BadImageError("is a TIFF whose channels have different depths; they are not read")
    if not depths <= set(_DEPTHS) or not formats <= {1, 4}:
        kind = "floating-point" if 3 in formats else "signed" if 2 in formats else "whole"
        deepest = max(depths, default=1)
        raise BadImageError(f"holds {kind} numbers of {deepest} bits; only 8-bit and 16-bit images are read")


def _places(page: _Page, width: int, height: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Where the parts of the picture stand, how long they are, and the rows of a strip (0 for tiles)."""
    planes = page.number(_SAMPLES, 1) if page.number(_PLANES, 1) == 2 else 1
    across, down = page.number(_TILE_WIDTH, 0), page.number(_TILE_HEIGHT, 0)
    if across or down:
        if min(across, down) < 1 or across * down > max(_LEAST_TILE, 4 * width * height):
            raise BadImageError(f"is damaged: the TIFF's tiles have {across} x {down} pixels")
        rows, needed, where = 0, -(-width // across) * -(-height // down) * planes, (_TILE_OFFSETS, _TILE_COUNTS)
    else:
        # Some writers declare more strips than the image has rows for; the spare ones point outside the file.
        rows = min(page.number(_ROWS, height), height) or height
        needed, where = -(-height // rows) * planes, (_OFFSETS, _COUNTS)
    offsets, counts = (page.numbers(tag, needed) for tag in where)
    if needed == 1 and len(offsets) == 1 and not len(counts):
        counts = np.maximum(len(page.data) - offsets, 0)
    if len(offsets) < needed or len(counts) < needed:
        raise BadImageError("is damaged: the TIFF does not say where its pixels are")
    return offsets, counts, rows


def _rewritten(page: _Page, offsets: NDArray[np.int64], counts: NDArray[np.int64], rows: int) -> bytes:
    """The file with a directory of the checked tags at its end, as classic TIFF."""
    order = page.order
    tags = page.kept()
    longs = np.dtype(order + "u4")
    where = (_OFFSETS, _COUNTS) if rows else (_TILE_OFFSETS, _TILE_COUNTS)
    for tag, values in zip(where, (offsets, counts), strict=True):
        tags[tag] = (4, len(values), values.astype(longs).tobytes())
    if rows:
        tags[_ROWS] = (4, 1, struct.pack(order + "I", rows))
    head = {"<": b"II*\0", ">": b"MM\0*"}[order]
    directory = len(page.data) + len(page.data) % 2
    position = directory + 2 + 12 * len(tags) + 4
    entries, beyond = [struct.pack(order + "H", len(tags))], []
    for tag, (kind, count, content) in sorted(tags.items()):
        # A value of up to four bytes stands in the entry itself; eight-byte numbers are BigTIFF's own.
        kind, content = (4, _narrowed(content, order)) if kind == 16 else (kind, content)
        if len(content) > 4:
            beyond.append(content + bytes(len(content) % 2))
            content = struct.pack(order + "I", position)
            position += len(beyond[-1])
        entries.append(struct.pack(order + "HHI", tag, kind, count) + content.ljust(4, b"\0"))
    pad = bytes(len(page.data) % 2)
    start = head + struct.pack(order + "I", directory)
    return b"".join([start, memoryview(page.data)[8:], pad, *entries, bytes(4), *beyond])


def _narrowed(content: bytes, order: str) -> bytes:
    values = np.frombuffer(content, np.dtype(order + "u8"))
    longs: bytes = np.minimum(values, (1 << 32) - 1).astype(np.dtype(order + "u4")).tobytes()
    return longs


def _entries(data: bytes, order: str) -> dict[int, _Entry]:
    """Read the first page's directory; of a tag that comes twice the first counts."""
    big = data[2:4] in (b"+\0", b"\0+")
    count_layout, entry_layout, inline = ("Q", "HHQ", 8) if big else ("H", "HHI", 4)
    (directory,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    if directory >= len(data):
        raise BadImageError("is truncated: the file ends before its header")
    (number,) = struct.unpack_from(order + count_layout, data, directory)
    if number > _MOST_ENTRIES:
        raise BadImageError(f"is damaged: the TIFF declares {number:,} tags")
    entries: dict[int, _Entry] = {}
    width = struct.calcsize("=" + entry_layout)
    first = directory + struct.calcsize("=" + count_layout)
    for position in range(first, first + (width + inline) * number, width + inline):
        tag, kind, count = struct.unpack_from(order + entry_layout, data, position)
        start = position + width
        if count * _SIZES.get(kind, 1) > inline:
            (start,) = struct.unpack_from(order + ("Q" if big else "I"), data, start)
        elif start + inline > len(data):
            raise BadImageError("is truncated: the file ends inside its header")
        entries.setdefault(tag, _Entry(kind, count, start))
    return entries
