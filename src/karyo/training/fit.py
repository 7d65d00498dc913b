"""Training as configured: from built objects to the best checkpoint."""

import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.loggers import Logger
from rich.console import Console
from rich.table import Table

from karyo.data.datamodule import ChromosomeData
from karyo.errors import DataError, KaryoError, SettingsError
from karyo.evaluation.deciding import check_cells
from karyo.inference.predictor import FEWEST_IN_CELL
from karyo.models.classifier import Classifier
from karyo.reports.runs import SPLIT_NAME
from karyo.training.build import (
    build_all,
    build_classifier,
    build_data,
    build_network,
    build_preparation,
    build_trainer,
    pixel_statistics,
    provenance,
)
from karyo.training.epochs import EpochLog
from karyo.training.locations import LAST
from karyo.training.pruning import PRUNED, Pruning, pruning
from karyo.training.record import RunRecord
from karyo.training.samples import show_samples
from karyo.training.starting import differences_to_weights
from karyo.training.teachers import build_distillation, check_teachers, open_teachers

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fitted:
    """What training leaves behind.

    Attributes:
        data: The data of the run, set up.
        loggers: The run's loggers, still open.
        best: The checkpoint that counts: of the best validation accuracy, or of the last epoch.
        epochs: The epoch log, read back from its file.
    """

    data: ChromosomeData
    loggers: list[Logger]
    best: Path
    epochs: EpochLog


def fit(config: DictConfig, record: RunRecord) -> Fitted:
    """Train as configured, from the start or from the run's last checkpoint.

    Args:
        config: The checked configuration.
        record: The run's record, already started; facts are added to it.

    Returns:
        What is needed to measure the result.

    Raises:
        KaryoError: If a setting, the data or the training itself makes it impossible.
    """
    pl.seed_everything(config.seed, workers=True, verbose=False)
    last = record.directory / LAST
    start = last if config.resume and last.is_file() else None
    loggers = build_all(config.logger)
    epochs = EpochLog(record.directory)
    # Before the data are read: a mistyped trainer setting shall not cost that time.
    with quiet_lightning():
        trainer = build_trainer(config, loggers, [epochs, *pruning(config, record.directory)])
    preparation = build_preparation(config)
    network = build_network(config, preparation.size, start)
    if start is None and (difference := differences_to_weights(config, preparation)):
        log.warning("%s", difference)
    teachers = open_teachers(config, record)
    data = build_data(config, preparation)
    data.setup()
    if config.get("context"):
        check_cells([record.path for record in data.records], [record.cell for record in data.records], "context=cell")
    if config.get("by_cell"):
        tested = [data.records[position] for position in data.split.test.tolist()]
        check_cells([record.path for record in tested], [record.cell for record in tested])
    check_same_data(data, record)
    check_teachers(teachers, data)
    if config.get("context"):
        data.check_whole_cells(FEWEST_IN_CELL)
    data.split.save(record.directory / SPLIT_NAME, data.records)
    network.set_pixel_statistics(*pixel_statistics(config, data))
    classifier = build_classifier(config, network, provenance(data), build_distillation(config, teachers))
    record.add(
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        image_size=preparation.size,
        data=data.facts(),
    )
    print_split(data)
    show_samples(data, record.directory, loggers)
    with quiet_lightning(), failures_explained(config):
        fit_interruptibly(trainer, classifier, data, start)
    record.add(stopped_by=explain_stop(trainer))
    return Fitted(data, loggers, best_checkpoint(trainer), epochs)


def fit_interruptibly(trainer: pl.Trainer, classifier: Classifier, data: ChromosomeData, start: Path | None) -> None:
    """Train, and let Ctrl-C be the KeyboardInterrupt that it is."""
    try:
        trainer.fit(classifier, data, ckpt_path=start)
    except SystemExit as leaving:
        # Lightning turns Ctrl-C into an exit of its own, and leaves the signal ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from leaving


def check_same_data(data: ChromosomeData, record: RunRecord) -> None:
    """Make sure that a resumed run goes on with the images it began with.

    Raises:
        DataError: If its record knows other data.
    """
    known = record.content.get("data", {}).get("fingerprint")
    if known is not None and known != data.fingerprint:
        raise DataError(
            f"{data.source.name}: these are not the images that the run began with, and its test side would no longer "
            "be unseen; give it the same images, or start a new run."
        )


def explain_stop(trainer: pl.Trainer) -> str | None:
    """Say, on the screen too, why training ended before its last epoch; None where it did not."""
    if any(isinstance(callback, Pruning) and callback.pruned for callback in trainer.callbacks):  # type: ignore[attr-defined]
        log.info("stopped after epoch %d: %s", trainer.current_epoch, PRUNED)
        return PRUNED
    for callback in trainer.early_stopping_callbacks:
        if isinstance(callback, EarlyStopping) and callback.stopped_epoch:
            diverged = callback.monitor == "train/loss"
            reason = "diverged: the loss is no number" if diverged else f"{callback.monitor} no longer improves"
            log.info("stopped after epoch %d: %s", callback.stopped_epoch + 1, reason)
            return reason
    return None


def print_split(data: ChromosomeData) -> None:
    """Show how the data were divided."""
    table = Table("side", "images", "share", "cells", "cases", "classes", "rarest class")
    for row in data.describe():
        counts = [row["images"], f"{row['share']:.0%}", row["cells"] or "–", row["cases"] or "–", row["classes"]]
        table.add_row(row["side"], *map(str, counts), f"{row['rarest']} image{'' if row['rarest'] == 1 else 's'}")
    table.title = f"{data.source.name}: {len(data.records):,} images, split by {data.split.by}"
    Console().print(table)


def best_checkpoint(trainer: pl.Trainer) -> Path:
    """Give the checkpoint of the epoch that counts: that of the best validation accuracy, or the last.

    Raises:
        DataError: If training wrote none.
    """
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.monitor and callback.best_model_path:
            return Path(callback.best_model_path)
    raise DataError("training wrote no checkpoint; it needs at least one epoch with a validation.")


@contextmanager
def failures_explained(config: DictConfig) -> Iterator[None]:
    """Turn what commonly stops a training into a sentence."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        whole = " (a whole cell is one batch, whatever batch_size is)" if config.get("context") else ""
        raise KaryoError(
            f"the device ran out of memory with batch_size={config.batch_size}{whole}; choose a smaller one, a smaller "
            "image_size, or trainer.precision=16-mixed."
        ) from error
    except MisconfigurationException as error:
        raise SettingsError(f"the trainer refuses these settings: {str(error).splitlines()[0]}") from error
    except OSError as error:
        raise KaryoError(f"a file could not be written ({error}); make room or choose another place.") from error


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep back what Lightning says to programmers; what it says of a run stays."""
    names = ("pytorch_lightning", "lightning.pytorch", "lightning_fabric")
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # The number of workers is chosen: none on a CPU, whose cores the network needs itself.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        # An epoch may well have fewer batches than log_every_n_steps.
        warnings.filterwarnings("ignore", message=".*The number of training batches.*")
        # A resumed run writes into its own directory again, on purpose.
        warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
        # A run on a machine that can submit to a cluster is meant to run there; clusters have a launcher of their own.
        warnings.filterwarnings("ignore", message=".*The `srun` command is available.*")
        # Lightning's and torch's own use of what newer releases of each deprecate.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=FutureWarning)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
