"""From the files of a request to a karyotype: one cell at a desk, its images through the batches of all others."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, count

import numpy as np
from numpy.typing import NDArray
from werkzeug.datastructures import FileStorage

from karyo.data.spreads import Annotation, parse_annotation
from karyo.errors import DataError, KaryoError
from karyo.karyotype.cell import MOST_OBJECTS, CellObject, Karyotype
from karyo.web.batching import QueueFullError, StoppedError
from karyo.web.refusal import Refusal, sentence
from karyo.web.service import Service
from karyo.web.uploads import clean_name, decode, workplace

UNREADABLE_IMAGE = "unreadable_image"
UNREADABLE_ANNOTATION = "unreadable_annotation"
NO_CELL = "no_cell"
"""What answers are called where an image, an annotation, or a cell in them is not to be had."""

KINDS: tuple[str, ...] = ("auto", "spread", "cell")
"""What a request's images are: one picture of a whole spread, or a cell's chromosomes one by one."""

_CELL_PIXELS = 4
"""Pixels of a cell's images together, in largest images: they are all held at once."""

_LARGEST_ANNOTATION = 1_000_000
_SHOWN = 3


def karyotype_of(
    service: Service, images: Sequence[FileStorage], annotation: FileStorage | None, kind: str, name: str
) -> Karyotype:
    """Decide about the cell of a request.

    Args:
        service: The server's.
        images: As the form brought them, at least one.
        annotation: Pascal VOC XML of a spread; None where there is none.
        kind: One of :data:`KINDS`; ``auto`` takes one image for a spread and several for a cell.
        name: What to call the cell; empty for the name of a spread's file, or ``cell``.

    Raises:
        Refusal: 400 if images and ``kind`` do not go together, 413 for too many or too large images, 422 if an image
            or the annotation cannot be read or there is no cell in them, 503 if the server has too much to do.
    """
    most = service.settings.max_images
    if len(images) > most:
        raise Refusal(413, f"Send at most {most} images in one request, not {len(images)}.", "too_many_images")
    is_spread = kind == "spread" or (kind == "auto" and len(images) == 1)
    if is_spread and len(images) > 1:
        raise Refusal(400, f"A spread is one image, not {len(images)}.", "wrong_number_of_images")
    if annotation is not None and not is_spread:
        raise Refusal(400, "An annotation belongs to the picture of a spread; send one image.", "invalid_request")
    try:
        with service.cells.place():
            if is_spread:
                return _of_spread(service, images[0], annotation, name)
            return _of_images(service, images, name)
    except (QueueFullError, StoppedError) as error:
        raise Refusal(503, headers={"Retry-After": "1"}) from error


def _of_images(service: Service, files: Sequence[FileStorage], name: str) -> Karyotype:
    names = _unique([clean_name(file.filename, position) for position, file in enumerate(files, 1)])
    objects, room = [], _CELL_PIXELS * service.settings.max_pixels
    for position, (file, each) in enumerate(zip(files, names, strict=True), 1):
        grey = _decoded(service, file, position)
        room -= grey.size
        if room < 0:
            most = _CELL_PIXELS * service.settings.max_pixels
            raise Refusal(413, f"The images of a cell may have {most:,} pixels together; send smaller cuts.")
        objects.append(CellObject(each, grey))
    try:
        return _found(service.karyotyper.decide(clean_name(name, 0) if name else "cell", objects))
    except KaryoError as error:
        raise Refusal(422, sentence(error), NO_CELL) from error


def _of_spread(service: Service, file: FileStorage, annotation: FileStorage | None, name: str) -> Karyotype:
    grey = _decoded(service, file, 1)
    known = None if annotation is None else _annotation(annotation, grey)
    boxes = None if known is None else known.boxes
    called = clean_name(name, 0) if name else clean_name(file.filename, 1).rpartition(".")[0]
    try:
        karyotype = _found(service.karyotyper.spread(called or "spread", grey, boxes))
    except KaryoError as error:
        raise Refusal(422, sentence(error), NO_CELL) from error
    if known is None or not known.problems:
        return karyotype
    return replace(karyotype, remarks=(*karyotype.remarks, _left_out(known)))


def _decoded(service: Service, file: FileStorage, position: int) -> NDArray[np.uint8]:
    with workplace:
        try:
            return decode(file, position, service.settings.max_pixels)[1]
        except DataError as error:
            raise Refusal(422, sentence(error), UNREADABLE_IMAGE) from error


def _annotation(file: FileStorage, grey: NDArray[np.uint8]) -> Annotation:
    """Read the annotation of a picture, and make sure that it is this picture's.

    Raises:
        Refusal: 413 or 422.
    """
    data = file.stream.read(_LARGEST_ANNOTATION + 1)
    if len(data) > _LARGEST_ANNOTATION:
        raise Refusal(413, f"An annotation may have {_LARGEST_ANNOTATION:,} bytes.")
    try:
        annotation = parse_annotation(data, clean_name(file.filename, 1))
    except DataError as error:
        raise Refusal(422, sentence(error), UNREADABLE_ANNOTATION) from error
    trouble = _trouble(annotation, (grey.shape[1], grey.shape[0]))
    if trouble:
        raise Refusal(422, trouble, UNREADABLE_ANNOTATION)
    return annotation


def _trouble(annotation: Annotation, size: tuple[int, int]) -> str | None:
    """Say why an annotation cannot be that of a picture of this (width, height); None if it can."""
    width, height = size
    if annotation.size is not None and annotation.size != size:
        declared = " x ".join(map(str, annotation.size))
        return f"The picture has {width} x {height} pixels, the annotation was made for {declared}."
    if not annotation.boxes:
        return "The annotation has no usable box."
    if len(annotation.boxes) > MOST_OBJECTS:
        return f"The annotation has {len(annotation.boxes):,} boxes; a spread has at most {MOST_OBJECTS}."
    outside = [
        each.number
        for each in annotation.boxes
        if each.edges[0] >= width or each.edges[1] >= height or each.edges[2] <= 0 or each.edges[3] <= 0
    ]
    if outside:
        return f"Box {outside[0]} of the annotation lies outside the picture of {width} x {height} pixels."
    return None


def _left_out(annotation: Annotation) -> str:
    problems = annotation.problems
    listed = "; ".join(f"object {each.number}: {each.detail}" for each in problems[:_SHOWN])
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    some = "1 object" if len(problems) == 1 else f"{len(problems)} objects"
    return f"{some} of the annotation cannot be used: {listed}{more}"


def _found(karyotype: Karyotype) -> Karyotype:
    """Refuse a cell without objects: an empty karyogram helps nobody."""
    if not karyotype.objects:
        raise DataError(" ".join(karyotype.remarks) or "no chromosome is found in the image")
    return karyotype


def _unique(names: Sequence[str]) -> list[str]:
    """Give a number to every name that was there before."""
    taken: dict[str, None] = {}
    for name in names:
        numbered = chain([name], (f"{name} ({number})" for number in count(2)))
        taken[next(each for each in numbered if each not in taken)] = None
    return list(taken)
