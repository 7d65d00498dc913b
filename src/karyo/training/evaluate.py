"""Measuring a trained network on any data set: `python src/evaluate.py`."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from karyo.data.datamodule import ChromosomeData
from karyo.errors import SettingsError
from karyo.evaluation.deciding import check_cells
from karyo.evaluation.measure import measure
from karyo.evaluation.predict import predict
from karyo.models.checkpoint import TrainedNetwork, load_checkpoint
from karyo.training.by_cell import (
    NOTHING_LEARNED,
    CellsMeasured,
    Learned,
    keep_with_run,
    learn_from_run,
    measure_cells,
    open_own,
)
from karyo.training.finished import find_finished, open_as_trained, own_data, side_of_split
from karyo.training.outcome import draw_figures, measuring_device, print_result, shown, write_results
from karyo.training.record import RunRecord
from karyo.training.settings import check_values

PARTS = ("auto", "test", "validation", "train", "all")


def evaluate_run(config: DictConfig) -> None:
    """Measure a run's best checkpoint as its own end did, on the data that the configuration names.

    Without ``data=`` it is the run's own data and its test side; with other data it is every image of them. With
    ``by_cell`` each cell is decided together as well, and both ways are measured by cell.

    Raises:
        KaryoError: If there is no such run, or checkpoint and data do not go together.
    """
    began = time.monotonic()
    check_values(config, "batch_size", "bootstrap", "seed", "by_cell")
    checkpoint, run_config = find_checkpoint(config)
    trained = load_checkpoint(checkpoint)
    part = choose_part(config, run_config)
    data = open_data(config, run_config, trained)
    same_data = data.fingerprint == trained.data_fingerprint
    positions = positions_of(part, config, data, same_data)
    learned = prepare_cells(config, run_config, trained, data, positions) if config.by_cell else None
    loader = data.ordered_dataloader(positions)
    predictions = predict(trained.network, loader, data.records, device=measuring_device(config.accelerator))
    measures = measure(predictions, resamples=config.bootstrap, seed=config.seed)
    cells = measure_cells(config, predictions, data, positions, learned) if learned else None
    record = RunRecord(Path(HydraConfig.get().runtime.output_dir))
    unseen = part == "test" or (part == "all" and not same_data)
    record.start(name=record.directory.name, measured=str(checkpoint), part=part, unseen=unseen, data=data.facts())
    write_results(record.directory, predictions, draw_figures(predictions, measures, data))
    level = "cell" if any(predictions.cells) else "image"
    facts = conclude_cells(config, record.directory, checkpoint, cells, part) if cells else {}
    record.finish(time.monotonic() - began, test=measures.to_dict(), split_by=level, **facts)
    print_result(record.content, files_of(record, checkpoint), {})


def prepare_cells(
    config: DictConfig,
    run_config: DictConfig | None,
    trained: TrainedNetwork,
    data: ChromosomeData,
    positions: Sequence[int],
) -> Learned:
    """Check that the images to measure have cells, and learn from the run what deciding about cells needs.

    Raises:
        SettingsError: If it is not known which images belong together.
        DataError: If the run's own images are not there any more.
    """
    records = [data.records[position] for position in positions]
    check_cells([record.path for record in records], [record.cell for record in records])
    if run_config is None:
        return NOTHING_LEARNED
    same_data = data.fingerprint == trained.data_fingerprint
    own = data if same_data else open_own(run_config, trained, config.batch_size)
    return learn_from_run(Path(config.run), own, trained, measuring_device(config.accelerator))


def conclude_cells(
    config: DictConfig, directory: Path, checkpoint: Path, cells: CellsMeasured, part: str
) -> dict[str, Any]:
    """Write a measurement by cell: its tables, and of a run's own test side a copy for `karyo compare`.

    Returns:
        What the record is to hold of it.
    """
    cells.decided.write(directory)
    content = cells.to_dict()
    if part == "test":
        content["remarks"] += keep_with_run(Path(config.run), checkpoint, cells)
    return {"by_cell": content}


def files_of(record: RunRecord, checkpoint: Path) -> dict[str, str]:
    """Name what a measurement leaves behind, as the user would type it."""
    directory = shown(record.directory)
    files = {
        "measured": shown(checkpoint),
        "figures": f"{directory}/figures/  (confusion, reliability, mistakes)",
        "each prediction": f"{directory}/predictions.csv",
    }
    if "by_cell" in record.content:
        files |= {"each cell": f"{directory}/cells.csv", "each place in a cell": f"{directory}/assigned.csv"}
    return files | {"everything else": f"{directory}/summary.json"}


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
