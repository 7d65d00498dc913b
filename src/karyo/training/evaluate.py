"""Measuring a trained network on any data set: `python src/evaluate.py`."""

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, ListConfig, OmegaConf
from rich.console import Console

from karyo.data.datamodule import ChromosomeData
from karyo.errors import SettingsError
from karyo.evaluation.deciding import check_cells
from karyo.evaluation.measure import measure
from karyo.evaluation.predict import predict
from karyo.files import sha256
from karyo.identity import setting_key, settings_of_config
from karyo.models.checkpoint import TrainedNetwork, load_checkpoint
from karyo.models.joining import join
from karyo.reports.fields import number_at
from karyo.reports.outcome import print_pairs
from karyo.reports.runs import PREDICTIONS_NAME
from karyo.training.by_cell import (
    NOTHING_LEARNED,
    CellsMeasured,
    Learned,
    keep_with_run,
    learn_from_run,
    measure_cells,
    open_own,
)
from karyo.training.finished import agreed, find_finished, open_as_trained, own_data, runs_by_split, side_of_splits
from karyo.training.outcome import (
    HPARAMS,
    draw_figures,
    files_of_cells,
    measuring_device,
    print_result,
    shown,
    write_results,
)
from karyo.training.record import RunRecord
from karyo.training.settings import check_values

PARTS = ("auto", "test", "validation", "train", "all")


@dataclass(frozen=True)
class Measured:
    """What is measured.

    Attributes:
        trained: The network, or several as one.
        checkpoints: Where it is from.
        runs: Directories of the runs that the checkpoints are the best of; none of a checkpoint without its run.
        config: The configuration of the first run; None where there is no run.
        fingerprints: Of all images that any of the networks was trained on.
    """

    trained: TrainedNetwork
    checkpoints: tuple[Path, ...]
    runs: tuple[Path, ...] = ()
    config: DictConfig | None = None
    fingerprints: frozenset[str] = frozenset()

    @property
    def names(self) -> str:
        """The checkpoints, as the user would type them."""
        return ", ".join(map(shown, self.checkpoints))


def evaluate_run(config: DictConfig) -> None:
    """Measure a run's best checkpoint as its own end did, on the data that the configuration names.

    Of several runs the mean of their probabilities is measured, on the test side that they have in common; of sweeps
    that of the runs of each split, one split after the other: on their own test sides, for `karyo compare` to pool.

    Without ``data=`` it is the run's own data and its test side; with other data it is every image of them. With
    ``by_cell`` each cell is decided together as well, and both ways are measured by cell.

    Raises:
        KaryoError: If there is no such run, or checkpoint and data do not go together.
    """
    check_values(config, "batch_size", "bootstrap", "seed", "by_cell")
    directory = Path(HydraConfig.get().runtime.output_dir)
    groups = find_groups(config)
    for group in groups:
        evaluate_group(config, group, directory if len(groups) == 1 else directory / group[0].name)
    if len(groups) > 1 and len(groups[0]) > 1:
        print_pairs(Console(), "Next", {"all of them together": f"karyo compare {shlex.quote(shown(directory))}"})


def evaluate_group(config: DictConfig, runs: Sequence[Path], directory: Path) -> None:
    """Measure a run, or several as one.

    Args:
        config: As for :func:`evaluate_run`.
        runs: Their directories; none where it names a checkpoint.
        directory: Where the result goes; made if missing.

    Raises:
        KaryoError: As :func:`evaluate_run`.
    """
    began = time.monotonic()
    measured = find_measured(config, runs)
    trained = measured.trained
    part = choose_part(config, measured)
    data = open_data(config, measured)
    same_data = data.fingerprint == trained.data_fingerprint
    positions = positions_of(part, measured, data, same_data)
    learned = prepare_cells(config, measured, data, positions) if config.by_cell else None
    loader, device = data.ordered_dataloader(positions), measuring_device(config.accelerator)
    predictions = predict(trained.network, loader, data.records, device=device)
    measures = measure(predictions, resamples=config.bootstrap, seed=config.seed)
    cells = measure_cells(config, predictions, data, positions, learned, trained, device) if learned else None
    directory.mkdir(parents=True, exist_ok=True)
    record = RunRecord(directory)
    unseen = part == "test" or (part == "all" and data.fingerprint not in measured.fingerprints)
    record.start(
        name=record.directory.name,
        measured=", ".join(map(str, measured.checkpoints)),
        part=part,
        unseen=unseen,
        data=data.facts(),
    )
    write_results(record.directory, predictions, draw_figures(predictions, measures, data))
    level = "cell" if any(predictions.cells) else "image"
    if len(measured.runs) > 1 and part == "test":
        record.add(result=sha256(directory / PREDICTIONS_NAME), **facts_of_members(measured, data, device))
    facts = conclude_cells(record.directory, measured, cells, part) if cells else {}
    record.finish(time.monotonic() - began, test=measures.to_dict(), split_by=level, **facts)
    print_result(record.content, files_of(record, measured.names), {})


def prepare_cells(config: DictConfig, measured: Measured, data: ChromosomeData, positions: Sequence[int]) -> Learned:
    """Check that the images to measure have cells, and learn from the run what deciding about cells needs.

    Raises:
        SettingsError: If it is not known which images belong together.
        DataError: If the run's own images are not there any more.
    """
    records = [data.records[position] for position in positions]
    check_cells([record.path for record in records], [record.cell for record in records])
    if measured.config is None:
        return NOTHING_LEARNED
    if len(measured.fingerprints) > 1:
        raise SettingsError(
            "by_cell=true takes temperature and sizes from the images that the runs were trained on, and these were "
            "trained on different ones; leave it out."
        )
    trained = measured.trained
    same_data = data.fingerprint == trained.data_fingerprint
    own = data if same_data else open_own(measured.config, trained, config.batch_size)
    return learn_from_run(measured.runs, own, trained, measuring_device(config.accelerator))


def conclude_cells(directory: Path, measured: Measured, cells: CellsMeasured, part: str) -> dict[str, Any]:
    """Write a measurement by cell: its tables, and of a test side a copy for `karyo compare`.

    Of a single run it stands beside that, of several beside this measurement.

    Returns:
        What the record is to hold of it.
    """
    cells.decided.write(directory)
    content = cells.to_dict()
    if part == "test" and measured.runs:
        place = measured.runs[0] if len(measured.runs) == 1 else directory
        content["remarks"] += keep_with_run(place, measured.checkpoints, cells)
    return {"by_cell": content}


def facts_of_members(measured: Measured, data: ChromosomeData, device: torch.device) -> dict[str, Any]:
    """Say of several runs that answered as one what a record says of a run, so that `karyo compare` takes it for one.

    Args:
        measured: The runs, of one split.
        data: Their images.
        device: Where to compute.

    Returns:
        What is the same in their records; the configuration that stands for them (:func:`members_config`); and what
        they reach together on the validation side.
    """
    contents = [RunRecord.read(run).content for run in measured.runs]
    common = agreed(contents)
    configs = [content.get("config", {}) for content in contents]
    typed = [content.get("overrides", []) for content in contents]
    sizes = [number_at(content, "parameters") for content in contents]
    facts: dict[str, Any] = {name: common[name] for name in (*HPARAMS, "image_size", "split_by") if name in common}
    facts |= {
        "members": list(map(str, measured.runs)),
        # Their split is the same: they were measured on one test side.
        "data": contents[0].get("data", {}),
        "config": members_config(configs),
        "overrides": [*(each for each in typed[0] if all(each in other for other in typed)), f"members={len(typed)}"],
    }
    if None not in sizes:
        facts["parameters"] = sum(int(size) for size in sizes if size)
    try:
        validation = side_of_splits(measured.runs, "validation", data.records)
    except SettingsError:
        validation = []  # they validated on different images, which only their comparison misses
    if not validation:
        return facts
    answers = predict(measured.trained.network, data.ordered_dataloader(validation), data.records, device=device)
    measures = measure(answers, resamples=0)
    reached = {"accuracy": measures.accuracy.value, "loss": measures.log_loss.value}
    return facts | {"validation": reached}


def files_of(record: RunRecord, measured: str) -> dict[str, str]:
    """Name what a measurement leaves behind, as the user would type it."""
    directory = shown(record.directory)
    files = {
        "measured": measured,
        "figures": f"{directory}/figures/  (confusion, reliability, mistakes)",
        "each prediction": f"{directory}/predictions.csv",
    }
    if "by_cell" in record.content:
        files |= files_of_cells(record.directory)
    return files | {"everything else": f"{directory}/summary.json"}


def members_config(configs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give a configuration that stands for several runs as one.

    Args:
        configs: Theirs, resolved.

    Returns:
        What is the same in all of them; ``members``, the keys of their settings, so that others of the same kinds and
        other seeds are repetitions of it; and their seeds.
    """
    members = sorted(setting_key(settings_of_config(config)) for config in configs)
    return agreed(configs) | {"members": members, "seed": [config.get("seed") for config in configs]}


def find_groups(config: DictConfig) -> list[tuple[Path, ...]]:
    """Find which runs to measure as one: ``run=DIRECTORY`` of a run or sweep, ``run=[A,B]``; none of a checkpoint.

    Raises:
        SettingsError: If neither or both of run and checkpoint are given, or the runs are none or no equal groups.
    """
    if bool(config.run) == bool(config.checkpoint):
        raise SettingsError("say what to measure: run=DIRECTORY of a run, or checkpoint=FILE.")
    if config.checkpoint:
        return [()]
    places = config.run if isinstance(config.run, ListConfig) else [config.run]
    return runs_by_split([Path(str(place)) for place in places])


def find_measured(config: DictConfig, runs: Sequence[Path]) -> Measured:
    """Open what to measure: ``checkpoint=FILE``, or the checkpoints of runs.

    Raises:
        SettingsError: If a run has no checkpoint yet, or several cannot answer as one.
    """
    if config.checkpoint:
        alone = load_checkpoint(Path(config.checkpoint))
        return Measured(alone, (Path(config.checkpoint),), fingerprints=frozenset([alone.data_fingerprint]))
    if len({run.resolve() for run in runs}) < len(runs):
        raise SettingsError("run= names a run twice; it would only count double: leave one out.")
    finished = [find_finished(run) for run in runs]
    checkpoints = tuple(run.checkpoint for run in finished)
    each = [load_checkpoint(checkpoint) for checkpoint in checkpoints]
    fingerprints = frozenset(one.data_fingerprint for one in each)
    return Measured(join(each, runs), checkpoints, tuple(runs), finished[0].config, fingerprints)


def open_data(config: DictConfig, measured: Measured) -> ChromosomeData:
    """Open the data named by `data`, or the run's own, prepared exactly as the network was trained.

    Raises:
        SettingsError: If no data are named and there is no run to take them from.
    """
    node: Any = OmegaConf.select(config, "data")
    if node is None:
        if measured.config is None:
            raise SettingsError("checkpoint=FILE alone does not name data; add data=NAME data.root=FOLDER.")
        if len(measured.fingerprints) > 1:
            raise SettingsError(
                "the runs were trained on different images, so they have no test side in common; name the images to "
                "measure them on with data=NAME data.root=FOLDER."
            )
        node = own_data(measured.config)
    return open_as_trained(node, measured.trained, config.batch_size)


def positions_of(part: str, measured: Measured, data: ChromosomeData, same_data: bool) -> list[int]:
    """Find the images of a part, for the sides of a split as the run itself wrote them down.

    Raises:
        SettingsError: If a side is asked for of other images than the run was trained on, or several runs have no such
            side in common.
        DataError: If the run's split is missing or damaged.
    """
    if part == "all":
        return list(range(len(data.records)))
    if not measured.runs or not same_data:
        raise SettingsError(
            f"part={part} is a side of the run's own split, and these are not the images it was trained on (or no run= "
            "is given); measure them all with part=all."
        )
    return side_of_splits(measured.runs, part, data.records)


def choose_part(config: DictConfig, measured: Measured) -> str:
    """Choose which images to measure: with ``part=auto`` the test side of the run's own data, all of any other."""
    if config.part not in PARTS:
        raise SettingsError(f"part={config.part} is unknown; it can be {', '.join(PARTS)}.")
    if config.part != "auto":
        return str(config.part)
    return "test" if OmegaConf.select(config, "data") is None and measured.runs else "all"
