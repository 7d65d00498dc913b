"""One training run, from its composed configuration to its record."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from karyo.errors import KaryoError
from karyo.files import write_text
from karyo.models.backbones import LIBRARIES
from karyo.reports.fields import duration, estimate_at, number_at, percent, percent_with_interval
from karyo.training.fit import fit
from karyo.training.outcome import conclude, print_outcome
from karyo.training.record import RunRecord
from karyo.training.resume import claim, reopen
from karyo.training.settings import check_settings

CONFIG_FILE = "config.yaml"

log = logging.getLogger(__name__)


def run(config: DictConfig) -> None:
    """Train, measure the best checkpoint once on the test side, and leave a complete run directory.

    In a sweep a failure is recorded in the run's own directory and the sweep goes on; a single run raises it.

    Args:
        config: The composed `train` configuration.

    Raises:
        KaryoError: If the run fails for a reason that lies outside the program.
    """
    directory = Path(HydraConfig.get().runtime.output_dir)
    record = RunRecord(directory, identity(config))
    sweeping = HydraConfig.get().mode == RunMode.MULTIRUN
    try:
        with claim(directory):
            if config.resume:
                record, config = reopen(config, directory)
                if record.content["status"] == "finished":
                    print_outcome(record)
                    return
            with recorded(record):
                train(config, record)
            if sweeping:
                log.info("%s", one_line(record))
            else:
                print_outcome(record)
    except Exception as error:
        if not sweeping:
            raise
        log.error("%s failed: %s", directory.name, _reason(error))


def train(config: DictConfig, record: RunRecord) -> None:
    """Do the run's work; ``record`` is complete at the end."""
    check_settings(config)
    write_text(record.directory / CONFIG_FILE, OmegaConf.to_yaml(config))
    record.start(config=OmegaConf.to_container(config, resolve=True))
    fitted = fit(config, record)
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
    record.finish(time.monotonic() - began)


def identity(config: DictConfig) -> dict[str, Any]:
    """Say what a run is, as its record keeps it; needs no setting to be right."""
    hydra_config = HydraConfig.get()
    choices = hydra_config.runtime.choices
    model = str(choices["model"])
    if model in LIBRARIES and not OmegaConf.is_missing(config.model, "name"):
        model = f"{model}:{config.model.name}"
    return {
        "name": Path(hydra_config.runtime.output_dir).name,
        "overrides": list(hydra_config.overrides.task),
        "model": model,
        "optimizer": choices["optimizer"],
        "scheduler": choices["scheduler"],
        "preprocessing": choices["preprocessing"],
        "augmentation": choices["augmentation"],
        "dataset": choices["data"],
        "lr": config.lr,
    }


def one_line(record: RunRecord) -> str:
    """Say in a line what a run of a sweep reached."""
    test = estimate_at(record.content, "test", "accuracy")
    validation = percent(number_at(record.content, "validation", "accuracy"))
    spent = duration(number_at(record.content, "seconds"))
    return f"     validation {validation}, test {percent_with_interval(test)}, {spent}"


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, KaryoError) else f"{type(error).__name__}: {error}"
