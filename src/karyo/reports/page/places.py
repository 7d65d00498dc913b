"""Where each setting of a board stands in the grid of models, optimizers and learning rates."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from karyo.reports.comparison import Board, Contender
from karyo.reports.fields import settings_of

_AXES = ("optimizer", "lr")
_MOST_FAMILIES = 12
_UNKNOWN = "–"


@dataclass(frozen=True, slots=True)
class Place:
    """A contender in the grid.

    Attributes:
        family: What a figure of its own is for: the model, and what else differs apart from optimizer and rate.
        optimizer: Its name.
        rate: The learning rate as it is read, ``1e-4``.
        contender: The setting.
    """

    family: str
    optimizer: str
    rate: str
    contender: Contender


def places_of(board: Board) -> list[Place]:
    """Place a board's contenders, in the board's order.

    A search draws some settings anew for every run. Where that would give each setting a family of its own, the family
    is the model alone.
    """
    found = [_place(contender, board.names) for contender in board.contenders]
    if len({place.family for place in found}) <= _MOST_FAMILIES:
        return found
    return [_place(contender, ("model",)) for contender in board.contenders]


def families(places: Iterable[Place]) -> tuple[str, ...]:
    """Name the families, that of the best contender first."""
    return tuple(dict.fromkeys(place.family for place in places))


def optimizers(places: Iterable[Place]) -> tuple[str, ...]:
    """Name the optimizers by the alphabet."""
    return tuple(sorted({place.optimizer for place in places}))


def rates(places: Iterable[Place]) -> tuple[str, ...]:
    """Name the learning rates, the smallest first."""
    return tuple(sorted({place.rate for place in places}, key=lambda rate: (rate_value(rate), rate)))


def rate_value(text: str) -> float:
    """Give a learning rate as a number; infinity where it is none."""
    try:
        value = float(text)
    except ValueError:
        return math.inf
    return value if math.isfinite(value) else math.inf


def rate_text(text: str) -> str:
    """Write a learning rate as it is typed, ``1e-4`` or ``2.5e-3``, however it was recorded."""
    value = rate_value(text)
    if not 0 < value < 1:
        return text or _UNKNOWN
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def _place(contender: Contender, names: Iterable[str]) -> Place:
    recorded = settings_of(contender.best_run.record)
    known = {name: contender.values.get(name) or recorded.get(name) or "" for name in ("model", *_AXES)}
    others = [contender.values.get(name, "") for name in names if name not in ("model", *_AXES)]
    family = " · ".join(text for text in (known["model"] or _UNKNOWN, *others) if text)
    return Place(family, known["optimizer"] or _UNKNOWN, rate_text(known["lr"]), contender)
