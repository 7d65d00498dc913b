"""Going on with a run that was stopped, and keeping two processes out of one run directory."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from karyo.errors import DataError, SettingsError
from karyo.locks import is_taken, release, take
from karyo.training.locations import LAST
from karyo.training.record import RunRecord

ALLOWED = ("resume", "teachers", "data.root", "data.num_workers", "data.cache", "data.cache_dir")
"""What may be given beside ``resume=``: where things are, never what the run is."""

LOCK = ".lock"
"""File in a run's directory that its process holds."""


class BusyError(SettingsError):
    """Another process holds the run's directory."""


def reopen(config: DictConfig, directory: Path) -> tuple[RunRecord, DictConfig]:
    """Read a stopped run's record and its own configuration.

    Args:
        config: The configuration composed from the command line, of which only ``resume`` and where the data are
            is taken.
        directory: The run's directory.

    Returns:
        The record, and the run's configuration with ``resume`` set.

    Raises:
        SettingsError: If there is no such run, or settings are given that would make it another run.
        DataError: If its configuration is damaged.
    """
    record = RunRecord.read(directory)
    path = directory / "config.yaml"
    if not path.is_file():
        raise SettingsError(f"{directory} cannot be resumed: it has no config.yaml; start the run again.")
    try:
        own = OmegaConf.load(path)
    except Exception as error:  # the YAML reader has its own tree of exceptions
        raise DataError(f"{path} is damaged: {str(error).splitlines()[0]}.") from error
    if not isinstance(own, DictConfig):
        raise DataError(f"{path} is damaged: it holds no settings.")
    for override in HydraConfig.get().overrides.task:
        key, _, _ = override.lstrip("+~").partition("=")
        # Where its teachers are may be said anew, but not that it has some.
        if key not in ALLOWED or (key == "teachers" and not own.get("teachers")):
            raise SettingsError(
                f"resume= goes on with the run's own settings; leave {override} out, or start a new run with it."
            )
        if key != "resume":
            OmegaConf.update(own, key, OmegaConf.select(config, key))
    last = directory / LAST
    if record.content.get("status") != "finished" and last.exists() and not usable(last):
        raise DataError(
            f"{last} is damaged, so the run cannot go on; delete it, and the run begins anew under resume=."
        )
    OmegaConf.update(own, "resume", str(config.resume))
    return record, own


@contextmanager
def claim(directory: Path) -> Iterator[None]:
    """Hold a run directory for this process; the hold ends with the process, however that dies.

    Raises:
        BusyError: If another process is at work in it.
        SettingsError: If there is no such directory.
    """
    if not directory.is_dir():
        raise SettingsError(f"resume={directory}: there is no such directory.")
    lock = take(directory / LOCK)
    if lock is None:
        raise BusyError(f"{directory} is in use: another process is training in it.")
    try:
        yield
    finally:
        release(lock)


def is_claimed(directory: Path) -> bool:
    """Tell whether some process, perhaps this one, holds a run directory now."""
    return is_taken(directory / LOCK)


def usable(checkpoint: Path) -> bool:
    """Tell whether a checkpoint is there and whole: a file of zip's format, as all of them are, with its checksums."""
    if not zipfile.is_zipfile(checkpoint):
        return False
    try:
        with zipfile.ZipFile(checkpoint) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, OSError, EOFError):
        return False
