"""Spreads with their annotations, and cells with their cases."""

import re
import unicodedata
from dataclasses import replace
from pathlib import Path, PurePosixPath

from karyo.errors import SettingsError
from karyo.files import walk_files
from karyo.karyotype.inputs.cell_files import CellFiles, Found, compiled


def with_annotations(found: Found, annotations: Path) -> Found:
    """Give each spread its XML file; those without one are left out.

    Args:
        found: Spreads.
        annotations: A folder, searched with all that is below it, of files named like the images; or the file of the
            only spread.

    Raises:
        SettingsError: If there is no such place, or no spread has a file in it.
        DataError: If a folder cannot be read.
    """
    if not annotations.exists():
        raise SettingsError(f"--annotations {annotations} does not exist")
    if annotations.is_file():
        if len(found.cells) > 1:
            raise SettingsError(
                f"--annotations {annotations} is one file for {len(found.cells)} spreads; name a folder"
            )
        return Found((replace(found.cells[0], annotation=annotations),))
    texts: dict[str, list[Path]] = {}
    for path in sorted(walk_files(annotations)):
        if path.lower().endswith(".xml"):
            texts.setdefault(_normal(PurePosixPath(path).stem), []).append(annotations / path)
    cells, left_out = [], []
    for cell in found.cells:
        own = texts.get(_normal(cell.images[0].stem), [])
        if len(own) == 1:
            cells.append(replace(cell, annotation=own[0]))
        else:
            reason = f"no XML file in {annotations} has its name" if not own else f"{own[0]} and {own[1]} have its name"
            left_out.append((cell.name, f"{cell.images[0]} is left out: {reason}"))
    if not cells:
        raise SettingsError(
            f"no image has an annotation of the same name (.xml) in {annotations}; is it the right one?"
        )
    return Found(tuple(cells), tuple(left_out))


def in_cases(found: Found, case: str | None, rule: str | None) -> Found:
    """Say of which case each cell is.

    Args:
        found: The cells.
        case: The case of all of them.
        rule: ``folder`` for the name of the folder in which the cell's folder or spread lies; or a regular expression
            that is searched for in the cell's name: its group ``case``, else its first group, else all that it matches.

    Raises:
        SettingsError: If both are given, or the rule is no regular expression.
    """
    if case is not None and rule is not None:
        raise SettingsError("--case names one case for all cells, --cases-by one for each; give one of the two")
    if case is not None:
        return replace(found, cells=tuple(replace(cell, case=case) for cell in found.cells))
    if rule is None:
        return found
    search = compiled(rule, "--cases-by")
    return replace(found, cells=tuple(replace(cell, case=_case_of(cell, rule, search)) for cell in found.cells))


def _case_of(cell: CellFiles, rule: str, search: re.Pattern[str]) -> str | None:
    if rule == "folder":
        folder = cell.images[0].absolute().parent
        return (folder if cell.kind == "spread" else folder.parent).name or None
    match = search.search(cell.name)
    if match is None:
        return None
    return match["case"] if "case" in search.groupindex else match[1 if search.groups else 0]


def _normal(stem: str) -> str:
    """Some file systems store an accent as a letter of its own."""
    return unicodedata.normalize("NFC", stem)
