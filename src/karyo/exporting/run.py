"""The run that is exported, or several as one: its network, and the sides of the split that it was trained with."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf

from karyo.data.datamodule import ChromosomeData
from karyo.data.records import Record
from karyo.errors import DataError, KaryoError, SettingsError
from karyo.files import sha256
from karyo.models.checkpoint import TrainedNetwork, load_checkpoint
from karyo.models.joining import join
from karyo.training.finished import (
    FinishedRun,
    agreed,
    find_finished,
    open_as_trained,
    own_data,
    side_of_split,
    side_of_splits,
)
from karyo.training.locations import SUMMARY

SIDES = ("train", "validation", "test")
"""The sides of a split."""

_BATCH = 32


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """A finished run with its network and its data opened.

    Attributes:
        directory: The run's directory.
        facts: Its record; anything may be missing in it.
        config: The configuration that it was trained with.
        checkpoint: The checkpoint that is exported.
        fingerprint: SHA-256 of that file; of several runs that of the list of theirs, one a line.
        trained: The network in it, with its preparation.
        data: The images that it was trained on, prepared as it was.
        sides: Positions in ``data.records`` by side, ascending.
        members: The runs that answer as one; none of a single run.
    """

    directory: Path
    facts: Mapping[str, Any]
    config: DictConfig
    checkpoint: Path
    fingerprint: str
    trained: TrainedNetwork
    data: ChromosomeData
    sides: Mapping[str, Sequence[int]]
    members: tuple["TrainedRun", ...] = ()

    def records(self, side: str) -> list[Record]:
        """Give the records of a side."""
        return [self.data.records[position] for position in self.sides[side]]

    def labels(self, side: str) -> NDArray[np.int64]:
        """Give the true classes of a side, int64 (N,)."""
        return np.array([record.label for record in self.records(side)], dtype=np.int64)

    def some(self, side: str, most: int) -> list[int]:
        """Choose positions of a side, spread evenly over it, ``most`` at the most: records stand by class or cell."""
        positions = self.sides[side]
        chosen = np.linspace(0, len(positions) - 1, min(most, len(positions))).round().astype(np.int64)
        return [positions[index] for index in chosen]


@dataclass(frozen=True)
class _Found:
    """A run without its images."""

    directory: Path
    run: FinishedRun
    checkpoint: Path
    trained: TrainedNetwork


def open_run(source: Path, data_root: Path | None = None) -> TrainedRun:
    """Open a run and the images that it was trained on.

    Args:
        source: The run's directory, or a checkpoint inside it.
        data_root: Where the images are now; None for where they were.

    Raises:
        SettingsError: If there is no such run, it has not finished, or a checkpoint is not inside a run.
        DataError: If a file of the run is damaged, or the images are not those that it was trained on.
    """
    found = _find(source)
    return _opened(found, _open_data(found.run.config, found.trained, data_root))


def open_runs(sources: Sequence[Path], data_root: Path | None = None) -> TrainedRun:
    """Open runs that shall answer as one, and the images that all of them were trained on.

    Args:
        sources: The runs' directories, or checkpoints inside them; one is opened as :func:`open_run` does.
        data_root: Where the images are now; None for where they were.

    Returns:
        The runs as one: the network is their ensemble, the training side what any of them learned from, validation and
        test what none of them did; of records and settings what is the same in all.

    Raises:
        SettingsError: Besides what :func:`open_run` raises if a run is given twice, their images are not prepared
            alike, or they were not divided alike.
        DataError: As :func:`open_run`; all must have been trained on the same images.
    """
    if len(sources) == 1:
        return open_run(sources[0], data_root)
    found = [_find(source) for source in sources]
    _refuse_twice(found)
    trained = join([each.trained for each in found], [each.directory for each in found])
    data = _open_data(found[0].run.config, trained, data_root)
    members = tuple(_opened(each, data) for each in found)
    directories = [each.directory for each in found]
    checkpoints = "".join(f"{each.fingerprint}\n" for each in members)
    return TrainedRun(
        directory=directories[0],
        facts=agreed([each.facts for each in members]),
        config=OmegaConf.create(agreed([_plain(each.config) for each in members])),
        checkpoint=found[0].checkpoint,
        fingerprint=hashlib.sha256(checkpoints.encode()).hexdigest(),
        trained=trained,
        data=data,
        sides={side: side_of_splits(directories, side, data.records) for side in SIDES},
        members=members,
    )


def _find(source: Path) -> _Found:
    directory = _directory_of(source)
    run = find_finished(directory)
    checkpoint = run.checkpoint if source.is_dir() else source
    return _Found(directory, run, checkpoint, load_checkpoint(checkpoint))


def _opened(found: _Found, data: ChromosomeData) -> TrainedRun:
    """Put a run together with its images, once it is certain that they are."""
    directory, trained = found.directory, found.trained
    _check_images(data, trained, directory)
    sides = {side: side_of_split(directory, side, data.records) for side in SIDES}
    for side in ("train", "validation"):
        if not sides[side]:
            raise DataError(f"{directory} has no {side} images, so nothing can be calibrated; train it with some")
    run, fingerprint = found.run, sha256(found.checkpoint)
    return TrainedRun(directory, run.record.content, run.config, found.checkpoint, fingerprint, trained, data, sides)


def _refuse_twice(found: Sequence[_Found]) -> None:
    seen: set[Path] = set()
    for each in found:
        if each.checkpoint.resolve() in seen:
            raise SettingsError(f"{each.directory} is given twice; it would only count double: leave one out")
        seen.add(each.checkpoint.resolve())


def _plain(config: DictConfig) -> dict[str, Any]:
    plain: Any = OmegaConf.to_container(config, resolve=False)
    return {str(name): value for name, value in plain.items()}


def _directory_of(source: Path) -> Path:
    if source.is_dir():
        return source
    if not source.is_file():
        raise SettingsError(f"there is no run, sweep or checkpoint {source}")
    inside = next((folder for folder in source.resolve().parents[:2] if (folder / SUMMARY).is_file()), None)
    if inside is None:
        raise SettingsError(
            f"{source} is not inside the directory of a run, so it is not known which images it was not trained on; "
            "without those nothing can be calibrated or verified: give the run's directory"
        )
    return inside


def _open_data(config: DictConfig, trained: TrainedNetwork, data_root: Path | None) -> ChromosomeData:
    if data_root is not None:
        OmegaConf.update(config, "data.root", str(data_root.absolute()))
    try:
        data = open_as_trained(own_data(config), trained, _BATCH)
        data.setup("predict")
    except KaryoError as error:
        moved = "the images that it was trained on are needed to calibrate and verify"
        hint = f"{str(error).rstrip('.')}; {moved}: if they have moved, add --data-root FOLDER"
        raise type(error)(hint) from error
    return data


def _check_images(data: ChromosomeData, trained: TrainedNetwork, directory: Path) -> None:
    """Other images would calibrate and verify something else than what the run's record states."""
    if trained.data_fingerprint and data.fingerprint != trained.data_fingerprint:
        raise DataError(
            f"the images are not those that {directory} was trained on (their fingerprint is {data.fingerprint[:12]}, "
            f"it was {trained.data_fingerprint[:12]}); name the folder of the old ones with --data-root, or train again"
        )
