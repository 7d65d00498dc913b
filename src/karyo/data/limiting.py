"""Training on a part of the labelled cells: what a laboratory with few of them gets, and learning curves."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from karyo.chromosomes import CLASSES
from karyo.data.records import Record
from karyo.data.splits import Split
from karyo.errors import SettingsError


def check_cells(cells: object) -> None:
    """Check a number of cells to train on.

    Raises:
        SettingsError: If it is neither a whole number of at least 1, nor a share between 0 and 1, nor None.
    """
    whole = isinstance(cells, int) and not isinstance(cells, bool) and cells >= 1
    share = isinstance(cells, float) and 0 < cells < 1
    if cells is not None and not whole and not share:
        raise SettingsError(
            f"data.train_cells must be a number of cells, a share of them between 0 and 1, or null, not {cells!r}"
        )


def limit_training(split: Split, records: Sequence[Record], cells: float, seed: int) -> Split:
    """Leave only some cells on the training side; validation and test stay as they are.

    The cells are put into a random order once: those of a small number are among those of any larger one.

    Args:
        split: The whole split.
        records: The records that were split.
        cells: How many cells, or below 1 which share of them (at least one cell).
        seed: Same seed, same order.

    Returns:
        The split with fewer training images, and a warning where classes are gone from them.

    Raises:
        SettingsError: If the cell of a training image is not known, or there are not as many cells.
    """
    check_cells(cells)
    train = split.train.tolist()
    if any(records[index].cell is None for index in train):
        raise SettingsError("data.train_cells needs data whose cells are known; leave it null for these")
    names = sorted({(records[index].case or "", records[index].cell or "") for index in train})
    number = cells if isinstance(cells, int) else max(1, round(cells * len(names)))
    if number > len(names):
        raise SettingsError(f"data.train_cells={cells}, but the training side has {len(names)} cells")
    order = np.random.default_rng([seed % 2**63, len(names)]).permutation(len(names))
    kept = {names[place] for place in order[:number].tolist()}
    chosen = [index for index in train if (records[index].case or "", records[index].cell or "") in kept]
    absent = {records[index].label for index in train} - {records[index].label for index in chosen}
    found = () if not absent else (_without(absent, number),)
    return replace(split, train=np.array(chosen, np.int64), warnings=(*split.warnings, *found))


def _without(absent: set[int], number: int) -> str:
    names = ", ".join(CLASSES[label] for label in sorted(absent))
    cells = "the one training cell" if number == 1 else f"the {number} training cells"
    return f"no image of class {names} is in {cells}"
