"""Finding the cells that were meant: folders of chromosomes, spreads, data sets whose file names say the cell."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from karyo.chromosomes import parse_label
from karyo.errors import DataError, SettingsError
from karyo.files import walk_files
from karyo.imaging.read import IMAGE_EXTENSIONS
from karyo.karyotype.inputs.cell_files import KINDS, CellFiles, Found, compiled, name_of
from karyo.karyotype.inputs.kind import kind_of
from karyo.karyotype.inputs.pairing import with_annotations

PICTURE = ".karyogram"
"""What stands before the ending of a karyogram's file: such a file is never taken for an input."""

_GROUPS = ("label", "cell", "case", "homolog")
_CLASSES_FROM = 22
"""So many folders that are all named like different chromosomes are classes, not cells."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """Images that lie together; ``prefix`` is what the names of its spreads begin with."""

    name: str
    images: tuple[Path, ...]
    prefix: str = ""
    typed: bool = False
    truths: tuple[int | None, ...] = field(default=())
    case: str | None = None


def find_cells(
    places: Sequence[Path],
    kind: str = "auto",
    annotations: Path | None = None,
    pattern: str | None = None,
    without: Path | None = None,
) -> Found:
    """Find the cells that were meant.

    A folder is a cell if its images show single chromosomes, and each of its images is one if they show spreads; that
    holds for every folder below it too. Files named one by one are one cell or spreads likewise; a single file is a
    spread.

    Args:
        places: Files and folders.
        kind: One of :data:`KINDS`; ``auto`` looks at some of the images.
        annotations: A folder of Pascal VOC files named like the images, or the file for a single image; every image is
            a spread then.
        pattern: Regular expression that must match the whole path of a file relative to its folder, with ``/``; its
            named groups ``label``, ``cell``, ``case`` and ``homolog`` are those of data sets
            (:class:`~karyo.data.layouts.FolderSource`), all may be left out. Without ``cell`` the folder is the cell.
        without: A folder that is left out: where the outcome goes.

    Raises:
        SettingsError: If a place does not exist or holds no image, or the settings contradict each other.
        DataError: If a folder cannot be read, or no image can.
    """
    _check(kind, annotations, pattern)
    units = [unit for place in _grouped(places) for unit in _units_of(place, pattern, without)]
    if pattern is not None:
        kind = "cell"
    elif kind == "auto" and annotations is None:
        _refuse_classes(units)
    cells: list[CellFiles] = []
    for unit in units:
        cells += _cells_of(unit, "spread" if annotations is not None else kind)
    found = Found(tuple(_with_own_names(cells)))
    return found if annotations is None else with_annotations(found, annotations)


def _check(kind: str, annotations: Path | None, pattern: str | None) -> None:
    if kind not in KINDS:
        raise SettingsError(f"--kind must be one of {', '.join(KINDS)}, not {kind!r}")
    if annotations is not None and (kind == "cell" or pattern is not None):
        raise SettingsError("--annotations are boxes in spreads; leave --kind cell and --pattern out")
    if pattern is not None and kind == "spread":
        raise SettingsError("--pattern reads the names of single chromosomes' files; leave --kind spread out")


def _grouped(places: Sequence[Path]) -> list[tuple[Path, ...]]:
    """Files that were named one by one belong together; a folder stands for itself."""
    for place in places:
        if not place.exists():
            raise SettingsError(f"{place} does not exist")
    files = tuple(dict.fromkeys(place for place in places if not place.is_dir()))
    folders = dict.fromkeys(place for place in places if place.is_dir())
    return [*([files] if files else []), *((folder,) for folder in folders)]


def _units_of(group: tuple[Path, ...], pattern: str | None, without: Path | None) -> list[_Unit]:
    folder = group[0]
    if not folder.is_dir():
        if pattern is not None:
            raise SettingsError(f"--pattern reads paths within a folder, and {folder} is a file; name its folder")
        return [_Unit(name_of(folder.absolute().parent), group, typed=True)]
    paths = list(_images_below(folder, without))
    if not paths:
        raise SettingsError(f"{folder} holds no image ({', '.join(IMAGE_EXTENSIONS)})")
    if pattern is not None:
        return _by_pattern(folder, paths, compiled(pattern, "--pattern"))
    together: dict[str, list[Path]] = {}
    for path in paths:
        together.setdefault(PurePosixPath(path).parent.as_posix(), []).append(folder / path)
    top = name_of(folder)
    return [
        _Unit(top, tuple(images)) if inner == "." else _Unit(inner, tuple(images), f"{inner}/")
        for inner, images in together.items()
    ]


def _images_below(folder: Path, without: Path | None) -> Iterator[str]:
    # The folder of the outcome may lie below that of the images; where it is the same or above, no image is left out.
    below = without if without and without != folder.absolute() and without.is_relative_to(folder.absolute()) else None
    for path in sorted(walk_files(folder)):
        place = PurePosixPath(path)
        own = below is not None and (folder / path).absolute().is_relative_to(below)
        if place.suffix.lower() in IMAGE_EXTENSIONS and not place.stem.endswith(PICTURE) and not own:
            yield path


def _by_pattern(folder: Path, paths: Sequence[str], pattern: re.Pattern[str]) -> list[_Unit]:
    unknown = sorted(set(pattern.groupindex) - set(_GROUPS))
    if unknown:
        raise SettingsError(f"--pattern has the unknown group {unknown[0]!r}; its groups are {', '.join(_GROUPS)}")
    matches = {path: match.groupdict() for path in paths if (match := pattern.fullmatch(path))}
    if not matches:
        raise SettingsError(f"--pattern {pattern.pattern!r} matches no image of {folder}, such as {paths[0]!r}")
    cells: dict[tuple[str, str | None], list[str]] = {}
    for path, groups in matches.items():
        inner = PurePosixPath(path).parent.as_posix()
        cell = groups.get("cell") or (name_of(folder) if inner == "." else inner)
        cells.setdefault((cell, groups.get("case")), []).append(path)
    often = Counter(cell for cell, _ in cells)
    return [
        _Unit(
            cell if often[cell] == 1 else f"{case}/{cell}",
            tuple(folder / path for path in members),
            truths=tuple(_truth(matches[path].get("label"), folder / path) for path in members),
            case=case,
        )
        for (cell, case), members in cells.items()
    ]


def _truth(label: str | None, path: Path) -> int | None:
    if not label:
        return None
    try:
        return parse_label(label)
    except ValueError as error:
        raise DataError(f"{path}: {error}; change --pattern or the file's name") from None


def _refuse_classes(units: Sequence[_Unit]) -> None:
    """Folders named after the 24 classes hold chromosomes of many cells each."""
    labels = set()
    for unit in units:
        try:
            labels.add(parse_label(PurePosixPath(unit.name).name))
        except ValueError:
            return
    if len(labels) >= _CLASSES_FROM:
        raise SettingsError(
            "the folders are named after the classes of chromosomes, not after cells; say with --pattern which cell a "
            "file is of, or with --kind cell that each folder is a cell"
        )


def _cells_of(unit: _Unit, kind: str) -> list[CellFiles]:
    if kind == "auto":
        kind = "spread" if unit.typed and len(unit.images) == 1 else kind_of(unit.images)
    if kind == "cell":
        truths = unit.truths or (None,) * len(unit.images)
        return [CellFiles(_checked(unit.name), "cell", unit.images, truths, case=unit.case)]
    stems = Counter(image.stem for image in unit.images)
    # A picture and another one of the same name but for the ending are two.
    names = [image.stem if stems[image.stem] == 1 else image.name for image in unit.images]
    return [CellFiles(unit.prefix + name, "spread", (image,)) for name, image in zip(names, unit.images, strict=True)]


def _with_own_names(cells: Iterable[CellFiles]) -> Iterator[CellFiles]:
    """Tell cells of the same name, from different places, apart by numbers."""
    taken: set[str] = set()
    for cell in cells:
        name, number = cell.name, 2
        while name.casefold() in taken:
            name, number = f"{cell.name}-{number}", number + 1
        taken.add(name.casefold())
        yield cell if name == cell.name else replace(cell, name=name)


def _checked(name: str) -> str:
    """Refuse a cell's name that would lead out of the folder of the outcome."""
    if name.startswith("/") or any(part in ("", ".", "..") for part in name.split("/")):
        raise SettingsError(f"{name!r} cannot be the name of a cell; change --pattern")
    return name
