"""Which jobs of a sweep are to be done, from what its directory holds of earlier launches.

A job is known by its settings (:func:`karyo.identity.run_key`), the images' fingerprint and the code, never by its
number or by what was typed. What finished counts; what stopped goes on; what failed stays failed unless it shall be
tried again.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from karyo.errors import DataError, KaryoError
from karyo.files import write_text
from karyo.identity import PLACES_OF_IMAGES, run_key
from karyo.reports.fields import text_at, value_at
from karyo.reports.runs import SET_ASIDE
from karyo.sweeping.job import SweepJob
from karyo.training.identity import code_digest, deciding_settings
from karyo.training.locations import SUMMARY, job_directory
from karyo.training.record import RunRecord, begun
from karyo.training.resume import is_claimed

KEY = ".key"
"""File in a job's directory that says whose it is, from before the job has a record."""


class State(Enum):
    """Where a job stands before a launch, or between its rounds."""

    NEW = "new"
    UNFINISHED = "to go on with"
    FINISHED = "finished"
    PRUNED = "pruned"
    FAILED = "failed"
    BUSY = "being done by another launch"


_OF_STATUS = {"finished": State.FINISHED, "pruned": State.PRUNED, "failed": State.FAILED}
PENDING = (State.NEW, State.UNFINISHED)


@dataclass(frozen=True)
class Planned:
    """A job and where it stands."""

    job: SweepJob
    state: State

    @property
    def pending(self) -> bool:
        """Whether it is to be done."""
        return self.state in PENDING

    def looked_at_again(self) -> "Planned":
        """Give its state after a round, from its directory."""
        return replace(self, state=_state(self.job.directory))


@dataclass(frozen=True)
class Plan:
    """The jobs of one launch.

    Attributes:
        jobs: One per distinct job, in the order they were asked for.
        order: For each wanted job its position in ``jobs``; two of the same settings are one job.
        set_aside: What was moved to ``outdated/`` and why, a sentence each.
    """

    jobs: tuple[Planned, ...]
    order: tuple[int, ...]
    set_aside: tuple[str, ...]

    def count(self, *states: State) -> int:
        """Count the jobs in any of these states."""
        return sum(planned.state in states for planned in self.jobs)


def make_plan(
    directory: Path,
    configs: Sequence[tuple[tuple[str, ...], DictConfig]],
    make_job: Callable[[Path, str, tuple[str, ...], DictConfig], SweepJob],
    fingerprint: Callable[[DictConfig], str],
) -> Plan:
    """Say what is to be done; a new job's directory is made, so that no other launch gives it to another job.

    Args:
        directory: The sweep's directory.
        configs: Of each wanted job its overrides and its composed configuration.
        make_job: Makes the job from its directory, key, overrides and configuration.
        fingerprint: Gives the fingerprint of a configuration's images; asked only where a run is there to compare with.

    Raises:
        KaryoError: If the images cannot be read to compare them with those of earlier runs.
    """
    known, set_aside = _known_runs(directory)
    taken = {path for runs in known.values() for path in runs}
    jobs: dict[tuple[str, str], Planned] = {}
    order = []
    for overrides, config in configs:
        key = run_key(deciding_settings(config))
        # The same settings over two folders of images are two jobs.
        identity = (key, _place_of_images(config))
        if identity not in jobs:
            used = {planned.job.directory for planned in jobs.values()}
            found, reasons = _find(config, [place for place in known[key] if place not in used], fingerprint)
            set_aside += reasons
            # What was moved aside leaves its name to the one that comes after it.
            taken = {path for path in taken if path.exists() or path not in known[key]}
            place = found or _new_directory(directory, overrides, key, taken)
            taken.add(place)
            state = _reconsidered(_state(place), config)
            jobs[identity] = Planned(make_job(place, key, overrides, config), state)
        order.append(list(jobs).index(identity))
    return Plan(tuple(jobs.values()), tuple(order), tuple(set_aside))


def _known_runs(directory: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """Find the runs below a sweep's directory by their keys; those with damaged records are moved aside."""
    runs: dict[str, list[Path]] = defaultdict(list)
    set_aside = []
    for place in sorted({path.parent for name in (SUMMARY, KEY) for path in directory.glob(f"*/{name}")}):
        damage = _damage(place)
        if damage and not is_claimed(place):
            set_aside.append(f"{damage} The run is done again; {_move_aside(place)}")
        else:
            runs[text_at(begun(place).content, "key") or _noted_key(place)].append(place)
    return runs, set_aside


def _damage(place: Path) -> str:
    """Say what is wrong with a run's record; "" if nothing is, or there is none yet."""
    if not (place / SUMMARY).is_file():
        return ""
    try:
        record = RunRecord.read(place).content
    except DataError as error:
        return str(error)
    return "" if text_at(record, "status") else f"{place / SUMMARY} is damaged: it does not say how the run ended."


def _noted_key(place: Path) -> str:
    file = place / KEY
    return file.read_text(encoding="utf-8").strip() if file.is_file() else ""


def _find(
    config: DictConfig, candidates: Iterable[Path], fingerprint: Callable[[DictConfig], str]
) -> tuple[Path | None, list[str]]:
    """Find the run of a job among those of its settings; runs of other code are moved aside."""
    set_aside: list[str] = []
    for place in candidates:
        record = begun(place).content
        images = value_at(record, "data", "fingerprint")
        # A run that never came to its images is of this job whatever they are.
        if images is not None and images != fingerprint(config):
            continue
        if not record or config.sweep.keep_outdated or record.get("code") == code_digest() or is_claimed(place):
            return place, set_aside
        set_aside.append(f"{place.name} was made by other code and is done again; {_move_aside(place)}")
    return None, set_aside


def _move_aside(place: Path) -> str:
    home = place.parent / SET_ASIDE / place.name
    number = 1
    while home.exists():
        number += 1
        home = home.with_name(f"{place.name}_{number}")
    home.parent.mkdir(exist_ok=True)
    place.rename(home)
    return f"the old one is kept in {SET_ASIDE}/{home.name}."


def _new_directory(directory: Path, overrides: Sequence[str], key: str, taken: set[Path]) -> Path:
    """Name a new job after what was typed; where that name belongs to another, its key follows."""
    name = job_directory(overrides)
    names = [name, f"{name}_{key}", *(f"{name}_{key}_{number}" for number in range(2, len(taken) + 3))]
    free = (directory / each for each in names if directory / each not in taken)
    place = next(each for each in free if not each.exists())
    place.mkdir(parents=True, exist_ok=True)
    write_text(place / KEY, f"{key}\n")
    return place


def _state(place: Path) -> State:
    if is_claimed(place):
        return State.BUSY
    try:
        status = text_at(RunRecord.read(place).content, "status")
    except KaryoError:
        return State.NEW
    return _OF_STATUS.get(status, State.UNFINISHED)


def _reconsidered(state: State, config: DictConfig) -> State:
    again = state is State.FAILED and config.sweep.retry_failed
    # A search has cut it short; a grid is exhaustive.
    whole = state is State.PRUNED and config.sweep.trial is None
    return State.UNFINISHED if again or whole else state


def _place_of_images(config: DictConfig) -> str:
    try:
        roots: Any = [OmegaConf.select(config, key) for key in PLACES_OF_IMAGES]
    except OmegaConfBaseException:
        roots = []
    return json.dumps(roots, default=str)
