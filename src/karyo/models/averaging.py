"""The moving average of a network's weights, and how checkpoints hold it beside the weights that are being trained.

Lightning's own callback does not do here: a checkpoint of weights alone, as the best one is, passes it by and would
hold the weights as trained, although the validation measured the average. So the average is a part of the Lightning
module, moves, resumes and is saved with it, and a checkpoint has it under the network's name.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

_NETWORK, _AVERAGED, _TRAINED = "network.", "averaged.module.", "trained."

State = dict[str, Tensor]


def averaged_network(network: nn.Module, decay: float) -> AveragedModel:
    """Copy a network into a moving average of it, which every :meth:`AveragedModel.update_parameters` takes further.

    Averages of iterates are due to Polyak & Juditsky 1992; networks are measured by their running average in Szegedy
    et al. 2016, section 8. Buffers are averaged too: the statistics of batch normalisation then fit the weights.

    Args:
        network: The network that is trained.
        decay: What is kept of the average in each step, above 0 and below 1. In step t it is at most
            (1 + t) / (10 + t), as TensorFlow has it, so that the first, random weights are soon forgotten.

    Returns:
        The average, without gradients.
    """
    averaged = AveragedModel(network, multi_avg_fn=_moving(decay), use_buffers=True)
    return averaged.requires_grad_(False)


def _moving(decay: float) -> Callable[[Any, Any, Any], None]:
    @torch.no_grad()
    def update(averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        step = int(count)
        share = 1 - min(decay, (1 + step) / (10 + step))
        if torch.is_floating_point(averaged[0]):
            # What never changes, such as the pixel statistics, stays the same to the last bit.
            torch._foreach_lerp_(averaged, current, share)
        else:
            torch._foreach_copy_(averaged, current)

    return update


def to_checkpoint(state: Mapping[str, Tensor], whole: bool) -> State:
    """Put the average in the network's place.

    Args:
        state: The Lightning module's state: ``network.*`` is being trained, ``averaged.module.*`` its average.
        whole: Whether training will go on from it; else the trained weights are left out.

    Returns:
        The state with the average as ``network.*`` and, if ``whole``, the trained weights as ``trained.*``.
    """
    names = {_AVERAGED: _NETWORK, _NETWORK: _TRAINED}
    placed = {_renamed(key, names): value for key, value in state.items()}
    return placed if whole else {key: value for key, value in placed.items() if key.startswith(_NETWORK)}


def from_checkpoint(state: Mapping[str, Tensor]) -> State:
    """Undo :func:`to_checkpoint` for a whole checkpoint."""
    names = {_NETWORK: _AVERAGED, _TRAINED: _NETWORK}
    return {_renamed(key, names): value for key, value in state.items()}


def _renamed(key: str, names: Mapping[str, str]) -> str:
    for old, new in names.items():
        if key.startswith(old):
            return new + key.removeprefix(old)
    return key
