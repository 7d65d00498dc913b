"""One training run, from its composed configuration to its record."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from karyo.errors import KaryoError
from karyo.files import write_text
from karyo.models.checkpoint import load_checkpoint
from karyo.reports.fields import duration, estimate_at, number_at, percent, percent_with_interval
from karyo.training.epochs import validation_of
from karyo.training.fit import Fitted, fit
from karyo.training.identity import identity
from karyo.training.locations import LAST
from karyo.training.outcome import conclude, print_outcome
from karyo.training.pruning import PRUNED
from karyo.training.record import RunRecord, begun
from karyo.training.resume import BusyError, claim, reopen, usable
from karyo.training.settings import check_settings

CONFIG_FILE = "config.yaml"

log = logging.getLogger(__name__)


def run(config: DictConfig) -> None:
    """Train, measure the best checkpoint once on the test side, and leave a complete run directory.

    Args:
        config: The composed `train` configuration.

    Raises:
        KaryoError: If the run fails for a reason that lies outside the program.
    """
    directory = Path(HydraConfig.get().runtime.output_dir)
    record = RunRecord(directory, identity(config))
    with claim(directory):
        if config.resume:
            record, config = reopen(config, directory)
            if record.content["status"] == "finished":
                print_outcome(record)
                return
        with recorded(record):
            train(config, record)
        if is_pruned(record):
            log.info("%s", one_line(record))
        else:
            print_outcome(record)


def run_in_sweep(config: DictConfig) -> None:
    """Do one run of a sweep: from the start, or from where an earlier launch of the sweep left it.

    A failure is recorded in the run's own directory and the sweep goes on. A run that is finished, or that another
    process is doing, is left alone.

    Args:
        config: The composed `train` configuration.

    Raises:
        KaryoError: If the run's directory cannot be written, so that not even its record says so.
    """
    directory = Path(HydraConfig.get().runtime.output_dir)
    try:
        with claim(directory):
            record = begun(directory)
            status = record.content.get("status")
            if status == "finished" or (status == "pruned" and config.sweep.trial is not None):
                return
            if record.content and usable(directory / LAST):
                config.resume = str(directory)
            elif (directory / LAST).is_file():
                log.warning("%s is damaged: the run begins anew.", directory / LAST)
            record.content |= identity(config)
            with recorded(record):
                train(config, record)
            log.info("%s", one_line(record))
    except BusyError as error:
        log.info("%s", error)
    except Exception as error:
        log.error("%s failed: %s", directory.name, _reason(error))
        if isinstance(error, OSError) and begun(directory).content.get("status") in (None, "running"):
            raise KaryoError(
                f"{directory}: {error.strerror or error}; mend that, and the same command goes on."
            ) from error


def train(config: DictConfig, record: RunRecord) -> None:
    """Do the run's work; ``record`` is complete at the end."""
    check_settings(config)
    write_text(record.directory / CONFIG_FILE, OmegaConf.to_yaml(config))
    record.start(config=OmegaConf.to_container(config, resolve=True))
    fitted = fit(config, record)
    if is_pruned(record):
        record.add(**reached(record, fitted))
    else:
        conclude(config, record, fitted)


@contextmanager
def recorded(record: RunRecord) -> Iterator[None]:
    """Note in the record how the work inside ended, whichever way it did."""
    began = time.monotonic()
    try:
        yield
    except KeyboardInterrupt:
        record.interrupt(time.monotonic() - began)
        Console(stderr=True).print(
            f"\nStopped. Every finished epoch is saved; go on with:\n  python src/train.py resume={record.directory}",
            soft_wrap=True,
            highlight=False,
        )
        raise
    except Exception as error:
        record.fail(time.monotonic() - began, error)
        raise
    end = record.prune if is_pruned(record) else record.finish
    end(time.monotonic() - began)


def is_pruned(record: RunRecord) -> bool:
    """Tell whether a search cut the run short; its test side is then left unseen."""
    return record.content.get("stopped_by") == PRUNED


def reached(record: RunRecord, fitted: Fitted) -> dict[str, Any]:
    """Give what the record of a run that was cut short holds of its epochs."""
    rows = fitted.epochs.rows()
    epoch = load_checkpoint(fitted.best).epoch
    return {
        "epochs": len(rows),
        "best_epoch": epoch,
        "validation": validation_of(rows, epoch),
        "checkpoint": os.path.relpath(fitted.best, record.directory),
    }


def one_line(record: RunRecord) -> str:
    """Say in a line what a run of a sweep reached."""
    test = estimate_at(record.content, "test", "accuracy")
    validation = percent(number_at(record.content, "validation", "accuracy"))
    spent = duration(number_at(record.content, "seconds"))
    if is_pruned(record):
        return f"     validation {validation}, cut short after {record.content['epochs']} epochs, {spent}"
    return f"     validation {validation}, test {percent_with_interval(test)}, {spent}"


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, KaryoError) else f"{type(error).__name__}: {error}"
