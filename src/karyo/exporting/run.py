"""The run that is exported: its network, and the sides of the split that it was trained with."""

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
from karyo.models.checkpoint import TrainedNetwork, load_checkpoint
from karyo.training.finished import find_finished, open_as_trained, own_data, side_of_split
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
        fingerprint: SHA-256 of that file.
        trained: The network in it, with its preparation.
        data: The images that it was trained on, prepared as it was.
        sides: Positions in ``data.records`` by side, ascending.
    """

    directory: Path
    facts: Mapping[str, Any]
    config: DictConfig
    checkpoint: Path
    fingerprint: str
    trained: TrainedNetwork
    data: ChromosomeData
    sides: Mapping[str, Sequence[int]]

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


def open_run(source: Path, data_root: Path | None = None) -> TrainedRun:
    """Open a run and the images that it was trained on.

    Args:
        source: The run's directory, or a checkpoint inside it.
        data_root: Where the images are now; None for where they were.

    Raises:
        SettingsError: If there is no such run, it has not finished, or a checkpoint is not inside a run.
        DataError: If a file of the run is damaged, or the images are not those that it was trained on.
    """
    directory = _directory_of(source)
    found = find_finished(directory)
    checkpoint = found.checkpoint if source.is_dir() else source
    trained = load_checkpoint(checkpoint)
    data = _open_data(found.config, trained, data_root)
    _check_images(data, trained, directory)
    sides = {side: side_of_split(directory, side, data.records) for side in SIDES}
    for side in ("train", "validation"):
        if not sides[side]:
            raise DataError(f"{directory} has no {side} images, so nothing can be calibrated; train it with some")
    content = found.record.content
    return TrainedRun(directory, content, found.config, checkpoint, _sha256(checkpoint), trained, data, sides)


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


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
