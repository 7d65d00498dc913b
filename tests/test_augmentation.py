"""Augmentation: the shipped recipes, seeding, and settings that cannot be meant."""

from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from karyo.data.augmentation import Augmentation
from karyo.errors import SettingsError

CONF = Path(__file__).parents[1] / "conf" / "augmentation"


def batch(count: int = 6, size: int = 40) -> np.ndarray:
    images = np.zeros((count, size, size), np.uint8)
    images[:, 6:-6, 12:-12] = np.linspace(60, 220, size - 12).astype(np.uint8)[:, None]
    return images


def recipe(name: str, channels: int = 1) -> Augmentation:
    return Augmentation(OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml").transforms), channels)


@pytest.mark.parametrize("name", ["none", "report", "strong"])
@pytest.mark.parametrize("channels", [1, 3])
def test_shipped_recipes_keep_shape_and_depend_on_the_seed_only(name: str, channels: int) -> None:
    augment, again = recipe(name, channels), recipe(name, channels)
    first = augment(batch(), (1, 2, 3))
    assert first.shape == (6, channels, 40, 40)
    assert first.dtype == np.uint8
    augment(batch(), (9, 9, 9))
    assert np.array_equal(augment(batch(), (1, 2, 3)), first)
    assert np.array_equal(again(batch(), (1, 2, 3)), first)
    assert np.array_equal(augment(batch(), (1, 2, 4)), first) is (name == "none")


def test_images_of_a_batch_are_changed_differently() -> None:
    changed = recipe("strong")(batch(), (0,))
    assert len({image.tobytes() for image in changed}) == 6


def test_none_returns_the_images_in_memory_of_their_own() -> None:
    images = batch()
    changed = recipe("none", 3)(images, (0,))
    assert all(np.array_equal(changed[:, channel], images) for channel in range(3))
    changed[:] = 0
    assert images.max() > 0


def test_report_is_what_was_reported() -> None:
    jitter, affine, blur = OmegaConf.load(CONF / "report.yaml").transforms
    assert {"brightness", "contrast", "saturation", "hue"} < set(jitter)
    assert {"rotate", "translate_percent", "scale", "shear"} < set(affine)
    assert (list(blur.blur_limit), list(blur.sigma_limit)) == ([5, 9], [0.1, 5.0])
    assert all(0 < transform.p < 1 for transform in (jitter, affine, blur))


def test_grey_images_of_one_channel_are_jittered_in_brightness() -> None:
    jitter = {"name": "ColorJitter", "brightness": [0.5, 0.6], "contrast": [1, 1], "p": 1.0}
    changed = Augmentation([jitter])(batch(), (0,))
    assert 0.45 < changed.mean() / batch().mean() < 0.65


def test_transforms_draw_independently_of_one_another() -> None:
    """A composition's own seed gives every transform the same draws: all or none would be applied."""
    halves = [{"name": name, "p": 0.5} for name in ("HorizontalFlip", "VerticalFlip")]
    image = np.arange(64, dtype=np.uint8).reshape(1, 8, 8)
    augment = Augmentation(halves)
    kinds = {augment(image, (seed,)).tobytes() for seed in range(40)}
    assert len(kinds) == 4


def test_compositions_nest() -> None:
    either = {"name": "OneOf", "p": 1.0, "transforms": [{"name": "HorizontalFlip", "p": 1}, {"name": "VerticalFlip"}]}
    image = np.arange(64, dtype=np.uint8).reshape(1, 8, 8)
    assert not np.array_equal(Augmentation([either])(image, (0,))[:, 0], image)


def test_a_batch_of_none_is_a_batch() -> None:
    assert recipe("strong")(batch(0), (0,)).shape == (0, 1, 40, 40)


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        ({"name": "Afine"}, "'Afine' is not a transform of albumentations; near names: Affine"),
        ({"p": 0.5}, "None is not a transform"),
        ({"name": "Affine", "mode": 0, "cval": 3}, "augmentation Affine: .*mode"),
        ({"name": "Affine", "p": 2.0}, "augmentation Affine: p: "),
        ({"name": "GaussianBlur", "blur_limit": "big"}, "augmentation GaussianBlur: blur_limit"),
        ({"name": "np"}, "is not a transform"),
    ],
)
def test_transforms_that_cannot_be_meant(transform: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        Augmentation([transform])
    assert "\n" not in str(caught.value)


def test_channels_are_one_or_three() -> None:
    with pytest.raises(SettingsError, match="channels must be 1 or 3"):
        Augmentation([], channels=2)


def test_transforms_that_change_the_size_are_refused() -> None:
    with pytest.raises(SettingsError, match="must keep images"):
        Augmentation([{"name": "CenterCrop", "height": 8, "width": 8}])(batch(), (0,))
