"""Fitting the weights by which the splitter tells a likely chromosome from an unlikely one.

The weights that come with the program were fitted as ``karyo measure fit-splitting likeness.csv --count 10 --seed 0
--spreads FOLDER`` does it, FOLDER holding the 150 spreads of docs/preprocessing.md: to 828 clusters of 40 drawn spreads
and 1,662 clusters of 75 annotated ones, 400 steps. Their evidence had been gathered by scripts that came before this
module, and by an earlier version of the cuts; from that same evidence :func:`fit_likeness` gives the file as it is. A
fit to today's cuts finds one or two in a hundred more on the spreads of docs/preprocessing.md, but bends the arms of a
plain crossing at 45 degrees into each other, which tests/test_split.py does not allow.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from karyo.errors import DataError
from karyo.evaluation.likeness_ways import ClusterEvidence
from karyo.imaging.split.likeness import SHARED_EVIDENCE, Likeness

STEPS = 400
"""Steps of the optimiser, each on all clusters."""

_UNITS = 12
_RATE, _PEAK_RATE = 0.01, 0.03
_DECAY, _SHRINK = 0.1, 1e-4
"""Weight decay of AdamW, and weight of the sum of squares in the objective."""

_NEAR_BEST = 0.05
"""Loss of quality at which a way counts as right to 1/e of the best one."""

_RIGHT = 0.3
"""Weight of the likelihood of the right ways beside the expected loss of quality."""

_SINGLE = 2.0
"""What a cluster that is one chromosome in truth weighs; any other weighs its number of chromosomes."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """All clusters in one: positions say which object, way and cluster a row belongs to.

    Attributes:
        objects: float32 (N, K), their evidence.
        shared: float32 (M, 5), of each fragment shared in a way.
        used: int64 (U,), objects in the ways, and ``used_in`` (U,) the way of each.
        shared_in: int64 (M,), the way of each shared fragment.
        quality: float32 (W,), of the ways, and ``cluster`` (W,) the cluster of each.
        weights: float32 (C,), of the clusters, mean 1.
    """

    objects: Tensor
    shared: Tensor
    used: Tensor
    used_in: Tensor
    shared_in: Tensor
    quality: Tensor
    cluster: Tensor
    weights: Tensor


class _Network(nn.Module):
    """What :class:`~karyo.imaging.split.likeness.Likeness` computes, with weights that can be fitted."""

    def __init__(self, evidence: Tensor) -> None:
        super().__init__()
        count = evidence.shape[1]
        # What never varies is the constant: the biases stand for it.
        self.centre, self.scale = evidence.mean(0), evidence.std(0) + 0.01
        self.direct = nn.Linear(count, 1)
        self.hidden = nn.Linear(count, _UNITS)
        self.output = nn.Linear(_UNITS, 1, bias=False)
        self.shared = nn.Linear(len(SHARED_EVIDENCE), 1, bias=False)
        for weight in (self.direct.weight, self.output.weight, self.shared.weight):
            nn.init.zeros_(weight)

    def forward(self, batch: _Batch) -> Tensor:
        """Score each way, float32 (W,): the larger, the likelier."""
        scaled = (batch.objects - self.centre) / self.scale
        scores = (self.direct(scaled) + self.output(torch.tanh(self.hidden(scaled))))[:, 0]
        summed = torch.zeros(len(batch.quality)).index_add(0, batch.used_in, scores[batch.used])
        return summed.index_add(0, batch.shared_in, self.shared(batch.shared)[:, 0])

    def to_likeness(self) -> Likeness:
        """Give the weights as the splitter takes them: the first evidence is the constant 1, and takes the biases."""
        centre, scale, direct = (_numbers(values) for values in (self.centre, self.scale, self.direct.weight[0]))
        hidden = _numbers(self.hidden.weight.T)
        centre[0], scale[0], direct[0], hidden[0] = 0, 1, self.direct.bias.item(), _numbers(self.hidden.bias)
        return Likeness(centre, scale, direct, hidden, _numbers(self.output.weight[0]), _numbers(self.shared.weight[0]))


def fit_likeness(
    sources: Sequence[Sequence[ClusterEvidence]],
    steps: int = STEPS,
    seed: int = 0,
    advance: Callable[[], None] = lambda: None,
) -> Likeness:
    """Fit the weights so that the likeliest ways to put clusters together find the most chromosomes whole.

    The ways of a cluster are given probabilities by the softmax of their summed scores. What is made small is the loss
    of quality that is to be expected of a way so drawn, against the best one, and besides the negative logarithm of the
    probability of the ways that are as good as the best.

    Args:
        sources: Clusters of each source of evidence, drawn or annotated; each source weighs the same.
        steps: 1 or more.
        seed: Of the first weights.
        advance: Called after each step.

    Returns:
        The weights.

    Raises:
        DataError: If there is no cluster at all.
    """
    sources = [source for source in sources if source]
    if not sources:
        raise DataError("no cluster of chromosomes was found to fit the splitter to; take more spreads")
    batch = _join(sources)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _Network(batch.objects)
    optimiser = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _PEAK_RATE, total_steps=steps)
    for _ in range(steps):
        optimiser.zero_grad()
        squares = torch.stack([weight.square().sum() for weight in network.parameters()]).sum()
        objective = _loss(network(batch), batch) + _SHRINK * squares
        torch.autograd.backward(objective)
        optimiser.step()
        schedule.step()
        advance()
    return network.to_likeness()


def _join(sources: Sequence[Sequence[ClusterEvidence]]) -> _Batch:
    """Lay all clusters after one another."""
    clusters = [cluster for source in sources for cluster in source]
    ways = [(number, way) for number, cluster in enumerate(clusters) for way in cluster.ways]
    first = np.concatenate([[0], np.cumsum([len(cluster.objects) for cluster in clusters])])
    used = [(first[number] + place, index) for index, (number, way) in enumerate(ways) for place in way.objects]
    shared = [(clusters[number].shared[one], index) for index, (number, way) in enumerate(ways) for one in way.shared]
    weights = [np.array([max(one.chromosomes, _SINGLE) for one in source]) for source in sources]
    even = np.concatenate([values * (len(clusters) / len(sources) / values.sum()) for values in weights])
    return _Batch(
        objects=_floats(np.concatenate([cluster.objects for cluster in clusters])),
        shared=_floats(np.array([values for values, _ in shared]).reshape(-1, len(SHARED_EVIDENCE))),
        used=torch.tensor([place for place, _ in used]),
        used_in=torch.tensor([index for _, index in used]),
        shared_in=torch.tensor([index for _, index in shared], dtype=torch.int64),
        quality=_floats(np.array([way.quality for _, way in ways])),
        cluster=torch.tensor([number for number, _ in ways]),
        weights=_floats(even),
    )


def _loss(scores: Tensor, batch: _Batch) -> Tensor:
    """Give the objective for the scores (W,) of the ways."""
    best = _largest(batch.quality, batch)
    odds = torch.exp(scores - _largest(scores, batch)[batch.cluster])
    total = _sum(odds, batch)
    lost = best - _sum(odds * batch.quality, batch) / total
    right = _sum(odds * torch.exp((batch.quality - best[batch.cluster]) / _NEAR_BEST), batch) / total
    return (batch.weights * lost).mean() - _RIGHT * (batch.weights * torch.log(right + 1e-6)).mean()


def _sum(values: Tensor, batch: _Batch) -> Tensor:
    """Sum over the ways of each cluster."""
    return torch.zeros(len(batch.weights)).index_add(0, batch.cluster, values)


def _largest(values: Tensor, batch: _Batch) -> Tensor:
    """Give the largest of the ways of each cluster."""
    return torch.full((len(batch.weights),), -torch.inf).scatter_reduce(0, batch.cluster, values, "amax")


def _floats(values: NDArray[np.float64]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


def _numbers(values: Tensor) -> NDArray[np.float64]:
    return values.detach().double().numpy().copy()
