"""Feed the image reader with mutations of whole files: `python fuzzing_reader.py SEED COUNT LAST_INPUT [SECONDS]`.

Run in a process of its own: a decoder that crashes takes the process with it, and the file LAST_INPUT then holds what
it died of. Prints what happened as JSON.
"""

import json
import sys
import time
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
from hostile import chunk, encoded, peak_mb, picture, rare, scanned_jpeg
from PIL import Image

from karyo.errors import DataError
from karyo.imaging.read import decode_grey

INTERESTING = (
    0,
    1,
    2,
    7,
    8,
    16,
    32,
    64,
    127,
    128,
    255,
    256,
    1024,
    4096,
    32767,
    32768,
    65535,
    2**31 - 1,
    2**31,
    2**32 - 1,
)
MAX_PIXELS = 1_000_000


def seeds() -> list[bytes]:
    """Whole files of every kind that is read."""
    grey, small = picture(), picture(9, 7)
    colour = Image.fromarray(np.stack([grey, 255 - grey, grey], axis=-1))
    compressions = ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
    fax = [encoded(colour.convert("1"), "TIFF", compression=name) for name in ("group3", "group4", "tiff_ccitt")]
    modes = [
        encoded(colour.convert(mode), kind) for kind in ("TIFF", "PNG", "BMP") for mode in ("1", "P", "RGB", "RGBA")
    ]
    return [
        *(encoded(small, kind) for kind in ("TIFF", "PNG", "BMP", "JPEG")),
        *(encoded(colour.convert(mode), "TIFF", compression=name) for name in compressions for mode in ("L", "RGB")),
        *(encoded(colour.convert(mode), "JPEG", progressive=late) for mode in ("L", "RGB", "CMYK") for late in (0, 1)),
        *(encoded(grey.astype(np.uint16) * 257, kind) for kind in ("TIFF", "PNG")),
        encoded(colour.convert("YCbCr"), "TIFF", compression="jpeg"),
        encoded(colour.convert("CMYK"), "TIFF"),
        scanned_jpeg(5),
        *fax,
        *modes,
        *(content for content in rare().values() if len(content) < 10_000),
    ]


def mutated(random: np.random.Generator, files: list[bytes]) -> bytes:
    """One of the files with a few things changed."""
    content = bytearray(files[random.integers(len(files))])
    for _ in range(1 + int(random.geometric(0.5))):
        _change(random, content, files)
    if content[:4] == b"\x89PNG" and random.random() < 0.8:
        return repaired(bytes(content), random)
    return bytes(content)


def _change(random: np.random.Generator, content: bytearray, files: list[bytes]) -> None:
    if not content:
        return
    # Headers decide most: half of the changes fall into the first or the last hundred bytes.
    reach = min(len(content), 100) if random.random() < 0.5 else len(content)
    place = int(random.integers(reach))
    place = len(content) - 1 - place if random.random() < 0.4 else place
    match int(random.integers(7)):
        case 0:
            content[place] ^= 1 << int(random.integers(8))
        case 1:
            content[place] = int(random.integers(256))
        case 2 | 3:
            width, order = int(random.choice([1, 2, 4])), str(random.choice(["little", "big"]))
            value = int(random.choice(INTERESTING)) & (1 << 8 * width) - 1
            content[place : place + width] = value.to_bytes(width, "little" if order == "little" else "big")
        case 4:
            del content[place : place + int(random.integers(1, 16))]
        case 5:
            content[place:place] = random.bytes(int(random.integers(1, 16)))
        case _:
            other = files[random.integers(len(files))]
            start = int(random.integers(len(other)))
            content[place : place + 32] = other[start : start + 32]


def repaired(content: bytes, random: np.random.Generator) -> bytes:
    """A PNG whose checksums are right again, so that what was changed is looked at."""
    parts, position = [content[:8]], 8
    while position + 12 <= len(content) and len(parts) < 50:
        length = min(int.from_bytes(content[position : position + 4], "big"), len(content) - position - 12)
        kind, body = content[position + 4 : position + 8], content[position + 8 : position + 8 + length]
        if kind == b"IDAT" and random.random() < 0.3:
            body = zlib.compress(random.bytes(int(random.integers(1, 3000))))
        parts.append(chunk(kind, body))
        position += 12 + length
    return b"".join(parts)


def main() -> None:
    seed, count, last = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    deadline = time.monotonic() + float(sys.argv[4]) if len(sys.argv) > 4 else float("inf")
    random, files, found, slowest, reasons = np.random.default_rng(seed), seeds(), Counter[str](), 0.0, Counter[str]()
    for whole in files:
        assert decode_grey(whole, "seed", MAX_PIXELS).ndim == 2
    with last.open("wb", buffering=0) as stream:
        while found["read"] + found["refused"] < count and time.monotonic() < deadline:
            content = mutated(random, files)
            stream.seek(0)
            stream.truncate()
            stream.write(content)
            started = time.monotonic()
            try:
                grey = decode_grey(content, "it", MAX_PIXELS)
                assert grey.dtype == np.uint8
                assert 0 < grey.size <= MAX_PIXELS
                found["read"] += 1
            except DataError as error:
                found["refused"] += 1
                found["of several lines"] += len(str(error).splitlines()) > 1
                reasons[" ".join(str(error).split()[:4])] += 1
            slowest = max(slowest, time.monotonic() - started)
    print(json.dumps({**found, "slowest_s": round(slowest, 3), "peak_mb": round(peak_mb()), "reasons": reasons}))


if __name__ == "__main__":
    main()
