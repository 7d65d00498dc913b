"""The sizes of a data set's chromosomes, and what is usual among them."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from karyo.data.records import Record
from karyo.data.sources import Source
from karyo.errors import DataError
from karyo.imaging.size import size_logarithms
from karyo.inference.sizes import MEASURES, SizeNorms, fit_sizes
from karyo.progress import progress_bar

_MOST_CELLS = 80
"""Cells beyond which the usual sizes do not become clearer."""


def measure_sizes(source: Source, records: Sequence[Record], polarity: str = "auto") -> NDArray[np.float64]:
    """Measure the chromosomes of a data set, as stored.

    Args:
        source: Where they are read from.
        records: Which ones.
        polarity: ``auto``, ``bright`` or ``dark``: the background of the images.

    Returns:
        float64 (N, 3), logarithms of area, length and mass; NaN where an image cannot be read or shows nothing.
    """
    rows = np.full((len(records), len(MEASURES)), np.nan)

    def one(row: int) -> None:
        with suppress(DataError):
            rows[row] = size_logarithms(source.read(records[row]), polarity)

    with (
        ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads,
        progress_bar("measuring sizes", len(records), only_on_terminals=True) as advance,
    ):
        try:
            for _ in threads.map(one, range(len(records))):
                advance()
        except BaseException:
            # Ctrl-C must not wait for thousands of images that nobody will look at.
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    return rows


def learn_sizes(source: Source, records: Sequence[Record], polarity: str = "auto") -> SizeNorms | None:
    """Learn the usual sizes of chromosomes from cells that are known.

    Args:
        source: Where they are read from.
        records: Of the training side. Some of the cells are enough where there are many.
        polarity: As in :func:`measure_sizes`.

    Returns:
        The sizes; None where no cells are known, or too few to learn from.
    """
    chosen = _some_cells(records)
    if not chosen:
        return None
    sizes = measure_sizes(source, chosen, polarity)
    labels = np.array([record.label for record in chosen], dtype=np.int64)
    return fit_sizes(sizes, labels, [record.cell for record in chosen])


def _some_cells(records: Sequence[Record]) -> list[Record]:
    """Keep the chromosomes of at most :data:`_MOST_CELLS` cells, spread evenly."""
    cells = list(dict.fromkeys(record.cell for record in records if record.cell is not None))
    places = np.linspace(0, len(cells) - 1, min(len(cells), _MOST_CELLS)).round().astype(int)
    kept = {cells[place] for place in places}
    return [record for record in records if record.cell in kept]
