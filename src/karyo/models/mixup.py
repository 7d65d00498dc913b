"""Mixup (Zhang et al. 2018): a network learns from mixed pairs of images what lies between them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

SHARE_OF_BATCHES = 0.5
"""How many batches are mixed; the others show chromosomes as they are."""

_STREAM = 1
"""Sets these numbers apart from the augmentation's, which are drawn from the same seed and epoch."""

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Mix:
    """How the images of a batch are mixed.

    Attributes:
        share: What each image keeps of itself, 0.5..1.
        partners: Position of the image that makes up the rest of each, int64 ``(B,)``.
    """

    share: float
    partners: Tensor

    def images(self, images: Tensor) -> Tensor:
        """Mix images ``(B, C, H, W)``, uint8 or float 0..255 (section 2, equation 1); float of the same range."""
        plain = images.float()
        return plain.lerp(plain[self.partners.to(images.device)], 1 - self.share)

    def loss(self, loss: Loss, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute a loss against the mixed labels.

        Cross-entropy is linear in its target, smoothed or not, so this is exactly that of the mixed targets.

        Args:
            loss: Cross-entropy from logits and labels.
            logits: Of the mixed images, ``(B, n_classes)``.
            labels: Of the images before they were mixed, int64 ``(B,)``.
        """
        theirs = labels[self.partners.to(labels.device)]
        return self.share * loss(logits, labels) + (1 - self.share) * loss(logits, theirs)


def draw_mix(alpha: float, size: int, seed: Sequence[int]) -> Mix | None:
    """Draw how a batch is mixed.

    Args:
        alpha: Both parameters of the beta distribution that the share is drawn from; 0 mixes nothing.
        size: Images in the batch.
        seed: Non-negative whole numbers that name the batch: the same numbers, the same mix.

    Returns:
        The mix; None for a batch that stays as it is.
    """
    if not alpha:
        return None
    random = np.random.default_rng([*seed, _STREAM])
    if random.random() >= SHARE_OF_BATCHES:
        return None
    share = float(random.beta(alpha, alpha))
    # Every order of pairs is drawn, so nothing is lost, and an image's own label is always the one that it shows most.
    return Mix(max(share, 1 - share), torch.from_numpy(random.permutation(size)))
