"""A cell's objects decided together: where each belongs, and how many copies of each chromosome there are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.inference.sizes import SizeNorms
from karyo.karyotype.assignment import assign
from karyo.karyotype.cell import MOST_COPIES, Call, Finding
from karyo.karyotype.copies import Expected, estimate_loss
from karyo.karyotype.evidence import Evidence, gather_evidence
from karyo.karyotype.iscn import is_normal, iscn_of
from karyo.karyotype.marginals import Marginals, find_marginals
from karyo.karyotype.priors import AUTOSOMES, Priors, X, Y

_MANY = 58
"""Objects from which on more than two sets of chromosomes are thought of: half-way to three."""

_MANY_FOUND = 85
"""The same of objects that a program found: in a spread full of clumps it takes 46 chromosomes for 60 and more."""


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What is decided about a cell.

    Attributes:
        labels: int64 (N,), class 0..23 of each object, never more of a class than are called; -1 in the tray.
        classes: float64 (N, 24), probability of each object's class given the whole cell.
        copies: float64 (24, MOST_COPIES + 1), probability of each number of copies; rows sum to 1.
        call: The most probable numbers.
        sets: How many sets of chromosomes the cell seems to have: 2, 3 or 4.
        loss: The share of its chromosomes that seems not to be among the objects.
    """

    labels: NDArray[np.int64]
    classes: NDArray[np.float64]
    copies: NDArray[np.float64]
    call: Call
    sets: int
    loss: float


def decide_cell(
    probabilities: NDArray[np.float64],
    sizes: NDArray[np.float64] | None = None,
    norms: SizeNorms | None = None,
    reasons: Sequence[Sequence[str]] | None = None,
    priors: Priors | None = None,
    found: bool = False,
) -> Decision:
    """Decide about the objects of one cell together.

    Args:
        probabilities: float64 (N, 24), calibrated, of the classifier; N from 0 on.
        sizes: float64 (N, 3), logarithms of area, length and mass, NaN where not known; None where none are.
        norms: The usual sizes; None leaves sizes out.
        reasons: For each object why the classifier rejects it; None where none is rejected.
        priors: What is expected of cells; the defaults if None.
        found: Whether a program found the objects in a spread, pieces of chromosomes and dirt among them; False where
            a person chose them.

    Returns:
        The decision. With no objects nothing is known: the copies are the prior's.
    """
    priors = priors or Priors()
    if found:
        priors = replace(priors, junk=priors.found_junk)
    evidence = gather_evidence(probabilities, priors, sizes, norms, reasons)
    expected = _expectation(evidence, priors, _MANY_FOUND if found else _MANY)
    marginals = find_marginals(evidence, expected)
    copies, sex = _copies(marginals, expected)
    call = _call(copies, sex)
    # The karyogram must not show other numbers than it states: what is beyond them waits in the tray.
    labels = assign(evidence, expected, call.copies).labels
    return Decision(labels, marginals.classes, copies, call, expected.sets, expected.loss)


def _expectation(evidence: Evidence, priors: Priors, many: int) -> Expected:
    """Choose how many sets there are and how many chromosomes were lost, from how many objects there seem to be."""
    count = len(evidence)
    options = [Expected(priors, estimate_loss(count, 2), 2)]
    if count >= many:
        options += [Expected(priors, estimate_loss(count, sets), sets) for sets in (3, 4)]
    shares = {2: 1.0, 3: priors.tetraploid / 2, 4: priors.tetraploid}
    tried = [(assign(evidence, each), each) for each in options]
    assignment, chosen = max(tried, key=lambda pair: pair[0].score + np.log(shares[pair[1].sets]))
    # What is no chromosome does not stand in for one that is lost.
    chromosomes = int(np.count_nonzero(assignment.labels >= 0))
    return Expected(priors, estimate_loss(chromosomes, chosen.sets), chosen.sets)


def _copies(marginals: Marginals, expected: Expected) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the probabilities of the numbers of copies, (24, MOST_COPIES + 1), and those of X and Y together."""
    sex = expected.copies_of_sex(marginals.sex)
    copies = np.zeros((len(CLASSES), MOST_COPIES + 1))
    copies[:AUTOSOMES] = expected.copies_of_autosomes(marginals.autosomes)
    copies[X], copies[Y] = sex.sum(axis=1), sex.sum(axis=0)
    return copies / copies.sum(axis=1, keepdims=True), sex / sex.sum()


def _call(copies: NDArray[np.float64], sex: NDArray[np.float64]) -> Call:
    """Name the most probable numbers; X and Y are called together."""
    numbers = [int(value) for value in copies.argmax(axis=1)]
    numbers[X], numbers[Y] = (int(value) for value in np.unravel_index(int(sex.argmax()), sex.shape))
    called = tuple(numbers)
    certainty = float(copies[range(AUTOSOMES), numbers[:AUTOSOMES]].prod() * sex[numbers[X], numbers[Y]])
    normal = is_normal(called)
    findings = [
        Finding(label, numbers[label], float(copies[label, numbers[label]]))
        for label in range(AUTOSOMES)
        if numbers[label] != 2
    ]
    if (numbers[X], numbers[Y]) not in ((2, 0), (1, 1)):
        findings += [Finding(label, numbers[label], float(sex[numbers[X], numbers[Y]])) for label in (X, Y)]
    return Call(called, iscn_of(called), certainty, not normal, tuple(findings))
