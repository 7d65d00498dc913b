"""The network as it goes into a file: pixels in; logits and features out."""

import copy

import torch
from torch import Tensor, nn

from karyo.models.heads import GlobalAverage
from karyo.models.network import ChromosomeNetwork


class ExportedGraph(nn.Module):
    """A chromosome network with one grey channel in and its features out.

    Args:
        network: The network; a copy of it is taken, in evaluation mode.
    """

    def __init__(self, network: ChromosomeNetwork) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).eval()
        self.average = GlobalAverage()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Compute logits and features.

        Args:
            images: ``(N, 1, S, S)``, uint8.

        Returns:
            Logits ``(N, 24)`` and the backbone's averaged features ``(N, F)``, float32.
        """
        network = self.network
        grey = images.expand(-1, network.spec.channels, -1, -1)
        features = network.backbone(network._normalise(grey))
        return network.head(features), self.average(features)
