"""A folder of chromosome images to a folder of the same images, cleaned: `karyo preprocess`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from karyo.data.folder_job import Totals, count_totals, run_job, write_index, write_problems
from karyo.data.output_folder import Outcome, OutputFolder, Problem, Task
from karyo.errors import SettingsError
from karyo.files import walk_files
from karyo.imaging.polarity import POLARITIES, stored_bright
from karyo.imaging.quality import FLAGS, Quality, assess
from karyo.imaging.read import IMAGE_EXTENSIONS, read_grey
from karyo.imaging.steps import Chain
from karyo.imaging.write import write_png

_VERSION = 1
"""Raised whenever the same steps would give other pixels, so that a folder never mixes the two."""

_COLUMNS = ("path", "source", "width", "height", "objects", "counted", "flags", "remarks")
_CHUNK = 16


@dataclass(frozen=True)
class Cleaning:
    """What is done to each image.

    Attributes:
        chain: The steps.
        polarity: ``auto``, ``bright`` or ``dark``: the background of the images as stored. They are written with the
            background they came with.

    Raises:
        SettingsError: If there is no step, or the polarity is none of the three.
    """

    chain: Chain
    polarity: str = "auto"

    def __post_init__(self) -> None:
        """Refuse to copy images for nothing."""
        if not self.chain.steps:
            raise SettingsError("there is no step to do; name some, such as --steps denoise,clahe,largest-object")
        if self.polarity not in POLARITIES:
            raise SettingsError(f"polarity must be one of {', '.join(POLARITIES)}, not {self.polarity!r}")

    def to_settings(self) -> dict[str, Any]:
        """Give all that decides the pixels, as primitives."""
        return {"version": _VERSION, "steps": self.chain.to_text(), "polarity": self.polarity}


def clean_folder(source: Path, target: Path, cleaning: Cleaning, workers: int = 1) -> Totals:
    """Clean every image below a folder, into the same places below another; images keep their names, as PNG.

    Beside them ``index.csv`` has a row for each image (size, how many chromosomes were found in it before the steps
    and how many objects the steps counted, what may be wrong with it) and ``problems.csv`` one for each that could not
    be read or is worth a look. The same call again goes on where an earlier one was stopped.

    Args:
        source: The folder of images.
        target: The folder to fill; new, or filled by the same call before.
        cleaning: What to do.
        workers: Number of processes.

    Returns:
        How many images there were and what was wrong with them.

    Raises:
        SettingsError: If there are no images, the target lies inside the source or is another call's, two images would
            become one file, or it cannot be written.
    """
    source, target = source.expanduser().absolute(), target.expanduser().absolute()
    tasks = _tasks(source, target)
    folder = OutputFolder(target, "karyo preprocess", {"images": str(source), **cleaning.to_settings()})
    work = partial(clean_file, source, target, cleaning)
    resumed = run_job(folder, tasks, work, workers, "cleaning", _CHUNK)
    write_index(folder, tasks, _COLUMNS)
    write_problems(folder, tasks)
    return count_totals(folder, tasks, resumed)


def clean_file(source: Path, target: Path, cleaning: Cleaning, task: Task) -> Outcome:
    """Clean one image and write it.

    Args:
        source: The folder of images.
        target: The folder to fill.
        cleaning: What to do.
        task: The image; its key is the path below ``source``.

    Returns:
        The file, its row of the index, and what is worth a look: what :func:`~karyo.imaging.quality.assess` sees in
        the image as stored, and objects that the steps saw and dropped though it saw only one.

    Raises:
        DataError: If it cannot be read, or its name is too long to be written.
        SettingsError: If the result cannot be written.
    """
    grey = read_grey(source / task.key)
    bright = stored_bright(grey, cleaning.polarity)
    shade = np.uint8(255 if bright else 0)
    quality = assess(grey ^ shade)
    last = cleaning.chain.stages(grey ^ shade)[-1]
    place = str(_place(task.key))
    write_png(target / place, last.picture ^ shade)
    problems = _worth_a_look(place, quality, last.objects or 0)
    row = {
        "path": place,
        "source": task.key,
        "width": last.picture.shape[1],
        "height": last.picture.shape[0],
        "objects": quality.objects,
        "counted": "" if last.objects is None else last.objects,
        "flags": " ".join(problem.reason for problem in problems),
        "remarks": "; ".join(last.remarks),
    }
    return Outcome((place,), (row,), problems)


def _worth_a_look(place: str, quality: Quality, counted: int) -> tuple[Problem, ...]:
    problems = tuple(Problem(place, flag, FLAGS[flag], False) for flag in quality.flags)
    # A threshold of the chain's own may see more, or break one into pieces; either way a part of the image is gone.
    if counted > 1 and quality.objects <= 1:
        problems += (Problem(place, "dropped", f"the steps counted {counted} objects and kept one", False),)
    return problems


def _tasks(source: Path, target: Path) -> list[Task]:
    if not source.is_dir():
        raise SettingsError(f"{source} is not a folder; name the folder of images")
    if target.resolve().is_relative_to(source.resolve()):
        where = "is" if target.resolve() == source.resolve() else "lies inside"
        raise SettingsError(f"{target} {where} {source}, so its files would be read again; name another folder")
    keys = sorted(key for key in walk_files(source) if Path(key).suffix.lower() in IMAGE_EXTENSIONS)
    if not keys:
        raise SettingsError(f"{source} holds no images ({', '.join(IMAGE_EXTENSIONS)}); is it the right folder?")
    _refuse_clashes(keys)
    return [Task(key, (str(source / key),)) for key in keys]


def _refuse_clashes(keys: Sequence[str]) -> None:
    first: dict[str, str] = {}
    for key in keys:
        place = str(_place(key))
        if place in first:
            raise SettingsError(f"{first[place]} and {key} would both become {place}; rename one of them")
        first[place] = key


def _place(key: str) -> Path:
    return Path(key).with_suffix(".png")
