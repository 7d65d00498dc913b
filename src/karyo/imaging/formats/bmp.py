"""BMP (Microsoft, BITMAPFILEHEADER and BITMAPINFOHEADER): uncompressed, with bit fields or run lengths."""

import struct

from karyo.imaging.formats.essence import BadImageError, Essence, check_size, check_volume

START = b"BM"

_OLD_HEADER = 12
_DEPTHS = (1, 4, 8, 16, 24, 32)
_PLAIN, _FIELDS = 0, 3
_RUNS = {1: 8, 2: 4}
_RUN_MOST = 128
"""Two bytes make at most 255 pixels."""


def read_bmp(data: bytes, max_pixels: int) -> Essence:
    """Check a BMP file.

    Args:
        data: The whole file.
        max_pixels: Largest width times height that is accepted.

    Raises:
        BadImageError: If it is truncated, damaged or too large.
        struct.error: If it ends inside its header.
    """
    declared, first, header = struct.unpack_from("<I4xII", data, 2)
    layout = "<HHHH" if header == _OLD_HEADER else "<iiHHI"
    width, signed_height, _, bits, *compressions = struct.unpack_from(layout, data, 18)
    compression, height = (compressions or [_PLAIN])[0], abs(signed_height)
    check_size(width, height, max_pixels)
    if bits not in _DEPTHS or compression not in (_PLAIN, _FIELDS, *_RUNS) or _RUNS.get(compression, bits) != bits:
        raise BadImageError("is damaged or of a kind that cannot be decoded")
    if first < 14 + header:
        raise BadImageError("is damaged: the BMP's pixels begin inside its header")
    row = (width * bits + 31) // 32 * 4
    if (declared if compression in _RUNS else first + row * height) > len(data):
        raise BadImageError("is truncated: the file ends inside its pixels")
    if compression in _RUNS:
        check_volume(len(data) - first, width * height, _RUN_MOST)
    return Essence(width, height, data)
