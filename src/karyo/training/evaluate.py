"""Measuring a trained network on any data set: `python src/evaluate.py`."""

import time
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from karyo.data.datamodule import ChromosomeData
from karyo.errors import SettingsError
from karyo.evaluation.measure import measure
from karyo.evaluation.predict import predict
from karyo.models.checkpoint import TrainedNetwork, load_checkpoint
from karyo.training.finished import find_finished, open_as_trained, own_data, side_of_split
from karyo.training.outcome import draw_figures, measuring_device, print_result, shown, write_results
from karyo.training.record import RunRecord
from karyo.training.settings import check_values

PARTS = ("auto", "test", "validation", "train", "all")


def evaluate_run(config: DictConfig) -> None:
    """Measure a run's best checkpoint as its own end did, on the data that the configuration names.

    Without ``data=`` it is the run's own data and its test side; with other data it is every image of them.

    Raises:
        KaryoError: If there is no such run, or checkpoint and data do not go together.
    """
    began = time.monotonic()
    check_values(config, "batch_size", "bootstrap", "seed")
    checkpoint, run_config = find_checkpoint(config)
    trained = load_checkpoint(checkpoint)
    part = choose_part(config, run_config)
    data = open_data(config, run_config, trained)
    same_data = data.fingerprint == trained.data_fingerprint
    loader = data.ordered_dataloader(positions_of(part, config, data, same_data))
    predictions = predict(trained.network, loader, data.records, device=measuring_device(config.accelerator))
    measures = measure(predictions, resamples=config.bootstrap, seed=config.seed)
    record = RunRecord(Path(HydraConfig.get().runtime.output_dir))
    unseen = part == "test" or (part == "all" and not same_data)
    record.start(name=record.directory.name, measured=str(checkpoint), part=part, unseen=unseen, data=data.facts())
    write_results(record.directory, predictions, draw_figures(predictions, measures, data))
    level = "cell" if any(predictions.cells) else "image"
    record.finish(time.monotonic() - began, test=measures.to_dict(), split_by=level)
    directory = shown(record.directory)
    files = {
        "measured": shown(checkpoint),
        "figures": f"{directory}/figures/  (confusion, reliability, mistakes)",
        "each prediction": f"{directory}/predictions.csv",
        "everything else": f"{directory}/summary.json",
    }
    print_result(record, files, {})


def find_checkpoint(config: DictConfig) -> tuple[Path, DictConfig | None]:
    """Find what to measure: ``checkpoint=FILE``, or the best checkpoint of ``run=DIRECTORY`` and its configuration.

    Raises:
        SettingsError: If neither or both are given, or the run has no checkpoint yet.
    """
    if bool(config.run) == bool(config.checkpoint):
        raise SettingsError("say what to measure: run=DIRECTORY of a run, or checkpoint=FILE.")
    if config.checkpoint:
        return Path(config.checkpoint), None
    run = find_finished(Path(config.run))
    return run.checkpoint, run.config


def open_data(config: DictConfig, run_config: DictConfig | None, trained: TrainedNetwork) -> ChromosomeData:
    """Open the data named by `data`, or the run's own, prepared exactly as the network was trained.

    Raises:
        SettingsError: If no data are named and there is no run to take them from.
    """
    node: Any = OmegaConf.select(config, "data")
    if node is None:
        if run_config is None:
            raise SettingsError("checkpoint=FILE alone does not name data; add data=NAME data.root=FOLDER.")
        node = own_data(run_config)
    return open_as_trained(node, trained, config.batch_size)


def positions_of(part: str, config: DictConfig, data: ChromosomeData, same_data: bool) -> list[int]:
    """Find the images of a part, for the sides of a split as the run itself wrote them down.

    Raises:
        SettingsError: If a side is asked for of other images than the run was trained on.
        DataError: If the run's split is missing or damaged.
    """
    if part == "all":
        return list(range(len(data.records)))
    if not config.run or not same_data:
        raise SettingsError(
            f"part={part} is a side of the run's own split, and these are not the images it was trained on (or no run= "
            "is given); measure them all with part=all."
        )
    return side_of_split(Path(config.run), part, data.records)


def choose_part(config: DictConfig, run_config: DictConfig | None) -> str:
    """Choose which images to measure: with ``part=auto`` the test side of the run's own data, all of any other."""
    if config.part not in PARTS:
        raise SettingsError(f"part={config.part} is unknown; it can be {', '.join(PARTS)}.")
    if config.part != "auto":
        return str(config.part)
    return "test" if OmegaConf.select(config, "data") is None and run_config is not None else "all"
