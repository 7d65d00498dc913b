"""A finished run: its best checkpoint, its configuration, its data and the sides of its split."""

import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from karyo.data.datamodule import ChromosomeData
from karyo.data.records import Record
from karyo.errors import DataError, SettingsError
from karyo.models.checkpoint import TrainedNetwork
from karyo.reports.fields import text_at
from karyo.reports.runs import RECORD_NAME, SPLIT_NAME, find_records, read_records
from karyo.training.build import build
from karyo.training.record import RunRecord

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FinishedRun:
    """A run with a result.

    Attributes:
        record: Its record.
        checkpoint: Its best checkpoint.
        config: The configuration that it was started with.
    """

    record: RunRecord
    checkpoint: Path
    config: DictConfig


def find_finished(directory: Path) -> FinishedRun:
    """Find a run's result.

    Args:
        directory: The run's directory.

    Raises:
        SettingsError: If there is no run, or it has not finished.
        DataError: If its record or its configuration is damaged.
    """
    record = RunRecord.read(directory)
    status = record.content.get("status")
    if status != "finished" or not isinstance(record.content.get("checkpoint"), str):
        raise SettingsError(
            f"{directory} has no result yet, its status is {status}; "
            f"finish it with python src/train.py resume={directory}"
        )
    return FinishedRun(record, directory / record.content["checkpoint"], _configuration(directory / "config.yaml"))


def agreed(contents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Keep what is the same in all of these records or configurations, at least one: of what is nested each leaf."""
    first, *others = contents
    same: dict[str, Any] = {}
    for name, value in first.items():
        values = [each.get(name) for each in others]
        if all(each == value for each in values):
            same[name] = value
        elif isinstance(value, Mapping) and all(isinstance(each, Mapping) for each in values):
            same[name] = agreed([value, *(each for each in values if isinstance(each, Mapping))])
    return same


def runs_by_split(places: Sequence[Path]) -> list[tuple[Path, ...]]:
    """Group runs that can answer as one: where sweeps are given, those of their runs that share a split.

    Args:
        places: Directories of runs, or of sweeps; not both.

    Returns:
        The runs' directories, a group for each split, in the order of the first sweep's runs; a single group of the
        runs themselves.

    Raises:
        SettingsError: If runs and sweeps are mixed, a sweep is given twice or has no finished run, or not every split
            has as many runs of each sweep.
    """
    sweeps = [place for place in places if is_sweep(place)]
    if not sweeps:
        return [tuple(places)]
    if len(sweeps) < len(places):
        raise SettingsError("run= names runs as well as sweeps; give either runs of one split, or sweeps.")
    if len({sweep.resolve() for sweep in sweeps}) < len(sweeps):
        raise SettingsError("run= names a sweep twice; its runs would only count double: leave one out.")
    found = [_finished_by_split(sweep) for sweep in sweeps]
    splits = list(dict.fromkeys(split for groups in found for split in groups))
    for sweep, groups in zip(sweeps, found, strict=True):
        counts = {len(groups.get(split, ())) for split in splits}
        if len(counts) > 1:
            rarest = min(splits, key=lambda split: len(groups.get(split, ())))
            example = next(run for others in found for run in others.get(rarest, ()))
            raise SettingsError(
                f"runs answer as one where they share a split, and {sweep} has not as many finished runs of each: "
                f"look for those of the split of {example}."
            )
    return [tuple(run for groups in found for run in groups[split]) for split in splits]


def is_sweep(place: Path) -> bool:
    """Tell whether a directory is that of a sweep: no run itself, but with runs below."""
    return place.is_dir() and not (place / RECORD_NAME).exists() and bool(find_records(place))


def _finished_by_split(sweep: Path) -> dict[str, list[Path]]:
    """Group a sweep's finished runs by the digest of their split."""
    records, problems = read_records(sweep)
    for problem in problems:
        log.warning("%s", problem)
    groups: dict[str, list[Path]] = defaultdict(list)
    for record in records:
        if text_at(record, "status") == "finished" and "measured" not in record:
            groups[text_at(record, "data", "split")].append(Path(record["directory"]))
    if not groups:
        raise SettingsError(f"no run below {sweep} has finished.")
    if "" in groups:
        raise SettingsError(f"{groups[''][0]} does not say how its images were split: name the runs one by one.")
    return groups


def open_as_trained(node: DictConfig, trained: TrainedNetwork, batch_size: int) -> ChromosomeData:
    """Open data, prepared exactly as a network was trained.

    Args:
        node: The configuration node ``data``.
        trained: The network. What it was trained to see comes with it; of the data's settings only their own
            background counts.
        batch_size: Images per batch.
    """
    data: ChromosomeData = build(
        node,
        preparation=trained.preparation.to_dict(),
        augmentation=None,
        batch_size=batch_size,
        channels=trained.network.spec.channels,
        crop=None,
        align=None,
    )
    return data


def own_data(config: DictConfig) -> DictConfig:
    """Give the node ``data`` of a run's configuration.

    A run directory may come from anywhere: only this program's own data classes are built from its settings.

    Raises:
        SettingsError: If the node names any other class.
    """
    node: Any = config.data
    targets = [
        node.get("_target_"),
        *(child.get("_target_") for child in node.values() if isinstance(child, DictConfig)),
    ]
    for target in targets:
        if target is not None and not str(target).startswith("karyo.data."):
            raise SettingsError(f"the run's settings name {target}, which is not karyo's; give data=NAME instead.")
    assert isinstance(node, DictConfig)
    return node


def side_of_split(directory: Path, side: str, records: Sequence[Record]) -> list[int]:
    """Find the images of a side of a split as the run itself wrote it down.

    Args:
        directory: The run's directory.
        side: ``train``, ``validation`` or ``test``.
        records: Of the run's own data.

    Returns:
        Positions in ``records``, ascending.

    Raises:
        DataError: If the run's split is missing or damaged.
    """
    path = directory / SPLIT_NAME
    try:
        paths = set(json.loads(path.read_text(encoding="utf-8"))[side])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is missing or damaged, so it is not known which images were unseen.") from error
    return [position for position, record in enumerate(records) if record.path in paths]


def side_of_splits(directories: Sequence[Path], side: str, records: Sequence[Record]) -> list[int]:
    """Find the images of a side that several runs have in common, as each wrote it down.

    Args:
        directories: The runs' directories; at least one.
        side: ``train``: what any of them learned from; ``validation`` or ``test``, which must be the same in all: an
            image that some of them learned from neither calibrates nor measures what they say together.
        records: Of the data of all of them.

    Returns:
        Positions in ``records``, ascending.

    Raises:
        SettingsError: If their ``validation`` or ``test`` differ.
        DataError: If a run's split is missing or damaged.
    """
    first, *others = (side_of_split(directory, side, records) for directory in directories)
    if side == "train":
        return sorted(set(first).union(*others))
    for other, directory in zip(others, directories[1:], strict=True):
        if other != first:
            shared = len(set(first) & set(other))
            raise SettingsError(
                f"{directories[0]} and {directory} share {shared:,} of {len(first):,} {side} images, so what one has "
                "not seen the other may have learned from; give runs of one split (other seeds or other settings with "
                "data.split_seed fixed, not other folds)."
            )
    return first


def _configuration(path: Path) -> DictConfig:
    try:
        own = OmegaConf.load(path)
    except Exception as error:  # a damaged YAML file raises errors of its parser's own
        raise DataError(f"{path} is missing or damaged, so it is not known what the run was trained on.") from error
    if not isinstance(own, DictConfig) or not isinstance(own.get("data"), DictConfig):
        raise DataError(f"{path} does not say what the run was trained on; it is damaged.")
    return own
