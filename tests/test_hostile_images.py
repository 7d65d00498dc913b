"""Image files that are broken, rare or made to hurt: refused in one sentence or read, in little memory and time."""

import io
import json
import os
import resource
import subprocess
import sys
import zlib
from pathlib import Path

import fuzzing_reader
import numpy as np
import psutil
import pytest
from hostile import (
    NAMES,
    chunk,
    encoded,
    grey_tags,
    longs,
    picture,
    png_of,
    rare,
    refused,
    scanned_jpeg,
    tiff,
    with_tags,
)
from PIL import Image, ImageOps

from karyo.errors import DataError
from karyo.imaging.read import decode_grey, read_grey

READ_ALL = """
import json, pathlib, sys, time
sys.path.insert(0, sys.argv[2])
from hostile import peak_mb
from karyo.errors import DataError
from karyo.imaging.read import read_grey
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    before, started = peak_mb(), time.monotonic()
    try:
        read_grey(path)
        outcome = "read"
    except DataError:
        outcome = "refused"
    print(json.dumps([path.name, outcome, round(peak_mb() - before), round(time.monotonic() - started, 2)]))
"""


def assert_refused(content: bytes, name: str = "it") -> str:
    with pytest.raises(DataError) as caught:
        decode_grey(content, name)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 600
    return message


@pytest.mark.parametrize("name", refused())
def test_a_bad_file_is_refused_whatever_its_name_ends_with(tmp_path: Path, name: str) -> None:
    path = tmp_path / "image.tiff"
    path.write_bytes(refused()[name])
    with pytest.raises(DataError) as caught:
        read_grey(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("name", rare())
def test_a_rare_file_is_read_exactly(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert np.array_equal(decode_grey(rare()[name], "it"), picture())
    assert capfd.readouterr() == ("", "")


def test_none_takes_memory_or_time(tmp_path: Path) -> None:
    for number, content in enumerate([*refused().values(), *rare().values()]):
        (tmp_path / f"{number:03}").write_bytes(content)
    (tmp_path / "+first").write_bytes(encoded(picture(), "PNG"))
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL, str(tmp_path), str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(refused()) + len(rare()) + 1
    assert [line for line in lines[1:] if line[2] > 20 or line[3] > 2] == []
    assert done.stderr == ""


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
def test_cut_at_every_length_it_is_refused(kind: str) -> None:
    whole = encoded(picture(), kind)
    # Pillow ends its TIFFs and BMPs with what the pixels need; nothing may be missing.
    for length in range(len(whole)):
        assert_refused(whole[:length])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "L"), ("PNG", "L"), ("TIFF", "L"), ("TIFF", "RGB"), ("TIFF", "I;16")]
)
def test_a_turned_picture_is_turned(kind: str, mode: str, orientation: int) -> None:
    smooth = (np.add.outer(np.arange(40) * 4, np.arange(30) * 2) % 256).astype(np.uint8)
    stored = (
        Image.fromarray(smooth.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(smooth).convert(mode)
    )
    exif = Image.Exif()
    exif[274] = orientation
    content = encoded(stored, kind, exif=exif)
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    expected = np.asarray(shown).astype(int) // 257 if mode == "I;16" else np.asarray(shown.convert("L")).astype(int)
    read = decode_grey(content, "it").astype(int)
    assert read.shape == expected.shape
    assert np.abs(read - expected).max() <= (3 if kind == "JPEG" else 1)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_is_none_changes_nothing(value: int) -> None:
    turned = tiff([*grey_tags(30, 40, 1200), (274, 3, 1, value.to_bytes(2, "little"))], picture().tobytes())
    assert np.array_equal(decode_grey(turned, "it"), picture())


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_is_read_as_it_looks(kind: str) -> None:
    smooth = (np.add.outer(np.arange(40) * 4, np.arange(30) * 2) % 256).astype(np.uint8)
    content = encoded(Image.fromarray(smooth).convert("RGB").convert("CMYK"), kind)
    assert np.abs(decode_grey(content, "it").astype(int) - smooth).max() <= 3


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1)])
def test_the_smallest_and_the_longest_are_read(kind: str, shape: tuple[int, int]) -> None:
    grey = picture(*shape)
    assert np.array_equal(decode_grey(encoded(grey, kind), "it"), grey)


@pytest.mark.parametrize(
    "compression", ["group3", "group4", "tiff_ccitt", "tiff_lzw", "tiff_adobe_deflate", "packbits"]
)
def test_one_bit_is_read(compression: str) -> None:
    black = Image.fromarray(picture()).convert("1")
    expected = np.asarray(black.convert("L"))
    assert np.array_equal(decode_grey(encoded(black, "TIFF", compression=compression), "it"), expected)


def test_interlaced_png_is_read() -> None:
    grey = picture(13, 11)
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    parts = [grey[y::down, x::across] for x, y, across, down in passes]
    rows = b"".join(b"\0" + row.tobytes() for part in parts if part.size for row in part)
    head = chunk(b"IHDR", (11).to_bytes(4, "big") + (13).to_bytes(4, "big") + b"\x08\0\0\0\x01")
    content = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert np.array_equal(decode_grey(content, "it"), grey)


def test_a_bomb_below_the_limit_is_only_as_large_as_allowed() -> None:
    content = png_of(10_000, 10_000, 10_000 * 1251)
    with pytest.raises(DataError, match="at most 99,999,999 pixels"):
        decode_grey(content, "it", 99_999_999)


def test_a_progressive_jpeg_of_some_passes_is_read_and_of_too_many_refused() -> None:
    assert decode_grey(scanned_jpeg(50), "it").shape == (64, 64)
    assert "passes" in assert_refused(scanned_jpeg(101))


@pytest.mark.parametrize("name", NAMES)
def test_names_stay_one_printable_line(name: str) -> None:
    assert_refused(b"nothing", name)
    with pytest.raises(DataError) as caught:
        read_grey(f"/nowhere/at all/{name}")
    assert str(caught.value).isprintable()


def test_a_pipe_a_device_and_a_growing_file_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", Path("/dev/zero")):
        with pytest.raises(DataError, match="is no file"):
            read_grey(path)


def test_overlapping_strips_are_bounded() -> None:
    """A thousand strips over the same megabyte would be read a thousand times."""
    body = bytes(1_000_000)
    strips = [longs(278, 1), longs(273, *[8] * 1000), longs(279, *[len(body)] * 1000), longs(259, 8)]
    assert "same bytes" in assert_refused(tiff(with_tags(grey_tags(30, 1000, 0), *strips), body))


def fuzzed(tmp_path: Path, seed: int, count: int) -> dict[str, int]:
    last = tmp_path / "last"
    done = subprocess.run(
        [sys.executable, fuzzing_reader.__file__, str(seed), str(count), str(last)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30)),
    )
    assert done.returncode == 0, f"died of {last.read_bytes().hex()}: {done.stderr[-2000:]}"
    found: dict[str, int] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("count", [3000, pytest.param(40_000, marks=pytest.mark.slow)])
def test_mutations_never_crash_the_reader(tmp_path: Path, count: int) -> None:
    found = fuzzed(tmp_path, count, count)
    assert found["read"] + found["refused"] == count
    # A fuzzer that breaks everything, or nothing, finds nothing.
    assert found["read"] > count // 10
    assert found["refused"] > count // 10
    assert found.get("of several lines", 0) == 0
    assert found["slowest_s"] < 5
    assert found["peak_mb"] < 300


def test_reading_does_not_leak() -> None:
    files = [*refused().values(), *rare().values()]
    sizes = []
    for _ in range(4):
        for _ in range(10):
            for content in files:
                if len(content) < 100_000:
                    try:
                        decode_grey(content, "it")
                    except DataError:
                        continue
        sizes.append(psutil.Process().memory_info().rss)
    assert sizes[-1] < sizes[0] * 1.05
