"""The one run to take: the best setting by its validation side within limits, and of its repetitions the best."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from karyo.errors import SettingsError
from karyo.evaluation.measure import MEASURES
from karyo.reports.comparing.duels import settle
from karyo.reports.comparing.result import Board, Comparison, Contender, Duel, RunResult
from karyo.reports.fields import magnitude, megabytes, milliseconds, text_at

WAYS = ("accuracy", "loss")
"""By what may be chosen: what the validation side measures."""

_THOUSANDS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}
_BYTES = {"": 1.0, "b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30}
_MILLISECONDS = {"": 1.0, "ms": 1.0, "s": 1e3}


@dataclass(frozen=True, slots=True)
class Limit:
    """What a setting may have at most.

    Attributes:
        name: What is limited, ``parameters``.
        most: The limit, in the unit of ``value``.
        value: Gives a contender's; None where it is not recorded.
        write: Writes it.
    """

    name: str
    most: float
    value: Callable[[Contender], float | None]
    write: Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Choice:
    """The run to take, and why.

    Attributes:
        board: What it was compared with.
        contender: The setting.
        run: Of its repetitions the one to take.
        by: One of :data:`WAYS`.
        candidates: Settings that finished and keep the limits.
        runner_up: The next best of them; None if there is no other.
        duel: Both on the same test images; None if they have none in common.
        notes: What one should know beside it, one sentence each.
    """

    board: Board
    contender: Contender
    run: RunResult
    by: str
    candidates: int
    runner_up: Contender | None
    duel: Duel | None
    notes: tuple[str, ...]

    @property
    def checkpoint(self) -> Path:
        """The best checkpoint of the run."""
        return self.run.directory / (text_at(self.run.record, "checkpoint") or "checkpoints/best.ckpt")

    def to_dict(self) -> dict[str, Any]:
        """Give it as primitives for other programs."""
        return {
            "directory": str(self.run.directory),
            "checkpoint": str(self.checkpoint),
            "label": self.contender.label,
            "settings": dict(self.contender.values),
            "by": self.by,
            "value": worth(self.contender, self.by),
            "repetitions": len(self.contender.finished),
            "validation_accuracy": asdict(self.contender.validation),
            "test_accuracy": asdict(self.contender.test),
            "parameters": self.contender.parameters,
            "checkpoint_bytes": self.contender.checkpoint_bytes,
            "latency_ms": self.contender.latency_ms,
            "candidates": self.candidates,
            "runner_up": None if self.runner_up is None else self.runner_up.label,
            "duel": None if self.duel is None else asdict(self.duel),
            "notes": list(self.notes),
        }


def read_limits(parameters: str | None, latency: str | None, size: str | None) -> list[Limit]:
    """Read limits as they are typed.

    Args:
        parameters: ``15M``, ``800k`` or a plain number of weights; None for no limit, as for the others.
        latency: ``10`` or ``10ms``: milliseconds for an image.
        size: ``50MB``, ``1.5GB`` or a plain number of bytes of the checkpoint.

    Raises:
        SettingsError: If one of them is no positive number.
    """
    limits = []
    if parameters is not None:
        most = read_quantity(parameters, _THOUSANDS, "--under-parameters", "15M, 800k or 1500000")
        limits.append(Limit("parameters", most, lambda it: it.parameters, lambda value: magnitude(round(value))))
    if latency is not None:
        most = read_quantity(latency, _MILLISECONDS, "--under-latency", "10 or 10ms")
        limits.append(Limit("latency", most, lambda it: it.latency_ms, milliseconds))
    if size is not None:
        most = read_quantity(size, _BYTES, "--under-size", "50MB or 800kB")
        limits.append(Limit("size", most, lambda it: it.checkpoint_bytes, lambda value: megabytes(round(value))))
    return limits


def read_quantity(text: str, units: Mapping[str, float], option: str, examples: str) -> float:
    """Read a positive number with a unit, capitals or not.

    Raises:
        SettingsError: If it is none.
    """
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,15})?)\s*([a-z]*)", text.strip().lower(), re.ASCII)
    if found is None or found[2] not in units or float(found[1]) == 0:
        raise SettingsError(f"{option} {text!r} is no positive number that can be meant; write {examples}")
    return float(found[1]) * units[found[2]]


def choose(comparison: Comparison, by: str = "accuracy", limits: list[Limit] | None = None) -> Choice:
    """Choose the setting that is best on its validation side among those that keep the limits, and the run to take.

    The test side has no part in it, or the accuracy measured there would be too good for the one chosen.

    Args:
        comparison: Of any runs. Of several boards, whose settings cannot be compared, the first is taken.
        by: ``accuracy`` (higher is better) or ``loss`` (lower is better), each on the validation side with the
            weights that were kept, mean over repetitions.
        limits: What it may have at most.

    Raises:
        SettingsError: If nothing has finished, ``by`` is not measured on the validation side, or nothing keeps the
            limits.
    """
    check_way(by)
    board = next((board for board in comparison.boards if any(it.rank for it in board.contenders)), None)
    if board is None:
        raise SettingsError(
            f"no run below {', '.join(comparison.sources)} has finished, so there is nothing to choose from"
        )
    single = [it for it in board.contenders if not any(run.is_ensemble for run in it.runs)]
    finished = [it for it in single if it.rank is not None and worth(it, by) is not None]
    if not finished:
        raise SettingsError(f"no run records its validation {by}; choose --by {'accuracy' if by == 'loss' else 'loss'}")
    kept = [it for it in finished if all(_keeps(it, limit) for limit in limits or ())]
    if not kept:
        raise SettingsError(_nothing_kept(finished, limits or []))
    best, *others = sorted(kept, key=lambda it: _price(worth(it, by), by))
    duel, notes = _compared(board, best, others[0]) if others else (None, [])
    notes += _cautions(comparison, board, finished, by, limits or [])
    run = min(best.finished, key=lambda run: _price(_own_worth(run, by), by))
    choice = Choice(board, best, run, by, len(kept), others[0] if others else None, duel, tuple(notes))
    return choice if choice.checkpoint.is_file() else _without_checkpoint(choice)


def check_way(by: str) -> None:
    """Refuse what cannot be chosen by.

    Raises:
        SettingsError: With the reason.
    """
    if by in WAYS:
        return
    if by.replace("-", "_") in MEASURES:
        raise SettingsError(
            f"--by {by} is measured on the test side only, and whoever chooses by that has a test result that is too "
            f"good; choose --by {' or --by '.join(WAYS)}, which the validation side measures"
        )
    raise SettingsError(f"--by {by} is unknown; choose --by {' or --by '.join(WAYS)}")


def worth(contender: Contender, by: str) -> float | None:
    """Give a setting's mean validation accuracy (0..1) or loss (nats); None where it is not recorded."""
    if by == "accuracy":
        return contender.validation.value
    losses = [loss for run in contender.finished if (loss := run.validation_loss) is not None]
    return fmean(losses) if losses else None


def _own_worth(run: RunResult, by: str) -> float | None:
    return run.validation_accuracy if by == "accuracy" else run.validation_loss


def _price(value: float | None, by: str) -> float:
    """Turn it so that the lowest is best; what is not recorded is worst. Rounded, so that equals are equal."""
    if value is None:
        return float("inf")
    return round(-value if by == "accuracy" else value, 9)


def _keeps(contender: Contender, limit: Limit) -> bool:
    value = limit.value(contender)
    return value is not None and value <= limit.most


def _nothing_kept(finished: list[Contender], limits: list[Limit]) -> str:
    """Say that no setting keeps the limits, and what the smallest are."""
    asked = " and ".join(f"{limit.name} of {limit.write(limit.most)}" for limit in limits)
    smallest = []
    for limit in limits:
        known = [(value, it.label) for it in finished if (value := limit.value(it)) is not None]
        value, label = min(known, default=(None, ""))
        smallest.append(
            f"no record holds the {limit.name}" if value is None else f"the least has {limit.write(value)} ({label})"
        )
    return f"none of {settings_in_words(len(finished))} keeps to at most {asked}: {', '.join(smallest)}"


def _compared(board: Board, best: Contender, other: Contender) -> tuple[Duel | None, list[str]]:
    """Find the duel of two contenders among those fought, or let them fight."""
    for duel in board.duels:
        if (duel.first_key, duel.second_key) == (best.key, other.key):
            return duel, []
    return settle(best, other)


def _cautions(
    comparison: Comparison, board: Board, finished: list[Contender], by: str, limits: list[Limit]
) -> list[str]:
    """Say what makes the choice less sure than it looks."""
    notes = []
    left = sum(len(other.contenders) for other in comparison.boards if other is not board)
    if left:
        notes.append(f"{settings_in_words(left)} on other images or splits cannot be compared with these: left out.")
    for limit in limits:
        unknown = sum(limit.value(it) is None for it in finished)
        notes += [f"{settings_in_words(unknown)} without a recorded {limit.name}: left out."] if unknown else []
    devices = {text_at(run.record, "device") for it in finished for run in it.finished}
    if len(devices) > 1 and any(limit.name == "latency" for limit in limits):
        notes.append(f"latencies were measured on {len(devices)} different devices and are not quite comparable.")
    smoothing = {str(run.settings.get("label_smoothing")) for it in finished for run in it.finished}
    if by == "loss" and len(smoothing) > 1:
        notes.append("losses with different label_smoothing are not comparable; choose --by accuracy.")
    return notes


def settings_in_words(count: int) -> str:
    """Write ``1 setting``, ``2 settings``."""
    return f"{count} setting{'' if count == 1 else 's'}"


def _without_checkpoint(choice: Choice) -> Choice:
    note = f"its checkpoint {choice.checkpoint} is missing, so this run can be neither measured nor exported."
    return replace(choice, notes=(*choice.notes, note))
