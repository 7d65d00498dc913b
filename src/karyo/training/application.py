"""The two Hydra applications, `train` and `evaluate`: from the command line to an exit code.

Exit codes: 0 done, 1 a run failed, 2 the settings cannot be meant, 130 interrupted. A user's mistake is answered with
one sentence; set HYDRA_FULL_ERROR=1 to see the traceback instead.
"""

import difflib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from karyo.errors import KaryoError
from karyo.training.locations import SUMMARY, SWEEPS, configuration_folder, is_sweep_name, register_resolvers

_FULL_ERROR = "HYDRA_FULL_ERROR"
_PLACES = ("data.root", "data.cache_dir", "data.folds", "weights", "resume", "run", "checkpoint", "teachers")
_LISTS = ("run", "teachers")
_PATTERNS = ("data.source.pattern", "data.source.ignore")
_UNQUOTED = re.compile(r"[A-Za-z0-9/._+@%:-]*")


def train() -> None:
    """Run `train`: one run, or with `-m` a sweep."""
    flags = [argument for argument in sys.argv[1:] if argument in ("-m", "--multirun")]
    # Hydra's parser takes no settings after a flag that follows settings.
    sys.argv[1:] = [*flags[:1], *(argument for argument in sys.argv[1:] if argument not in flags)]
    for place, argument in enumerate(sys.argv[1:], start=1):
        key, _, value = argument.partition("=")
        # Before Hydra makes the directory of whatever was mistyped.
        if key == "resume" and value not in ("", "null") and not (Path(value.strip("'\"")) / SUMMARY).is_file():
            _leave(f"resume={value} is not the directory of a run: it has no {SUMMARY}.", 2, False)
        if key in ("sweep", "sweep.name"):
            sys.argv[place] = f"sweep.name={_sweep_name(value, bool(flags))}"
    run_application("train", _train)


def _sweep_name(value: str, sweeping: bool) -> str:
    """Check the name that ``sweep=NAME`` gives; leave where it cannot be one."""
    name = value.strip("'\"").removeprefix(f"{SWEEPS}/").rstrip("/")
    if not sweeping:
        _leave(f"sweep={value} names a sweep: add -m; a single run has a directory of its own.", 2, False)
    if not is_sweep_name(name):
        _leave(f"sweep={value} cannot be; a sweep's name is letters, digits and . _ + -, at most 100.", 2, False)
    # In quotes, or Hydra would take 2026 for a number and ä for a mistake.
    return f"'{name}'"


def evaluate() -> None:
    """Run `evaluate`: measure a trained network."""
    run_application("evaluate", _evaluate)


def _train(config: DictConfig) -> None:
    # Imported here: torch and Lightning take seconds, which `--help` and `--cfg job` need not wait for.
    from karyo.training.run import run, run_in_sweep

    (run_in_sweep if HydraConfig.get().mode == RunMode.MULTIRUN else run)(config)


def _evaluate(config: DictConfig) -> None:
    from karyo.training.evaluate import evaluate_run

    evaluate_run(config)


def run_application(name: str, task: Callable[[DictConfig], Any]) -> None:
    """Compose the configuration ``name`` from the command line, run the task and leave with an exit code."""
    register_resolvers()
    wants_traceback = os.environ.get(_FULL_ERROR) == "1"
    # Hydra then hands every exception over instead of printing it in its own way.
    os.environ[_FULL_ERROR] = "1"
    failures: list[Exception] = []

    def guarded(config: DictConfig) -> None:
        # Hydra would print a line of its own before handing the exception over.
        try:
            task(config)
        except (KaryoError, OSError, OmegaConfBaseException) as error:
            failures.append(error)

    _refuse_empty_choices(sys.argv[1:])
    sys.argv[1:] = [quote_place(argument) for argument in sys.argv[1:]]
    decorate = hydra.main(version_base="1.3", config_path=str(configuration_folder()), config_name=name)
    try:
        decorate(guarded)()
        for failure in failures:
            raise failure
    except KaryoError as error:
        _leave(str(error), error.exit_code, wants_traceback)
    except (HydraException, OmegaConfBaseException) as error:
        _leave(explain(error), 2, wants_traceback)
    except ValueError as error:
        # Hydra's word on flags that exclude one another.
        if not str(error).startswith("Only one of --"):
            raise
        _leave(f"{error}.", 2, wants_traceback)
    except OSError as error:
        _leave(f"{error.filename or 'the output directory'}: {error.strerror or error}.", 1, wants_traceback)
    except KeyboardInterrupt:
        sys.exit(130)


def _refuse_empty_choices(arguments: list[str]) -> None:
    """Leave at ``preprocessing=null`` and the like, for which Hydra has but a traceback."""
    for argument in arguments:
        group, _, value = argument.partition("=")
        folder = configuration_folder() / group
        if value.strip().lower() == "null" and group.isidentifier() and folder.is_dir():
            _leave(
                f"{argument} cannot be; {_near('none', sorted(file.stem for file in folder.glob('*.yaml')))}", 2, False
            )


def quote_place(argument: str) -> str:
    """Quote a file's name or a regular expression, which Hydra's grammar would take apart at a space, ``=`` or ``ä``.

    Args:
        argument: An argument of the command line, ``data.root=/my images``.

    Returns:
        The argument, with its value in quotes if it is one of the settings that name a place and holds more than
        letters of that grammar; a list of several places for a sweep stays as it is, and of ``[A,B]`` each is quoted.
    """
    key, equals, value = argument.partition("=")
    if key in _LISTS and value[:1] == "[" and value[-1:] == "]" and value.count("[") == 1:
        places = (quote_place(f"{key}={place.strip()}").partition("=")[2] for place in value[1:-1].split(","))
        return f"{key}=[{','.join(places)}]"
    if key not in _PLACES + _PATTERNS or not equals or value[:1] in ("'", '"') or _UNQUOTED.fullmatch(value):
        return argument
    if key in _PLACES and "," in value and not Path(value).exists():
        return argument
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{key}='{escaped}'"


def _leave(message: str, code: int, wants_traceback: bool) -> None:
    if wants_traceback:
        raise
    print(f"Error: {message}", file=sys.stderr)
    sys.exit(code)


def explain(error: Exception) -> str:
    """Say in one sentence what is wrong with the composed configuration, with near names where there are any."""
    text = " ".join(str(part) for part in (error, error.__cause__) if part is not None)
    if match := re.search(r"Key '([^']+)' is not in struct\s+full_key: hydra\.runtime\.choices", text):
        return f"{match[1]} cannot be taken away; choose another one, such as {match[1]}=none where there is that."
    if match := re.search(r"Could not override '([^']+)'.*?Key '([^']+)' is not in struct", text, re.DOTALL):
        return _unknown_setting(match[1])
    if match := re.search(
        r"Could not find '([^']+)'\s+Available options in '([^']+)':\s*(.*?)\n(?:Config|$)", text, re.S
    ):
        options = match[3].split()
        chosen = match[1].rpartition("/")[2]
        return f"{match[2]}={chosen} is unknown; {_near(chosen, options)}"
    if match := re.search(r"Ambiguous value for argument '([^']+)'", text):
        return f"{match[1]} names several values: add -m to sweep over them."
    if match := re.search(r"Missing mandatory value: (\S+)", text):
        return f"{match[1]} is missing; add {match[1]}=VALUE."
    if match := re.search(r"Could not override '([^']+)'", text):
        return _unknown_setting(match[1])
    return f"the settings cannot be read: {' '.join(text.split())}"


def _unknown_setting(key: str) -> str:
    known = known_settings()
    if key.startswith("preprocessing.steps."):
        step = ".".join(key.split(".")[:3])
        return f"the chosen preprocessing has no {step}; +{step}={{}} adds this step after its others."
    if key in known and "." not in key:
        # Training has all of these; so it is the other application that was asked.
        return f"{key} is settled by training and stored with the checkpoint; leave it out."
    if key in known:
        return f"the chosen {key.partition('.')[0]} has no setting {key}, though another choice of it has."
    return f"there is no setting {key}; {_near(key, known)}"


def _near(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    if near:
        return f"did you mean {', '.join(near)}?"
    return f"it can be {', '.join(known)}." if len(known) < 30 else "`--cfg job` lists all settings."


def known_settings() -> list[str]:
    """List the settings of the default configuration, ``lr``, ``data.root`` and so on, and its groups."""
    folder = configuration_folder()
    groups = [path.name for path in folder.iterdir() if path.is_dir() and path.name != "hydra"]
    keys = [str(key) for key in OmegaConf.load(folder / "train.yaml") if key != "defaults"]
    nested = [
        f"{group}.{key}"
        for group in groups
        for file in sorted((folder / group).glob("*.yaml"))
        # What such a file holds are settings of the whole, not of its group.
        if not file.read_text(encoding="utf-8").startswith("# @package _global_")
        for key in map(str, OmegaConf.load(file))
    ]
    return sorted({*groups, *keys, *nested})
