"""What a network says about many images, batch by batch."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from karyo.data.datamodule import ChromosomeData
from karyo.errors import DataError
from karyo.inference.engines import Answer, Engine
from karyo.inference.predictor import FEWEST_IN_CELL
from karyo.progress import progress_bar

Pixels = NDArray[np.uint8]
"""Prepared images, (N, S, S)."""

_BATCH = 32


def answers_of(engine: Engine, data: ChromosomeData, positions: Sequence[int], title: str) -> Answer:
    """Ask an opened file about images of a data set.

    Args:
        engine: The file.
        data: The data.
        positions: Which images, by their positions in ``data.records``; at least one.
        title: Of the progress bar.

    Returns:
        One answer for all, in the same order.

    Raises:
        DataError: If an answer is not a number.
    """
    starts = range(0, len(positions), _BATCH)
    answers = []
    with progress_bar(title, len(starts), only_on_terminals=True) as advance:
        for start in starts:
            answers.append(engine(data.images(positions[start : start + _BATCH])))
            advance()
    logits = np.concatenate([answer.logits for answer in answers])
    distances = [answer.distance for answer in answers if answer.distance is not None]
    _check_numbers(logits)
    return Answer(logits, np.concatenate(distances) if distances else None)


def with_cells(engine: Engine, data: ChromosomeData, positions: Sequence[int], alone: Answer, title: str) -> Answer:
    """Ask an opened file about the same images in their cells.

    Args:
        engine: The file; it sees cells.
        data: The data.
        positions: Which images, by their positions in ``data.records``.
        alone: What it says about each alone, which stands for cells of too few images too.
        title: Of the progress bar.

    Returns:
        Both answers in one; of a side without any whole cell the first alone.

    Raises:
        DataError: If an answer is not a number.
    """
    cells = [cell for cell in data.group_by_cell(positions) if len(cell) >= FEWEST_IN_CELL]
    if not cells:
        return alone
    logits, seen = alone.logits.copy(), np.zeros(len(alone.logits), np.bool_)
    with progress_bar(title, len(cells), only_on_terminals=True) as advance:
        for cell in cells:
            logits[cell] = engine.see_cell(data.images([positions[place] for place in cell]))
            seen[cell] = True
            advance()
    _check_numbers(logits)
    return replace(alone, in_cell=logits, seen=seen)


def _check_numbers(logits: NDArray[np.float32]) -> None:
    if not np.isfinite(logits).all():
        raise DataError("the network's output is not a number: training diverged; export another run or checkpoint")
