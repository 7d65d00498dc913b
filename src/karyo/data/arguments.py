"""The data module's plain arguments: what they can be."""

import os
from collections.abc import Sequence

import torch

from karyo.errors import SettingsError


def check_counts(batch_size: object, seed: object, channels: object) -> None:
    """Check ``batch_size``, ``seed`` and ``channels``.

    Raises:
        SettingsError: If one is out of its range.
    """
    _check_whole("batch_size", batch_size, 1)
    _check_whole("seed", seed, 0)
    if channels not in (1, 3):
        raise SettingsError(f"channels must be 1 or 3, not {channels!r}")


def check_split(split_by: object, folds: object, fold: object, fractions: object, split_seed: object) -> None:
    """Check what decides how data are divided.

    Raises:
        SettingsError: If a setting is out of its range.
    """
    if split_by is not None and not isinstance(split_by, str):
        raise SettingsError(f"data.split_by must be case, cell, image or null, not {split_by!r}")
    for name, value, least in (("folds", folds, 2), ("fold", fold, 0), ("split_seed", split_seed, 0)):
        if value is not None and not (name == "folds" and isinstance(value, str)):
            _check_whole(f"data.{name}", value, least)
    numbers = isinstance(fractions, Sequence) and not isinstance(fractions, str)
    if not numbers or not all(isinstance(share, (int, float)) for share in fractions):  # type: ignore[attr-defined]
        raise SettingsError(f"data.fractions must be three numbers such as [0.7,0.2,0.1], not {fractions!r}")


def _check_whole(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SettingsError(f"{name} must be a whole number of at least {least}, not {value!r}")


def worker_count(number: int | str) -> int:
    """Give the number of loader processes; ``auto`` is none without a GPU, else one less than the cores, at most 8.

    Raises:
        SettingsError: If it is neither ``auto`` nor a number.
    """
    if number == "auto":
        return min(8, max((os.cpu_count() or 1) - 1, 0)) if torch.cuda.is_available() else 0
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise SettingsError(f"data.num_workers must be auto or a whole number of at least 0, not {number!r}")
    return number
