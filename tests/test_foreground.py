"""Chromosomes from background, nuclei from chromosomes."""

import numpy as np
import pytest

from karyo.data.synthetic import CellSettings, Spread, SpreadSettings, draw_spread
from karyo.imaging.foreground import foreground, lift, typical_width, without_nuclei
from karyo.imaging.polarity import normalise_polarity


@pytest.fixture(scope="module")
def spread() -> Spread:
    return draw_spread(5, SpreadSettings(width=700, height=600, nuclei=2))


@pytest.fixture(scope="module")
def grey(spread: Spread) -> np.ndarray:
    return normalise_polarity(spread.image)


def truth(spread: Spread) -> np.ndarray:
    return np.any([item.full_mask(*spread.image.shape) for item in spread.chromosomes], axis=0)


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / (first | second).sum())


def test_it_finds_the_chromosomes_and_not_the_nuclei(spread: Spread, grey: np.ndarray) -> None:
    mask = foreground(grey)
    assert (mask & spread.nuclei).sum() > 0.9 * spread.nuclei.sum()
    clean = without_nuclei(mask)
    assert clean.dtype == np.bool_
    assert not (clean & spread.nuclei).any()
    assert overlap(clean, truth(spread)) > 0.8


def test_an_uneven_background_changes_little(grey: np.ndarray) -> None:
    y, x = np.mgrid[: grey.shape[0], : grey.shape[1]]
    uneven = np.clip(grey * 0.7 + 60 * (x / x.max()) + 20 * (y / y.max()) ** 2, 0, 255).astype(np.uint8)
    even = np.clip(grey * 0.7, 0, 255).astype(np.uint8)
    assert overlap(foreground(uneven), foreground(even)) > 0.9


def test_it_works_on_dark_field_and_on_a_crop() -> None:
    drawn = draw_spread(5, SpreadSettings(width=700, height=600, nuclei=0, cell=CellSettings(polarity="dark")))
    grey = normalise_polarity(drawn.image)
    assert overlap(foreground(grey), truth(drawn)) > 0.8
    left, top, right, bottom = drawn.chromosomes[0].box
    window = slice(max(top - 5, 0), bottom + 5), slice(max(left - 5, 0), right + 5)
    assert overlap(foreground(grey[window]), truth(drawn)[window]) > 0.75


def test_specks_go_and_pinholes_close() -> None:
    grey = np.full((120, 120), 10, np.uint8)
    grey[20:90, 40:56] = 180
    grey[50, 47] = 10
    grey[100:102, 100:103] = 200
    mask = foreground(grey)
    assert not mask[95:].any()
    assert mask[50, 47]


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (300, 300), (0, 0), (0, 5)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_constant_pictures_hold_nothing(shape: tuple[int, int], value: int) -> None:
    grey = np.full(shape, value, np.uint8)
    mask = foreground(grey)
    assert mask.shape == shape
    assert not mask.any()
    assert typical_width(mask) == 0
    assert without_nuclei(mask).shape == shape


def test_noise_alone_holds_nothing() -> None:
    noise = np.random.default_rng(0).normal(20, 2, (300, 300)).clip(0, 255).astype(np.uint8)
    assert not foreground(noise).any()


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (2, 2), (3, 5)])
def test_tiny_pictures_survive(shape: tuple[int, int]) -> None:
    grey = np.arange(shape[0] * shape[1], dtype=np.uint8).reshape(shape) * 10
    assert foreground(grey).shape == shape
    assert lift(grey).shape == shape


def test_width_is_that_of_the_chromosomes_not_of_the_nucleus() -> None:
    mask = np.zeros((400, 400), np.bool_)
    for column in range(20, 200, 40):
        mask[20:80, column : column + 14] = True
    y, x = np.mgrid[:400, :400]
    mask |= np.hypot(y - 280, x - 280) < 70
    assert typical_width(mask) == pytest.approx(14, abs=1.5)
    clean = without_nuclei(mask)
    assert not clean[200:].any()
    assert clean[20:80, 20:34].all()


def test_what_touches_a_nucleus_stays() -> None:
    mask = np.zeros((300, 400), np.bool_)
    y, x = np.mgrid[:300, :400]
    mask[30:90, 20:34] = mask[30:90, 60:74] = mask[30:90, 100:114] = True
    mask |= np.hypot(y - 180, x - 200) < 60
    mask[173:187, 255:330] = True
    clean = without_nuclei(mask)
    assert clean[173:187, 280:330].all()
    assert not clean[100:170, 170:230].any()
