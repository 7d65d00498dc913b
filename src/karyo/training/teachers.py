"""The networks that a run learns from besides its labels: opened, and refused where they know what it may not."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from karyo.data.datamodule import ChromosomeData
from karyo.errors import DataError, SettingsError
from karyo.files import sha256
from karyo.models.checkpoint import TrainedNetwork, load_checkpoint
from karyo.models.distillation import Distillation
from karyo.models.ensemble import Ensemble, networks_of
from karyo.models.joining import preparation_difference
from karyo.reports.runs import SPLIT_NAME
from karyo.training.finished import find_finished
from karyo.training.locations import teacher_places
from karyo.training.record import RunRecord

_LEAKS = (
    ("train", "test", "learned from"),
    ("train", "validation", "learned from"),
    ("validation", "test", "was chosen by"),
)
"""A teacher's side, a side of the run that it teaches, and what the teacher did with images that are on both."""


@dataclass(frozen=True)
class Teacher:
    """A finished run that another one learns from.

    Attributes:
        directory: The run's directory.
        trained: Its best network.
        fingerprint: SHA-256 of that checkpoint.
    """

    directory: Path
    trained: TrainedNetwork
    fingerprint: str


def open_teachers(config: DictConfig, record: RunRecord) -> list[Teacher]:
    """Open the runs that ``teachers`` names; needs no data yet.

    Args:
        config: The configuration.
        record: The run's record: of a run that is resumed it says who taught it before. It is told who does.

    Raises:
        SettingsError: If one is no finished run, or is given twice.
        DataError: If a checkpoint is damaged, or is another one than before.
    """
    teachers = [_open(Path(place)) for place in teacher_places(config.get("teachers"))]
    # A mean of the same networks in another order is rounded differently.
    teachers.sort(key=lambda teacher: teacher.fingerprint)
    fingerprints = [teacher.fingerprint for teacher in teachers]
    if len(set(fingerprints)) < len(fingerprints):
        raise SettingsError("teachers= names a network twice; it would only count double: leave one out.")
    known = record.content.get("teachers")
    if known is not None and known != fingerprints:
        raise DataError("these are not the teachers that the run began with; give it the same ones, or a new run.")
    if fingerprints:
        record.add(teachers=fingerprints)
    return teachers


def _open(directory: Path) -> Teacher:
    if not directory.is_dir():
        raise SettingsError(f"teachers={directory}: there is no such directory of a run.")
    found = find_finished(directory)
    trained = load_checkpoint(found.checkpoint)
    return Teacher(directory, trained, sha256(found.checkpoint))


def check_teachers(teachers: Sequence[Teacher], data: ChromosomeData) -> None:
    """Make sure that teachers see images as the run does, and cannot tell it anything about those it is measured on.

    Args:
        teachers: The teachers.
        data: The run's data, split.

    Raises:
        SettingsError: If a teacher wants its images prepared otherwise, was trained on other images, learned from
            images of this run's validation or test side, or was chosen by images of its test side.
    """
    fingerprint = data.fingerprint if teachers else ""
    for teacher in teachers:
        if difference := preparation_difference(data.preparation, teacher.trained.preparation):
            raise SettingsError(f"teachers={teacher.directory} learned from other input, here and there {difference}.")
        if teacher.trained.data_fingerprint != fingerprint:
            raise SettingsError(
                f"teachers={teacher.directory} was trained on other images than these, so it is not known whether it "
                "has seen some of this run's validation or test side; train a teacher on the same data."
            )
        _refuse_leaks(teacher.directory, data)


def _refuse_leaks(directory: Path, data: ChromosomeData) -> None:
    split = _sides(directory / SPLIT_NAME)
    own = data.split.to_dict(data.records)
    for theirs, ours, did in _LEAKS:
        if known := len(split[theirs] & set(own[ours])):
            raise SettingsError(
                f"teachers={directory} {did} {known:,} images of this run's {ours} side, whose result would look too "
                "good; take teachers of the same split: the same data.fold, and data.split_seed where seeds differ."
            )


def _sides(path: Path) -> dict[str, set[str]]:
    try:
        split = json.loads(path.read_text(encoding="utf-8"))
        return {side: set(split[side]) for side in ("train", "validation")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is missing or damaged, so it is not known what this teacher has seen.") from error


def build_distillation(config: DictConfig, teachers: Sequence[Teacher]) -> Distillation | None:
    """Give what the run learns from its teachers; None where it has none."""
    if not teachers:
        return None
    networks = [network for teacher in teachers for network in networks_of(teacher.trained.network)]
    settings = config.distillation
    return Distillation(Ensemble(networks), float(settings.temperature), float(settings.weight))
