"""What stands in a run's record, read with care: a run may have died at any moment, and its record with it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from karyo.evaluation.measure import Estimate

_ALWAYS_RECORDED = ("model", "optimizer", "lr")


def value_at(record: Mapping[str, Any], *keys: str) -> Any:
    """Give the value under nested keys; None if any is missing or is no mapping."""
    value: Any = record
    for key in keys:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def number_at(record: Mapping[str, Any], *keys: str) -> float | None:
    """Give the finite number under nested keys; None if there is none."""
    value = value_at(record, *keys)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None


def text_at(record: Mapping[str, Any], *keys: str) -> str:
    """Give the text under nested keys; "" if there is none."""
    value = value_at(record, *keys)
    return value if isinstance(value, str) else ""


def estimate_at(record: Mapping[str, Any], *keys: str) -> Estimate:
    """Give the measure under nested keys, with its interval as far as both ends are recorded."""
    value, low, high = (number_at(record, *keys, part) for part in ("value", "low", "high"))
    return Estimate(value) if low is None or high is None else Estimate(value, low, high)


def settings_of(record: Mapping[str, Any]) -> dict[str, str]:
    """Give what was typed for a run, and the model, optimizer and lr also where they were left at their defaults."""
    recorded = {name: str(record[name]) for name in _ALWAYS_RECORDED if isinstance(record.get(name), str | int | float)}
    overrides = record.get("overrides")
    typed = [item for item in overrides if isinstance(item, str)] if isinstance(overrides, list | tuple) else []
    pairs = (item.lstrip("+~").partition("=") for item in typed)
    return recorded | {key.strip(): value.strip() for key, _, value in pairs if key.strip()}


def differing_settings(records: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Name the settings that are not the same in all runs: model, optimizer, lr first, the others as they appear."""
    all_settings = [settings_of(record) for record in records]
    names = dict.fromkeys([*_ALWAYS_RECORDED, *(name for settings in all_settings for name in settings)])
    return tuple(name for name in names if len({_meaning(settings.get(name)) for settings in all_settings}) > 1)


def percent(share: float | None) -> str:
    """Write a share 0..1 as ``95.3 %``, unknown as a dash."""
    return "–" if share is None else f"{100 * share:.1f} %"


def percent_with_interval(estimate: Estimate) -> str:
    """Write a share with its interval as ``95.3 % (93.1–97.0)``."""
    if estimate.low is None or estimate.high is None:
        return percent(estimate.value)
    return f"{percent(estimate.value)} ({100 * estimate.low:.1f}–{100 * estimate.high:.1f})"


def magnitude(count: int | None) -> str:
    """Write a large number as ``11.2 M`` or ``834 k``, unknown as a dash."""
    if count is None:
        return "–"
    if count >= 999_500:
        return f"{count / 1e6:.1f} M"
    return f"{count / 1e3:.0f} k" if count >= 1000 else str(count)


def duration(seconds: float | None) -> str:
    """Write seconds as ``48 s``, ``12:05 min`` or ``3:07 h``, unknown as a dash."""
    if seconds is None or seconds < 0:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes_left:02d} h"
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"


def _meaning(value: str | None) -> float | str | None:
    """Let ``1e-4`` and ``0.0001`` be the same."""
    try:
        return None if value is None else float(value)
    except ValueError:
        return value
