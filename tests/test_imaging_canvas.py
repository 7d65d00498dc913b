"""Polarity, crop, canvas and the preparation that joins them."""

import json

import cv2
import numpy as np
import pytest

from karyo.errors import SettingsError
from karyo.imaging.canvas import Letterbox, Pad, Ruler, Stretch, rescale_rulers, resize, ruler_columns
from karyo.imaging.crop import crop_to_object, object_box
from karyo.imaging.polarity import background_is_bright, background_level, normalise_polarity
from karyo.imaging.preparation import CANVASES, Preparation


def chromosome(width: int = 20, height: int = 80, border: int = 10, level: int = 0) -> np.ndarray:
    """A banded rod with round ends, bright on a dark ground."""
    image = np.zeros((height + 2 * border, width + 2 * border), np.uint8)
    axes = (width // 2 - 1, height // 2 - 1)
    cv2.ellipse(image, (border + width // 2, border + height // 2), axes, 0, 0, 360, 255, -1)
    bands = 150 + 80 * np.sin(np.arange(image.shape[0]) / 4)
    return np.where(image > 0, bands[:, None], level).astype(np.uint8)


@pytest.mark.parametrize("border", [0, 1, 10, 60])
@pytest.mark.parametrize("level", [0, 30])
def test_polarity_is_found_whatever_the_crop(border: int, level: int) -> None:
    image = chromosome(border=border, level=level)
    assert not background_is_bright(image)
    assert background_is_bright(255 - image)


@pytest.mark.parametrize(("value", "bright"), [(0, False), (255, True), (127, False), (128, True)])
def test_constant_image_is_background(value: int, bright: bool) -> None:
    assert background_is_bright(np.full((9, 7), value, np.uint8)) is bright


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_tiny_images_survive_everything(shape: tuple[int, int]) -> None:
    image = np.arange(shape[0] * shape[1], dtype=np.uint8).reshape(shape)
    for canvas in CANVASES:
        assert Preparation(16, canvas)(image).shape == (16, 16)


def test_known_polarity_is_believed() -> None:
    image = chromosome()
    assert np.array_equal(normalise_polarity(image, "bright"), 255 - image)
    assert np.array_equal(normalise_polarity(255 - image, "dark"), 255 - image)
    assert np.array_equal(normalise_polarity(255 - image, "auto"), image)
    with pytest.raises(SettingsError, match="polarity must be one of auto, bright, dark"):
        normalise_polarity(image, "white")


def test_background_level_is_that_of_the_ground() -> None:
    assert background_level(chromosome(level=37)) == 37
    assert background_level(chromosome(level=37, border=0)) == 37


def test_crop_finds_the_object_and_ignores_specks() -> None:
    image = chromosome(width=20, height=80, border=30)
    image[2:4, 2:4] = 255
    noisy = np.maximum(image, np.random.default_rng(0).integers(0, 20, image.shape).astype(np.uint8))
    left, top, right, bottom = object_box(noisy, margin=0)
    assert abs(left - 31) <= 1
    assert abs(top - 31) <= 1
    assert abs(right - 50) <= 1
    assert abs(bottom - 110) <= 1
    assert crop_to_object(noisy, margin=3).shape == (bottom - top + 6, right - left + 6)


def test_crop_keeps_separate_large_parts_and_constant_images() -> None:
    image = np.zeros((60, 40), np.uint8)
    image[5:20, 10:20] = 200
    image[40:50, 10:20] = 200
    assert crop_to_object(image, margin=0).shape == (45, 10)
    constant = np.full((8, 9), 50, np.uint8)
    assert np.array_equal(crop_to_object(constant), constant)


def test_pad_keeps_relative_lengths() -> None:
    long, short = (Pad(extent=160)(chromosome(20, height, border=0), 80) for height in (120, 40))
    lengths = [int((image.max(axis=1) > 60).sum()) for image in (long, short)]
    assert lengths[0] / lengths[1] == pytest.approx(3, rel=0.1)
    assert lengths[0] == pytest.approx(59, abs=2)


def test_pad_shrinks_what_is_longer_than_its_extent() -> None:
    image = np.full((300, 30), 200, np.uint8)
    image[:, :3] = 0
    fitted = Pad(extent=100)(image, 50)
    assert fitted.shape == (50, 50)
    assert (fitted.max(axis=1) > 100).all()


def test_letterbox_keeps_proportions_and_fills_with_the_background() -> None:
    image = np.full((80, 20), 12, np.uint8)
    image[1:-1, 1:-1] = 220
    fitted = Letterbox()(image, 40)
    assert (fitted[:, :14] == 12).all()
    assert int((fitted[20] > 100).sum()) == pytest.approx(9, abs=1)
    assert int((fitted[:, 20] > 100).sum()) == pytest.approx(39, abs=1)


def test_stretch_fills_the_square() -> None:
    image = np.full((80, 20), 220, np.uint8)
    assert (Stretch()(image, 33) == 220).all()


def bar_of(image: np.ndarray) -> tuple[float, float]:
    """Height and width of a ruler's bar in pixels, fractions from its grey edges."""
    strip = image[:, -ruler_columns(len(image)) :] / 255
    return float(strip[:, 0].sum()), float(strip[0].sum())


@pytest.mark.parametrize("size", [8, 96, 224])
@pytest.mark.parametrize(("width", "height"), [(20, 80), (31, 40), (57, 152)])
def test_a_ruler_tells_the_true_size_beside_the_stretched_picture(size: int, width: int, height: int) -> None:
    image = Ruler(extent=152)(np.full((height, width), 77, np.uint8), size)
    strip = ruler_columns(size)
    assert (image[:, : size - strip] == 77).all()
    tall, broad = bar_of(image)
    assert tall == pytest.approx(max(height / 152 * size, 1), abs=0.05)
    assert broad == pytest.approx(max(width / 57 * strip, 1), abs=0.05)


def test_a_ruler_ends_with_its_strip() -> None:
    assert bar_of(Ruler(extent=10)(np.full((400, 300), 9, np.uint8), 96)) == (96, 12)
    assert bar_of(Ruler(extent=10_000)(np.full((4, 3), 9, np.uint8), 96)) == (1, 1)


def test_a_rescaled_ruler_is_that_of_a_rescaled_image() -> None:
    strips = np.stack([Ruler(152)(np.zeros(shape, np.uint8), 96)[:, -12:] for shape in ((60, 30), (80, 20))])
    other = np.stack([Ruler(152)(np.zeros(shape, np.uint8), 96)[:, -12:] for shape in ((75, 38), (40, 10))])
    rescaled = rescale_rulers(strips, np.array([1.25, 0.5]))
    assert np.abs(rescaled.astype(int) - other).max() < 32
    assert np.array_equal(rescale_rulers(strips, np.ones(2)), strips)


def test_resize_averages_the_side_that_shrinks_though_the_other_grows() -> None:
    stripes = np.tile(np.array([[0], [255]], np.uint8), (100, 10))
    assert np.abs(resize(stripes, 30, 20).astype(int) - 128).max() <= 1


@pytest.mark.parametrize("canvas", CANVASES)
def test_preparation_is_blind_to_polarity_exposure_and_empty_border(canvas: str) -> None:
    prepare = Preparation(48, canvas)
    image = chromosome(border=5)
    assert np.array_equal(prepare(image), prepare(255 - image))
    assert np.array_equal(prepare(image), prepare(np.pad(image, 40)))
    brighter = prepare(chromosome(border=5, level=40))
    assert brighter.min() == 0
    assert np.median(brighter[:2]) == 0


def test_preparation_survives_as_primitives() -> None:
    preparation = Preparation(64, "pad", 120, "dark", crop=False)
    assert Preparation.from_dict(preparation.to_dict()) == preparation
    assert json.loads(json.dumps(preparation.to_dict())) == preparation.to_dict()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 0}, "image_size must be"),
        ({"size": 5000}, "image_size must be"),
        ({"size": 96.0}, "image_size must be"),
        ({"size": True}, "image_size must be"),
        ({"size": 96, "canvas": "squash"}, "canvas must be one of stretch, letterbox, pad, ruler"),
        ({"size": 96, "extent": 0}, "extent must be"),
        ({"size": 96, "polarity": "white"}, "polarity must be one of"),
        ({"size": 96, "crop": "yes"}, "crop must be true or false"),
        ({"size": 96, "colour": 1}, "no setting 'colour'"),
        ({"canvas": "pad"}, "needs its size"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Preparation.from_dict(settings)
