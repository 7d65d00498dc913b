"""What stands on a backbone's features: from a feature map or vector to one logit per class."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class GlobalAverage(nn.Module):
    """Global average pooling that leaves feature vectors as they are."""

    def forward(self, features: Tensor) -> Tensor:
        """Average over space.

        Args:
            features: ``(N, C)``, ``(N, C, L)`` or ``(N, C, H, W)``.

        Returns:
            ``(N, C)``.
        """
        return features if features.ndim == 2 else features.flatten(2).mean(dim=2)


def linear_head(features: int, n_classes: int, dropout: float = 0.0) -> nn.Module:
    """Global average pooling, dropout and one dense layer: what the published networks end with."""
    return nn.Sequential(GlobalAverage(), nn.Dropout(dropout), nn.Linear(features, n_classes))


def chu_head(features: int, n_classes: int, dropout: float = 0.5, relu: bool = False) -> nn.Module:
    """The thesis's head: dropout, global average pooling, dense 256, batch norm, dropout, dense.

    Args:
        features: Channels of the backbone's features.
        n_classes: Number of logits.
        dropout: Rate of both dropouts, 0..1; the thesis has 0.5 for InceptionV3 and 0.2 for VGG16.
        relu: Whether a ReLU follows the dense layer of 256, as the thesis has it for VGG16.

    Returns:
        A module from features ``(N, C[, H, W])`` to logits ``(N, n_classes)``.
    """
    activation: list[nn.Module] = [nn.ReLU()] if relu else []
    return nn.Sequential(
        nn.Dropout(dropout),
        GlobalAverage(),
        nn.Linear(features, 256),
        *activation,
        nn.BatchNorm1d(256),
        nn.Dropout(dropout),
        nn.Linear(256, n_classes),
    )


HEADS: dict[str, Callable[..., nn.Module]] = {"linear": linear_head, "chu": chu_head}
"""Heads by the name that ``model.head`` takes."""


class AuxiliaryHead(nn.Module):
    """InceptionV3's auxiliary classifier (Szegedy et al. 2016, section 4), for any input size.

    torchvision's own pools with a fixed window and fails on feature maps below 17x17 (inputs below 299 px); this one
    pools to the 5x5 map that its convolutions expect, which for 299 px is the same shape.
    """

    def __init__(self, channels: int, n_classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.AdaptiveAvgPool2d(5),
            nn.Conv2d(channels, 128, kernel_size=1, bias=False),
            nn.BatchNorm2d(128, eps=0.001),
            nn.ReLU(inplace=True),
            nn.Conv2d(128, 768, kernel_size=5, bias=False),
            nn.BatchNorm2d(768, eps=0.001),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(768, n_classes),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map features ``(N, C, H, W)`` to logits ``(N, n_classes)``."""
        logits: Tensor = self.layers(features)
        return logits


def initialise_dense(module: nn.Module) -> None:
    """Give a head's dense layers small random weights and zero biases, so that training starts from even odds."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            torch.nn.init.normal_(layer.weight, std=0.01)
            torch.nn.init.zeros_(layer.bias)
