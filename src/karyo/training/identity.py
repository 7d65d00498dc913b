"""What a run is, from its composed configuration: its key, and how its record calls it."""

import ast
import hashlib
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from karyo.data.folds.fold_list import read_fold_list
from karyo.errors import KaryoError
from karyo.files import sha256
from karyo.identity import Settings, run_key, settings_of_config, with_listed_folds
from karyo.models.backbones import LIBRARIES
from karyo.models.weights import weights_file
from karyo.training.locations import teacher_places

# What decides the weights and the figures of a run; reports, commands and pages do not.
_DECIDING = (
    "chromosomes.py",
    "imaging",
    "data",
    "models",
    "evaluation/bootstrap.py",
    "evaluation/measure.py",
    "evaluation/metrics.py",
    "evaluation/predict.py",
    "evaluation/predictions.py",
    "training/build.py",
    "training/checkpoints.py",
    "training/epochs.py",
    "training/fit.py",
    "training/settings.py",
    "training/teachers.py",
)
# Fetching data, filling folders with them and drawing folds decide what lies on the disk, which has a fingerprint or a
# digest of its own.
_NOT_DECIDING = (
    *("data/download", "data/cleaning.py", "data/output_folder.py", "data/folder_job.py"),
    "data/folds/drawing.py",
)


def identity(config: DictConfig) -> dict[str, Any]:
    """Say what a run is, as its record keeps it; needs no setting to be right."""
    hydra_config = HydraConfig.get()
    choices = hydra_config.runtime.choices
    model = str(choices["model"])
    if model in LIBRARIES and not OmegaConf.is_missing(config.model, "name"):
        model = f"{model}:{config.model.name}"
    return {
        "name": Path(hydra_config.runtime.output_dir).name,
        "key": run_key(deciding_settings(config)),
        "code": code_digest(),
        "overrides": list(hydra_config.overrides.task),
        "model": model,
        "optimizer": choices["optimizer"],
        "scheduler": choices["scheduler"],
        "preprocessing": choices["preprocessing"],
        "augmentation": choices["augmentation"],
        "dataset": choices["data"],
        "lr": config.lr,
    }


def deciding_settings(config: DictConfig) -> Settings:
    """Give the settings that make a run what it is, before or while it runs.

    Args:
        config: A composed configuration; its ``hydra`` node may be there or not.

    Returns:
        See :func:`karyo.identity.settings_of_config`. A configuration that cannot be resolved (the run will fail and
        say why) gives its values as they are written.
    """
    raw: Any = OmegaConf.to_container(config, resolve=False)
    raw.pop("hydra", None)
    # Which directory a run has says nothing about what it is, and before it runs there is none.
    written = _without_hydra(raw)
    try:
        resolved: Any = OmegaConf.to_container(OmegaConf.create(written), resolve=True)
    except OmegaConfBaseException:
        resolved = written
    settings = settings_of_config(resolved)
    # A file of weights is what it holds, not what it is called.
    if isinstance(path := settings.get("weights"), str):
        settings["weights"] = _digest_of_run(path)
    if teachers := teacher_places(resolved.get("teachers")):
        settings["teachers"] = sorted(map(_digest_of_run, teachers))
    if isinstance(name := settings.get("data.folds"), str):
        # One that cannot be read stays as it is written: the run will fail and say why.
        with suppress(KaryoError):
            folds = read_fold_list(name)
            settings = with_listed_folds(settings, len(folds.folds), folds.digest)
    return settings


def _digest_of_run(place: str) -> str:
    """Say what a run knows, whatever it is called and wherever it lies; its place where it has no network."""
    file = weights_file(Path(place))
    return _digest(str(file), file.stat().st_mtime_ns) if file.is_file() else place


@lru_cache
def _digest(path: str, changed: int) -> str:
    """Give a digest of a file; ``changed`` makes a file that was written again another one."""
    return sha256(Path(path))[:12]


def _without_hydra(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_hydra(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_without_hydra(value) for value in node]
    return None if isinstance(node, str) and "${hydra:" in node else node


@cache
def code_digest() -> str:
    """Give 12 hexadecimal digits of the code that decides a run's weights and figures.

    Comments, docstrings and layout do not count, and neither does code that only shows or stores: a run that finished
    under another digest might come out differently today.
    """
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for part in _DECIDING:
        files = [package / part] if part.endswith(".py") else sorted((package / part).rglob("*.py"))
        for file in files:
            place = file.relative_to(package).as_posix()
            if not place.startswith(_NOT_DECIDING):
                digest.update(f"{place}\n{_bare(file.read_text(encoding='utf-8'))}\n".encode())
    return digest.hexdigest()[:12]


def _bare(source: str) -> str:
    """Give source code without comments, docstrings and layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
                node.body = body[1:] or [ast.Pass()]
    return ast.unparse(tree)
