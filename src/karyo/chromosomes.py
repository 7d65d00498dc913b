"""The domain: the 24 classes of human chromosomes, their spellings, groups and expected copies.

This module imports nothing of the project; every other room stands on it.

Classes are integers 0..23 inside the program (``0`` is chromosome 1, ``21`` is chromosome 22, ``22`` is X, ``23`` is
Y) and the short names of :data:`CLASSES` wherever a person reads them.

The Denver groups are those of the Denver conference (1960) as kept by ISCN: A 1-3, B 4-5, C 6-12 and X, D 13-15,
E 16-18, F 19-20, G 21-22 and Y.
"""

import re

CLASSES: tuple[str, ...] = (*(str(number) for number in range(1, 23)), "X", "Y")
"""Names of the 24 classes, in class order."""

DENVER_GROUPS: dict[str, tuple[int, ...]] = {
    "A": (0, 1, 2),
    "B": (3, 4),
    "C": (5, 6, 7, 8, 9, 10, 11, 22),
    "D": (12, 13, 14),
    "E": (15, 16, 17),
    "F": (18, 19),
    "G": (20, 21, 23),
}
"""Classes (0..23) of each Denver group."""

ACROCENTRIC: frozenset[int] = frozenset({12, 13, 14, 20, 21})
"""Classes whose short arm is a satellite on a stalk (13, 14, 15, 21, 22)."""

_GROUP_OF_CLASS = {index: group for group, members in DENVER_GROUPS.items() for index in members}
_NUMBER_OF_NAME = {"X": 23, "Y": 24}
_SPELLING = re.compile(
    r"(?:chromosome|chrom|chr)?[ _-]*(?P<group>[A-G])?[ _-]*(?P<name>0*(?:[1-9]|1[0-9]|2[0-4])|[XY])", re.IGNORECASE
)


def parse_label(text: str) -> int:
    """Read a chromosome's name in any usual spelling.

    Accepts ``7``, ``07``, ``chr7``, ``Chromosome 7``, ``C7`` (Denver group and number), ``X``, ``23``, ``chrX``,
    ``CX``, ``24``; upper or lower case.

    Args:
        text: The name as written in a file name, a folder or an annotation.

    Returns:
        The class, 0..23.

    Raises:
        ValueError: If the text names none of the 24 chromosomes, or names a Denver group that the chromosome
            does not belong to (``A22``).
    """
    match = _SPELLING.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} names no human chromosome; expected 1..22, X, Y, 23 (X) or 24 (Y)")
    name = match["name"].upper()
    index = (_NUMBER_OF_NAME.get(name) or int(name)) - 1
    group = match["group"]
    if group and group.upper() != _GROUP_OF_CLASS[index]:
        raise ValueError(f"{text!r} names no human chromosome: {CLASSES[index]} is in group {_GROUP_OF_CLASS[index]}")
    return index


def denver_group(index: int) -> str:
    """Give the Denver group, ``"A"`` to ``"G"``, of a class 0..23."""
    return _GROUP_OF_CLASS[index]


def expected_copies(index: int, sex: str) -> int:
    """Give how many homologs of a class a normal cell holds.

    Args:
        index: The class, 0..23.
        sex: ``"XX"`` or ``"XY"``.

    Returns:
        2 for autosomes; for X and Y the number of times they stand in ``sex``.

    Raises:
        ValueError: If ``sex`` is neither ``"XX"`` nor ``"XY"``.
    """
    if sex not in ("XX", "XY"):
        raise ValueError(f"sex must be 'XX' or 'XY', not {sex!r}")
    return 2 if index < 22 else sex.count(CLASSES[index])
