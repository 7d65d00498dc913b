"""What a network learns from others: the probabilities that they give to each image (Hinton, Vinyals & Dean 2015)."""

import torch
from torch import Tensor
from torch.nn import functional

from karyo.models.ensemble import Ensemble


class Distillation:
    """The softened answers of teachers, and how far a network's are from them.

    It is no module on purpose: a Lightning module would train it, save it and copy it as a part of itself.

    Args:
        teachers: They answer in evaluation mode and without gradients.
        temperature: What logits are divided by before both softmaxes, above 0: the larger, the more the improbable
            classes count.
        weight: Share of the loss that is the teachers', 0..1; the rest is the labels'.
    """

    def __init__(self, teachers: Ensemble, temperature: float, weight: float) -> None:
        self.teachers = teachers.eval().requires_grad_(False)
        self.temperature = temperature
        self.weight = weight

    def to(self, device: torch.device, memory_format: torch.memory_format) -> None:
        """Bring the teachers to where the network is trained, and to its memory format."""
        self.teachers.to(device).to(memory_format=memory_format)

    @torch.no_grad()
    def answers(self, images: Tensor) -> Tensor:
        """Give the teachers' mean softened probabilities.

        The network and its teachers look at the very same, augmented images (Beyer et al., "Knowledge distillation: a
        good teacher is patient and consistent", CVPR 2022, section 3.1).

        Args:
            images: As the network gets them, ``(B, C, S, S)``, uint8 or float 0..255.

        Returns:
            Logarithms of the probabilities, ``(B, n_classes)``.
        """
        shares: Tensor = self.teachers(images, self.temperature)
        return shares

    def loss(self, logits: Tensor, answers: Tensor) -> Tensor:
        """Give the divergence of a network's softened answers from the teachers'.

        Times the square of the temperature, so that its gradients keep their size whatever the temperature is (Hinton
        et al. 2015, section 2). It differs from their cross-entropy by the teachers' own entropy alone, and is 0 where
        both agree.

        Args:
            logits: Of the network, ``(B, n_classes)``.
            answers: What :meth:`answers` gave.

        Returns:
            The mean over the batch, a scalar.
        """
        own = (logits / self.temperature).log_softmax(dim=1)
        divergence = functional.kl_div(own, answers, reduction="batchmean", log_target=True)
        return divergence * self.temperature**2
