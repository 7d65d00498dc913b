"""Reading image files: every kind a laboratory has, and every way in which one can be broken."""

import io
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from karyo.errors import DataError
from karyo.imaging.read import decode_grey, read_grey


def picture(height: int = 40, width: int = 30) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return ((rows * 5 + columns * 3) % 256).astype(np.uint8)


def encoded(image: Image.Image, kind: str, **settings: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
    return stream.getvalue()


def two_strip_tiff(pixels: np.ndarray) -> bytes:
    """A TIFF that declares two strips though the first holds the whole image and the second lies past the end."""
    height, width = pixels.shape
    strips = 8 + pixels.size
    directory = strips + 16
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 2, strips),
        (277, 3, 1, 1),
        (278, 4, 1, height),
        (279, 4, 2, strips + 8),
        (33333, 4, 1, 79),
    ]
    body = struct.pack("<4I", 8, 8 + pixels.size, pixels.size, pixels.size)
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    head = b"II*\0" + struct.pack("<I", directory)
    return head + pixels.tobytes() + body + struct.pack("<H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("BMP", {}), ("PNG", {})],
    ids=["tiff", "tiff-lzw", "bmp", "png"],
)
@pytest.mark.parametrize("mode", ["L", "RGB", "P", "RGBA"])
def test_lossless_files_read_exactly(tmp_path: Path, kind: str, settings: dict[str, str], mode: str) -> None:
    grey = picture()
    colour = Image.fromarray(np.stack([grey] * 3, axis=-1))
    image = colour.quantize(256, dither=Image.Dither.NONE) if mode == "P" else colour.convert(mode)
    expected = np.asarray(image.convert("L")) if mode == "P" else grey
    path = tmp_path / f"image.{kind.lower()}"
    path.write_bytes(encoded(image, kind, **settings))
    read = read_grey(path)
    assert read.dtype == np.uint8
    assert np.abs(read.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_reads_nearly_exactly(progressive: bool) -> None:
    smooth = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (48, 1))
    data = encoded(Image.fromarray(smooth), "JPEG", quality=95, progressive=progressive)
    assert np.abs(decode_grey(data, "it").astype(int) - smooth).max() <= 6


@pytest.mark.parametrize(("bits", "kind"), [(16, "PNG"), (12, "PNG"), (10, "TIFF"), (16, "TIFF")])
def test_deep_images_are_scaled_by_the_cameras_range(bits: int, kind: str) -> None:
    deep = np.linspace(0, (1 << bits) - 1, 256).round().astype(np.uint16).reshape(16, 16)
    read = decode_grey(encoded(Image.fromarray(deep), kind), "it")
    assert np.array_equal(read.ravel(), np.arange(256))


def test_alpha_is_composited_over_white_or_the_opaque_border() -> None:
    cut_out = np.zeros((20, 20, 4), np.uint8)
    cut_out[5:15, 5:15] = (90, 90, 90, 255)
    read = decode_grey(encoded(Image.fromarray(cut_out), "PNG"), "it")
    assert read[0, 0] == 255
    assert read[10, 10] == 90
    hole = np.full((20, 20, 4), (40, 40, 40, 255), np.uint8)
    hole[8:12, 8:12] = 0
    assert (decode_grey(encoded(Image.fromarray(hole), "PNG"), "it") == 40).all()


def test_two_strip_tiff_reads_right_and_quietly(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pixels = picture(60, 52)
    path = tmp_path / "1_1_56131_115966_1341591.tiff"
    path.write_bytes(two_strip_tiff(pixels))
    assert np.array_equal(read_grey(path), pixels)
    assert capfd.readouterr() == ("", "")


def test_first_page_of_several_is_read() -> None:
    first, second = Image.fromarray(picture()), Image.fromarray(255 - picture())
    assert np.array_equal(decode_grey(encoded(first, "TIFF", save_all=True, append_images=[second]), "it"), picture())


def test_any_characters_in_the_name(tmp_path: Path) -> None:
    path = tmp_path / "染色体 ü 7.png"
    path.write_bytes(encoded(Image.fromarray(picture()), "PNG"))
    assert np.array_equal(read_grey(path), picture())


@pytest.mark.parametrize("kind", ["TIFF", "BMP", "PNG", "JPEG"])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 0.95])
def test_truncated_files_are_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: str, share: float
) -> None:
    whole = encoded(Image.fromarray(picture(80, 60)), kind)
    path = tmp_path / "cut.img"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match=r"cut\.img is (truncated|damaged)"):
        read_grey(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"not a picture at all", "is not an image"),
        (b"GIF89a" + bytes(40), "is not an image"),
        (b"\x89PNG\r\n\x1a\n", "is truncated"),
        (b"BM" + bytes(60), "impossible size"),
    ],
)
def test_what_is_no_image_is_refused_with_a_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "bad.tiff"
    path.write_bytes(content)
    with pytest.raises(DataError, match=reason) as caught:
        read_grey(path)
    assert str(path) in str(caught.value)


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.png cannot be read: No such file"):
        read_grey(tmp_path / "absent.png")
    with pytest.raises(DataError, match="cannot be read"):
        read_grey(tmp_path)


def test_declared_size_is_checked_before_decoding(tmp_path: Path) -> None:
    head = struct.pack("<2sIHHI", b"BM", 54, 0, 0, 54)
    bomb = head + struct.pack("<IiiHHIIiiII", 40, 60_000, 60_000, 1, 8, 0, 0, 0, 0, 0, 0)
    (tmp_path / "bomb.bmp").write_bytes(bomb)
    with pytest.raises(DataError, match="too large: 60000 x 60000"):
        read_grey(tmp_path / "bomb.bmp")
    with pytest.raises(DataError, match="too large: 30 x 40"):
        decode_grey(encoded(Image.fromarray(picture()), "PNG"), "it", max_pixels=1199)
    assert decode_grey(encoded(Image.fromarray(picture()), "PNG"), "it", max_pixels=1200).shape == (40, 30)
    (tmp_path / "long.png").write_bytes(bytes(1000))
    with pytest.raises(DataError, match="too large: 1,000 bytes"):
        read_grey(tmp_path / "long.png", max_pixels=100)


def test_damage_never_escapes_as_another_error() -> None:
    random = np.random.default_rng(0)
    for kind in ("TIFF", "BMP", "PNG"):
        whole = np.frombuffer(encoded(Image.fromarray(picture()), kind), np.uint8)
        for _ in range(100):
            broken = whole.copy()
            broken[random.integers(0, len(broken), 4)] = random.integers(0, 256, 4)
            with suppress(DataError):
                assert decode_grey(broken.tobytes(), "it").ndim == 2
