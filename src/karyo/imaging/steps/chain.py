"""Steps one after the other, from settings and back to settings."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

from karyo.errors import SettingsError
from karyo.imaging.steps.contrast import Clahe, Equalise, StretchContrast
from karyo.imaging.steps.denoise import Gaussian, NonLocalMeans
from karyo.imaging.steps.morphology import Close, Dilate, Erode, Open
from karyo.imaging.steps.objects import Contours, Extract, LargestComponent, LargestObject, Reconstruct, Separate
from karyo.imaging.steps.posture import Pad, Resize, Straighten
from karyo.imaging.steps.step import Grey, State, Step, build_step
from karyo.imaging.steps.threshold import Adaptive, Fixed, Otsu

_CLASSES: tuple[type[Step], ...] = (
    *(Gaussian, NonLocalMeans),
    *(Equalise, Clahe, StretchContrast),
    *(Otsu, Adaptive, Fixed),
    *(Erode, Dilate, Open, Close),
    *(Contours, LargestComponent, Reconstruct, Extract, LargestObject, Separate),
    *(Straighten, Pad, Resize),
)

STEPS: dict[str, type[Step]] = {step.name(): step for step in _CLASSES} | {"denoise": NonLocalMeans}
"""Every step by its name in settings; ``denoise`` is short for the method that the others are measured against."""

StepSettings = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Chain:
    """Steps in their order.

    Attributes:
        steps: The steps; none leaves images as they are.

    Raises:
        SettingsError: If a step needs a mask that no step before it makes.
    """

    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an order that cannot work."""
        masked = False
        for step in self.steps:
            if step.needs_mask and not masked:
                raise SettingsError(
                    f"the step {step.name()} needs a mask, and no step before it makes one; put otsu, adaptive or "
                    "fixed before it"
                )
            masked = masked or step.makes_mask

    @property
    def straightens(self) -> bool:
        """Whether chromosomes stand upright afterwards."""
        return any(isinstance(step, Straighten) for step in self.steps)

    def __call__(self, grey: Grey) -> Grey:
        """Do all steps.

        Args:
            grey: uint8 (H, W), background dark.

        Returns:
            uint8 (h, w), background dark.
        """
        return self.stages(grey)[-1].picture

    def stages(self, grey: Grey) -> list[State]:
        """Do all steps and keep what each one gave; the first of the list is the image itself."""
        return list(accumulate(self.steps, lambda state, step: step.apply(state), initial=State(grey)))

    def to_settings(self) -> list[list[Any]]:
        """Give the steps as primitives, ``[[name, {setting: value}], ...]``, to travel inside checkpoints."""
        return [[step.name(), asdict(step)] for step in self.steps]

    def to_text(self) -> str:
        """Give the steps with all their settings as :meth:`from_text` reads them."""
        return ",".join(
            ":".join([step.name(), *(f"{key}={value}" for key, value in asdict(step).items())]) for step in self.steps
        )

    @classmethod
    def from_settings(cls, settings: Iterable[Sequence[Any]]) -> "Chain":
        """Rebuild from :meth:`to_settings`.

        Raises:
            SettingsError: If a step or a setting is unknown or out of its range.
        """
        try:
            named = [(str(name), dict(values)) for name, values in settings]
        except (TypeError, ValueError):
            raise SettingsError("steps must be pairs of a name and its settings, such as ['clahe', {}]") from None
        return cls(tuple(build_step(find_step(name), values) for name, values in named))

    @classmethod
    def from_config(cls, steps: Mapping[str, Any] | None) -> "Chain":
        """Build from a configuration node, ``{clahe: {clip_limit: 3}, again: {step: erode}, otsu: null}``.

        The key is the step's name unless its settings hold ``step``, which allows the same step twice. Null leaves a
        step out.

        Raises:
            SettingsError: If a step or a setting is unknown or out of its range.
        """
        if steps is not None and not isinstance(steps, Mapping):
            raise SettingsError(f"preprocessing.steps must be steps with their settings, not {steps!r}")
        found = []
        for key, values in (steps or {}).items():
            if values is None:
                continue
            if not isinstance(values, Mapping):
                raise SettingsError(f"preprocessing.steps.{key} must hold the step's settings, not {values!r}")
            rest = {name: value for name, value in values.items() if name != "step"}
            found.append([values.get("step", key), rest])
        return cls.from_settings(found)

    @classmethod
    def from_text(cls, text: str) -> "Chain":
        """Build from what is typed on a command line, ``denoise,clahe:clip_limit=3:tiles=4,largest-object``.

        Raises:
            SettingsError: If a step or a setting is unknown or out of its range.
        """
        return cls.from_settings(_typed(part) for part in text.split(",") if part.strip())


def find_step(name: str) -> type[Step]:
    """Find a step by its name; hyphens count as underscores.

    Raises:
        SettingsError: If there is none of that name.
    """
    plain = name.strip().lower().replace("-", "_")
    if plain not in STEPS:
        near = difflib.get_close_matches(plain, STEPS, n=1)
        has = f"did you mean {near[0]}?" if near else f"it can be {', '.join(STEPS)}"
        raise SettingsError(f"there is no step {name.strip()!r}; {has}")
    return STEPS[plain]


def _typed(part: str) -> StepSettings:
    name, *settings = part.split(":")
    values = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise SettingsError(f"{setting!r} of the step {name} must be SETTING=VALUE")
        values[key.strip().replace("-", "_")] = _read(value.strip())
    return name, values


def _read(text: str) -> int | float | bool | str:
    """Read a value as a whole number, a number, true or false, or a word."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text.replace("-", "_")
