"""What was predicted of many images, as rows: for CSV, for JSON lines, and counted."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from karyo.chromosomes import CLASSES
from karyo.files import csv_text
from karyo.inference.journal import Row
from karyo.inference.many import Unreadable
from karyo.inference.prediction import REASONS, Prediction

COLUMNS: tuple[str, ...] = (
    "path",
    "label",
    "probability",
    "second",
    "second_probability",
    "rejected",
    "reasons",
    "error",
)
"""The columns of a table of predictions; ``p_1`` .. ``p_Y`` follow where all probabilities are asked for."""


def row_of(outcome: Prediction | Unreadable) -> Row:
    """Give what is known of an image as primitives.

    Args:
        outcome: What came of it.

    Returns:
        ``name`` and ``error`` of an unreadable image; else what :meth:`Prediction.to_dict` gives, with the
        ``probabilities`` of all classes, by class, in place of the most probable ones; see :func:`ranked`.
    """
    if isinstance(outcome, Unreadable):
        return {"name": outcome.name, "error": outcome.message}
    row = outcome.to_dict()
    del row["top"]
    return row | {"probabilities": dict(zip(CLASSES, outcome.probabilities.tolist(), strict=True))}


def ranked(row: Row) -> list[tuple[str, float]]:
    """Give the classes of a readable image with their probabilities, the most probable first."""
    return sorted(row["probabilities"].items(), key=lambda pair: -pair[1])


def to_csv(rows: Iterable[Row], probabilities: bool = False) -> str:
    """Give rows as CSV with a line of names, :data:`COLUMNS`."""
    columns = [*COLUMNS, *(f"p_{name}" for name in CLASSES if probabilities)]
    return csv_text([columns, *(_cells(row, probabilities) for row in rows)])


def to_json_lines(rows: Iterable[Row], probabilities: bool = False, top: int = 5) -> str:
    """Give rows as JSON, one line each, with the ``top`` most probable classes."""
    return "".join(json.dumps(_content(row, probabilities, top), ensure_ascii=False) + "\n" for row in rows)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many images came to what.

    Attributes:
        accepted: Images whose class can be used.
        rejected: Images that a person should look at.
        unreadable: Images that could not be read.
        reasons: How many were rejected for each reason, the most frequent first; an image may have several.
    """

    accepted: int
    rejected: int
    unreadable: int
    reasons: tuple[tuple[str, int], ...]


def tally(rows: Sequence[Row]) -> Tally:
    """Count rows."""
    readable = [row for row in rows if "error" not in row]
    reasons = Counter(reason for row in readable for reason in row["reasons"] if reason in REASONS)
    rejected = sum(row["rejected"] for row in readable)
    return Tally(len(readable) - rejected, rejected, len(rows) - len(readable), tuple(reasons.most_common()))


def _content(row: Row, probabilities: bool, top: int) -> Row:
    """Give what a line of JSON says of an image."""
    if "error" in row:
        return row
    content = {name: value for name, value in row.items() if name != "probabilities"}
    content["top"] = [{"label": label, "probability": share} for label, share in ranked(row)[:top]]
    return content | ({"probabilities": row["probabilities"]} if probabilities else {})


def _cells(row: Row, probabilities: bool) -> list[str]:
    if "error" in row:
        return [row["name"], *[""] * (len(COLUMNS) - 2), row["error"], *["" for _ in CLASSES if probabilities]]
    second, share = ranked(row)[1]
    cells = [row["name"], row["label"], repr(row["probability"]), second, repr(share)]
    cells += ["yes" if row["rejected"] else "no", " ".join(row["reasons"]), ""]
    return cells + [repr(row["probabilities"][name]) for name in CLASSES if probabilities]
