"""Where the configuration tree is, and where runs are written.

Kept free of heavy imports: it runs before `--help` is answered.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from karyo.identity import PLACES_OF_IMAGES
from karyo.reports.runs import SET_ASIDE

SUMMARY = "summary.json"
"""The run record's file in a run's directory."""

RUNS = "logs/train"
"""Folder of single runs, below the working directory."""

LAST = "checkpoints/last.ckpt"
"""What a run goes on from, in its directory."""

SWEEPS = "multirun"
"""Folder of sweeps, below the working directory."""

_LONGEST_NAME = 100
_UNSAFE = re.compile(r"[^A-Za-z0-9.+_-]+")
_PLAIN = re.compile(r"[A-Za-z0-9._]+=[A-Za-z0-9.+_-]+")
_HIDDEN_KEYS = (*PLACES_OF_IMAGES, "hydra.", "weights", "teachers", "data.cache_dir")
_NAME = re.compile(r"\w[\w.+-]{0,99}")


def configuration_folder() -> Path:
    """Find ``conf/``: beside the package when installed from a wheel, at the top of the repository otherwise.

    Raises:
        FileNotFoundError: If neither is there; the installation is then incomplete.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "conf", package.parents[1] / "conf"):
        if (folder / "train.yaml").is_file():
            return folder
    raise FileNotFoundError(f"no configuration (conf/train.yaml) beside {package}; install karyo again")


def register_resolvers() -> None:
    """Teach the configuration the names of directories: ``${karyo.run_directory:...}`` and the like."""
    OmegaConf.register_new_resolver("karyo.run_directory", _run_directory, replace=True)
    OmegaConf.register_new_resolver("karyo.sweep_directory", _sweep_directory, replace=True)
    OmegaConf.register_new_resolver("karyo.job_directory", job_directory, replace=True)


def _run_directory(resume: str | None, overrides: Sequence[str]) -> str:
    if resume:
        return str(resume)
    name = job_directory([override for override in overrides if not override.startswith("resume=")])
    return f"{RUNS}/{datetime.now():%Y-%m-%d_%H-%M-%S}_{name}"


def _sweep_directory(name: str | None, now: str) -> str:
    return f"{SWEEPS}/{name or now}"


def is_sweep_name(text: str) -> bool:
    """Tell whether a sweep can be called this: letters, digits and ``. _ + -``, at most 100."""
    # A folder of this name holds what is never compared.
    return _NAME.fullmatch(text) is not None and text != SET_ASIDE


def job_directory(overrides: Sequence[str]) -> str:
    """Name a run after what distinguishes it, so that the name is the same however often and in what order it runs.

    Args:
        overrides: The command line's overrides, ``["model=vgg16", "lr=1e-3"]``.

    Returns:
        One path component such as ``lr-1e-3_model-vgg16``, ``default`` without overrides; only of characters that
        need no quotes in a shell or after ``run=``. Places of files are left out. Where the words do not say
        everything, a checksum of all overrides follows.
    """
    # Root settings such as lr first: a long name is cut at its end.
    settings = [override.lstrip("+~") for override in overrides]
    # To which sweep a run belongs says nothing about it.
    settings = sorted((one for one in settings if not one.startswith("sweep.")), key=lambda one: (_depth(one), one))
    shown = [setting for setting in settings if not setting.startswith(_HIDDEN_KEYS)]
    words = "_".join(_UNSAFE.sub("-", setting).strip("-") for setting in shown) or "default"
    plain = all(_PLAIN.fullmatch(setting) for setting in settings) and shown == settings
    if plain and len(words) <= _LONGEST_NAME:
        return words
    checksum = hashlib.sha256("\n".join(settings).encode()).hexdigest()[:6]
    return f"{words[:_LONGEST_NAME]}_{checksum}"


def teacher_places(teachers: Any) -> list[str]:
    """Give the directories that ``teachers`` names: one, a list of them, or none."""
    if isinstance(teachers, str):
        return [teachers] if teachers else []
    return [str(place) for place in teachers] if isinstance(teachers, Sequence) else []


def _depth(override: str) -> int:
    return override.partition("=")[0].count(".")
