"""What a step of preprocessing is: a function with its settings, checked before the first image is touched.

Pictures and masks are both grey arrays, uint8 (H, W): the background of a picture is dark, a mask holds 0 and 255. So
every step can be drawn, written to a file, and followed by any other.
"""

import difflib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyo.errors import SettingsError

Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class State:
    """Where an image stands on its way through a chain of steps.

    Attributes:
        picture: uint8 (H, W), background dark.
        mask: uint8 (H, W) of 0 and 255, of the picture's size; None until a step makes one.
        objects: How many separate objects a step found; None until one counts them.
        remarks: What steps have to say about this image, such as why it was not straightened.
    """

    picture: Grey
    mask: Grey | None = None
    objects: int | None = None
    remarks: tuple[str, ...] = ()


def within(default: float, least: float, most: float) -> Any:
    """Declare a number of a step that must lie in a range, both ends included; whole if its default is."""
    return field(default=default, metadata={"least": least, "most": most})


def one_of(default: str, *others: str) -> Any:
    """Declare a word of a step that must be one of these."""
    return field(default=default, metadata={"choices": (default, *others)})


@dataclass(frozen=True)
class Step(ABC):
    """One step with its settings; calling it does not change what it is given.

    Raises:
        SettingsError: If a setting is out of its range.
    """

    def __post_init__(self) -> None:
        """Refuse settings that cannot be meant."""
        for setting in fields(self):
            problem = _problem(getattr(self, setting.name), setting.default, setting.metadata)
            if problem:
                raise SettingsError(f"the step {self.name()}: {setting.name} must be {problem}")

    @classmethod
    def name(cls) -> str:
        """Give the step's name in settings, ``LargestComponent`` as ``largest_component``."""
        letters = ("_" + letter.lower() if letter.isupper() else letter for letter in cls.__name__)
        return "".join(letters).lstrip("_")

    @property
    def needs_mask(self) -> bool:
        """Whether an earlier step must have made a mask."""
        return False

    @property
    def makes_mask(self) -> bool:
        """Whether there is a mask afterwards."""
        return False

    @abstractmethod
    def apply(self, state: State) -> State:
        """Do the step to an image on its way."""


class PictureStep(Step):
    """A step from a picture to a picture of any size."""

    @abstractmethod
    def __call__(self, grey: Grey) -> Grey:
        """Give the new picture, uint8 (h, w)."""

    def apply(self, state: State) -> State:
        """Do the step to the picture; a mask of another size is forgotten."""
        picture = self(state.picture)
        mask = state.mask if state.mask is not None and state.mask.shape == picture.shape else None
        return replace(state, picture=picture, mask=mask)


class MaskStep(Step):
    """A step that makes a mask from the picture."""

    @property
    def makes_mask(self) -> bool:
        """It does."""
        return True

    @abstractmethod
    def __call__(self, grey: Grey) -> Grey:
        """Give the mask, uint8 (H, W) of 0 and 255."""

    def apply(self, state: State) -> State:
        """Put the mask beside the picture."""
        return replace(state, mask=self(state.picture))


class ShapeStep(Step):
    """A step on the mask where there is one, otherwise on the picture."""

    @abstractmethod
    def __call__(self, grey: Grey) -> Grey:
        """Give the new mask or picture, uint8 (H, W)."""

    def apply(self, state: State) -> State:
        """Do the step to the mask, or to the picture before there is a mask."""
        if state.mask is None:
            return replace(state, picture=self(state.picture))
        return replace(state, mask=self(state.mask))


class MaskedStep(Step):
    """A step that needs a mask from an earlier one."""

    @property
    def needs_mask(self) -> bool:
        """It does."""
        return True


def build_step(step_class: type[Step], settings: Mapping[str, Any]) -> Step:
    """Build a step from settings that a user wrote.

    Raises:
        SettingsError: If the step has no such setting, or a value is out of its range.
    """
    known = [setting.name for setting in fields(step_class)]
    for key in settings:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            has = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none'}"
            raise SettingsError(f"the step {step_class.name()} has no setting {key!r}; {has}")
    return step_class(**settings)


def describe_settings(step_class: type[Step]) -> list[tuple[str, str, str]]:
    """Give name, default and range of each setting of a step, as a person reads them."""
    return [(setting.name, str(setting.default), _range(setting.metadata)) for setting in fields(step_class)]


def _range(limits: Mapping[str, Any]) -> str:
    if "choices" in limits:
        return " or ".join(limits["choices"])
    return f"{limits['least']} to {limits['most']}" if limits else "True or False"


def _problem(value: object, default: object, limits: Mapping[str, Any]) -> str:
    """Say what a value should have been; nothing if it is right."""
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else f"true or false, not {value!r}"
    if "choices" in limits:
        return "" if value in limits["choices"] else f"{' or '.join(limits['choices'])}, not {value!r}"
    whole = isinstance(default, int)
    kinds = (int,) if whole else (int, float)
    right = isinstance(value, kinds) and not isinstance(value, bool) and limits["least"] <= value <= limits["most"]
    kind = "a whole number" if whole else "a number"
    return "" if right else f"{kind} from {limits['least']} to {limits['most']}, not {value!r}"
