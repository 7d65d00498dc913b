"""The files of a cell."""

import re
from dataclasses import dataclass
from pathlib import Path

from karyo.errors import SettingsError

KINDS: tuple[str, ...] = ("auto", "cell", "spread")
"""What an image may be said to show: one chromosome of a cell, or a whole spread."""


@dataclass(frozen=True, slots=True)
class CellFiles:
    """One cell's files.

    Attributes:
        name: Unique; a relative path with ``/``, the place of its outcome.
        kind: ``cell`` for images of single chromosomes, ``spread`` for one image of all.
        images: The images.
        truths: For each image its class 0..23 where the file's name says it.
        annotation: Of a spread: the XML file with its boxes.
        case: Patient or specimen; None where it is not known.
    """

    name: str
    kind: str
    images: tuple[Path, ...]
    truths: tuple[int | None, ...] = ()
    annotation: Path | None = None
    case: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What was typed, as cells.

    Attributes:
        cells: The cells.
        left_out: What cannot be one: its name, and why in one sentence.
    """

    cells: tuple[CellFiles, ...]
    left_out: tuple[tuple[str, str], ...] = ()


def compiled(pattern: str, option: str) -> re.Pattern[str]:
    """Read a regular expression that was typed.

    Raises:
        SettingsError: If it is none; the message begins with the option.
    """
    try:
        return re.compile(pattern)
    except re.error as error:
        raise SettingsError(f"{option} {pattern!r} is not a regular expression: {error}") from None


def name_of(folder: Path) -> str:
    """Give the name of a folder, however it was typed."""
    return folder.resolve().name or "cell"
