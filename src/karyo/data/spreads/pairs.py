"""Finding each spread's image and annotation."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from karyo.errors import SettingsError
from karyo.files import walk_files
from karyo.imaging.read import IMAGE_EXTENSIONS


@dataclass(frozen=True, slots=True)
class Pair:
    """One spread.

    Attributes:
        name: The two files' common name without its ending; unique.
        image: The image file.
        annotation: The XML file.
    """

    name: str
    image: Path
    annotation: Path


@dataclass(frozen=True, slots=True)
class Pairs:
    """What was found.

    Attributes:
        pairs: The spreads, sorted by name.
        images_alone: Images without an annotation.
        annotations_alone: Annotations without an image.
        duplicates: Of each name that several images or several annotations have, all files; none of them is used.
    """

    pairs: tuple[Pair, ...]
    images_alone: tuple[Path, ...]
    annotations_alone: tuple[Path, ...]
    duplicates: tuple[tuple[Path, ...], ...]


def find_pairs(images: Path, annotations: Path, without: Path | None = None) -> Pairs:
    """Pair images and XML files of the same name.

    Both folders are searched with all that is below them, so they may be one and the same. Endings count in upper and
    lower case. Files and folders whose name starts with a dot are left out.

    Args:
        images: Folder of the images.
        annotations: Folder of the XML files.
        without: A folder below one of them that is left out.

    Raises:
        SettingsError: If a folder is missing, or there is no pair at all.
        DataError: If a folder cannot be read.
    """
    pictures = _by_name(images, IMAGE_EXTENSIONS, without)
    texts = _by_name(annotations, (".xml",), without)
    found = Pairs(
        pairs=tuple(
            Pair(name, pictures[name][0], texts[name][0])
            for name in sorted(pictures.keys() & texts.keys())
            if len(pictures[name]) == len(texts[name]) == 1
        ),
        images_alone=_flat(pictures[name] for name in sorted(pictures.keys() - texts.keys())),
        annotations_alone=_flat(texts[name] for name in sorted(texts.keys() - pictures.keys())),
        duplicates=tuple(
            (*pictures[name], *texts[name])
            for name in sorted(pictures.keys() & texts.keys())
            if len(pictures[name]) > 1 or len(texts[name]) > 1
        ),
    )
    if not found.pairs:
        raise SettingsError(
            f"no spread found: no image ({', '.join(IMAGE_EXTENSIONS)}) of {images} has an annotation of the same name "
            f"(.xml) in {annotations}; {sum(map(len, pictures.values()))} images and {sum(map(len, texts.values()))} "
            "XML files were looked at"
        )
    return found


def existing_folder(path: str | Path, what: str) -> Path:
    """Give the absolute path of a folder.

    Args:
        path: The folder as typed.
        what: What it is to the user, for the error.

    Raises:
        SettingsError: If it does not exist or is not a folder.
    """
    folder = Path(path).expanduser().absolute()
    if not folder.exists():
        raise SettingsError(f"{what} {folder} does not exist")
    if not folder.is_dir():
        raise SettingsError(f"{what} {folder} is not a folder; unpack an archive first")
    return folder


def _by_name(folder: Path, endings: Iterable[str], without: Path | None) -> dict[str, list[Path]]:
    """Files with one of the endings below a folder, by their name without it."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for relative in sorted(walk_files(folder)):
        path = folder / relative
        if path.suffix.lower() in endings and not (without and path.is_relative_to(without)):
            # Some file systems store an accent as a letter of its own.
            found[unicodedata.normalize("NFC", path.stem)].append(path)
    return dict(found)


def _flat(groups: Iterable[list[Path]]) -> tuple[Path, ...]:
    return tuple(path for group in groups for path in group)
