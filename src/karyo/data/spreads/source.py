"""Annotated spreads as a data set: one record per box, cut out when it is read."""

import hashlib
import logging
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.data.records import Record
from karyo.data.spreads.annotation import Annotation, Box, read_annotation
from karyo.data.spreads.crops import CROPS_VERSION, Spread, check_cutting
from karyo.data.spreads.pairs import Pair, Pairs, existing_folder, find_pairs
from karyo.data.spreads.recent import Recent
from karyo.errors import DataError, SettingsError
from karyo.imaging.read import read_grey

log = logging.getLogger(__name__)

_KEPT = 8
_SHOWN = 10


class SizeMismatchError(DataError):
    """An image is not the one that was annotated."""


class SpreadSource:
    """Chromosomes of whole metaphase spreads, one for each box of their Pascal VOC annotations.

    Image and XML of a spread have the same name and may lie anywhere below the folders. The spread is the cell. A
    record is named after the spread and the place of its box in the XML, from 1: ``103064_7``. Reading records in their
    order, from any number of threads, decodes each spread once.

    Args:
        root: Folder of both images and annotations.
        images: Folder of the images, if it is not ``root``.
        annotations: Folder of the annotations, if it is not ``root``.
        margin: Pixels to add around each box.
        mask: ``none``, or ``object`` to paint over neighbours that reach into a box.
        aspect: What widths are multiplied by, for pictures that were stored squeezed (a 1280 x 1024 picture stored as
            640 x 640: 1.25).
        on_bad_annotation: ``error`` to refuse data with unusable annotations or boxes, listing them; ``skip`` to leave
            those out with a warning.
        name: Short name of the data set.

    Raises:
        SettingsError: If a folder is missing or a value is out of its range.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        images: str | Path | None = None,
        annotations: str | Path | None = None,
        margin: int = 2,
        mask: str = "object",
        aspect: float = 1.0,
        on_bad_annotation: str = "error",
        name: str = "spreads",
    ) -> None:
        check_cutting(margin, mask, "data.source.")
        if isinstance(aspect, bool) or not isinstance(aspect, (int, float)) or not 0.1 <= aspect <= 10:
            raise SettingsError(f"data.source.aspect must be a number from 0.1 to 10, not {aspect!r}")
        if on_bad_annotation not in ("error", "skip"):
            raise SettingsError(f"data.source.on_bad_annotation must be error or skip, not {on_bad_annotation!r}")
        self.name = name
        self.margin, self.mask, self.aspect, self.on_bad_annotation = margin, mask, float(aspect), on_bad_annotation
        self._images = _folder(images, root, "images", name)
        self._annotations = _folder(annotations, root, "annotations", name)
        self._recent = Recent(self._load, _KEPT)

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """One record per usable box, spread by spread, in the order of their XML; everything is read once.

        Raises:
            SettingsError: If no image has an annotation.
            DataError: If annotations or boxes are unusable and ``on_bad_annotation`` is ``error``, or none is usable.
        """
        return tuple(
            Record(record_name(name, box), box.label, cell=name)
            for name, annotation in self._annotated.items()
            for box in annotation.boxes
        )

    def read(self, record: Record) -> NDArray[np.uint8]:
        """Cut one chromosome out of its spread, (h, w) uint8 grey, as stored.

        Raises:
            DataError: If the spread's image cannot be read or has not the size that its annotation says.
        """
        pair, box = self._find(record)
        grey = self._recent(pair.name).cut(box.edges, self.margin, self.mask).grey
        if self.aspect == 1:
            return grey
        width = max(round(grey.shape[1] * self.aspect), 1)
        return np.asarray(cv2.resize(grey, (width, grey.shape[0]), interpolation=cv2.INTER_AREA), np.uint8)

    def locate(self, record: Record) -> str:
        """Name a record's image file and box."""
        pair, box = self._find(record)
        return f"{pair.image} box {box.number} {box.edges}"

    def fingerprint(self) -> str:
        """Return a SHA-256 in hexadecimal over the settings and every file's name, size and time of change."""
        settings = (self.name, CROPS_VERSION, self.margin, self.mask, self.aspect)
        digest = hashlib.sha256(repr(settings).encode())
        for pair in self._pairs.pairs:
            facts = []
            for path in (pair.image, pair.annotation):
                try:
                    status = path.stat()
                except OSError:
                    facts.append((0, 0))
                else:
                    facts.append((status.st_size, status.st_mtime_ns))
            digest.update(repr((pair.name, facts)).encode("utf-8", "replace"))
        boxes = [(record.path, record.label) for record in self.records]
        digest.update(repr(boxes).encode("utf-8", "replace"))
        return digest.hexdigest()

    @cached_property
    def _pairs(self) -> Pairs:
        found = find_pairs(self._images, self._annotations)
        for what, alone in (
            ("images without annotation", found.images_alone),
            ("annotations without image", found.annotations_alone),
        ):
            if alone:
                log.warning("%s: %d %s, such as %s", self.name, len(alone), what, alone[0])
        return found

    @cached_property
    def _pair_of(self) -> dict[str, Pair]:
        return {pair.name: pair for pair in self._pairs.pairs}

    @cached_property
    def _box_of(self) -> dict[str, tuple[str, Box]]:
        return {
            record_name(name, box): (name, box)
            for name, annotation in self._annotated.items()
            for box in annotation.boxes
        }

    @cached_property
    def _annotated(self) -> dict[str, Annotation]:
        """All usable annotations by their spread's name."""
        found = {}
        problems = [f"{' and '.join(map(str, files))} have the same name" for files in self._pairs.duplicates]
        for pair in self._pairs.pairs:
            try:
                annotation = read_annotation(pair.annotation)
            except DataError as error:
                problems.append(str(error))
                continue
            problems += [f"{pair.annotation} object {item.number}: {item.detail}" for item in annotation.problems]
            found[pair.name] = annotation
        self._report(problems, sum(len(annotation.boxes) for annotation in found.values()))
        return found

    def _report(self, problems: list[str], boxes: int) -> None:
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        listed = "; ".join(problems[:_SHOWN]) + more
        if not boxes:
            raise DataError(f"no annotation of {self.name} has a usable box: {listed or 'there is none in any XML'}")
        if problems and self.on_bad_annotation == "error":
            raise DataError(
                f"{len(problems)} annotations or boxes of {self.name} cannot be used: {listed}; "
                "data.source.on_bad_annotation=skip leaves them out"
            )
        if problems:
            log.warning("%s: %d unusable annotations or boxes left out: %s", self.name, len(problems), listed)

    def _find(self, record: Record) -> tuple[Pair, Box]:
        if record.path not in self._box_of:
            raise SettingsError(f"{record.path!r} is no box of {self.name}; take records of this source")
        name, box = self._box_of[record.path]
        return self._pair_of[name], box

    def _load(self, name: str) -> Spread:
        return load_spread(self._pair_of[name], self._annotated[name])


def load_spread(pair: Pair, annotation: Annotation) -> Spread:
    """Read a spread's image and make sure that it is the annotated one.

    Args:
        pair: The files.
        annotation: What the XML file says.

    Raises:
        DataError: If the image cannot be read.
        SizeMismatchError: If it has not the size that its annotation says.
    """
    grey = read_grey(pair.image)
    height, width = grey.shape
    if annotation.size is not None and annotation.size != (width, height):
        declared = " x ".join(map(str, annotation.size))
        raise SizeMismatchError(
            f"{pair.image} has {width} x {height} pixels, but {pair.annotation} was made for {declared}; "
            "find the image that was annotated"
        )
    return Spread(grey, [box.edges for box in annotation.boxes])


def record_name(spread: str, box: Box) -> str:
    """Name a box of a spread: ``103064_7``."""
    return f"{spread}_{box.number}"


def _folder(own: str | Path | None, root: str | Path | None, what: str, name: str) -> Path:
    if own is not None and str(own).strip():
        return existing_folder(own, f"data.source.{what}")
    if root is None or not str(root).strip():
        raise SettingsError(f"data={name} needs data.root=FOLDER, the folder that holds its images and annotations")
    return existing_folder(root, "data.root")
