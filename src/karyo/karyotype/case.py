"""Several cells of one case vote on which chromosomes the patient has.

A single cell says little about what is missing, since chromosomes get lost in the preparation; several cells that all
lack the same one say much. What is done:

1. For every number of copies of every chromosome the probability is computed that 0, 1, .. N of the cells have it,
   from the evidence of all cells and one prior (:mod:`karyo.karyotype.voting` has the formula).
2. ISCN's rule for a clone (ISCN 2020, chapter 11, Neoplasia: clones): the same gain in at least two cells, the same
   loss in at least three. A number counts as found where the probability of that many cells is at least
   :data:`~karyo.karyotype.clones.CALLED`. A case of fewer cells than that has to be unanimous, and a remark says so.
3. Every cell goes to the combination of such numbers that fits it best. Combinations seen in too few cells to be a
   clone beside the largest one are dissolved, the rarest first, and their cells go to the best of those left. So a
   normal cell among many with trisomy 21 is a random loss and makes no mosaic.
4. A cell that surely has more chromosomes than its clone, such as a single tetraploid one, is named in a remark, and
   counted only where the clone would not be one without it.

A cell of which many chromosomes were not found (:data:`~karyo.karyotype.clones.LEAST_PLACED`) does not speak for a
loss. The numbers of different chromosomes are taken for independent. Structural aberrations are out of scope.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.errors import DataError
from karyo.karyotype.cell import MOST_COPIES, Karyotype
from karyo.karyotype.clones import (
    CALLED,
    CELLS_WITH_GAIN,
    CELLS_WITH_LOSS,
    LEAST_PLACED,
    CaseCall,
    CaseFinding,
    Clone,
    Vote,
    remarks_on_cells,
    remarks_on_clones,
    remarks_on_doubts,
)
from karyo.karyotype.iscn import is_normal, iscn_of, mosaic_of, unusual
from karyo.karyotype.priors import Priors
from karyo.karyotype.voting import CONCENTRATION, Ballot, ballots, chances

__all__ = ["CaseCall", "CaseFinding", "Clone", "Vote", "judge_case", "judge_votes"]

_SURE, _PROVEN = 0.9, 5.0

Profile = tuple[int, ...]
"""A state of every ballot: one combination of numbers."""


def judge_case(cells: Sequence[Karyotype], priors: Priors | None = None) -> CaseCall:
    """Let the cells of a case vote.

    Args:
        cells: Of one patient and one sample, at least one.
        priors: Those with which the cells were decided; the defaults if None.

    Returns:
        The clones, which cell is of which, and what is unusual.

    Raises:
        DataError: If there is no cell, or what a cell holds are no probabilities.
    """
    votes = [Vote(cell.name, cell.copies, cell.call.iscn, _placed(cell)) for cell in cells]
    return judge_votes(votes, priors)


def judge_votes(cells: Sequence[Vote], priors: Priors | None = None) -> CaseCall:
    """Do what :func:`judge_case` does, from no more of the cells than their numbers.

    Args:
        cells: At least one.
        priors: Those with which the cells were decided; the defaults if None.

    Returns:
        The clones, which cell is of which, and what is unusual.

    Raises:
        DataError: If there is no cell, or what a cell holds are no probabilities.
    """
    posteriors = _posteriors(cells)
    complete = np.array([cell.placed >= LEAST_PLACED for cell in cells])
    votes = ballots(posteriors, complete, priors or Priors())
    spread = [chances(ballot) for ballot in votes]
    proofs = [_proof(ballot, chance) for ballot, chance in zip(votes, spread, strict=True)]
    scores = [_scores(*each) for each in zip(votes, spread, proofs, strict=True)]
    profiles = _dissolve([tuple(int(row.argmax()) for row in rows) for rows in zip(*scores, strict=True)], votes)
    copies = [_copies(profile, votes) for profile in profiles]
    odd = [_has_more(cell, posteriors[cell], profile, votes) for cell, profile in enumerate(profiles)]
    counted = _counted(copies, odd)
    clones = _clones(cells, copies, counted)
    position = {clone.copies: index for index, clone in enumerate(clones)}
    assigned = tuple(position[own] if kept else None for own, kept in zip(copies, counted, strict=True))
    findings = _findings(clones, votes, proofs)
    remarks = (
        *remarks_on_clones(clones, len(cells)),
        *remarks_on_cells(cells, odd, complete),
        *remarks_on_doubts(votes, proofs, clones),
    )
    text = mosaic_of([(clone.copies, len(clone.cells)) for clone in clones])
    return CaseCall(text, any(not is_normal(clone.copies) for clone in clones), findings, clones, assigned, remarks)


def _posteriors(cells: Sequence[Vote]) -> NDArray[np.float64]:
    """Stack the cells' probabilities, float64 (N, 24, MOST_COPIES + 1), refusing what is none."""
    if not cells:
        raise DataError("there is no cell to judge the case by; give at least one")
    for cell in cells:
        rows = np.asarray(cell.copies, np.float64)
        fits = rows.shape == (len(CLASSES), MOST_COPIES + 1) and bool((rows >= 0).all())
        if not fits or not np.allclose(rows.sum(axis=1), 1, atol=1e-3):
            raise DataError(
                f"the cell {cell.name!r} does not hold {len(CLASSES)} x {MOST_COPIES + 1} probabilities of copies; "
                "decide it again"
            )
    return np.stack([np.asarray(cell.copies, np.float64) for cell in cells])


def _placed(cell: Karyotype) -> int:
    """Count the objects of a cell that have a place."""
    return sum(each.label is not None for each in cell.objects)


def _proof(ballot: Ballot, chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the probability that enough cells for a clone have each state, (S,); of the normal one 1."""
    cells = chance.shape[1] - 1
    least = np.minimum(np.where(ballot.losses, CELLS_WITH_LOSS, CELLS_WITH_GAIN), cells)
    proof = np.array([row[start:].sum() for row, start in zip(chance, least, strict=True)])
    proof[ballot.normal] = 1
    return proof


def _scores(ballot: Ballot, chance: NDArray[np.float64], proof: NDArray[np.float64]) -> NDArray[np.float64]:
    """Say how well each state fits each cell, given how many cells have it, (N, S); states not found fit none."""
    cells = chance.shape[1] - 1
    shares = (CONCENTRATION * ballot.prior + chance @ np.arange(cells + 1)) / (CONCENTRATION + cells)
    found = proof >= CALLED
    others = found.copy()
    others[ballot.normal] = False
    shares[ballot.normal] = max(1 - shares[others].sum(), CONCENTRATION / (CONCENTRATION + cells))
    scores: NDArray[np.float64] = np.where(found, ballot.evidence + np.log(shares), -np.inf)
    return scores


def _dissolve(profiles: list[Profile], votes: Sequence[Ballot]) -> list[Profile]:
    """Send the cells of combinations that are no clone to the best of those left, the rarest first."""
    while True:
        counted = Counter(profiles)
        order = sorted(counted, key=lambda each: (counted[each], -_oddness(each, votes)))
        largest = order[-1]
        rare = [each for each in order if counted[each] < _least_cells(each, largest, votes)]
        if not rare:
            return profiles
        left = [each for each in order if each != rare[0]]
        profiles = [
            each if each != rare[0] else max(left, key=lambda other: _fit(cell, other, votes))
            for cell, each in enumerate(profiles)
        ]


def _oddness(profile: Profile, votes: Sequence[Ballot]) -> int:
    """Count the chromosomes by which a combination differs from a normal cell."""
    pairs = zip(profile, votes, strict=True)
    return sum(int(abs(ballot.states[state] - ballot.states[ballot.normal]).sum()) for state, ballot in pairs)


def _least_cells(profile: Profile, largest: Profile, votes: Sequence[Ballot]) -> int:
    """Say how many cells a combination needs beside the largest clone."""
    if profile == largest:
        return 0
    own, other = _copies(profile, votes), _copies(largest, votes)
    return CELLS_WITH_LOSS if any(a < b for a, b in zip(own, other, strict=True)) else CELLS_WITH_GAIN


def _fit(cell: int, profile: Profile, votes: Sequence[Ballot]) -> float:
    """Sum a cell's evidence for a combination."""
    return float(sum(ballot.evidence[cell, state] for state, ballot in zip(profile, votes, strict=True)))


def _copies(profile: Profile, votes: Sequence[Ballot]) -> tuple[int, ...]:
    """Give the 24 numbers of a combination."""
    return tuple(int(n) for state, ballot in zip(profile, votes, strict=True) for n in ballot.states[state])


def _has_more(cell: int, posterior: NDArray[np.float64], profile: Profile, votes: Sequence[Ballot]) -> bool:
    """Say whether a cell surely has more copies of a chromosome than the combination it went to.

    Sure is what the cell holds for probable by itself and has evidence for: that a chromosome is not lost is probable
    in any cell before it is looked at.
    """
    for state, ballot in zip(profile, votes, strict=True):
        own = posterior[list(ballot.labels)].argmax(axis=1)
        if not (own > ballot.states[state]).any() or posterior[list(ballot.labels), own].min() < _SURE:
            continue
        there = int(np.flatnonzero((ballot.states == own).all(axis=1))[0])
        if ballot.evidence[cell, there] - ballot.evidence[cell, state] > _PROVEN:
            return True
    return False


def _counted(copies: Sequence[tuple[int, ...]], odd: Sequence[bool]) -> list[bool]:
    """Choose the cells that count: all but odd ones, and those too where a clone would have too few without them."""
    regular = Counter(own for own, more in zip(copies, odd, strict=True) if not more)
    least = {own: 1 if is_normal(own) else CELLS_WITH_GAIN for own in copies}
    return [not more or regular[own] < least[own] for own, more in zip(copies, odd, strict=True)]


def _clones(cells: Sequence[Vote], copies: Sequence[tuple[int, ...]], counted: Sequence[bool]) -> tuple[Clone, ...]:
    """Gather the counted cells into clones, in ISCN's order."""
    names: dict[tuple[int, ...], list[str]] = {}
    for cell, own, kept in zip(cells, copies, counted, strict=True):
        if kept:
            names.setdefault(own, []).append(cell.name)
    order = sorted(names, key=lambda own: (is_normal(own), -len(names[own]), sum(own), own))
    return tuple(Clone(own, iscn_of(own), tuple(names[own])) for own in order)


def _findings(
    clones: Sequence[Clone], votes: Sequence[Ballot], proofs: Sequence[NDArray[np.float64]]
) -> tuple[CaseFinding, ...]:
    """List what is unusual in any clone, the sex chromosomes first."""
    found: list[CaseFinding] = []
    for ballot, proof in sorted(zip(votes, proofs, strict=True), key=lambda pair: -len(pair[0].labels)):
        for state in np.flatnonzero(proof >= CALLED):
            numbers = ballot.states[state]
            having = [clone for clone in clones if [clone.copies[label] for label in ballot.labels] == numbers.tolist()]
            cells = sum(len(clone.cells) for clone in having)
            odd = [label for label in ballot.labels if having and label in unusual(having[0].copies)]
            found += [CaseFinding(label, having[0].copies[label], cells, float(proof[state])) for label in odd]
    return tuple(found)
