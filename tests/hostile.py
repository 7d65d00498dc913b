"""Makers of image files that are broken, rare, or made to hurt the program that reads them."""

import functools
import io
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

NAMES = (
    "../../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "/absolute.png",
    "two\nlines.png",
    "tab\tand\rreturn.png",
    "bell\x07 and \x1b[31mred.png",
    "nul\x00byte.png",
    "turned\u202egnp.exe",
    "half\udc80surrogate.png",
    "染色体 ü 🧬.png",
    "<script>alert(1)</script>.png",
    "x" * 5000 + ".png",
    "",
    " ",
    ".",
)
"""What a stranger may call a file."""


def peak_mb() -> float:
    """The most memory that this process has held so far, MB.

    Not ``ru_maxrss``: a process inherits that from the one that started it, and a test's is large already.
    """
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def picture(height: int = 40, width: int = 30) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return ((rows * 5 + columns * 3) % 256).astype(np.uint8)


def encoded(image: Image.Image | np.ndarray, kind: str, **settings: object) -> bytes:
    stream = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(stream, kind, **settings)
    return stream.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, pixels: bytes, depth: int = 8, colour: int = 0, extra: Iterable[bytes] = ()) -> bytes:
    """A PNG of whatever size with the given (unpacked) rows, and further chunks before the pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    start = b"\x89PNG\r\n\x1a\n" + head + b"".join(extra)
    return start + chunk(b"IDAT", zlib.compress(pixels, 9)) + chunk(b"IEND", b"")


def zeros(count: int) -> bytes:
    """Zlib data that inflates to so many zeros, made without holding them."""
    packer, block = zlib.compressobj(9), bytes(1 << 20)
    parts = [packer.compress(block) for _ in range(count >> 20)]
    return b"".join([*parts, packer.compress(bytes(count & (1 << 20) - 1)), packer.flush()])


def png_of(width: int, height: int, inflated: int, depth: int = 1) -> bytes:
    """A PNG that declares a size and inflates to so many zeros."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zeros(inflated)) + chunk(b"IEND", b"")


Tag = tuple[int, int, int, bytes]
"""Number, kind, count and the bytes of the values."""


def longs(tag: int, *values: int, order: str = "<") -> Tag:
    return tag, 4, len(values), struct.pack(f"{order}{len(values)}I", *values)


def tiff(tags: Iterable[Tag], body: bytes = b"", order: str = "<", big: bool = False, following: int = 0) -> bytes:
    """A TIFF whose one directory stands after the body, which begins at byte 8 (16 in a BigTIFF)."""
    tags, inline = sorted(tags), 8 if big else 4
    word, first = ("Q", 16) if big else ("I", 8)
    directory = first + len(body) + len(body) % 2
    beyond = directory + (8 + 20 * len(tags) + 8 if big else 2 + 12 * len(tags) + 4)
    entries, outside = struct.pack(order + ("Q" if big else "H"), len(tags)), b""
    for tag, kind, count, content in tags:
        if len(content) > inline:
            outside, content = outside + content, struct.pack(order + word, beyond + len(outside))
        entries += struct.pack(order + "HH" + word, tag, kind, count) + content.ljust(inline, b"\0")
    mark = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "H", 43 if big else 42)
    head = mark + (struct.pack(order + "HHQ", 8, 0, directory) if big else struct.pack(order + "I", directory))
    return head + body + bytes(len(body) % 2) + entries + struct.pack(order + word, following) + outside


def grey_tags(width: int, height: int, stored: int, order: str = "<", first: int = 8) -> list[Tag]:
    """The tags of an uncompressed 8-bit grey TIFF in one strip."""
    values = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: first, 277: 1, 278: height, 279: stored}
    return [longs(tag, value, order=order) for tag, value in values.items()]


def with_tags(tags: Iterable[Tag], *changed: Tag) -> list[Tag]:
    return list({tag[0]: tag for tag in [*tags, *changed]}.values())


def scanned_jpeg(scans: int, side: int = 64) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    whole = encoded(picture(side, side), "JPEG", progressive=True)
    last = whole.rfind(b"\xff\xda")
    return whole[:last] + whole[last:-2] * scans + b"\xff\xd9"


def bmp(width: int, height: int, bits: int = 8, compression: int = 0, body: bytes = b"", header: int = 40) -> bytes:
    palette = b"".join(bytes((grey, grey, grey, 0)) for grey in range(1 << bits)) if bits <= 8 else b""
    first = 14 + 40 + len(palette)
    info = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, len(body), 0, 0, 0, 0)
    return struct.pack("<2sIHHI", b"BM", first + len(body), 0, 0, first) + info + palette + body


def inserted_segments(whole: bytes, marker: int, content: bytes, count: int) -> bytes:
    """A JPEG with so many more segments of a kind after its first two bytes."""
    return whole[:2] + (bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content) * count + whole[2:]


@functools.cache
def refused() -> dict[str, bytes]:
    """Files that no reader should decode, by what is wrong with them. Small, whatever they declare."""
    grey = picture()
    body, plain = grey.tobytes(), grey_tags(30, 40, 1200)
    whole = {kind: encoded(grey, kind) for kind in ("PNG", "JPEG", "TIFF", "BMP")}
    frame = whole["JPEG"].find(b"\xff\xc0")
    lying = whole["JPEG"][: frame + 5] + struct.pack(">HH", 9000, 9000) + whole["JPEG"][frame + 9 :]
    unread = {"jpeg of 65000 x 65000": (65000, 65000), "jpeg of no rows": (0, 30)}
    return {
        **{
            name: whole["JPEG"][: frame + 5] + struct.pack(">HH", *size) + whole["JPEG"][frame + 9 :]
            for name, size in unread.items()
        },
        "empty": b"",
        "zip": b"PK\x03\x04" + bytes(100),
        "html": b"<!DOCTYPE html><html><body>not an image</body></html>",
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><rect width='1e9' height='1e9'/></svg>",
        "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        "gif, animated": encoded(grey, "GIF", save_all=True, append_images=[Image.fromarray(255 - grey)]),
        "webp": b"RIFF\x24\0\0\0WEBPVP8 " + bytes(40),
        "png of 50,000 x 50,000": png_of(50_000, 50_000, 50_000 * 6251),
        "png of 2^31-1 x 1": png_of(2**31 - 1, 1, 100),
        "png of 0 x 0": png_of(0, 0, 10),
        "png of 10,000 x 10,000 without pixels": png_of(10_000, 10_000, 10, depth=8),
        "png whose pixels inflate to 1 GB more": png(30, 40, b"")[:33]
        + chunk(b"IDAT", zeros(1 << 30))
        + chunk(b"IEND", b""),
        "png of 300,000 chunks": whole["PNG"][:33] + chunk(b"teXt", b"") * 300_000 + whole["PNG"][33:],
        "png with an unknown critical chunk": whole["PNG"][:33] + chunk(b"CgBI", b"1234") + whole["PNG"][33:],
        "png with a wrong checksum": whole["PNG"][:50] + bytes([whole["PNG"][50] ^ 1]) + whole["PNG"][51:],
        "jpeg of 9000 x 9000 in 700 bytes": lying,
        "jpeg in 3000 passes": scanned_jpeg(3000),
        "jpeg, arithmetic": whole["JPEG"][: frame + 1] + b"\xc9" + whole["JPEG"][frame + 2 :],
        "jpeg with two frames": whole["JPEG"][:frame] + whole["JPEG"][frame : frame + 13] + whole["JPEG"][frame:],
        "jpeg without a picture": b"\xff\xd8\xff\xd9",
        "jpeg of a segment of length 0": b"\xff\xd8\xff\xe0\0\0" + whole["JPEG"][2:],
        "jpeg of a million fill bytes": b"\xff\xd8" + b"\xff" * 1_000_000,
        "jpeg of 20,000 segments": inserted_segments(whole["JPEG"], 0xFE, b"", 20_000),
        "bmp of -2^31 rows": bmp(30, -(2**31)),
        "bmp of negative width": bmp(-30, 40, body=body),
        "bmp of 60,000 x 60,000": bmp(60_000, 60_000),
        "bmp, run lengths, 9000 x 9000 in nothing": bmp(9000, 9000, compression=1, body=b"\0\1"),
        "bmp of 7 bits": bmp(30, 40, bits=7, body=bytes(2000)),
        "bmp of an unknown compression": bmp(30, 40, compression=77, body=bytes(2000)),
        "tiff of 2^32-1 tags": b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0" + b"\xff" * 8 + bytes(60),
        "tiff of 65535 tags": b"II*\0\x08\0\0\0\xff\xff" + bytes(60),
        "tiff whose directory lies beyond": b"II*\0\xff\xff\xff\x7f" + bytes(60),
        "tiff of four billion depths": tiff(with_tags(plain, (320, 3, 2**32 - 1, bytes(4))), body),
        "tiff of 50,000 x 50,000": tiff(with_tags(plain, longs(256, 50_000), longs(257, 50_000)), body),
        "tiff that stores too little": tiff(with_tags(plain, longs(256, 9000), longs(257, 9000)), body),
        "tiff, deflate, that stores too little": tiff(
            with_tags(plain, longs(256, 9000), longs(257, 9000), longs(278, 9000), longs(259, 8)), body
        ),
        "tiff of one tile of 65,000 x 65,000": tiff(
            with_tags(plain, longs(322, 65_008), longs(323, 65_008), longs(324, 8), longs(325, 1200)), body
        ),
        "tiff of strips over the same bytes": tiff(
            with_tags(plain, longs(278, 1), longs(273, *[8] * 40), longs(279, *[1200] * 40)), body
        ),
        "tiff without places": tiff([tag for tag in plain if tag[0] not in (273, 279)], body),
        "tiff of 32-bit numbers": encoded(Image.fromarray(grey.astype(np.int32)), "TIFF"),
        "tiff of floating-point numbers": encoded(Image.fromarray(grey.astype(np.float32)), "TIFF"),
        "tiff of 64-bit numbers": tiff(with_tags(plain, longs(258, 64)), body * 8),
        "tiff in ZSTD": encoded(grey, "TIFF", compression="zstd"),
        "tiff of 2000 channels": tiff(with_tags(plain, longs(277, 2000)), body),
        "tiff of different depths": tiff(with_tags(plain, longs(277, 3), longs(258, 8, 16, 8)), body * 4),
    }


@functools.cache
def rare() -> dict[str, bytes]:
    """Files that are odd but whole: each shows :func:`picture`, exactly."""
    grey = picture()
    body, plain = grey.tobytes(), grey_tags(30, 40, 1200)
    whole = {kind: encoded(grey, kind) for kind in ("PNG", "TIFF", "BMP")}
    other = Image.fromarray(255 - grey)
    rows = b"".join(b"\0" + row.tobytes() for row in grey)
    tiles = np.pad(grey, ((0, 24), (0, 2)), mode="edge").tobytes()
    tile_tags = [tag for tag in plain if tag[0] not in (273, 278, 279)]
    planes = [longs(277, 3), longs(262, 2), longs(284, 2), longs(273, 8, 1208, 2408), longs(279, 1200, 1200, 1200)]
    return {
        "apng": encoded(grey, "PNG", save_all=True, append_images=[other]),
        "tiff of three pages": encoded(grey, "TIFF", save_all=True, append_images=[other, other]),
        "tiff whose next page is itself": tiff(plain, body, following=8 + len(body)),
        "tiff whose EXIF is itself": tiff(with_tags(plain, longs(34665, 8 + len(body))), body),
        "tiff with private tags of four billion values": tiff([*plain, (65000, 2, 2**32 - 1, bytes(4))], body),
        "tiff, big-endian": tiff(grey_tags(30, 40, 1200, order=">"), body, order=">"),
        "tiff, BigTIFF": tiff(grey_tags(30, 40, 1200, first=16), body, big=True),
        "tiff, BigTIFF, big-endian": tiff(grey_tags(30, 40, 1200, ">", 16), body, ">", big=True),
        "tiff, BigTIFF, 64-bit values": tiff(
            [
                (tag, 16, count, struct.pack("<Q", int.from_bytes(content, "little")))
                for tag, _, count, content in grey_tags(30, 40, 1200, first=16)
            ],
            body,
            big=True,
        ),
        "tiff, tiled": tiff(
            [*tile_tags, longs(322, 32), longs(323, 32), longs(324, 8, 1032), longs(325, 1024, 1024)], tiles
        ),
        "tiff, planar RGB": tiff(with_tags(plain, *planes, longs(258, 8, 8, 8)), body * 3),
        "tiff of one row a strip": tiff(
            with_tags(plain, longs(278, 1), longs(273, *range(8, 1208, 30)), longs(279, *[30] * 40)), body
        ),
        "tiff without byte counts": tiff([tag for tag in plain if tag[0] != 279], body),
        "tiff, white is zero": tiff(with_tags(plain, longs(262, 0)), (255 - grey).tobytes()),
        "png with a text of 200 MB": png(30, 40, rows, extra=[chunk(b"zTXt", b"note\0\0" + zeros(200_000_000))]),
        "png with a profile of 200 MB": png(30, 40, rows, extra=[chunk(b"iCCP", b"note\0\0" + zeros(200_000_000))]),
        "png with 1000 texts": png(30, 40, rows, extra=[chunk(b"zTXt", b"note\0\0" + zeros(4_000_000))] * 1000),
        "png with bytes after its end": whole["PNG"] + bytes(1000),
        "bmp, top down": bmp(30, -40, body=b"".join(row.tobytes() + bytes(2) for row in grey)),
        "bmp, run lengths": bmp(
            30,
            40,
            compression=1,
            body=b"".join(b"".join(bytes((1, value)) for value in row) + b"\0\0" for row in grey[::-1]) + b"\0\1",
        ),
    }
