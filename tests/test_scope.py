"""What pixels alone tell of an image: empty, too small, several objects, too blurred; and the limits' choice."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from karyo.data.synthetic import CellSettings, draw_cell
from karyo.errors import SettingsError
from karyo.evaluation import misfits
from karyo.exporting.scope import choose_scope
from karyo.imaging.preparation import Preparation
from karyo.imaging.quality import glance, sharpness
from karyo.imaging.steps import State
from karyo.inference.passport import Passport, Scope
from karyo.inference.scope import doubts

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def chromosomes() -> list[Picture]:
    """Give the chromosomes of two drawn cells, one on a bright and one on a dark ground."""
    settings = (CellSettings(polarity="bright"), CellSettings(polarity="dark"))
    return [each.image for seed, setting in enumerate(settings) for each in draw_cell(seed, setting)]


def doubts_of(
    grey: Picture, scope: Scope | None = None, objects: int | None = None, **preparation: str
) -> tuple[str, ...]:
    prepare = Preparation(32, **preparation)  # type: ignore[arg-type]
    return doubts(grey, Passport("network", prepare, scope=scope or Scope()), State(grey, objects=objects))


def test_chromosomes_raise_no_doubt(chromosomes: list[Picture]) -> None:
    scope = choose_scope(chromosomes)
    assert scope.shortest > 5
    assert scope.sharpness > 0.02
    assert scope.distance is None
    assert sum(bool(doubts_of(grey, scope)) for grey in chromosomes) <= 2


@pytest.mark.parametrize("level", [0, 7, 128, 255])
def test_a_blank_image_is_empty_and_nothing_else(level: int) -> None:
    scope = Scope(shortest=10, sharpness=0.5)
    for shape in ((1, 1), (1, 40), (40, 30)):
        assert doubts_of(np.full(shape, level, np.uint8), scope) == ("empty",)


def test_a_faintly_noisy_ground_is_empty() -> None:
    noise = np.random.default_rng(0).normal(40, 3, (60, 50)).clip(0, 255).astype(np.uint8)
    assert doubts_of(noise) == doubts_of(255 - noise) == ("empty",)


def test_too_small_is_measured_on_the_image_as_it_comes() -> None:
    grey = np.zeros((40, 40), np.uint8)
    cv2.rectangle(grey, (10, 5), (14, 24), 200, -1)  # 20 pixels long
    assert doubts_of(grey, Scope(shortest=20)) == ()
    assert doubts_of(grey, Scope(shortest=21)) == ("too_small",)
    assert doubts_of(255 - grey, Scope(shortest=21)) == ("too_small",)


def test_two_apart_are_several_and_a_speck_is_none(chromosomes: list[Picture]) -> None:
    rng = np.random.default_rng(0)
    large = [misfits.lift_chromosome(grey) for grey in chromosomes[:12]]
    for one, other in zip(large[::2], large[1::2], strict=True):
        assert "several_objects" in doubts_of(misfits.two_apart(one, other, rng))
        assert "several_objects" not in doubts_of(np.pad(one, 6))
        # Large enough not to be cleaned away with the noise, too small for a chromosome.
        side = round((0.065 * np.count_nonzero(one)) ** 0.5)
        with_speck = np.pad(one, 20)
        with_speck[4 : 4 + side, 4 : 4 + side] = 255
        assert "several_objects" not in doubts_of(with_speck)


def test_what_the_steps_counted_is_believed(chromosomes: list[Picture]) -> None:
    assert doubts_of(chromosomes[0], objects=1) == ()
    assert doubts_of(chromosomes[0], objects=2) == ("several_objects",)


def test_a_known_background_is_believed() -> None:
    """An object that fills the border looks like the ground, unless the ground is known."""
    frame = np.full((40, 40), 230, np.uint8)
    frame[15:25, 18:22] = 20
    assert doubts_of(frame, Scope(shortest=30), polarity="dark") == ()
    assert doubts_of(frame, Scope(shortest=30), polarity="bright") == ("too_small",)


def test_blurred_ones_are_refused_and_sharp_ones_are_not(chromosomes: list[Picture]) -> None:
    rng = np.random.default_rng(0)
    scope = Scope(sharpness=choose_scope(chromosomes).sharpness)
    lifted = [misfits.lift_chromosome(grey) for grey in chromosomes]
    refused = [doubts_of(misfits.blurred(one, rng), scope) == ("too_blurred",) for one in lifted]
    assert np.mean(refused) > 0.5
    assert np.mean([doubts_of(np.pad(one, 4), scope) == ("too_blurred",) for one in lifted]) < 0.03


def test_sharpness_falls_with_blur_and_hardly_with_exposure_or_size(chromosomes: list[Picture]) -> None:
    def measured(grey: Picture) -> float:
        return glance(grey).sharpness

    for one in (misfits.lift_chromosome(grey) for grey in chromosomes[:20:4]):
        framed = np.pad(one, 12)
        series = [measured(np.asarray(cv2.GaussianBlur(framed, (0, 0), sigma), np.uint8)) for sigma in (1, 2, 4)]
        assert measured(framed) > series[0] > series[1] > series[2] > 0
        assert measured(framed // 2) == pytest.approx(measured(framed), rel=0.25)
        twice = np.asarray(cv2.resize(framed, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), np.uint8)
        assert measured(twice) == pytest.approx(measured(framed), rel=0.45)


def test_sharpness_of_next_to_nothing_is_a_number() -> None:
    for shape in ((1, 1), (1, 9), (9, 1), (2, 2)):
        grey = np.full(shape, 200, np.uint8)
        assert sharpness(grey, np.ones(shape, np.bool_)) == 0
    assert glance(np.zeros((5, 5), np.uint8)).sharpness == 0


def test_a_huge_picture_is_looked_at_without_much_work() -> None:
    grey = np.zeros((4000, 3000), np.uint8)
    cv2.line(grey, (50, 50), (2950, 3950), 255, 80)
    seen = glance(grey)
    assert (seen.objects, seen.stands_out) == (1, True)
    assert seen.longest == pytest.approx(3960, abs=20)


def test_limits_of_nothing() -> None:
    with pytest.raises(SettingsError, match="no training image holds an object"):
        choose_scope([])
    with pytest.raises(SettingsError, match="no training image holds an object"):
        choose_scope([np.zeros((20, 20), np.uint8)])
