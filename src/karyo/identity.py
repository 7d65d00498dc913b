"""What makes a run the run that it is: its settings, without where things are and what they are done with.

Two runs with the same key would train to the same network on the same images: a sweep does one of them. Two with the
same setting differ in seed and fold alone: they are repetitions, and a comparison takes their mean.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

REPETITIONS = ("seed", "data.seed", "data.fold", "data.split_seed")
"""Settings whose values are repetitions of one setting."""

PLACES_OF_IMAGES = ("data.root", "data.source.root", "data.source.images", "data.source.annotations")
"""Settings that say where images are; which images they are says their fingerprint."""

# Which machine does the work, where files are, what is shown meanwhile: none of it makes another network.
_CIRCUMSTANCES = (
    "hydra",
    "sweep",
    "resume",
    "logger",
    "callbacks.progress",
    *PLACES_OF_IMAGES,
    "data.cache",
    "data.cache_dir",
    "data.num_workers",
    "by_cell",
    "trainer.accelerator",
    "trainer.devices",
    "trainer.num_nodes",
    "trainer.strategy",
    "trainer.log_every_n_steps",
    "trainer.enable_progress_bar",
)
_SETTLED_BY_A_LIST = ("data.split_by", "data.fractions", "data.split_seed")
"""What says nothing where a list fixes the folds."""

_PLACES = ("dirpath", "save_dir", "default_root_dir")
_DIGITS = 12

Settings = dict[str, Any]
"""Settings by their dotted names, ``{"optimizer.lr": 0.001}``; a list is one value."""


def settings_of_config(config: Mapping[str, Any]) -> Settings:
    """Give the settings that make a run what it is.

    Args:
        config: A resolved configuration as plain mappings, lists, numbers and text.

    Returns:
        Its leaves by dotted name, sorted, without the circumstances: places, devices, what is logged and shown; without
        teachers none of what says how much these count. Teachers that each fold has its own of are called alike.
    """
    settings = {name: value for name, value in sorted(_leaves(config, "")) if not _is_circumstance(name)}
    if settings.get("context") is None:
        # Such a run is what it was before there were contexts.
        settings.pop("context", None)
    if "teachers" not in settings:
        return settings
    if not settings["teachers"]:
        # Such a run is what it was before there were any teachers.
        return {name: value for name, value in settings.items() if not name.startswith(("teachers", "distillation."))}
    return settings | {"teachers": _of_any_fold(settings["teachers"], settings.get("data.fold"))}


def with_listed_folds(settings: Settings, count: int, digest: str) -> Settings:
    """Give settings whose folds a list fixes: ``data.folds`` by what it holds, and without what it settles.

    Args:
        settings: Of :func:`settings_of_config`.
        count: Number of folds.
        digest: Of the list, whatever its file is called and wherever it lies.
    """
    kept = {name: value for name, value in settings.items() if name not in _SETTLED_BY_A_LIST}
    return kept | {"data.folds": f"{count} folds, list {digest}"}


def run_key(settings: Settings) -> str:
    """Give 12 hexadecimal digits that are the same for the same settings, whatever their order."""
    # 1 and 1.0 are the same setting, and JSON would write them apart.
    content = {name: float(value) if type(value) is int else value for name, value in settings.items()}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:_DIGITS]


def setting_key(settings: Settings) -> str:
    """Give the key that all repetitions of a setting share."""
    return run_key({name: value for name, value in settings.items() if name not in REPETITIONS})


def differing(all_settings: Iterable[Settings]) -> tuple[str, ...]:
    """Name the settings that are not the same in all of these, in the order in which they appear."""
    known = list(all_settings)
    names = dict.fromkeys(name for settings in known for name in settings)
    return tuple(name for name in names if len({_comparable(settings.get(name)) for settings in known}) > 1)


def _leaves(node: Any, prefix: str) -> Iterable[tuple[str, Any]]:
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from _leaves(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, node


def _of_any_fold(teachers: Any, fold: Any) -> Any:
    """Replace a fold's number in the names of its teachers' directories, as a sweep gives them."""
    if isinstance(teachers, list):
        return [_of_any_fold(teacher, fold) for teacher in teachers]
    return re.sub(rf"\bfold-{fold}(?!\d)", "fold-*", teachers) if isinstance(teachers, str) else teachers


def _is_circumstance(name: str) -> bool:
    inside = any(name == known or name.startswith(f"{known}.") for known in _CIRCUMSTANCES)
    return inside or name.rpartition(".")[2] in _PLACES


def _comparable(value: Any) -> str:
    return json.dumps(float(value) if type(value) is int else value, sort_keys=True, default=str)
