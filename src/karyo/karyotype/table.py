"""Cells and cases as rows of a table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from karyo.chromosomes import CLASSES
from karyo.files import csv_text
from karyo.karyotype.batch import Judged
from karyo.karyotype.case import CaseCall
from karyo.karyotype.cell import Karyotype
from karyo.karyotype.lines import one_line

CELL_COLUMNS: tuple[str, ...] = (
    *("cell", "case", "kind", "objects", "placed", "doubtful", "reviewed", "iscn", "abnormal", "probability"),
    *("findings", "named", "right_alone", "right_together", "remarks", "problem"),
)
"""Columns of ``cells.csv``. ``named`` counts the objects whose class a person had named; of these ``right_alone`` is
how many the classifier names likewise without the cell, ``right_together`` how many stand in that place."""

CASE_COLUMNS: tuple[str, ...] = ("case", "cells", "iscn", "abnormal", "findings", "remarks")
"""Columns of ``cases.csv``."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Right:
    """How many objects of a cell are where a person had named them.

    Attributes:
        named: Objects with a name.
        alone: Of these, those whose most probable class alone is that name.
        together: Of these, those in that place.
    """

    named: int
    alone: int
    together: int


def count_right(karyotype: Karyotype) -> Right:
    """Compare a cell's objects with the names that persons had given them; in the tray, or as debris, none is right."""
    named = [each for each in karyotype.objects if each.object.truth is not None]
    return Right(
        len(named),
        sum(each.alone.label == CLASSES[each.object.truth or 0] for each in named),
        sum(each.label == each.object.truth for each in named),
    )


def cell_row(judged: Judged) -> Row:
    """Give what is known of a cell, by :data:`CELL_COLUMNS`."""
    row: dict[str, Any] = dict.fromkeys(CELL_COLUMNS, "")
    row |= {"cell": judged.cell.name, "case": judged.cell.case or "", "kind": judged.cell.kind}
    karyotype = judged.karyotype
    if karyotype is None:
        return row | {"problem": one_line(judged.problem or "")}
    call, right = karyotype.call, count_right(karyotype)
    row |= {
        "objects": len(karyotype.objects),
        "placed": sum(each.label is not None for each in karyotype.objects),
        "doubtful": sum(each.doubtful for each in karyotype.objects),
        "reviewed": sum(each.reviewed for each in karyotype.objects),
        "iscn": call.iscn,
        "abnormal": "yes" if call.abnormal else "no",
        "probability": repr(float(call.probability)),
        "findings": "; ".join(
            f"{CLASSES[each.label]}: {each.copies} ({each.probability:.3f})" for each in call.findings
        ),
        "remarks": "; ".join(karyotype.remarks),
    }
    if right.named:
        row |= {"named": right.named, "right_alone": right.alone, "right_together": right.together}
    return row


def left_out_row(name: str, reason: str) -> Row:
    """Give the row of what was left out from the beginning, by :data:`CELL_COLUMNS`."""
    return dict.fromkeys(CELL_COLUMNS, "") | {"cell": name, "problem": one_line(reason)}


def case_row(name: str, cells: int, call: CaseCall) -> Row:
    """Give what is known of a case, by :data:`CASE_COLUMNS`."""
    return {
        "case": name,
        "cells": cells,
        "iscn": call.iscn,
        "abnormal": "yes" if call.abnormal else "no",
        "findings": "; ".join(
            f"{CLASSES[each.label]}: {each.copies} in {each.cells} cells ({each.probability:.3f})"
            for each in call.findings
        ),
        "remarks": "; ".join(call.remarks),
    }


def to_csv(rows: Iterable[Row], columns: Sequence[str]) -> str:
    """Give rows as CSV with a line of names."""
    return csv_text([columns, *([row[name] for name in columns] for row in rows)])
