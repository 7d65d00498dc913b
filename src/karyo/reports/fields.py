"""What stands in a run's record, read with care: a run may have died at any moment, and its record with it."""

import math
from collections.abc import Mapping
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


def share_at(record: Mapping[str, Any], *keys: str) -> float | None:
    """Give the number 0..1 under nested keys; None if there is none."""
    value = number_at(record, *keys)
    return value if value is not None and 0 <= value <= 1 else None


def text_at(record: Mapping[str, Any], *keys: str) -> str:
    """Give the text under nested keys; "" if there is none."""
    value = value_at(record, *keys)
    return value if isinstance(value, str) else ""


def estimate_at(record: Mapping[str, Any], *keys: str) -> Estimate:
    """Give the measure under nested keys, with its interval as far as both ends are recorded."""
    value, low, high = (number_at(record, *keys, part) for part in ("value", "low", "high"))
    return Estimate(value) if low is None or high is None else Estimate(value, low, high)


def share_estimate_at(record: Mapping[str, Any], *keys: str) -> Estimate:
    """Give the share 0..1 under nested keys, with its interval as far as both ends are recorded; None if it is none."""
    estimate = estimate_at(record, *keys)
    return estimate if estimate.value is not None and 0 <= estimate.value <= 1 else Estimate(None)


def settings_of(record: Mapping[str, Any]) -> dict[str, str]:
    """Give what was typed for a run, and the model, optimizer and lr also where they were left at their defaults."""
    recorded = {name: str(record[name]) for name in _ALWAYS_RECORDED if isinstance(record.get(name), str | int | float)}
    overrides = record.get("overrides")
    typed = [item for item in overrides if isinstance(item, str)] if isinstance(overrides, list | tuple) else []
    pairs = (item.lstrip("+~").partition("=") for item in typed)
    return recorded | {key.strip(): value.strip() for key, _, value in pairs if key.strip()}


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


def megabytes(count: int | None) -> str:
    """Write a size in bytes as ``44.7 MB``, unknown as a dash."""
    return "–" if count is None else f"{count / 1e6:.1f} MB"


def milliseconds(value: float | None) -> str:
    """Write milliseconds as ``7.3 ms``, unknown as a dash."""
    return "–" if value is None else f"{value:.1f} ms"


def duration(seconds: float | None) -> str:
    """Write seconds as ``48 s``, ``12:05 min`` or ``3:07 h``, unknown as a dash."""
    if seconds is None or seconds < 0:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes_left:02d} h"
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"
