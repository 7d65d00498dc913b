"""Crops of annotated spreads as files: ``<class>/<spread>_<n>.png`` and an index."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from karyo.chromosomes import CLASSES
from karyo.data.folder_job import Totals, count_totals, run_job, write_index, write_problems
from karyo.data.output_folder import Outcome, OutputFolder, Problem, Task
from karyo.data.spreads.annotation import Box, read_annotation
from karyo.data.spreads.crops import CROPS_VERSION, Crop, Spread, check_cutting
from karyo.data.spreads.pairs import Pair, Pairs, existing_folder, find_pairs
from karyo.data.spreads.source import SizeMismatchError, load_spread, record_name
from karyo.errors import DataError, SettingsError
from karyo.imaging.write import write_png

INDEX_COLUMNS: tuple[str, ...] = (
    *("path", "image", "cell", "n", "label", "left", "top", "right", "bottom"),
    *("crop_left", "crop_top", "clipped", "fit", "flags"),
)
"""Columns of ``index.csv``: the annotated box, where the crop's corner lies in the spread, and what to look at."""


def export_crops(images: Path, annotations: Path, out: Path, margin: int, mask: str, workers: int) -> Totals:
    """Cut all boxes of all spreads out and write them, with ``index.csv`` and ``problems.csv``.

    The folder is then one that ``data=crops`` reads. A second call goes on where an earlier one was stopped.

    Args:
        images: Folder of the images.
        annotations: Folder of the Pascal VOC files.
        out: Where to.
        margin: Pixels to add around each box.
        mask: ``none`` or ``object``.
        workers: Number of processes.

    Returns:
        What the folder holds now; ``counts`` has ``boxes``, all that were in the readable annotations.

    Raises:
        SettingsError: If a setting cannot be meant, no image has an annotation, or ``out`` cannot be written, holds
            other files or was begun with other settings.
        DataError: If no box could be cut out.
    """
    check_cutting(margin, mask, "--")
    images = existing_folder(images, "the folder of images")
    annotations = existing_folder(annotations, "the folder of annotations")
    target = out.expanduser().absolute()
    _refuse_overlap(target, images, annotations)
    pairs = find_pairs(images, annotations, without=target)
    inputs = {"images": str(images), "annotations": str(annotations)}
    folder = OutputFolder(target, "karyo crop", {**inputs, "margin": margin, "mask": mask, "version": CROPS_VERSION})
    tasks = [Task(pair.name, (str(pair.image), str(pair.annotation))) for pair in pairs.pairs]
    work = partial(crop_spread, out=folder.path, margin=margin, mask=mask)
    resumed = run_job(folder, tasks, work, workers, "cropping spreads")
    unpaired = _unpaired(pairs)
    write_index(folder, tasks, INDEX_COLUMNS)
    write_problems(folder, tasks, unpaired)
    totals = count_totals(folder, tasks, resumed, unpaired)
    if not totals.files:
        raise DataError(f"no box could be cut out; {folder.path / 'problems.csv'} says why")
    return totals


def _refuse_overlap(target: Path, *inputs: Path) -> None:
    """Refuse to fill a folder that the inputs are read from."""
    for folder in inputs:
        if folder.resolve().is_relative_to(target.resolve()):
            raise SettingsError(f"{target} is or holds the inputs' folder {folder}; name a new or empty folder")


def crop_spread(task: Task, out: Path, margin: int, mask: str) -> Outcome:
    """Write the crops of one spread.

    Args:
        task: Its name and its two files, image and annotation.
        out: The folder to write to.
        margin: Pixels to add around each box.
        mask: ``none`` or ``object``.

    Returns:
        The files, their rows of the index, and what is wrong with the others.

    Raises:
        SettingsError: If a file cannot be written.
    """
    pair = Pair(task.key, Path(task.inputs[0]), Path(task.inputs[1]))
    try:
        annotation = read_annotation(pair.annotation)
    except DataError as error:
        return _unusable(pair, "unusable annotation", error)
    counts = {"boxes": len(annotation.boxes) + len(annotation.problems)}
    try:
        spread = load_spread(pair, annotation)
    except SizeMismatchError as error:
        return _unusable(pair, "image does not match its annotation", error, counts)
    except DataError as error:
        return _unusable(pair, "unusable image", error, counts)
    rows, problems = _write_boxes(pair, spread, annotation.boxes, out, margin, mask)
    unread = [Problem(f"{pair.name}_{item.number}", item.reason, item.detail, True) for item in annotation.problems]
    return Outcome(tuple(row["path"] for row in rows), tuple(rows), (*unread, *problems), counts)


def _write_boxes(
    pair: Pair, spread: Spread, boxes: Sequence[Box], out: Path, margin: int, mask: str
) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Write the crops of a spread's boxes; gives their rows of the index and what is wrong with them."""
    rows: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for box in boxes:
        try:
            crop = spread.cut(box.edges, margin, mask)
        except DataError as error:
            problems.append(Problem(record_name(pair.name, box), "box outside the image", str(error), left_out=True))
            continue
        row, flags = _index_row(pair, box, crop)
        write_png(out / row["path"], crop.grey)
        rows.append(row)
        problems += flags
    return rows, problems


def _index_row(pair: Pair, box: Box, crop: Crop) -> tuple[dict[str, Any], list[Problem]]:
    """Describe a crop, and say what is worth a look."""
    name = record_name(pair.name, box)
    flags = []
    if crop.clipped:
        flags.append(Problem(name, "box leaves the image", f"its box {box.edges} was clipped", left_out=False))
    if not crop.object_found:
        detail = f"no object fits its box {box.edges} (best fit {crop.fit:.2f}): neighbours may be left in the crop"
        flags.append(Problem(name, "no object fits the box", detail, left_out=False))
    row = {
        "path": f"{CLASSES[box.label]}/{name}.png",
        "image": pair.image.name,
        "cell": pair.name,
        "n": box.number,
        "label": CLASSES[box.label],
        **dict(zip(("left", "top", "right", "bottom"), box.edges, strict=True)),
        "crop_left": crop.box[0],
        "crop_top": crop.box[1],
        "clipped": int(crop.clipped),
        "fit": "" if crop.fit is None else round(crop.fit, 3),
        "flags": "; ".join(flag.reason for flag in flags),
    }
    return row, flags


def _unusable(pair: Pair, reason: str, error: DataError, counts: dict[str, int] | None = None) -> Outcome:
    return Outcome(problems=(Problem(pair.name, reason, str(error), left_out=True),), counts=counts or {})


def _unpaired(pairs: Pairs) -> list[Problem]:
    """List the files that belong to no spread."""
    images = (
        Problem(str(path), "image without annotation", "no XML has its name", True) for path in pairs.images_alone
    )
    texts = (
        Problem(str(path), "annotation without image", "no image has its name", True)
        for path in pairs.annotations_alone
    )
    doubles = (
        Problem(files[0].stem, "name used twice", f"{' and '.join(map(str, files))} have the same name", True)
        for files in pairs.duplicates
    )
    return [*images, *texts, *doubles]
