"""A reviewed cell as training data: a zip file with a folder for each class, which ``data=folders`` reads."""

import io
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from karyo.files import csv_text
from karyo.imaging.read import IMAGE_EXTENSIONS
from karyo.karyotype.cell import Karyotype, Placed
from karyo.web.pictures import encode_png

COLUMNS: tuple[str, ...] = (
    "file",
    "name",
    "cell",
    "label",
    "reviewed",
    "probability",
    "alone",
    "alone_probability",
    "relation",
)
"""The columns of ``index.csv``: ``alone`` is what the model says of the image without the cell."""

_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip file can name: the same cell always makes the same bytes."""

_LONGEST = 120
"""Bytes of a file's name, before a number and the ending; file systems take 255."""

# What Windows takes in no file name, and the names that are its devices.
_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
_DEVICE = re.compile(r"(?i:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?")
# The rule of the page's own tables: a text that a spreadsheet would calculate.
_FORMULA = re.compile("^[\\s\\0]*[=+\\-@\uff0b\uff0d\uff1d\uff20]|^[\\t\\r\\n]")


def is_example(placed: Placed) -> bool:
    """Whether an object may be learnt from: it has a place and an image, and a person has looked at it or need not."""
    return (
        placed.label is not None
        and placed.object.grey.size > 0
        and not placed.debris
        and (placed.reviewed or not placed.doubtful)
    )


def training_data(karyotype: Karyotype) -> bytes:
    """Pack the chromosomes of a cell for training.

    Unpack each cell's file into a folder of its own; ``data=folders data.root=FOLDER`` reads them all.

    Args:
        karyotype: The cell; objects that may not be learnt from (:func:`is_example`) are left out.

    Returns:
        A zip file: ``<class>/<name>.png``, 8-bit grey as the classifier got them, and ``index.csv`` with
        :data:`COLUMNS`. The same cell makes the same bytes.
    """
    examples = [each for each in karyotype.objects if is_example(each)]
    packed, rows = io.BytesIO(), [COLUMNS]
    with zipfile.ZipFile(packed, "w") as archive:
        for each, path in zip(examples, _paths(examples), strict=True):
            # A PNG is packed already.
            archive.writestr(_entry(path, zipfile.ZIP_STORED), encode_png(each.object.grey))
            rows.append(_row(karyotype.name, each, path))
        archive.writestr(_entry("index.csv", zipfile.ZIP_DEFLATED), _table(rows))
    return packed.getvalue()


def file_stem(name: str, position: int) -> str:
    """Make of any text a file's name without ending, good on every system: no path, no device, nothing hidden.

    Args:
        name: What a stranger calls the object; an ending of an image file is taken off.
        position: Its number, from 1, for one of which nothing is left.
    """
    whole = unicodedata.normalize("NFC", "".join(each for each in name if unicodedata.category(each)[0] != "C"))
    path = PurePosixPath(whole.replace("\\", "/"))
    stem = path.stem if path.suffix.lower() in IMAGE_EXTENSIONS else path.name
    plain = _FORBIDDEN.sub("_", stem).encode()[:_LONGEST].decode(errors="ignore").strip(" .")
    if not plain:
        return f"object {position}"
    return f"_{plain}" if _DEVICE.fullmatch(plain) else plain


def _paths(examples: Iterable[Placed]) -> Iterator[str]:
    """Give each a path of its own, also on systems that do not tell A from a."""
    taken: set[str] = set()
    for position, each in enumerate(examples, 1):
        stem = file_stem(each.object.name, position)
        path, number = f"{each.place}/{stem}.png", 1
        while path.casefold() in taken:
            number += 1
            path = f"{each.place}/{stem} {number}.png"
        taken.add(path.casefold())
        yield path


def _row(cell: str, placed: Placed, path: str) -> tuple[str, ...]:
    return (
        path,
        placed.object.name,
        cell,
        str(placed.place),
        "yes" if placed.reviewed else "no",
        f"{placed.probability:.6f}",
        placed.alone.label,
        f"{placed.alone.probability:.6f}",
        placed.object.relation,
    )


def _table(rows: Iterable[tuple[str, ...]]) -> bytes:
    # JSON can hold halves of characters, which UTF-8 cannot.
    return csv_text(map(_harmless, row) for row in rows).encode("utf-8", "replace")


def _harmless(cell: str) -> str:
    """An object may be named =1+1: a quote before it keeps a spreadsheet from calculating it."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _entry(path: str, packing: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, _EARLIEST)
    entry.compress_type = packing
    entry.create_system = 3  # the same everywhere: Unix
    entry.external_attr = 0o644 << 16
    return entry
