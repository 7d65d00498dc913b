"""Measuring by cell what a run has learned: what it takes from the run's other sides, and where the result is kept."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig

from karyo import __version__
from karyo.data.datamodule import ChromosomeData
from karyo.data.records import Record
from karyo.data.sizes import learn_sizes, measure_sizes
from karyo.errors import DataError, KaryoError
from karyo.evaluation.bootstrap import cluster_numbers
from karyo.evaluation.by_cell import ByCell, measure_by_cell
from karyo.evaluation.calibration import fit_temperature
from karyo.evaluation.deciding import DecidedCells, decide_cells, log_probabilities
from karyo.evaluation.predict import predict, predict_in_cells
from karyo.evaluation.predictions import Predictions
from karyo.files import sha256, write_text
from karyo.inference.predictor import FEWEST_IN_CELL
from karyo.inference.sizes import SizeNorms
from karyo.karyotype.cell import MOST_OBJECTS
from karyo.models.checkpoint import TrainedNetwork
from karyo.reports.runs import BY_CELL_NAME
from karyo.training.finished import open_as_trained, own_data, side_of_splits
from karyo.training.record import RunRecord

log = logging.getLogger(__name__)

LEAST_CELLS, WHOLE = 5, 40
"""Without being told, a run is measured by cell where it tests this many cells, most of them of so many images."""


@dataclass(frozen=True)
class Learned:
    """What deciding about cells takes from a run besides its network.

    Attributes:
        temperature: What calibrates its probabilities, from the validation side.
        norms: The usual sizes of its training side's chromosomes; None where they are not known.
        remarks: What could not be had, one sentence each.
    """

    temperature: float = 1.0
    norms: SizeNorms | None = None
    remarks: tuple[str, ...] = ()


NOTHING_LEARNED = Learned(
    remarks=("A checkpoint alone knows neither temperature nor usual sizes: give run=DIRECTORY to decide with both.",)
)
"""Of a checkpoint without its run."""


@dataclass(frozen=True, eq=False)
class CellsMeasured:
    """A measurement by cell.

    Attributes:
        decided: The decisions.
        measures: How good they are.
        learned: What they rest on.
        remarks: What one should know of them, one sentence each.
    """

    decided: DecidedCells
    measures: ByCell
    learned: Learned
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give it as a record keeps it, primitives only: the measures, and what they rest on."""
        norms = self.learned.norms
        return {
            **self.measures.to_dict(),
            "temperature": self.learned.temperature,
            "cells_of_sizes": None if norms is None else norms.cells,
            "remarks": list(self.remarks),
        }


def tests_whole_cells(predictions: Predictions) -> bool:
    """Tell whether most of at least :data:`LEAST_CELLS` tested cells are whole, so that deciding them says something.

    Args:
        predictions: Of a test side.

    Returns:
        False also where the cell of an image is not known, or one has more images than any cell has objects: these are
        no single cells.
    """
    if any(cell is None for cell in predictions.cells):
        return False
    counts = np.bincount(cluster_numbers(predictions.cells))
    whole = int((counts >= WHOLE).sum())
    return len(counts) >= LEAST_CELLS and whole > len(counts) / 2 and int(counts.max()) <= MOST_OBJECTS


def measure_at_the_end(
    config: DictConfig,
    directory: Path,
    checkpoint: Path,
    trained: TrainedNetwork,
    data: ChromosomeData,
    predictions: Predictions,
    device: torch.device,
) -> None:
    """Decide about the cells of a run's test side as soon as it is measured, and keep that with the run.

    Args:
        config: Of the run: ``by_cell`` true or false, or null for what :func:`tests_whole_cells` says.
        directory: Of the run.
        checkpoint: Its best.
        trained: The same, loaded.
        data: Its data, set up.
        predictions: Of its test side.
        device: Where to compute.

    Raises:
        KaryoError: If it was asked for and cannot be done; where nobody asked, a warning says so.
    """
    wanted = config.get("by_cell")
    if wanted is False or (wanted is None and not tests_whole_cells(predictions)):
        return
    position_of = {record.path: position for position, record in enumerate(data.records)}
    positions = [position_of[path] for path in predictions.paths]
    try:
        learned = learn_from_run([directory], data, trained, device)
        measured = measure_cells(config, predictions, data, positions, learned, trained, device)
    except KaryoError as error:
        if wanted:
            raise
        log.warning("the test side is not measured by cell: %s", error)
        return
    for problem in keep_with_run(directory, [checkpoint], measured):
        log.warning(problem)


def learn_from_run(
    directories: Sequence[Path], data: ChromosomeData, trained: TrainedNetwork, device: torch.device
) -> Learned:
    """Calibrate a run's network on its validation side, and learn the usual sizes of its training side.

    Args:
        directories: The run's directory; of several runs that answer as one, all of theirs.
        data: Its own images, prepared as it was trained.
        trained: Its network.
        device: Where to compute.

    Raises:
        SettingsError: If several runs have no validation side in common.
        DataError: If these are not the images that it was trained on, or its split is missing.
    """
    if data.fingerprint != trained.data_fingerprint:
        raise DataError(
            f"the images are not those that {directories[0]} was trained on, so they can neither calibrate it nor tell "
            "its usual sizes; give checkpoint=FILE instead of run= to do without both."
        )
    remarks = []
    temperature = 1.0
    validation = side_of_splits(directories, "validation", data.records)
    if validation:
        answers = _answers(trained, data, validation, device)
        temperature = fit_temperature(log_probabilities(answers), answers.labels)
    else:
        remarks.append("The run has no validation images, so its probabilities are as the network gives them.")
    training = [data.records[position] for position in side_of_splits(directories, "train", data.records)]
    norms = learn_sizes(data.source, training, data.preparation.polarity)
    if norms is None:
        remarks.append("The training side has too few whole cells to learn usual sizes from: only bands decide.")
    return Learned(temperature, norms, tuple(remarks))


def open_own(run_config: DictConfig, trained: TrainedNetwork, batch_size: int) -> ChromosomeData:
    """Open the images that a run was trained on, where others are measured.

    Raises:
        KaryoError: If they cannot be opened any more, with what to do then.
    """
    try:
        data = open_as_trained(own_data(run_config), trained, batch_size)
        data.setup("predict")
    except KaryoError as error:
        raise type(error)(
            f"{str(error).rstrip('.')}; by_cell=true takes temperature and sizes from the images that the run was "
            "trained on: give checkpoint=FILE instead of run= to do without them."
        ) from error
    return data


def _answers(
    trained: TrainedNetwork, data: ChromosomeData, positions: Sequence[int], device: torch.device
) -> Predictions:
    """Ask a network as decisions about cells will: about whole cells if it can, else about each image alone."""
    if trained.network.spec.context is not None:
        return predict_in_cells(trained.network, data, positions, device)
    return predict(trained.network, data.ordered_dataloader(positions), data.records, device=device)


def measure_cells(
    config: DictConfig,
    predictions: Predictions,
    data: ChromosomeData,
    positions: Sequence[int],
    learned: Learned,
    trained: TrainedNetwork,
    device: torch.device,
) -> CellsMeasured:
    """Decide about the cells of a part of a data set, and measure that.

    Args:
        config: With ``bootstrap`` and ``seed``.
        predictions: Of the part, in its order.
        data: The data.
        positions: Of the part's images in ``data.records``.
        learned: From the run.
        trained: Its network; one that can see whole cells is asked about them.
        device: Where to compute.
    """
    whole = any(len(cell) >= FEWEST_IN_CELL for cell in data.group_by_cell(positions))
    seen = whole and trained.network.spec.context is not None
    in_cell = _answers(trained, data, positions, device) if seen else None
    records = [data.records[position] for position in positions]
    sizes = None if learned.norms is None else measure_sizes(data.source, records, data.preparation.polarity)
    decided = decide_cells(predictions, learned.temperature, sizes, learned.norms, in_cell=in_cell)
    measures = measure_by_cell(decided, resamples=config.bootstrap, seed=config.seed)
    unmeasured = 0 if sizes is None else int((~np.isfinite(sizes).all(axis=1)).sum())
    remarks = [*learned.remarks, *_torn(data.records, records)]
    if unmeasured:
        remarks.append(f"{unmeasured:,} of {len(records):,} images show nothing whose size could be measured.")
    return CellsMeasured(decided, measures, learned, tuple(remarks))


def keep_with_run(directory: Path, checkpoints: Sequence[Path], measured: CellsMeasured) -> list[str]:
    """Write ``by_cell.json``, ``cells.csv`` and ``assigned.csv`` beside a run's record, for `karyo compare` to read.

    What the record calls its result, and its time of finishing where it has finished, stand in the first, so that it is
    not taken for that of another result which the run may have later; and the checkpoint's SHA-256, for whoever wants
    to be sure.

    Args:
        directory: The run's directory.
        checkpoints: What was measured; several where they answered as one.
        measured: On the run's own test side.

    Returns:
        A sentence if it cannot be written, nothing otherwise: a run may lie where its reader has no rights.
    """
    record = RunRecord.read(directory).content
    kept = {
        "format": 1,
        "karyo": __version__,
        "finished": record.get("finished"),
        "result": record.get("result"),
        "checkpoint": ", ".join(map(sha256, checkpoints)),
        "by_cell": measured.to_dict(),
    }
    path = directory / BY_CELL_NAME
    try:
        measured.decided.write(directory)
        write_text(path, json.dumps(kept, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        return [f"{path} cannot be written ({error.strerror or error}), so karyo compare will not show this result."]
    return []


def _torn(everything: Sequence[Record], part: Sequence[Record]) -> list[str]:
    """Say it where images of a cell are left out, as a split by image does."""
    chosen = {record.path for record in part}
    cells = {record.cell for record in part}
    torn = {record.cell for record in everything if record.cell in cells and record.path not in chosen}
    if not torn:
        return []
    verb = "has" if len(torn) == 1 else "have"
    return [
        f"{len(torn):,} of {len(cells):,} cells {verb} images on other sides of the split too, and were decided "
        "without these: a cell is together only where the run was trained with data.split_by=cell or case."
    ]
