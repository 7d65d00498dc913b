"""The one way from a chromosome image to a network's input, in training, validation, prediction and the web API."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyo.errors import SettingsError
from karyo.imaging.align import align_to_axis
from karyo.imaging.canvas import Canvas, Letterbox, Pad, Ruler, Stretch, ruler_columns
from karyo.imaging.crop import crop_to_object
from karyo.imaging.polarity import POLARITIES, background_level, normalise_polarity
from karyo.imaging.steps import Chain, State

CANVASES: tuple[str, ...] = ("stretch", "letterbox", "pad", "ruler")
_LARGEST_SIZE = 4096


@dataclass(frozen=True)
class Preparation:
    """Polarity, steps, background, crop, canvas: what is done to every image before a network sees it.

    The background's level is subtracted, so that it is 0 whatever the exposure, and what later moves the image may
    fill up with 0.

    Attributes:
        size: Side of the square result in pixels, 8..4096.
        canvas: ``stretch``, ``letterbox``, ``pad`` or ``ruler``; see :mod:`karyo.imaging.canvas`.
        extent: Side of the square of original pixels that ``pad`` keeps at true scale, and length of ``ruler``.
        polarity: ``auto``, ``bright`` or ``dark``: the background of the images as stored.
        crop: Whether to cut the image down to the object first.
        align: Whether to turn the object's long axis upright before, for images that were cut out as they lay; done
            already where the steps straighten.
        steps: Cleaning and straightening, right after the polarity is known.

    Raises:
        SettingsError: If a value is out of its range.
    """

    size: int
    canvas: str = "stretch"
    extent: int = 152
    polarity: str = "auto"
    crop: bool = True
    align: bool = False
    steps: Chain = field(default_factory=Chain)

    def __post_init__(self) -> None:
        """Refuse settings that cannot be meant."""
        for name, largest, smallest in (("size", _LARGEST_SIZE, 8), ("extent", 100_000, 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not smallest <= value <= largest:
                spoken = "image_size" if name == "size" else name
                raise SettingsError(f"{spoken} must be a whole number from {smallest} to {largest}, not {value!r}")
        if self.canvas not in CANVASES:
            raise SettingsError(f"canvas must be one of {', '.join(CANVASES)}, not {self.canvas!r}")
        if self.polarity not in POLARITIES:
            raise SettingsError(f"polarity must be one of {', '.join(POLARITIES)}, not {self.polarity!r}")
        for name in ("crop", "align"):
            if not isinstance(getattr(self, name), bool):
                raise SettingsError(f"{name} must be true or false, not {getattr(self, name)!r}")

    def __call__(self, grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Prepare one image.

        Args:
            grey: Array (H, W), uint8, as stored.

        Returns:
            Array (size, size), uint8, background 0, chromosome bright.
        """
        return self.follow(grey)[0]

    def follow(self, grey: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], State]:
        """Prepare one image, and tell what its steps found.

        Args:
            grey: Array (H, W), uint8, as stored.

        Returns:
            The prepared image as a call gives it, and what the last step left: how many objects were counted, remarks.
        """
        state = self.steps.stages(normalise_polarity(grey, self.polarity))[-1]
        grey = state.picture
        grey = np.maximum(grey, background_level(grey)) - np.uint8(background_level(grey))
        if self.align and not self.steps.straightens:
            grey = align_to_axis(grey)
        if self.crop:
            grey = crop_to_object(grey)
        return self._fit()(grey, self.size), state

    def to_dict(self) -> dict[str, Any]:
        """Give the settings as primitives, to travel inside checkpoints and exported files."""
        plain = {setting.name: getattr(self, setting.name) for setting in fields(self)}
        return plain | {"steps": self.steps.to_settings()}

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> "Preparation":
        """Rebuild from :meth:`to_dict`.

        Raises:
            SettingsError: If a key or a step is unknown, ``size`` is missing or a value is out of range.
        """
        known = [setting.name for setting in fields(cls)]
        unknown = [key for key in settings if key not in known]
        if unknown:
            raise SettingsError(f"a preparation has no setting {unknown[0]!r}; it has {', '.join(known)}")
        if "size" not in settings:
            raise SettingsError("a preparation needs its size in pixels")
        return cls(**{**settings, "steps": Chain.from_settings(settings.get("steps", ()))})

    @property
    def ruler(self) -> int:
        """How many columns at the right are no picture but tell the size: not to be moved when pictures are varied."""
        return ruler_columns(self.size) if self.canvas == "ruler" else 0

    def _fit(self) -> Canvas:
        if self.canvas == "pad":
            return Pad(self.extent)
        if self.canvas == "ruler":
            return Ruler(self.extent)
        return Letterbox() if self.canvas == "letterbox" else Stretch()
