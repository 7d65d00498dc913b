"""The same picture on two sides of a split makes the test worthless; this finds it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from karyo.errors import DataError

if TYPE_CHECKING:
    from karyo.data.splits import Split

_SHOWN = 5


def check_leaks(split: "Split", digests: NDArray[np.uint8], places: Sequence[str]) -> None:
    """Refuse a split with the same pixels on two of its sides.

    Args:
        split: Indices of the three sides.
        digests: Array (N, D) uint8, a digest of each image's decoded pixels.
        places: For each of the N images where it is, for the message.

    Raises:
        DataError: Naming up to five pairs of files and how many there are.
    """
    pairs = leaking_pairs(split, digests)
    if not pairs:
        return
    listed = "; ".join(
        f"{places[one]} ({side}) = {places[other]} ({across})" for one, side, other, across in pairs[:_SHOWN]
    )
    more = f" and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
    raise DataError(
        f"{len(pairs)} images have the same pixels on two sides of the split: {listed}{more}; "
        "remove the duplicates or leave them out with data.source.ignore=REGEX"
    )


def leaking_pairs(split: "Split", digests: NDArray[np.uint8]) -> list[tuple[int, str, int, str]]:
    """List (index, side, index, side) of images that repeat one of an earlier side, in the order of the sides."""
    first: dict[bytes, tuple[int, str]] = {}
    pairs = []
    for side, indices in split.sides().items():
        for index in indices.tolist():
            one, where = first.setdefault(digests[index].tobytes(), (index, side))
            if where != side:
                pairs.append((one, where, index, side))
    return pairs
