"""Warps of chromosomes: what they keep, and the settings they take."""

import numpy as np
import pytest
from omegaconf import OmegaConf
from test_augmentation import CONF, batch, recipe

from karyo.data.augmentation import Augmentation
from karyo.errors import SettingsError

WARPS = ("Bend", "UnevenContraction")


def warp(image: np.ndarray, seed: int = 0, **settings: object) -> np.ndarray:
    return Augmentation([{"p": 1.0, **settings}])(image[None], (seed,))[0, 0]


@pytest.mark.parametrize("name", WARPS)
@pytest.mark.parametrize("shape", [(96, 96), (64, 24), (24, 64), (1, 9), (9, 1), (2, 2)])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_shape_stays_what_it_is(name: str, shape: tuple[int, int], channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, *shape), dtype=np.uint8)
    changed = Augmentation([{"name": name, "p": 1.0}], channels)(images, (1,))
    assert changed.shape == (2, channels, *shape)
    assert changed.dtype == np.uint8


@pytest.mark.parametrize("name", WARPS)
def test_no_limit_is_no_change(name: str) -> None:
    image = batch(1)[0]
    assert np.array_equal(warp(image, name=name, limit=0.0), image)
    assert not np.array_equal(warp(image, name=name), image)
    assert np.array_equal(Augmentation([{"name": name, "p": 0.0}])(image[None], (0,))[0, 0], image)


def test_a_bend_moves_rows_as_a_whole_by_no_more_than_its_limit_allows() -> None:
    image = np.zeros((80, 60), np.uint8)
    image[:, 25:35] = 200
    centres = []
    for seed in range(20):
        bent = warp(image, seed, name="Bend", limit=0.1, knots=4).astype(float)
        # Nothing is lost or doubled, only moved.
        assert np.allclose(bent.sum(axis=1), image.sum(axis=1), rtol=0.02)
        centres.append((bent * np.arange(60)).sum(axis=1) / bent.sum(axis=1) - 29.5)
    moved = np.array(centres)
    assert 3 < np.abs(moved).max() < 2 * 0.1 * 60
    # Smooth along the length, and no mere shift.
    assert np.abs(np.diff(moved, n=2, axis=1)).max() < 0.2
    assert np.ptp(moved, axis=1).max() > 4


def test_what_a_bend_moves_in_is_background() -> None:
    bent = warp(np.full((64, 64), 200, np.uint8), name="Bend", limit=0.2)
    # Each row was moved to one side, and there is nothing beyond the picture's edge.
    empty = (bent == 0).sum(axis=1)
    assert empty.max() > 3
    assert ((bent == 0) <= (bent == 0)[:, [0]] + (bent == 0)[:, [-1]]).all()


def test_uneven_contraction_keeps_the_order_of_the_bands_and_the_ends() -> None:
    ramp = np.repeat(np.linspace(0, 255, 128).astype(np.uint8)[:, None], 8, axis=1)
    changed = 0.0
    for seed in range(30):
        warped = warp(ramp, seed, name="UnevenContraction", limit=1.0, knots=8).astype(int)
        # Every row has one grey level, and they rise: nothing is folded.
        assert (warped == warped[:, :1]).all()
        assert (np.diff(warped[:, 0]) >= 0).all()
        assert abs(warped[0, 0] - 0) <= 1
        assert abs(warped[-1, 0] - 255) <= 1
        changed = max(changed, float(np.abs(warped - ramp).max()))
    assert changed > 20


def test_the_two_draw_from_the_shared_stream() -> None:
    image = batch(1)
    both = Augmentation([{"name": name, "p": 0.5} for name in WARPS])
    assert len({both(image, (seed,)).tobytes() for seed in range(30)}) > 12
    assert np.array_equal(both(image, (3,)), both(image, (3,)))
    # Of equal settings, the second does not repeat the first's draw: they would bend the same way.
    once = Augmentation([{"name": "Bend", "p": 1.0}])
    twice = Augmentation([{"name": "Bend", "p": 1.0}] * 2)
    assert not np.array_equal(twice(image, (0,)), once(once(image, (0,))[:, 0], (0,)))


@pytest.mark.parametrize("name", ["warps", "flips_warps"])
def test_recipes_add_both_warps_to_what_they_are_made_of(name: str) -> None:
    plain = {"warps": "strong", "flips_warps": "flips"}[name]
    steps, others = (OmegaConf.to_container(OmegaConf.load(CONF / f"{one}.yaml").transforms) for one in (name, plain))
    assert [step for step in steps if step["name"] not in WARPS] == others
    assert {step["name"] for step in steps} >= set(WARPS)
    assert not np.array_equal(recipe(name)(batch(), (0,)), recipe(plain)(batch(), (0,)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "Bend", "size": 3}, "augmentation Bend: .*size"),
        ({"name": "Bend", "limit": 0.6}, "augmentation Bend: limit"),
        ({"name": "Bend", "knots": 1}, "augmentation Bend: knots"),
        ({"name": "UnevenContraction", "knots": 2.5}, "augmentation UnevenContraction: knots"),
        ({"name": "UnevenContraction", "limit": "far"}, "augmentation UnevenContraction: limit"),
        ({"name": "UnevenContraction", "p": 3}, "augmentation UnevenContraction: p"),
        ({"name": "UnevenContractoin"}, "near names: UnevenContraction"),
    ],
)
def test_settings_that_cannot_be_meant(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        Augmentation([settings])
    assert "\n" not in str(caught.value)
