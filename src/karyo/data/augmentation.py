"""Random changes of training images, composed of albumentations transforms and own warps that a YAML lists by name.

Two traps of albumentations 2.0.8 are taken care of here: it only warns about an argument that it does not know, and
then ignores it (an error here); and seeding a composition gives every transform the same random stream, so that the
image that is turned most is also always the brightest one (one shared stream here).
"""

import difflib
import os
import random
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyo.data.warps import WARPS
from karyo.errors import SettingsError

# It asks a server for updates on import otherwise.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
import albumentations  # type: ignore[import-untyped]

_TRANSFORMS = (albumentations.BasicTransform, albumentations.BaseCompose)


class Augmentation:
    """A list of transforms, applied to each image of a batch with its own random parameters.

    Args:
        transforms: For each transform a mapping of ``name`` (a class of albumentations or of
            :mod:`karyo.data.warps`) and its arguments; ``OneOf`` and other compositions take a list ``transforms`` of
            such mappings.
        channels: 1 for grey images, 3 to repeat the grey channel first (so that colours can be jittered).

    Raises:
        SettingsError: If a name or an argument is unknown, or a value is out of range.
    """

    def __init__(self, transforms: Sequence[Mapping[str, Any]] = (), channels: int = 1) -> None:
        if channels not in (1, 3):
            raise SettingsError(f"channels must be 1 or 3, not {channels!r}")
        self.channels = channels
        self._compose = albumentations.Compose([_built(transform) for transform in transforms])

    def __call__(self, images: NDArray[np.uint8], seed: Sequence[int]) -> NDArray[np.uint8]:
        """Augment a batch.

        Args:
            images: Array (B, S, S), uint8.
            seed: Non-negative whole numbers; the same numbers and images give the same result.

        Returns:
            Array (B, channels, S, S), uint8, contiguous.

        Raises:
            SettingsError: If a transform changes the size or the type of an image.
        """
        count, *size = images.shape
        if not self._compose.transforms:
            return np.repeat(images[:, None], self.channels, axis=1)
        generator = np.random.default_rng(list(seed))
        self._compose.set_random_state(generator, random.Random(int(generator.integers(2**63))))
        changed = np.empty((count, self.channels, *size), np.uint8)
        for place, image in zip(changed, images, strict=True):
            shown = image if self.channels == 1 else np.repeat(image[:, :, None], 3, axis=2)
            result = self._compose(image=shown)["image"]
            if result.shape[:2] != image.shape or result.dtype != np.uint8:
                raise SettingsError(
                    f"augmentation must keep images {image.shape} uint8, but made one {result.shape} {result.dtype}"
                )
            place[...] = result if self.channels == 1 else result.transpose(2, 0, 1)
        return changed


def _built(settings: Mapping[str, Any]) -> Any:
    """Build one transform from its name and arguments."""
    arguments = dict(settings)
    name = arguments.pop("name", None)
    kind = WARPS.get(name) or getattr(albumentations, name, None) if isinstance(name, str) else None
    if not isinstance(kind, type) or not issubclass(kind, _TRANSFORMS):
        raise SettingsError(f"augmentation {name!r} is not a transform of albumentations{_suggestion(name)}")
    if "transforms" in arguments:
        arguments["transforms"] = [_built(inner) for inner in arguments["transforms"]]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            return kind(**arguments)
    except (UserWarning, TypeError, ValueError) as error:
        raise SettingsError(f"augmentation {name}: {_one_line(error)}") from error


def _suggestion(name: object) -> str:
    near = difflib.get_close_matches(str(name), [*WARPS, *dir(albumentations)], n=3)
    return f"; near names: {', '.join(near)}" if near else ""


def _one_line(error: Exception) -> str:
    """Say a validation error of pydantic, or any other, in one line."""
    # albumentations wraps pydantic's error into one of its own.
    details = getattr(error.__cause__ or error.__context__ or error, "errors", None)
    if callable(details):
        return "; ".join(f"{'.'.join(map(str, item['loc'])) or 'arguments'}: {item['msg']}" for item in details())
    return " ".join(str(error).split())
