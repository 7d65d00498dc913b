"""Suspected labels as a table: for other programs, and for the terminal."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from karyo.chromosomes import CLASSES
from karyo.errors import printable
from karyo.evaluation.predictions import Predictions
from karyo.evaluation.suspects import KINDS, Suspect
from karyo.files import csv_text, write_names

COLUMNS: tuple[str, ...] = (
    *("path", "cell", "label", "predicted", "p_label", "p_predicted", "score", "kind", "instead", "quality", "note"),
)
"""Columns of ``suspects.csv``. ``predicted`` is the network's most probable class, ``instead`` what the label may have
to be; ``p_label`` and ``p_predicted`` are the network's probabilities as it gave them, averaged over its runs."""


def write_suspects(path: Path, predictions: Predictions, suspects: Sequence[Suspect]) -> None:
    """Write all suspects as CSV, a line each, in their order.

    Raises:
        OSError: If the file cannot be written.
    """
    write_names(path, csv_text([COLUMNS, *(_row(predictions, suspect) for suspect in suspects)]))


def suspects_table(predictions: Predictions, suspects: Sequence[Suspect], most: int) -> Table:
    """Lay out the first suspects.

    Args:
        predictions: What the suspects were found in.
        suspects: In their order.
        most: How many to show at most.

    Returns:
        The table; its title counts all of each kind.
    """
    kinds = Counter(suspect.kind for suspect in suspects)
    title = f"Suspects among {len(predictions):,} images: " + ", ".join(f"{kinds[kind]:,} {kind}" for kind in KINDS)
    more = f"the first {most:,} of {len(suspects):,}; " if most < len(suspects) else ""
    caption = f"{more}score: how many times better the other class explains it, as a power of ten"
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left", box=box.SIMPLE_HEAD)
    for column in ("kind", "image", "label", "instead", "score", "note"):
        table.add_column(column, justify="right" if column == "score" else "left", overflow="fold")
    for suspect in suspects[:most]:
        path, score = Text(printable(predictions.paths[suspect.index])), f"{suspect.score:.1f}"
        label, other = CLASSES[predictions.labels[suspect.index]], CLASSES[suspect.other]
        table.add_row(suspect.kind, path, label, other, score, Text(printable(suspect.note)))
    return table


def _row(predictions: Predictions, suspect: Suspect) -> list[object]:
    index = suspect.index
    label, predicted = int(predictions.labels[index]), int(predictions.predicted[index])
    return [
        predictions.paths[index],
        predictions.cells[index] or "",
        CLASSES[label],
        CLASSES[predicted],
        f"{predictions.probabilities[index, label]:.6f}",
        f"{predictions.probabilities[index, predicted]:.6f}",
        f"{suspect.score:.3f}",
        suspect.kind,
        CLASSES[suspect.other],
        f"{suspect.quality:.4f}",
        suspect.note,
    ]
