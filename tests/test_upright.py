"""Chromosomes upright, short arm up: which end is which, what they look like, and where nothing tells."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.data.ideogram import load_ideogram
from karyo.data.synthetic.chromosome import DrawnChromosome, draw_chromosome
from karyo.data.synthetic.style import CellSettings
from karyo.errors import SettingsError
from karyo.imaging.profile import band_profile
from karyo.imaging.straighten import find_axis
from karyo.karyotype.cell import Upright
from karyo.karyotype.short_arm import direction_evidence, short_arm_first
from karyo.karyotype.upright import stand_upright

Picture = NDArray[np.uint8]
EASY = CellSettings(difficulty=0.0)


@pytest.fixture(scope="module")
def drawn() -> list[DrawnChromosome]:
    """Two drawings of each class, short arm up."""
    return [draw_chromosome(label, seed, settings=EASY) for label in range(len(CLASSES)) for seed in (1, 2)]


def rotated(grey: Picture, degrees: float, ground: int = 255) -> Picture:
    side = int(np.hypot(*grey.shape)) + 8
    middle = (grey.shape[1] / 2, grey.shape[0] / 2)
    matrix = cv2.getRotationMatrix2D(middle, degrees, 1.0)
    matrix[:, 2] += side / 2 - np.array(middle)
    turned = cv2.warpAffine(grey, matrix, (side, side), flags=cv2.INTER_CUBIC, borderValue=ground)
    return np.asarray(turned, np.uint8)


def ground_of(grey: Picture) -> int:
    return int(np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])))


def likeness(first: Picture, second: Picture) -> float:
    """Correlate two pictures at the best shift."""
    height, width = (max(pair) + 6 for pair in zip(first.shape, second.shape, strict=True))
    ground = np.zeros((height, width), np.float32)
    top, left = (height - first.shape[0]) // 2, (width - first.shape[1]) // 2
    ground[top : top + first.shape[0], left : left + first.shape[1]] = first
    return float(cv2.matchTemplate(np.pad(ground, 4), second.astype(np.float32), cv2.TM_CCORR_NORMED).max())


def test_the_short_arm_comes_up_whichever_end_was_up(drawn: list[DrawnChromosome]) -> None:
    upside_down = [stand_upright(each.image[::-1, ::-1].copy(), each.label) for each in drawn]
    as_drawn = [stand_upright(each.image, each.label) for each in drawn]
    right = [again.flipped and not first.flipped for first, again in zip(as_drawn, upside_down, strict=True)]
    assert np.mean(right) >= 0.95
    for first, again, fine in zip(as_drawn, upside_down, right, strict=True):
        assert not fine or likeness(first.picture, again.picture) > 0.99
    assert np.mean([each.certainty for each in as_drawn]) > 0.9


def test_certainty_is_that_of_the_direction(drawn: list[DrawnChromosome]) -> None:
    for each in drawn[::5]:
        first, again = (stand_upright(grey, each.label) for grey in (each.image, each.image[::-1, ::-1].copy()))
        assert 0.5 <= first.certainty <= 1
        assert again.certainty == pytest.approx(first.certainty, abs=0.1)


@pytest.mark.parametrize("degrees", [37, 90, 141, 208, 300])
def test_it_stands_upright_however_it_lay(drawn: list[DrawnChromosome], degrees: float) -> None:
    right = 0
    some = [each for each in drawn if each.label in (0, 3, 5, 8, 12, 15, 22)]
    for each in some:
        shown = stand_upright(rotated(each.image, degrees, ground_of(each.image)), each.label)
        assert shown.picture.shape[0] > shown.picture.shape[1]
        right += likeness(shown.picture, stand_upright(each.image, each.label).picture) > 0.93
    assert right >= 0.9 * len(some)


def test_the_scale_is_kept_and_the_centromere_is_in_its_place(drawn: list[DrawnChromosome]) -> None:
    for each in drawn:
        shown = stand_upright(each.image, each.label)
        length = float(np.hypot(*np.diff(each.centre_line, axis=0).T).sum())
        assert abs(shown.picture.shape[0] - length) < 0.12 * length + 8
        rows = np.flatnonzero(shown.mask.any(axis=1))
        place = (shown.centromere - rows[0]) / (rows[-1] + 1 - rows[0])
        if not shown.flipped:
            assert abs(place - load_ideogram(550)[each.label].centromere) < 0.16


def test_what_is_really_bent_is_unbent_and_what_is_straight_only_turned() -> None:
    bent = _bow(120, 14, 1.6)
    shown = stand_upright(bent, None)
    assert shown.picture.shape[0] > 1.08 * max(cv2.minAreaRect(np.argwhere(bent < 128).astype(np.float32))[1])
    assert shown.picture.shape[1] < 14 + 12
    straight = shown.picture.shape[1]
    assert stand_upright(_bow(120, 14, 0.35), None).picture.shape[1] >= straight + 2


def _bow(length: float, width: int, turn: float) -> Picture:
    """Draw a dark bow on white that turns by so many radians."""
    angles = np.linspace(-turn / 2, turn / 2, 200)
    places = length / turn * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    places += 20 - places.min(axis=0)
    size = np.ceil(places.max(axis=0)).astype(int) + 20
    canvas = np.full((size[1], size[0]), 255, np.uint8)
    cv2.polylines(canvas, [np.round(places * 16).astype(np.int32)], False, 40, width, cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), 1.0), np.uint8)


def test_bright_and_dark_ground_look_alike(drawn: list[DrawnChromosome]) -> None:
    for each in drawn[::7]:
        bright, dark = (
            stand_upright(each.image, each.label, "bright"),
            stand_upright(255 - each.image, each.label, "dark"),
        )
        assert np.array_equal(bright.picture, dark.picture)
        assert np.array_equal(stand_upright(each.image, each.label).picture, bright.picture)
        assert bright.centromere == dark.centromere


def test_the_rim_fades_out(drawn: list[DrawnChromosome]) -> None:
    for each in drawn:
        shown = stand_upright(rotated(each.image, 33, ground_of(each.image)), each.label)
        assert not shown.picture[~shown.mask].any()
        assert not np.concatenate(
            [shown.picture[0], shown.picture[-1], shown.picture[:, 0], shown.picture[:, -1]]
        ).any()
        inner = cv2.erode(shown.mask.view(np.uint8), np.ones((3, 3), np.uint8)) > 0
        edge = shown.picture[shown.mask & ~inner]
        assert np.quantile(edge, 0.9) < 0.25 * np.quantile(shown.picture[inner], 0.9)


def test_what_is_given_as_upright_is_neither_turned_nor_flipped(drawn: list[DrawnChromosome]) -> None:
    for each in drawn[::4]:
        for grey in (each.image, each.image[::-1, ::-1].copy(), rotated(each.image, 60, ground_of(each.image))):
            shown = stand_upright(grey, each.label, trusted_upright=True)
            assert not shown.flipped
            lifted = 255 - grey
            best = cv2.matchTemplate(np.pad(lifted, 8), shown.picture, cv2.TM_CCOEFF_NORMED).max()
            assert best > 0.97
    each = drawn[12]
    up, down = (
        stand_upright(grey, each.label, trusted_upright=True) for grey in (each.image, each.image[::-1, ::-1].copy())
    )
    assert up.certainty > 0.99 > down.certainty


def test_the_centromere_of_a_given_one_is_where_it_stands(drawn: list[DrawnChromosome]) -> None:
    each = next(item for item in drawn if item.label == 3)
    up = stand_upright(each.image, each.label, trusted_upright=True)
    assert up.centromere < 0.45 * up.picture.shape[0]


def test_without_a_class_the_waist_decides() -> None:
    right = []
    for seed in range(12):
        grey = draw_chromosome((3, 5, 9, 17)[seed % 4], seed, settings=EASY).image
        right += [not stand_upright(grey, None).flipped, stand_upright(grey[::-1, ::-1].copy(), None).flipped]
    assert np.mean(right) >= 0.9
    oval = np.full((60, 40), 255, np.uint8)
    cv2.ellipse(oval, (20, 30), (8, 20), 0, 0, 360, 30, -1)
    assert stand_upright(oval, None).certainty == pytest.approx(0.5, abs=0.1)


def test_satellites_are_kept_and_other_objects_are_not() -> None:
    grey = np.full((90, 60), 255, np.uint8)
    grey[30:70, 20:32] = 60
    grey[24:27, 22:30] = 60
    grey[40:70, 48:56] = 60
    shown = stand_upright(grey, 12, trusted_upright=True)
    assert 45 < shown.picture.shape[0] < 55
    assert shown.picture.shape[1] < 22


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (50, 30)])
def test_an_image_without_an_object_is_given_back(value: int, shape: tuple[int, int]) -> None:
    for trusted in (False, True):
        shown = stand_upright(np.full(shape, value, np.uint8), 4, trusted_upright=trusted)
        assert shown.picture.shape == shown.mask.shape == shape
        assert not shown.mask.any()
        assert not shown.picture.any()
        assert shown.certainty == 0.5


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 60), st.sampled_from([None, *range(24)]))
def test_any_picture_gives_a_sound_answer(seed: int, height: int, width: int, label: int | None) -> None:
    rng = np.random.default_rng(seed)
    grey = rng.integers(0, 256, (height, width)).astype(np.uint8)
    if seed % 2:
        grey = np.where(cv2.blur(grey, (9, 9)) > 128, 240, 30).astype(np.uint8)
    for trusted in (False, True):
        _check(stand_upright(grey, label, trusted_upright=trusted))


def _check(shown: Upright) -> None:
    assert shown.picture.dtype == np.uint8
    assert shown.mask.dtype == np.bool_
    assert shown.picture.shape == shown.mask.shape
    assert 0 <= shown.centromere <= shown.picture.shape[0]
    assert 0.5 <= shown.certainty <= 1 or not shown.flipped
    assert 0 <= shown.certainty <= 1


def test_evidence_turns_its_sign_when_the_axis_is_reversed(drawn: list[DrawnChromosome]) -> None:
    for each in drawn[::3]:
        axis = find_axis(each.mask)
        assert axis is not None
        profile = band_profile(255 - each.image, axis)
        there = direction_evidence(axis, profile, each.label)
        back = direction_evidence(axis.reversed(), profile[::-1], each.label)
        np.testing.assert_allclose(there, -back, atol=2e-3)
        odds = short_arm_first(axis, profile, None)
        assert odds == pytest.approx(-short_arm_first(axis.reversed(), profile[::-1], None), abs=1e-6)


def test_wrong_arguments_are_refused() -> None:
    grey = np.full((20, 20), 255, np.uint8)
    with pytest.raises(ValueError, match="a class"):
        stand_upright(grey, 24)
    with pytest.raises(SettingsError, match="polarity"):
        stand_upright(grey, 1, "grey")
