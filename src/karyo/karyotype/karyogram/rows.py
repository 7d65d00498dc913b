"""Which classes stand in which row of a karyogram, and how many copies are looked for."""

from collections.abc import Mapping

from karyo.chromosomes import CLASSES

Row = tuple[tuple[str, tuple[int, ...]], ...]

X, Y = CLASSES.index("X"), CLASSES.index("Y")

ROWS: tuple[Row, ...] = (
    (("A", (0, 1, 2)), ("B", (3, 4))),
    (("C", (5, 6, 7, 8, 9, 10, 11)),),
    (("D", (12, 13, 14)), ("E", (15, 16, 17))),
    (("F", (18, 19)), ("G", (20, 21)), ("", (X, Y))),
)
"""The groups of each row with their classes; X and Y, of groups C and G, stand last as in a lab's karyogram."""


def expected_places(label: int, counts: Mapping[int, int]) -> int:
    """Give how many places a class has at least: two of each autosome, XX without a Y, X and Y with one.

    Args:
        label: The class, 0..23.
        counts: How many objects each class has.
    """
    if label == Y:
        return 0
    return 1 if label == X and counts[Y] else 2
