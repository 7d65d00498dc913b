"""What a network says about many images, batch by batch."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from karyo.data.datamodule import ChromosomeData
from karyo.errors import DataError
from karyo.inference.engines import Answer, Engine
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
    if not np.isfinite(logits).all():
        raise DataError("the network's output is not a number: training diverged; export another run or checkpoint")
    return Answer(logits, np.concatenate(distances) if distances else None)
