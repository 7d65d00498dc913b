"""A callback that lets a rival train between the application's epochs, and times both."""

import time
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch
from comparison import Round
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn


class Rival(Callback, ABC):
    """Before each epoch of ours the rival does the same work.

    An epoch of ours lasts from its start to the start of the next, so validation, logs and the writing of both
    checkpoints are in it. The first round warms both up and is not counted.

    Attributes:
        images: Training images per epoch of either.
        rounds: Seconds of ours and of the rival, one pair for each epoch but the first.
    """

    images: ClassVar[int] = 0
    rounds: ClassVar[list[Round]] = []

    def __init__(self) -> None:
        self._began = 0.0
        self._rival_seconds = 0.0

    @abstractmethod
    def prepare(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Build what the rival needs, outside the measured time."""

    @abstractmethod
    def train_epoch(self) -> None:
        """Train one epoch and validate, as the rival does it."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Get the rival ready."""
        self.prepare(trainer, pl_module)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End our last epoch, let the rival have its turn, start our next."""
        self._end_round(trainer.current_epoch)
        # The application asks for deterministic operations; the rival need not.
        deterministic = torch.are_deterministic_algorithms_enabled()
        torch.use_deterministic_algorithms(False)
        start = time.perf_counter()
        self.train_epoch()
        self._rival_seconds = time.perf_counter() - start
        torch.use_deterministic_algorithms(deterministic, warn_only=True)
        self._began = time.perf_counter()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End our last epoch."""
        self._end_round(trainer.current_epoch)

    def _end_round(self, finished_epochs: int) -> None:
        if finished_epochs > 1:
            self.rounds.append((time.perf_counter() - self._began, self._rival_seconds))


def train_step(
    network: nn.Module, optimizer: torch.optim.Optimizer, loss: nn.Module, batch: tuple[Tensor, Tensor]
) -> Tensor:
    """Do one step as any tutorial does; the batch's loss."""
    images, labels = batch
    optimizer.zero_grad()
    value: Tensor = loss(network(images), labels)
    value.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return value
