"""The band profile along an axis."""

import numpy as np
import pytest

from karyo.imaging.profile import band_profile
from karyo.imaging.straighten import find_axis


def rod(background: int = 0) -> np.ndarray:
    """A vertical rod, 15 px wide and 80 px long, brightening from 50 to 209 downwards."""
    image = np.full((100, 40), background, np.uint8)
    image[10:90, 12:27] = (50 + 2 * np.arange(80))[:, None].astype(np.uint8)
    return image


def test_the_profile_of_a_rod_is_its_brightness() -> None:
    image = rod()
    axis = find_axis(image > 0)
    assert axis is not None
    profile = band_profile(image, axis)
    assert profile.dtype == np.float32
    assert profile.shape == (len(axis.points),)
    expected = 50 + 2 * (axis.points[:, 1] - 10)
    assert np.abs(profile - expected)[3:-3].max() < 6


def test_the_axis_says_the_direction() -> None:
    image = rod()
    axis = find_axis(image > 0)
    assert axis is not None
    assert np.allclose(band_profile(image, axis)[::-1], band_profile(image, axis.reversed()), atol=1e-3)


def test_a_narrow_average_does_not_see_the_rim() -> None:
    image = rod()
    image[:, 12:15] = image[:, 24:27] = 255
    axis = find_axis(rod() > 0)
    assert axis is not None
    wide, narrow = band_profile(image, axis), band_profile(image, axis, half_width=3)
    expected = 50 + 2 * (axis.points[:, 1] - 10)
    assert np.abs(narrow - expected)[3:-3].max() < 6
    assert (wide[10:40] > narrow[10:40] + 20).all()


def test_beyond_the_picture_there_is_nothing() -> None:
    image = rod()
    axis = find_axis(image > 0)
    assert axis is not None
    far = band_profile(image, axis, half_width=500)
    assert np.isfinite(far).all()
    assert far.max() < 10


def test_a_constant_picture_gives_a_constant_profile() -> None:
    axis = find_axis(rod() > 0)
    assert axis is not None
    assert np.allclose(band_profile(np.full((100, 40), 77, np.uint8), axis), 77, atol=0.01)


@pytest.mark.parametrize("half_width", [0, -1, float("nan")])
def test_an_average_over_nothing_is_a_mistake(half_width: float) -> None:
    axis = find_axis(rod() > 0)
    assert axis is not None
    with pytest.raises(ValueError, match="half_width must be positive"):
        band_profile(rod(), axis, half_width)
