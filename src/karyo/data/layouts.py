"""Data sets of files: a regular expression reads label, cell, case and homolog off each path."""

import hashlib
import logging
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES, parse_label
from karyo.data.records import Record
from karyo.errors import DataError, SettingsError
from karyo.files import walk_files
from karyo.imaging.read import IMAGE_EXTENSIONS, read_grey

log = logging.getLogger(__name__)

_OWN_FILES = ("index.csv", "problems.csv", "settings.json")  # what commands leave beside the images they write
_GROUPS = ("label", "cell", "case", "homolog")


class FolderSource:
    """A folder tree of chromosome images, one chromosome each.

    Files whose name starts with a dot and folders that do are left out. Files with another extension, and images that
    the pattern does not match, are left out too and counted in the log.

    Args:
        root: The folder. Where it holds a folder named ``folder``, that one is meant (an unpacked archive).
        pattern: Regular expression that must match the whole path relative to the folder, written with ``/``; its
            named groups ``label`` (needed), ``cell``, ``case`` and ``homolog`` fill the records. Cell ids that occur
            in several cases are told apart by prefixing the case.
        name: Short name of the data set.
        extensions: File extensions that count as images, in any case.
        ignore: Regular expression; paths that it matches in full are left out without a word.
        folder: Name of the data set's own top folder, if its archive has one.
        first_label: The number that a data set gives to chromosome 1. With 0, labels are the numbers 0..23 and nothing
            else: 22 is X.

    Raises:
        SettingsError: If the root is missing, the pattern is not a regular expression with a group ``label``, or
            ``first_label`` is neither 0 nor 1.
    """

    def __init__(
        self,
        root: str | Path | None,
        pattern: str,
        name: str = "folders",
        extensions: Sequence[str] = IMAGE_EXTENSIONS,
        ignore: str | None = None,
        folder: str | None = None,
        first_label: int = 1,
    ) -> None:
        if first_label not in (0, 1) or isinstance(first_label, bool):
            raise SettingsError(f"data.source.first_label must be 0 or 1, not {first_label!r}")
        self.name = name
        self._first_label = first_label
        self.root = _find_root(root, name, folder)
        self._pattern = _compiled(pattern, "pattern")
        self._ignore = _compiled(ignore, "ignore") if ignore else None
        self._extensions = frozenset(extension.lower() for extension in extensions)
        unknown = sorted(set(self._pattern.groupindex) - set(_GROUPS))
        if "label" not in self._pattern.groupindex or unknown:
            problem = f"has the unknown group {unknown[0]!r}" if unknown else "has no group (?P<label>...)"
            raise SettingsError(f"data.source.pattern {problem}; its groups are label, cell, case, homolog")

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """All records in the order of their paths; the folder is walked once.

        Raises:
            DataError: If no file matches, or labels name no human chromosome.
        """
        paths, others = self._image_paths()
        matches = [(path, match) for path in paths if (match := self._pattern.fullmatch(path))]
        if not matches:
            raise SettingsError(self._nothing_matches(paths, others))
        if len(matches) < len(paths):
            missed = [path for path in paths if not self._pattern.fullmatch(path)]
            log.warning("%s: %d images do not match the pattern, such as %s", self.name, len(missed), missed[0])
        if others:
            log.info("%s: %d files of other kinds left out", self.name, others)
        return _to_records(matches, self.root, self._first_label)

    def read(self, record: Record) -> NDArray[np.uint8]:
        """Read one image as stored, (H, W) uint8 grey.

        Raises:
            DataError: If the image cannot be read.
        """
        return read_grey(self.locate(record))

    def locate(self, record: Record) -> str:
        """Give the absolute path of a record's file."""
        return str(self.root / record.path)

    def fingerprint(self) -> str:
        """Return a SHA-256 in hexadecimal over every file's path, label, groups, size and time of change."""
        digest = hashlib.sha256(self.name.encode())
        for record in self.records:
            try:
                status = (self.root / record.path).stat()
            except OSError:
                facts: tuple[int, ...] = ()
            else:
                facts = (status.st_size, status.st_mtime_ns)
            digest.update(repr((record.path, record.label, record.cell, record.case, facts)).encode("utf-8", "replace"))
        return digest.hexdigest()

    def _image_paths(self) -> tuple[list[str], int]:
        """Sorted relative paths of the images, and how many files of other kinds there are."""
        images, others = [], 0
        for path in walk_files(self.root):
            if Path(path).suffix.lower() not in self._extensions:
                others += Path(path).name not in _OWN_FILES
            elif self._ignore is None or not self._ignore.fullmatch(path):
                images.append(path)
        return sorted(images), others

    def _nothing_matches(self, paths: list[str], others: int) -> str:
        if not paths:
            kinds = ", ".join(sorted(self._extensions))
            return f"{self.root} holds no image files ({kinds}; {others} other files): is data.root the right folder?"
        tried = ", ".join(repr(path) for path in paths[:3])
        return (
            f"none of the {len(paths)} images under {self.root} matches the layout {self.name!r}: "
            f"pattern {self._pattern.pattern!r}, tried on {tried}"
        )


def _find_root(root: str | Path | None, name: str, folder: str | None) -> Path:
    if root is None or not str(root).strip():
        raise SettingsError(f"data={name} needs data.root=FOLDER, the folder that holds its images")
    path = Path(root).expanduser().absolute()
    if not path.exists():
        raise SettingsError(f"data.root {path} does not exist")
    if not path.is_dir():
        raise SettingsError(f"data.root {path} is not a folder; unpack an archive first")
    inner = path / folder if folder else path
    return inner if inner.is_dir() else path


def _compiled(pattern: str, setting: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise SettingsError(f"data.source.{setting} {pattern!r} is not a regular expression: {error}") from None


def _counted_from_zero(text: str) -> int:
    label = int(text)
    if not 0 <= label < len(CLASSES):
        raise ValueError(text)
    return label


def _to_records(matches: list[tuple[str, re.Match[str]]], root: Path, first_label: int) -> tuple[Record, ...]:
    """Records of matched paths; all unknown labels are reported together."""
    rows: list[tuple[str, int, dict[str, str | None]]] = []
    unknown: dict[str, str] = {}
    for path, match in matches:
        groups = {name: match.groupdict().get(name) or None for name in _GROUPS}
        spelled = groups.pop("label") or ""
        try:
            rows.append((path, parse_label(spelled) if first_label else _counted_from_zero(spelled), groups))
        except ValueError:
            unknown.setdefault(spelled, path)
    if unknown:
        expected = "1..22, X, Y, 23, 24" if first_label else "0..23, counted from 0"
        listed = ", ".join(f"{spelled!r} ({path})" for spelled, path in unknown.items())
        raise DataError(
            f"{len(unknown)} labels under {root} name no human chromosome ({expected}): {listed}; "
            "rename them or leave them out with data.source.ignore=REGEX"
        )
    cases_of: dict[str | None, set[str | None]] = {}
    for _, _, groups in rows:
        cases_of.setdefault(groups["cell"], set()).add(groups["case"])
    records = []
    for path, label, groups in rows:
        cell = groups["cell"]
        if cell is not None and len(cases_of[cell]) > 1:
            cell = f"{groups['case']}/{cell}"
        records.append(Record(path, label, cell, groups["case"], groups["homolog"]))
    return tuple(records)
