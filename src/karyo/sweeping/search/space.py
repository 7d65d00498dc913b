"""What is searched: Hydra's sweep syntax as Optuna's distributions, and suggestions as overrides."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep, Transformer
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from karyo.errors import SettingsError
from karyo.identity import REPETITIONS, settings_of_config

Parameters = dict[str, Any]
"""A value for each parameter, by the key that is typed: ``{"lr": 0.003, "model": "resnet18"}``."""

_DIGITS = 4
_WIDE = 2.0


@dataclass(frozen=True)
class Space:
    """What is searched and what is not.

    Attributes:
        fixed: The overrides that every trial has, as typed.
        base: What they mean, without the circumstances of a run; trials of another base are not comparable.
        parameters: The distribution of each parameter, in the order typed. A choice is the text of an override.
    """

    fixed: tuple[str, ...]
    base: dict[str, str]
    parameters: dict[str, BaseDistribution]

    def overrides(self, parameters: Mapping[str, Any]) -> tuple[str, ...]:
        """Give the overrides of a trial, numbers as short as is exact enough; the fixed ones first."""
        texts = {key: written(parameters[key], distribution) for key, distribution in self.parameters.items()}
        return (*self.fixed, *(f"{key}={text}" for key, text in texts.items()))

    def size(self) -> int | None:
        """Count the different settings there are; None where a parameter is continuous."""
        values = [_values(distribution) for distribution in self.parameters.values()]
        return math.prod(len(some) for some in values if some is not None) if None not in values else None

    def combinations(self) -> Iterator[Parameters]:
        """Give every combination of values, the last parameter changing fastest; none where one is continuous."""
        values = [_values(distribution) or () for distribution in self.parameters.values()]
        return (dict(zip(self.parameters, chosen, strict=True)) for chosen in itertools.product(*values))

    def extremes(self) -> list[Parameters]:
        """Give settings in which each choice, and both ends of each interval, occur at least once."""
        ends = [_ends(distribution) for distribution in self.parameters.values()]
        rows = max(map(len, ends))
        return [
            {key: some[min(row, len(some) - 1)] for key, some in zip(self.parameters, ends, strict=True)}
            for row in range(rows)
        ]


def make_space(overrides: Sequence[Override], sampler: str) -> Space:
    """Take the overrides of a command line apart.

    Args:
        overrides: As Hydra parses them.
        sampler: One of :data:`karyo.sweeping.search.settings.SAMPLERS`.

    Raises:
        SettingsError: If nothing is swept, or something cannot be searched; the message says what to type instead.
    """
    swept = {one.get_key_element(): one for one in overrides if one.is_sweep_override()}
    if not swept:
        raise SettingsError(
            "there is nothing to search: give a setting several values, such as model=resnet18,resnet50, or an "
            "interval, such as lr='tag(log, interval(1e-5, 1e-1))'."
        )
    for key, override in swept.items():
        if key in REPETITIONS and sampler != "grid":
            raise SettingsError(
                f"{override.input_line}: a search would choose the luckiest {key}; search with one, then repeat the "
                f"best settings with -m {key}=range(5), or take hydra.sweeper.sampler=grid."
            )
    fixed = [one for one in overrides if not one.is_sweep_override()]
    meanings = {one.get_key_element().lstrip("+"): str(one.value()) for one in fixed}
    space = Space(
        tuple(str(one.input_line) for one in fixed),
        settings_of_config(meanings),
        {key: _distribution(override) for key, override in swept.items()},
    )
    if sampler == "grid" and space.size() is None:
        endless = next(key for key, one in space.parameters.items() if _values(one) is None)
        raise SettingsError(
            f"{swept[endless].input_line}: a grid needs listed values, and an interval has no end of them; list some, "
            "or take hydra.sweeper.sampler=tpe."
        )
    return space


def written(value: Any, distribution: BaseDistribution) -> str:
    """Write a suggested value as the value of an override.

    A float gets as many digits as tell ten thousand values of its interval apart: names of runs and tables of results
    are made of it.
    """
    if not isinstance(distribution, FloatDistribution):
        return str(value)
    low, high = distribution.low, distribution.high
    if distribution.log:
        rounded = float(f"{value:.{_DIGITS}g}") if high > _WIDE * low else float(value)
    else:
        rounded = round(value, _DIGITS - math.floor(math.log10(high - low))) if high > low else float(value)
    return repr(min(max(rounded, low), high))


def _distribution(override: Override) -> BaseDistribution:
    sweep: Any = override.value()
    if isinstance(sweep, IntervalSweep):
        return _interval(override, sweep)
    if getattr(sweep, "tags", None):
        raise SettingsError(f"{override.input_line}: a tag goes with an interval, tag(log, interval(1e-5, 1e-1)).")
    if isinstance(sweep, RangeSweep) and not sweep.step:
        raise SettingsError(f"{override.input_line}: the step of a range cannot be 0.")
    numbers = sweep.range() if isinstance(sweep, RangeSweep) else None
    if isinstance(numbers, range) and numbers:
        return IntDistribution(min(numbers), max(numbers), step=abs(numbers.step))
    values = [str(number) for number in numbers] if numbers is not None else _choices(override, sweep)
    if not values:
        raise SettingsError(f"{override.input_line} names no value at all.")
    return CategoricalDistribution(values)


def _choices(override: Override, sweep: Any) -> list[str]:
    """Give the values of a choice as texts, each once; shuffling them means nothing to a search."""
    texts = map(Transformer.str, sweep.list) if isinstance(sweep, ChoiceSweep) else override.sweep_string_iterator()
    return list(dict.fromkeys(texts))


def _interval(override: Override, sweep: IntervalSweep) -> BaseDistribution:
    low, high = sweep.start, sweep.end
    shown = override.input_line
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        raise SettingsError(f"{shown}: an interval has two ends, interval(1e-5, 1e-1).")
    if low > high:
        raise SettingsError(f"{shown}: the interval begins above its end; write interval({high}, {low}).")
    if unknown := sweep.tags - {"log"}:
        raise SettingsError(f"{shown}: the tag {', '.join(sorted(unknown))} is unknown; there is log.")
    log = "log" in sweep.tags
    if log and low <= 0:
        raise SettingsError(f"{shown}: the logarithm needs an interval above 0, and this one begins at {low}.")
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(float(low), float(high), log=log)


def _values(distribution: BaseDistribution) -> Sequence[Any] | None:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    if isinstance(distribution, IntDistribution):
        return range(distribution.low, distribution.high + 1, distribution.step)
    assert isinstance(distribution, FloatDistribution)
    return (distribution.low,) if distribution.single() else None


def _ends(distribution: BaseDistribution) -> Sequence[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return (distribution.low, distribution.high)
