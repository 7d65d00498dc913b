"""One training run, from its composed configuration to its record."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from karyo.errors import KaryoError, SettingsError
from karyo.files import write_text
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
    record = RunRecord(directory)
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
            print_outcome(record)
    except Exception as error:
        if not sweeping:
            raise
        log.error("%s failed: %s", directory.name, _reason(error))


def train(config: DictConfig, record: RunRecord) -> None:
    """Do the run's work; ``record`` is complete at the end."""
    check_settings(config)
    write_text(record.directory / CONFIG_FILE, OmegaConf.to_yaml(config))
    record.start(**describe(config))
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


def describe(config: DictConfig) -> dict[str, object]:
    """Say what a run is, as its record keeps it."""
    hydra_config = HydraConfig.get()
    choices = hydra_config.runtime.choices
    facts: dict[str, object] = {
        "name": Path(hydra_config.runtime.output_dir).name,
        "config": OmegaConf.to_container(config, resolve=True, throw_on_missing=False),
    }
    if config.resume:
        return facts
    model = str(choices["model"])
    return facts | {
        "overrides": list(hydra_config.overrides.task),
        "model": f"{model}:{config.model.spec.name}" if model in ("timm", "torchvision") else model,
        "optimizer": str(choices["optimizer"]),
        "scheduler": str(choices["scheduler"]),
        "augmentation": str(choices["augmentation"]),
        "dataset": str(choices["data"]),
        "lr": float(config.lr),
    }


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, (KaryoError, SettingsError)) else f"{type(error).__name__}: {error}"
