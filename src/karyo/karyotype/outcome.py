"""The folder of karyotypes: a record and karyograms for each cell, never half-written, not made twice."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from karyo import __version__
from karyo.errors import DataError, KaryoError, SettingsError, printable
from karyo.files import write_text
from karyo.imaging.read import MAX_PIXELS
from karyo.inference.passport import Passport
from karyo.karyotype.cell import Karyotype
from karyo.karyotype.inputs.cell_files import CellFiles
from karyo.karyotype.inputs.search import PICTURE
from karyo.karyotype.karyogram import FORMATS, draw_karyogram
from karyo.karyotype.record import from_record, to_record

_LARGEST = 500_000_000
"""Bytes of a record beyond which it is not looked at: some 46 pictures take one million."""

_MOST_PIXELS = 20 * MAX_PIXELS
"""Of all pictures of a record: a cell's images may be large, and this program has held them in memory before."""


@dataclass(frozen=True)
class OutcomeFolder:
    """Where karyotypes are written: ``<cell>.json`` and ``<cell>.karyogram.<format>``.

    Attributes:
        path: The folder.
        passport: Of the model that answers.
        formats: Of the karyograms, from :data:`~karyo.karyotype.karyogram.FORMATS`; none for no karyograms and records
            without pictures.
        ideograms: Whether ideograms are drawn beside the chromosomes.

    Raises:
        SettingsError: If a format is unknown.
    """

    path: Path
    passport: Passport
    formats: tuple[str, ...] = ("png",)
    ideograms: bool = False

    def __post_init__(self) -> None:
        """Refuse formats that nothing can draw."""
        for each in self.formats:
            if each not in FORMATS:
                raise SettingsError(f"--format must be one of {', '.join(FORMATS)}, not {each!r}")

    def record_of(self, cell: CellFiles) -> Path:
        """Give the place of a cell's record."""
        return self.path / f"{cell.name}.json"

    def pictures_of(self, cell: CellFiles) -> list[Path]:
        """Give the places of a cell's karyograms."""
        return [self.path / f"{cell.name}{PICTURE}.{each}" for each in self.formats]

    def left_pictures_of(self, cell: CellFiles) -> list[Path]:
        """Give the karyograms of an earlier run that this one does not draw: they may show what is decided no more."""
        others = [self.path / f"{cell.name}{PICTURE}.{each}" for each in FORMATS if each not in self.formats]
        return [place for place in others if place.exists()]

    def refuse_inputs(self, cells: Sequence[CellFiles]) -> None:
        """Refuse to write over anything that is read.

        Raises:
            SettingsError: Naming the file.
        """
        read = {image.resolve() for cell in cells for image in (*cell.images, cell.annotation) if image}
        for cell in cells:
            for place in (self.record_of(cell), *self.pictures_of(cell)):
                if place.resolve() in read:
                    raise SettingsError(f"{place} is one of the images; name another folder with -o")

    def earlier(self, cell: CellFiles) -> Karyotype | None:
        """Give what an earlier run has made of a cell, where it need not be made again.

        That is so where the same version of the program made it from the same files with the same model and settings,
        or where a person has reviewed it: such work is never written over. Its karyograms are drawn anew from the
        record where they are older.

        Raises:
            SettingsError: If something else, or a damaged record, stands in the record's place.
            KaryoError: If the record cannot be read, or a karyogram not be written.
        """
        place = self.record_of(cell)
        content = _read_json(place)
        if content is None:
            return None
        try:
            karyotype = from_record(content, _MOST_PIXELS)
        except DataError as error:
            raise SettingsError(
                f"{printable(place)} is no record of karyo karyotype, or a damaged one ({error}); take it away or name "
                "another folder with -o"
            ) from error
        pictures = self.pictures_of(cell)
        if is_reviewed(karyotype):
            if all(each.upright is not None or each.object.grey.size for each in karyotype.objects):
                self._draw(karyotype, [each for each in pictures if not _is_newer(each, place)])
            return karyotype
        return karyotype if content.get("made") == self._made(cell) and all(map(Path.exists, pictures)) else None

    def write(self, cell: CellFiles, karyotype: Karyotype) -> None:
        """Write a cell's files, its record last: where that is, the others are.

        Raises:
            KaryoError: If a file cannot be written.
        """
        self._draw(karyotype, self.pictures_of(cell))
        made = {"made": self._made(cell), "case": None if cell.case is None else printable(cell.case)}
        record = to_record(karyotype, bool(self.formats), self.passport) | made
        text = json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"
        _written(self.record_of(cell), lambda place: write_text(place, text))

    def _draw(self, karyotype: Karyotype, pictures: Sequence[Path]) -> None:
        for picture in pictures:
            _written(picture, lambda place: draw_karyogram(karyotype, place, self.ideograms))

    def _made(self, cell: CellFiles) -> dict[str, Any]:
        """Say from what and how a record is made: equal where nothing has changed."""
        files = [*cell.images, *([cell.annotation] if cell.annotation else [])]
        return {
            "karyo": __version__,
            "model": hashlib.sha256(self.passport.to_json().encode()).hexdigest(),
            "kind": cell.kind,
            "formats": list(self.formats),
            "ideograms": self.ideograms,
            "files": [[printable(each.name), *_stamp(each)] for each in files],
            "truths": list(cell.truths),
        }


def is_reviewed(karyotype: Karyotype) -> bool:
    """Say whether a person has looked at any object."""
    return any(each.reviewed for each in karyotype.objects)


def _written(place: Path, write: Callable[[Path], None]) -> None:
    try:
        write(place)
    except OSError as error:
        raise KaryoError(f"{printable(place)} cannot be written: {error.strerror or error}") from error


def _is_newer(file: Path, other: Path) -> bool:
    """Say whether a file is there and was written after another one."""
    return file.exists() and file.stat().st_mtime_ns >= other.stat().st_mtime_ns


def _read_json(place: Path) -> Any:
    """Read a file; None where there is none, and an empty text where it cannot be what was written here."""
    try:
        if place.stat().st_size > _LARGEST:
            return ""
        return json.loads(place.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KaryoError(f"{printable(place)} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError):
        return ""


def _stamp(path: Path) -> list[int]:
    try:
        status = path.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]
