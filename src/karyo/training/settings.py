"""Settings that the configuration's types cannot rule out, checked before any work is done."""

import math
from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from karyo.errors import SettingsError
from karyo.models.backbones import native_size
from karyo.models.cell_context import CELL

NORMALISATIONS: dict[str, tuple[float, float] | None] = {
    "statistics": None,
    "unit": (0.0, 1.0),
    "symmetric": (0.5, 0.5),
}
"""What is subtracted from grey values on the scale 0..1 and what they are divided by; None for the training pixels' own
mean and standard deviation. ``unit`` gives the network [0, 1], ``symmetric`` [-1, 1]."""


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _are_places(value: Any) -> bool:
    return isinstance(value, ListConfig) and all(isinstance(place, str) for place in value)


_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "lr": (lambda value: _is_number(value) and value > 0, "a number above 0, such as 1e-3"),
    "batch_size": (lambda value: _is_whole(value) and value > 0, "a whole number above 0"),
    "epochs": (lambda value: _is_whole(value) and value > 0, "a whole number above 0"),
    "seed": (lambda value: _is_whole(value) and 0 <= value < 2**32, "a whole number from 0 to 4294967295"),
    "image_size": (
        lambda value: value is None or (_is_whole(value) and value > 0),
        "a whole number of pixels, or null",
    ),
    "normalisation": (lambda value: value in NORMALISATIONS, f"one of {', '.join(NORMALISATIONS)}"),
    "extent": (
        lambda value: value is None or (_is_whole(value) and value > 0),
        "a whole number of pixels, or null for the input's own size",
    ),
    "context": (lambda value: value in (None, CELL), "cell, or null"),
    "channels": (lambda value: value in (1, 3), "1 (grey) or 3"),
    "label_smoothing": (lambda value: _is_number(value) and 0 <= value < 1, "a number from 0 to below 1"),
    "mixup": (
        lambda value: value is None or (_is_number(value) and value >= 0),
        "a number of at least 0, such as 0.2; 0 mixes nothing",
    ),
    "average": (
        lambda value: value is None or (_is_number(value) and 0 < value < 1),
        "a number between 0 and 1, such as 0.998, or null",
    ),
    "decay_norms": (lambda value: value is None or isinstance(value, bool), "true or false"),
    "weights": (
        lambda value: value is None or isinstance(value, str),
        "the name of a file or of a run's directory, or null",
    ),
    "teachers": (
        lambda value: value is None or isinstance(value, str) or _are_places(value),
        "the directory of a run, several as [A,B], or null",
    ),
    "distillation.temperature": (
        lambda value: value is None or (_is_number(value) and value > 0),
        "a number above 0, such as 2",
    ),
    "distillation.weight": (
        lambda value: value is None or (_is_number(value) and 0 <= value <= 1),
        "a number from 0 (labels alone) to 1 (teachers alone)",
    ),
    "pretrained": (lambda value: isinstance(value, bool), "true or false"),
    "channels_last": (lambda value: isinstance(value, bool), "true or false"),
    "trainer.max_epochs": (lambda value: value is None or (_is_whole(value) and value > 0), "a whole number above 0"),
    "trainer.accumulate_grad_batches": (lambda value: _is_whole(value) and value > 0, "a whole number above 0"),
    "trainer.limit_val_batches": (
        lambda value: value is None or value,
        "above 0: every epoch is validated",
    ),
    "sweep.retry_failed": (lambda value: isinstance(value, bool), "true or false"),
    "sweep.keep_outdated": (lambda value: isinstance(value, bool), "true or false"),
    "bootstrap": (lambda value: _is_whole(value) and value >= 0, "a whole number, 0 for no intervals"),
    "by_cell": (lambda value: value is None or isinstance(value, bool), "true or false"),
}


def check_values(config: DictConfig, *keys: str) -> None:
    """Check the values of some settings.

    Raises:
        SettingsError: For the first that cannot be meant; the message says what it can be.
    """
    for key in keys:
        accepts, meaning = _RULES[key]
        value = OmegaConf.select(config, key)
        if not accepts(value):
            raise SettingsError(f"{key}={value} cannot be; it is {meaning}.")


def check_all_values(config: DictConfig) -> None:
    """Check every value that has a rule; needs no run directory yet.

    Raises:
        SettingsError: For the first setting that cannot be meant; the message says what it can be.
    """
    check_values(config, *_RULES)


def check_settings(config: DictConfig) -> None:
    """Check the values of the root settings and that every interpolation resolves.

    Raises:
        SettingsError: For the first setting that cannot be meant; the message says what it can be.
    """
    check_all_values(config)
    try:
        OmegaConf.resolve(config.copy())
    except OmegaConfBaseException as error:
        raise SettingsError(f"a setting refers to one that is not there: {str(error).splitlines()[0]}.") from error


def input_size(config: DictConfig) -> int:
    """Give the side of the network's input: ``image_size``, or where it is null what the model was designed for.

    Raises:
        SettingsError: If the model is unknown.
    """
    if config.image_size is not None:
        return int(config.image_size)
    return native_size(str(config.model.spec.library), str(config.model.spec.name))
