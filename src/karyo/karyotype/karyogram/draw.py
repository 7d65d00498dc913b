"""Writing karyograms as PNG, SVG and PDF."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from threading import Lock

from karyo.errors import DataError, SettingsError
from karyo.files import write_beside
from karyo.karyotype.cell import Karyotype, Placed
from karyo.karyotype.upright import stand_upright

FORMATS: tuple[str, ...] = ("png", "svg", "pdf")
"""What a karyogram can be written as."""

_ONE_AT_A_TIME = Lock()
"""Matplotlib keeps fonts and settings once for the whole process: two pages at a time would disturb each other."""


def draw_karyogram(karyotype: Karyotype, path: Path, ideograms: bool = False, title: str | None = None) -> None:
    """Draw a cell's karyogram into a file, A4 landscape; PNG has 300 dots per inch.

    Rows stand by Denver group, the sex chromosomes last; pairs side by side, dark on white, at one scale, the
    centromeres of a row on one line. A dashed place is a copy that is missing; doubtful objects have a frame and their
    probability below; what has no place is in the tray, but for what a person marked as debris. The same karyotype
    gives the same bytes.

    Args:
        karyotype: The cell. Objects without a picture are stood upright first.
        path: Where to; its ending, ``.png``, ``.svg`` or ``.pdf``, says what is written.
        ideograms: Whether the ideogram of 550 bands stands beside each class.
        title: The heading; the cell's name if None. Characters that no font here has are shown as ``?``.

    Raises:
        SettingsError: If the ending is another one.
        OSError: If the file cannot be written; what stood there before is untouched.
    """
    ending = path.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise SettingsError(
            f"a karyogram is written as .png, .svg or .pdf, not as {path.name!r}; give one of these endings"
        )
    content = karyogram_bytes(karyotype, ending, ideograms, title)
    write_beside(path, lambda beside: beside.write_bytes(content))


def karyogram_bytes(
    karyotype: Karyotype,
    format: str,  # noqa: A002 - what it is called everywhere else
    ideograms: bool = False,
    title: str | None = None,
) -> bytes:
    """Draw a cell's karyogram into memory, as :func:`draw_karyogram` does.

    Args:
        karyotype: The cell.
        format: One of :data:`FORMATS`.
        ideograms: Whether the ideogram stands beside each class.
        title: The heading; the cell's name if None.

    Returns:
        The content of the file.

    Raises:
        SettingsError: If the format is another one.
        DataError: If an object has neither a picture nor an image.
    """
    if format not in FORMATS:
        raise SettingsError(f"a karyogram can be {', '.join(FORMATS)}, not {format!r}; choose one of these")
    # Matplotlib takes half a second to import: only who draws waits for it.
    from karyo.karyotype.karyogram.page import draw_page, write_page

    complete = replace(karyotype, objects=[_with_picture(each) for each in karyotype.objects])
    content = BytesIO()
    with _ONE_AT_A_TIME:
        write_page(draw_page(complete, ideograms, title), content, format)
    return content.getvalue()


def _with_picture(placed: Placed) -> Placed:
    if placed.upright is not None:
        return placed
    if not placed.object.grey.size:
        raise DataError(f"{placed.object.name} has no image, so it cannot be drawn; keep the pictures in the record")
    return replace(placed, upright=stand_upright(placed.object.grey, placed.label))
