"""How numbers came about: the command, the seeds, the time and the machine behind the runs of a board."""

import shlex
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from statistics import fmean
from typing import Any

from karyo.identity import PLACES_OF_IMAGES
from karyo.reports.comparing.result import Board, Contender, RunResult
from karyo.reports.fields import duration, number_at, text_at, value_at
from karyo.reports.markdown import markdown_table

_MOST_LABELS = 3
_SHIMS = ("train.py", "evaluate.py")


@dataclass(frozen=True, slots=True)
class Origin:
    """Runs that one command did on one machine.

    Attributes:
        command: As it is typed, without the place of the images; "" where it is not recorded.
        settings: Labels of their settings.
        seeds: Their seeds, ascending.
        runs: How many.
        seconds: Of a run on average; None where it is not recorded.
        machine: Processor, cores and device.
        versions: Of karyo, torch and the code.
    """

    command: str
    settings: tuple[str, ...]
    seeds: tuple[str, ...]
    runs: int
    seconds: float | None
    machine: str
    versions: str


def origins_of(board: Board) -> tuple[Origin, ...]:
    """Give what did the finished runs of a board, in its order."""
    found: defaultdict[tuple[str, str, str], list[tuple[Contender, RunResult]]] = defaultdict(list)
    for contender in board.contenders:
        for run in contender.finished:
            found[command_of(run), machine_of(run), versions_of(run)].append((contender, run))
    return tuple(_origin(*known, members) for known, members in found.items())


def how_to_repeat(board: Board) -> str:
    """Write the origins of a board's numbers below its table in Markdown; "" where no record tells any."""
    origins = [origin for origin in origins_of(board) if origin.command]
    if not origins:
        return ""
    rows = [
        [
            _labels(origin.settings, board),
            f"`{origin.command}`",
            ", ".join(origin.seeds),
            f"{origin.runs} × {duration(origin.seconds)}",
            origin.machine,
            origin.versions,
        ]
        for origin in origins
    ]
    header = ("settings", "command", "seeds", "runs × time", "machine", "versions")
    return "\nHow to repeat:\n\n" + markdown_table(header, rows, header)


def command_of(run: RunResult) -> str:
    """Write the command that did a run as it is typed, the place of the images left open; "" where it is unknown."""
    words = value_at(run.record, "command")
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        return ""
    program, *arguments = words
    name = PurePath(program).name
    start = f"python src/{name}" if name in _SHIMS else program if program.startswith("karyo ") else shlex.quote(name)
    return " ".join([start, *(shlex.quote(_without_place(word)) for word in arguments)])


def machine_of(run: RunResult) -> str:
    """Say on what a run ran: processor, cores, device; as far as it is recorded."""
    cores = number_at(run.record, "cores")
    parts = [
        text_at(run.record, "processor"),
        "" if cores is None else f"{cores:.0f} core{'' if cores == 1 else 's'}",
        text_at(run.record, "device"),
    ]
    return ", ".join(part for part in parts if part) or "–"


def versions_of(run: RunResult) -> str:
    """Give the versions that made a run: ``karyo 0.1.0 (95ad593), torch 2.15.0``; as far as they are recorded."""
    karyo, revision = text_at(run.record, "karyo"), text_at(run.record, "git_revision")
    torch = text_at(run.record, "packages", "torch")
    own = f"karyo {karyo}" + (f" ({revision})" if revision else "") if karyo else ""
    return ", ".join(part for part in (own, f"torch {torch}" if torch else "") if part) or "–"


def _without_place(word: str) -> str:
    key, equals, value = word.partition("=")
    if key == "sweep.name":
        return f"sweep={value.strip(chr(39))}"  # as it was typed
    return f"{key}=FOLDER" if equals and key.lstrip("+") in PLACES_OF_IMAGES else word


def _origin(command: str, machine: str, versions: str, members: Sequence[tuple[Contender, RunResult]]) -> Origin:
    seeds: set[Any] = {run.settings.get("seed") for _, run in members}
    seconds = [value for _, run in members if (value := number_at(run.record, "seconds")) is not None and value >= 0]
    return Origin(
        command=command,
        settings=tuple(dict.fromkeys(contender.label for contender, _ in members)),
        seeds=tuple(str(seed) for seed in sorted(seed for seed in seeds if isinstance(seed, int))),
        runs=len(members),
        seconds=fmean(seconds) if seconds else None,
        machine=machine,
        versions=versions,
    )


def _labels(labels: Sequence[str], board: Board) -> str:
    """Name a few settings, or say that it is all of them."""
    finished = sum(bool(contender.finished) for contender in board.contenders)
    if len(labels) == finished > 1:
        return f"all {finished}"
    return "; ".join(labels) if len(labels) <= _MOST_LABELS else f"{len(labels)} settings"
