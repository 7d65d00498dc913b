"""A cell's files to its objects: what cannot be read is named, and the cell goes on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from karyo.data.spreads.annotation import Annotation, Box, read_annotation
from karyo.data.spreads.pairs import Pair
from karyo.data.spreads.source import load_spread
from karyo.errors import DataError
from karyo.imaging.read import read_grey
from karyo.karyotype.cell import MOST_OBJECTS, CellObject
from karyo.karyotype.inputs.cell_files import CellFiles


def read_objects(cell: CellFiles) -> tuple[list[CellObject], tuple[str, ...]]:
    """Read the images of a cell's chromosomes.

    Args:
        cell: Of the kind ``cell``.

    Returns:
        The objects, named like their files, and a sentence for each image that cannot be read.

    Raises:
        DataError: If there are more images than any cell has chromosomes, or none can be read.
    """
    if len(cell.images) > MOST_OBJECTS:
        raise DataError(
            f"{cell.name} has {len(cell.images):,} images, and no cell has more than {MOST_OBJECTS} chromosomes; say "
            "with --pattern which cell a file is of"
        )
    objects: list[CellObject] = []
    remarks: list[str] = []
    for name, image, truth in zip(_short_names(cell.images), cell.images, cell.truths, strict=True):
        try:
            objects.append(CellObject(name, read_grey(image), truth=truth))
        except DataError as error:
            remarks.append(f"left out: {error}")
    if not objects:
        raise DataError(f"none of the {len(cell.images):,} images of {cell.name} can be read: {remarks[0]}")
    return objects, tuple(remarks)


def read_spread(cell: CellFiles) -> tuple[NDArray[np.uint8], tuple[Box, ...] | None, tuple[str, ...]]:
    """Read a spread, and its boxes where it has an annotation.

    Args:
        cell: Of the kind ``spread``.

    Returns:
        uint8 (H, W) as stored; the boxes, None without an annotation; what a person should know of unusable ones.

    Raises:
        DataError: If the image or the annotation cannot be read, was made for an image of another size, or has no
            usable box.
    """
    if cell.annotation is None:
        return read_grey(cell.images[0]), None, ()
    annotation = read_annotation(cell.annotation)
    spread = load_spread(Pair(cell.name, cell.images[0], cell.annotation), annotation)
    if not annotation.boxes:
        raise DataError(f"{cell.annotation} has no usable box{_first_problem(annotation)}")
    remarks = tuple(f"box {each.number} is left out: {each.detail}" for each in annotation.problems)
    return spread.grey, annotation.boxes, remarks


def _short_names(images: Sequence[Path]) -> list[str]:
    """Names of files without their folder, where that tells them apart."""
    short = [image.name for image in images]
    return short if len(set(short)) == len(short) else [image.as_posix() for image in images]


def _first_problem(annotation: Annotation) -> str:
    return f": {annotation.problems[0].detail}" if annotation.problems else ""
