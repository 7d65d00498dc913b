"""Explanations: the part that decides is the part that is coloured."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from exported import SIZE, tiny_model
from numpy.typing import NDArray

from karyo.data.synthetic import draw_chromosome
from karyo.errors import DataError, SettingsError
from karyo.imaging.preparation import Preparation
from karyo.inference import Predictor, load
from karyo.inference.engines import Answer
from karyo.inference.passport import Passport
from karyo.inference.saliency import explain, overlay


@dataclass
class CornerEngine:
    """A model whose only evidence is the brightness of one corner: for class 3 the more, for class 7 the less."""

    size: int = 40
    asked: int = 0

    @property
    def passport(self) -> Passport:
        return Passport("corner", Preparation(self.size, crop=False, polarity="dark"))

    def __call__(self, images: NDArray[np.uint8]) -> Answer:
        assert images.dtype == np.uint8
        assert images.shape[1:] == (self.size, self.size)
        self.asked += len(images)
        corner = images[:, :10, :10].mean(axis=(1, 2)) / 64
        logits = np.zeros((len(images), 24), np.float32)
        logits[:, 2], logits[:, 6] = corner, -corner
        return Answer(logits, None)


@pytest.fixture
def bright() -> NDArray[np.uint8]:
    """A field that is bright everywhere but for its border: nothing in it points to the corner."""
    field = np.full((40, 40), 200, np.uint8)
    field[-1] = field[:, -1] = 0
    return field


def test_covering_the_corner_matters_and_covering_the_rest_does_not(bright: NDArray[np.uint8]) -> None:
    effect = explain(Predictor(CornerEngine()), bright)
    assert effect.shape == (40, 40)
    assert effect.dtype == np.float32
    assert effect[:8, :8].min() > 0.5
    assert np.abs(effect[20:]).max() < 1e-5
    assert np.abs(effect[:, 20:]).max() < 1e-5


def test_what_speaks_for_one_class_speaks_against_another(bright: NDArray[np.uint8]) -> None:
    predictor = Predictor(CornerEngine())
    np.testing.assert_array_equal(explain(predictor, bright, "3"), explain(predictor, bright))
    assert explain(predictor, bright, "7")[:8, :8].max() < -0.5


def test_parts_set_the_work(bright: NDArray[np.uint8]) -> None:
    asked = []
    for parts in (2, 5, 10):
        engine = CornerEngine()
        explain(Predictor(engine), bright, parts=parts)
        asked.append(engine.asked)
    assert asked == sorted(asked)
    assert asked[-1] < 200
    for parts in (1, 0, 41):
        with pytest.raises(SettingsError, match="parts must be from 2 to 40"):
            explain(Predictor(CornerEngine()), bright, parts=parts)


def test_an_unknown_class(bright: NDArray[np.uint8]) -> None:
    with pytest.raises(SettingsError, match="'23' is no class"):
        explain(Predictor(CornerEngine()), bright, "23")


def test_an_exported_model_is_explained(tmp_path: Path) -> None:
    predictor = load(tiny_model(tmp_path))
    prepared = predictor.prepare(draw_chromosome(4, 0).image)
    effect = explain(predictor, prepared)
    assert effect.shape == (SIZE, SIZE)
    assert effect.max() > 0.05
    np.testing.assert_array_equal(effect, explain(predictor, draw_chromosome(4, 0).image))
    with pytest.raises(DataError, match="image 1 is empty"):
        explain(predictor, b"")


def test_the_picture_is_orange_for_and_violet_against_and_grey_for_neither() -> None:
    pixels, effect = np.full((30, 30), 100, np.uint8), np.zeros((30, 30), np.float32)
    effect[:10, :10], effect[20:, 20:] = 2, -2
    picture = overlay(pixels, effect)
    assert picture.shape == (448, 448, 3)
    assert picture.dtype == np.uint8
    red, green, blue = picture[60, 60].tolist()
    assert red > green > blue
    red, green, blue = picture[-60, -60].tolist()
    assert blue > red > green
    assert np.ptp(picture[200:250, 200:250].astype(int), axis=2).max() <= 1
    assert overlay(np.zeros((600, 600), np.uint8), np.zeros((600, 600), np.float32)).min() == 255


@pytest.mark.parametrize("missing", ["torch", "captum.attr"])
def test_without_torch_or_captum_it_says_what_to_install(
    missing: str, bright: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(SettingsError, match=r"explaining needs torch and captum; pip install 'karyo\[explain\]'"):
        explain(Predictor(CornerEngine()), bright)
