"""What several cells say together about the number of copies of one chromosome.

Each cell's probabilities are turned back into evidence, the prior taken out: ``l_i(s) = P_i(s) / P(s)`` for every
number ``s`` of copies of an autosome, and for every pair of numbers of X and Y. How many of the ``N`` cells have ``s``
instead of the normal number ``n`` then follows from the evidence of all and *one* prior for the case. That the cells of
a case resemble each other is said by Polya's urn (the beta-binomial distribution; Johnson, Kemp & Kotz, Univariate
Discrete Distributions, 3rd edition, section 6.2) with the weight ``a`` = :data:`CONCENTRATION` on the prior::

    P(m cells have s) ~ e_m(l_1(s)/l_1(n), .., l_N(s)/l_N(n)) G(a P(s) + m) G(a P(n) + N - m)

with the gamma function ``G`` and the elementary symmetric polynomial ``e_m``: the sum, over all choices of ``m`` cells,
of the product of their ratios. The sum is exact. Of a single cell it gives back the odds that came with it.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from karyo.karyotype.cell import MOST_COPIES
from karyo.karyotype.priors import AUTOSOMES, Priors, X, Y

CONCENTRATION = 0.1
"""How often cells of one case differ: the second one has numbers of its own with probability a / (a + 1)."""

MOST_EVIDENCE = 12.0
"""Natural logarithm; no cell says more than this, since pictures can be wrong in ways that no model knows."""

LEAST_SHOWN = 2e-4
"""A number that a cell holds for less probable than this is not made more probable by other cells that do so too: how
improbable an improbable number is depends on bounds and approximations."""

_STEPS = MOST_COPIES + 1
_NORMAL_SEXES = ((2, 0), (1, 1))
_TINY = 1e-12
_ROUNDS = 100


@dataclass(frozen=True, slots=True, eq=False)
class Ballot:
    """One autosome, or both sex chromosomes, and what the cells say of it.

    Attributes:
        labels: Its class; those of X and Y.
        states: int64 (S, 1 or 2), the numbers of copies that it can have.
        normal: Position of the normal ones among them.
        prior: float64 (S,), sum 1.
        evidence: float64 (N, S), natural logarithms, for each state against the normal one: 0 there.
    """

    labels: tuple[int, ...]
    states: NDArray[np.int64]
    normal: int
    prior: NDArray[np.float64]
    evidence: NDArray[np.float64]

    @property
    def losses(self) -> NDArray[np.bool_]:
        """Which states have fewer copies of a chromosome than the normal one, bool (S,)."""
        lost: NDArray[np.bool_] = (self.states < self.states[self.normal]).any(axis=1)
        return lost


def ballots(posteriors: NDArray[np.float64], complete: NDArray[np.bool_], priors: Priors) -> list[Ballot]:
    """Turn the probabilities of N cells into evidence.

    Args:
        posteriors: float64 (N, 24, MOST_COPIES + 1), rows sum to 1.
        complete: bool (N,), False for a cell that is not believed when it lacks a chromosome.
        priors: Those that are in the probabilities.

    Returns:
        22 for the autosomes, then the one of the sex chromosomes.
    """
    logarithms = np.log(np.maximum(posteriors, _TINY))
    single = np.arange(_STEPS)[:, None]
    found = []
    for label in range(AUTOSOMES):
        prior = _autosome_prior(priors, label)
        found.append(_ballot((label,), single, 2, prior, logarithms[:, label], complete))
    return [*found, _sex_ballot(posteriors, complete, priors)]


def chances(ballot: Ballot) -> NDArray[np.float64]:
    """Give the probability that m of the cells have a state instead of the normal one.

    Args:
        ballot: Of N cells.

    Returns:
        float64 (S, N + 1) for m = 0..N; rows sum to 1. The row of the normal state means nothing.
    """
    count, states = ballot.evidence.shape
    # The polynomials grow cell by cell: e_m of one more cell is e_m + ratio * e_(m-1).
    logarithm = np.full((states, count + 1), -np.inf)
    logarithm[:, 0] = 0
    for ratios in ballot.evidence:
        logarithm[:, 1:] = np.logaddexp(logarithm[:, 1:], logarithm[:, :-1] + ratios[:, None])
    logarithm += _urn(ballot.prior, ballot.prior[ballot.normal], count)
    logarithm -= logarithm.max(axis=1, keepdims=True)
    weights = np.exp(logarithm)
    shares: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return shares


def _urn(prior: NDArray[np.float64], normal: float, count: int) -> NDArray[np.float64]:
    """Give the logarithms of Polya's urn for 0..count cells with each state, (S, count + 1)."""
    of_normal = [math.lgamma(CONCENTRATION * normal + count - cells) for cells in range(count + 1)]
    return np.array(
        [
            [math.lgamma(CONCENTRATION * share + cells) + of_normal[cells] for cells in range(count + 1)]
            for share in prior.tolist()
        ]
    )


def _autosome_prior(priors: Priors, label: int) -> NDArray[np.float64]:
    """Give the probability of each number of an autosome over cells of two, three and four sets, (S,)."""
    mixed: NDArray[np.float64] = sum(
        (share * priors.autosome(label, sets) for sets, share in _sets(priors).items()), np.zeros(_STEPS)
    )
    return mixed


def _sets(priors: Priors) -> dict[int, float]:
    """Give how often a cell has two, three and four sets of chromosomes."""
    return {2: 1 - 1.5 * priors.tetraploid, 3: 0.5 * priors.tetraploid, 4: priors.tetraploid}


def _sex_ballot(posteriors: NDArray[np.float64], complete: NDArray[np.bool_], priors: Priors) -> Ballot:
    """Join the votes on X and on Y; what is normal, XX or XY, is what fits more cells better."""
    prior = sum((share * priors.sex(sets) for sets, share in _sets(priors).items()), np.zeros((_STEPS, _STEPS)))
    states = np.array([(x, y) for x in range(_STEPS) for y in range(_STEPS)])
    posterior = np.log(np.maximum(_joined(posteriors[:, X], posteriors[:, Y], prior), _TINY)).reshape(-1, len(states))
    prior = prior.ravel()
    female, male = (x * _STEPS + y for x, y in _NORMAL_SEXES)
    favour = posterior[:, male] - posterior[:, female] - np.log(prior[male] / prior[female])
    normal = male if 2 * np.sum(favour > 0) > len(favour) else female
    return _ballot((X, Y), states, normal, prior, posterior, complete)


def _joined(of_x: NDArray[np.float64], of_y: NDArray[np.float64], prior: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the probabilities of X and Y together, (N, S, S), from those of each, (N, S), and the prior, (S, S).

    It is the prior times a factor for each number of X and one for each of Y, fitted in turns until both sums are right
    (iterative proportional fitting: Deming & Stephan, Ann. Math. Stat. 11, 1940): what Bayes' rule gives where the
    evidence on X does not depend on Y.
    """
    joint = np.broadcast_to(prior, (len(of_x), *prior.shape))
    for _ in range(_ROUNDS):
        joint = joint * (of_x / np.maximum(joint.sum(axis=2), _TINY))[:, :, None]
        joint = joint * (of_y / np.maximum(joint.sum(axis=1), _TINY))[:, None, :]
    return joint


def _ballot(
    labels: tuple[int, ...],
    states: NDArray[np.int64],
    normal: int,
    prior: NDArray[np.float64],
    posterior: NDArray[np.float64],
    complete: NDArray[np.bool_],
) -> Ballot:
    """Divide (N, S) logarithms of probabilities by the prior and bound what they say against the normal state.

    An incomplete cell does not speak for a loss, and none for what it hardly shows.
    """
    evidence = posterior - np.log(prior)
    evidence = np.clip(evidence - evidence[:, [normal]], -MOST_EVIDENCE, MOST_EVIDENCE)
    ballot = Ballot(labels, states, normal, prior, evidence)
    silent = (~complete[:, None] & ballot.losses[None, :]) | (posterior < np.log(LEAST_SHOWN))
    evidence[silent] = np.minimum(evidence[silent], 0)
    return ballot
