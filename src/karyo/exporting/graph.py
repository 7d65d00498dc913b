"""The network as it goes into a file: pixels in; logits, features, the pictures' distance and what cells tell out."""

import copy

import torch
from torch import Tensor, nn

from karyo.inference.engines import CELL_LOGITS, DISTANCE, FEATURES, LOGITS
from karyo.models.ensemble import Network, networks_of, pool
from karyo.models.heads import GlobalAverage
from karyo.models.network import ChromosomeNetwork


class ExportedGraph(nn.Module):
    """A chromosome network, or several as one, with one grey channel in and features out.

    Args:
        network: The network; a copy of it is taken, in evaluation mode.
        outliers: Maps prepared images ``(N, 1, S, S)``, uint8, to their distance ``(N,)`` from the training images, see
            :class:`~karyo.exporting.outliers.OutlierDistance`; None leaves the third output out.

    Attributes:
        outputs: Names of what :meth:`forward` gives, in order.
    """

    def __init__(self, network: Network, outliers: nn.Module | None = None) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).eval()
        self.average = GlobalAverage()
        self.outliers = outliers
        further = {DISTANCE: outliers is not None, CELL_LOGITS: network.spec.context is not None}
        self.outputs = (LOGITS, FEATURES, *(name for name, given in further.items() if given))

    @property
    def sees_cells(self) -> bool:
        """Whether it takes the images of a cell too."""
        return CELL_LOGITS in self.outputs

    def forward(self, images: Tensor, cell: Tensor | None = None) -> tuple[Tensor, ...]:
        """Compute logits and features.

        Args:
            images: ``(N, 1, S, S)``, uint8.
            cell: ``(M, 1, S, S)``, uint8, the images of one cell; None where the network does not see cells.

        Returns:
            Logits ``(N, 24)``; the backbone's averaged features ``(N, F)``, of several networks one after another;
            where it is measured, the distance ``(N,)``; and where the network sees cells, logits ``(M, 24)`` of those
            of the cell. All float32.
        """
        answers = [self._answer(network, images) for network in networks_of(self.network)]
        logits, features = answers[0]
        if len(answers) > 1:
            logits = pool([each for each, _ in answers])
            features = torch.cat([each for _, each in answers], dim=1)
        answer = [logits, features]
        if self.outliers is not None:
            answer.append(self.outliers(images))
        if cell is not None:
            answer.append(self.network.forward_cell(cell.expand(-1, self.network.spec.channels, -1, -1)))
        return tuple(answer)

    def _answer(self, network: ChromosomeNetwork, images: Tensor) -> tuple[Tensor, Tensor]:
        grey = images.expand(-1, network.spec.channels, -1, -1)
        maps = network.backbone(network.normalise(grey))
        return network.head(maps), self.average(maps)
