"""The clones of a case: what a vote of several cells comes to, and what a person should know about it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.karyotype.iscn import is_normal, iscn_of
from karyo.karyotype.voting import Ballot

CELLS_WITH_GAIN, CELLS_WITH_LOSS = 2, 3
"""How many cells with the same gain, and with the same loss, make a clone."""

CALLED = 0.8
"""A number is called where it is as probable as this that enough cells have it; below, a remark says it is possible."""

LEAST_PLACED = 40
"""A cell with fewer objects in their places is too incomplete to speak for a loss."""

_POSSIBLE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Vote:
    """What a cell brings to the vote.

    Attributes:
        name: The cell's.
        copies: float64 (24, MOST_COPIES + 1), probability of each number of copies; rows sum to 1.
        iscn: Its own numbers as ISCN text, for remarks.
        placed: How many of its objects have a place.
    """

    name: str
    copies: NDArray[np.float64]
    iscn: str
    placed: int


@dataclass(frozen=True, slots=True)
class CaseFinding:
    """A chromosome whose number is not the usual in some cells of a case.

    Attributes:
        label: Its class, 0..23.
        copies: How many those cells have.
        cells: How many cells these are.
        probability: That as many cells have it as make a clone; in a smaller case that all have it, 0..1.
    """

    label: int
    copies: int
    cells: int
    probability: float


@dataclass(frozen=True, slots=True)
class Clone:
    """Cells with the same chromosomes.

    Attributes:
        copies: 24 numbers, in class order.
        iscn: The same as ISCN text, without the number of cells.
        cells: Their names.
    """

    copies: tuple[int, ...]
    iscn: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaseCall:
    """What the cells of a case say together.

    Attributes:
        iscn: ``"47,XY,+21[20]"``, ``"mos 45,X[3]/46,XX[17]"``.
        abnormal: Whether any clone is not normal.
        findings: What is unusual, in the order of ISCN text.
        clones: The largest first, a normal one last.
        assigned: Of each cell, in the order given, its position in ``clones``; None for one that is not counted.
        remarks: What a person should know, in sentences.
    """

    iscn: str
    abnormal: bool
    findings: tuple[CaseFinding, ...]
    clones: tuple[Clone, ...]
    assigned: tuple[int | None, ...]
    remarks: tuple[str, ...]


def remarks_on_clones(clones: Sequence[Clone], cells: int) -> list[str]:
    """Say what a person should know about the clones.

    Args:
        clones: In ISCN's order.
        cells: How many cells the case has.
    """
    remarks = []
    if cells < CELLS_WITH_LOSS and any(not is_normal(clone.copies) for clone in clones):
        counted = "1 cell" if cells == 1 else f"{cells} cells"
        remarks.append(
            f"the case has {counted}; a clone needs {CELLS_WITH_GAIN} with the same gain or {CELLS_WITH_LOSS} with the "
            "same loss: look at more cells"
        )
    if {bool(clone.copies[CLASSES.index("Y")]) for clone in clones if is_normal(clone.copies)} == {True, False}:
        remarks.append("there are normal female and normal male cells: two people, or samples that were mixed up")
    return remarks


def remarks_on_cells(cells: Sequence[Vote], odd: Sequence[bool], complete: NDArray[np.bool_]) -> list[str]:
    """Name the cells with more chromosomes than their clones, and say how many are incomplete.

    Args:
        cells: The N cells.
        odd: For each whether it has more.
        complete: bool (N,), whether it may speak for a loss.
    """
    remarks = [
        f"{cell.name} ({cell.iscn}) has more chromosomes than the clone that fits it best: look at it"
        for cell, more in zip(cells, odd, strict=True)
        if more
    ]
    few = int((~complete).sum())
    if few:
        remarks.append(
            f"{few} of {len(cells)} cells have too few chromosomes in place to speak for a loss (below {LEAST_PLACED})"
        )
    return remarks


def remarks_on_doubts(
    votes: Sequence[Ballot], proofs: Sequence[NDArray[np.float64]], clones: Sequence[Clone]
) -> list[str]:
    """Name the numbers that are possible but not found.

    Args:
        votes: What was voted on.
        proofs: For each the probability of every state being in enough cells, (S,).
        clones: At least one; what is possible is written as a change of the first.
    """
    remarks = []
    for ballot, proof in zip(votes, proofs, strict=True):
        for state in np.flatnonzero((proof > _POSSIBLE) & (proof < CALLED)):
            numbers = list(clones[0].copies)
            for label, number in zip(ballot.labels, ballot.states[state], strict=True):
                numbers[label] = int(number)
            remarks.append(f"{iscn_of(numbers)} is possible (probability {proof[state]:.2f}); look at more cells")
    return remarks
