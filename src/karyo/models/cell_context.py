"""A cell as context: each chromosome is seen beside those that lay with it.

Cells differ in stain, focus, contraction and scale, and all chromosomes of a cell alike. Where batch normalisation
takes mean and variance from the images of one cell, in place of the running ones of training, the network does not see
these differences: each cell is a domain of its own (Li et al., "Revisiting batch normalization for practical domain
adaptation", ICLR workshop 2017, there after training alone). Trained with whole cells too, a network learns to rely on
it. One set of weights serves both ways, with or without the cell, if each way has its own normalisation (as clean and
adversarial images have in Xie et al., "Adversarial examples improve image recognition", CVPR 2020, section 4).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from karyo.errors import SettingsError

CELL = "cell"
"""The value of the setting ``context`` besides null."""

_WEIGHTS = {"cell_weight": "weight", "cell_bias": "bias"}
"""The parameters that whole cells have for themselves, and those that they start from."""

State = dict[str, Tensor]


class CellNorm(nn.BatchNorm2d):
    """A batch normalisation that can take a batch for a cell and normalise it by itself.

    Args:
        norm: What it stands in for; its parameters and running statistics are taken over.

    Attributes:
        whole_cell: Whether the next batches are whole cells; see :func:`seen_as_cells`.
        cell_weight: Like ``weight``, for whole cells.
        cell_bias: Like ``bias``, for whole cells.
    """

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum)
        self.load_state_dict(norm.state_dict())
        self.cell_weight, self.cell_bias = (nn.Parameter(each.detach().clone()) for each in (self.weight, self.bias))
        self.whole_cell = False

    def forward(self, maps: Tensor) -> Tensor:
        """Normalise maps ``(N, C, H, W)``."""
        if not self.whole_cell:
            return super().forward(maps)
        if not torch.compiler.is_exporting():
            return functional.batch_norm(
                maps, None, None, self.cell_weight, self.cell_bias, training=True, eps=self.eps
            )
        # In operations that every runtime has: ONNX knows statistics of the batch only as a part of training.
        mean = maps.mean(dim=(0, 2, 3), keepdim=True)
        centred = maps - mean
        variance = centred.square().mean(dim=(0, 2, 3), keepdim=True)
        scale = self.cell_weight[:, None, None] * torch.rsqrt(variance + self.eps)
        return centred * scale + self.cell_bias[:, None, None]


def add_cell_context(network: nn.Module, name: str) -> None:
    """Put a :class:`CellNorm` in the place of every batch normalisation.

    Args:
        network: Changed in place.
        name: What to call it.

    Raises:
        SettingsError: If it has none, or some that cannot be replaced.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    # timm's own kind carries an activation with it, which a stand-in would lose.
    if not norms or any(type(norm) is not nn.BatchNorm2d for norm in norms):
        raise SettingsError(
            f"context=cell works through plain batch normalisation, and {name} has none or another kind besides; "
            "choose a network that has it, such as model=resnet18, or set context=null."
        )
    for parent in list(network.modules()):
        for place, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, place, CellNorm(child))


@contextmanager
def seen_as_cells(network: nn.Module) -> Iterator[None]:
    """Let a network take each batch for a whole cell.

    Args:
        network: With :class:`CellNorm` in it; in training or in evaluation. Running statistics stay as they are.
    """
    norms = [module for module in network.modules() if isinstance(module, CellNorm)]
    for norm in norms:
        norm.whole_cell = True
    try:
        yield
    finally:
        for norm in norms:
            norm.whole_cell = False


def fitted_to_context(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> State:
    """Fit weights that were trained with or without cells to a network with or without them.

    Args:
        state: The weights.
        wanted: The state of the network that shall take them.

    Returns:
        The weights; what only whole cells use is left out where it has no place, and a copy of what single images use
        where it is missing.
    """
    fitted = {name: value for name, value in state.items() if name in wanted or not name.endswith(tuple(_WEIGHTS))}
    for name in wanted:
        for own, other in _WEIGHTS.items():
            if name.endswith(f".{own}") and name not in fitted and (start := name.removesuffix(own) + other) in fitted:
                fitted[name] = fitted[start]
    return fitted
