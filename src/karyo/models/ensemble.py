"""Several trained networks that answer as one: the mean of their probabilities.

Probabilities are averaged as the networks give them, and one temperature is fitted to the mean afterwards, where one is
needed. Averaging what was calibrated before would be underconfident wherever the networks disagree (Rahaman and Thiery,
"Uncertainty quantification and deep ensembles", NeurIPS 2021, section 4), and would need the mean calibrated once more.
Logits are not averaged: networks trained in different ways give them on different scales, and in a mean of
log-probabilities one network that is surely wrong outvotes all others.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from karyo.models.cell_context import seen_as_cells
from karyo.models.network import ChromosomeNetwork

_LONGEST_NAME = 100


@dataclass(frozen=True)
class EnsembleSpec:
    """What callers need to know of an ensemble, as :class:`~karyo.models.network.NetworkSpec` says it of a network.

    Attributes:
        name: How many of which networks, ``"3 x resnet18"``.
        image_size: Side of the square input in pixels.
        channels: 1: each network takes as many copies of the grey channel as it wants.
        context: ``"cell"`` where each network can be asked about whole cells; else None.
    """

    name: str
    image_size: int
    channels: int = 1
    context: str | None = None


class Ensemble(nn.Module):
    """Networks whose probabilities are averaged.

    Lakshminarayanan et al., "Simple and scalable predictive uncertainty estimation using deep ensembles", NeurIPS 2017,
    section 2.4.

    Args:
        networks: One or more, for input of one size; their pixel statistics and channels are their own.

    Attributes:
        members: The networks, in evaluation mode.
        spec: What they are together.
    """

    def __init__(self, networks: Sequence[ChromosomeNetwork]) -> None:
        super().__init__()
        self.members = nn.ModuleList(networks).eval()
        first = networks[0].spec
        context = first.context if len({network.spec.context for network in networks}) == 1 else None
        self.spec = EnsembleSpec(_name(networks), first.image_size, context=context)

    @property
    def networks(self) -> list[ChromosomeNetwork]:
        """The members, by their type."""
        return [cast("ChromosomeNetwork", member) for member in self.members]

    def forward(self, images: Tensor, temperature: float = 1.0) -> Tensor:
        """Compute logarithms of mean probabilities: logits whose softmax is the mean itself.

        Args:
            images: ``(N, C, S, S)``, uint8 or float on the scale 0..255; of several channels, all the same, the first
                one counts.
            temperature: What each network's logits are divided by before its softmax, above 0.

        Returns:
            ``(N, n_classes)``, float, at most 0.
        """
        grey = images[:, :1]
        answers = [network(grey.expand(-1, network.spec.channels, -1, -1)) for network in self.networks]
        return pool([answer / temperature for answer in answers])

    def forward_cell(self, images: Tensor) -> Tensor:
        """Compute the same of the images of one cell, each seen beside the others by the members that can."""
        with seen_as_cells(self):
            logits: Tensor = self(images)
        return logits


Network = ChromosomeNetwork | Ensemble
"""What answers with logits, and says in ``spec`` what it takes."""


def pool(logits: Sequence[Tensor]) -> Tensor:
    """Give the logarithms of the mean of several networks' probabilities.

    Args:
        logits: Of each network, ``(N, n_classes)``.

    Returns:
        ``(N, n_classes)``, at most 0; finite where the logits are.
    """
    shares = torch.stack([each.log_softmax(dim=1) for each in logits])
    return shares.logsumexp(dim=0) - math.log(len(logits))


def networks_of(network: Network) -> list[ChromosomeNetwork]:
    """Give the single networks in a network."""
    return network.networks if isinstance(network, Ensemble) else [network]


def _name(networks: Sequence[ChromosomeNetwork]) -> str:
    counts = Counter(network.spec.name for network in networks)
    name = " + ".join(f"{count} x {name}" if count > 1 else name for name, count in counts.items())
    return name if len(name) <= _LONGEST_NAME else f"{len(networks)} networks"
