"""The Lightning module: how a network is trained. It knows nothing of files and of configurations."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from karyo.data.dataset import WholeCell
from karyo.errors import SettingsError
from karyo.models.averaging import averaged_network, from_checkpoint, to_checkpoint
from karyo.models.cell_context import seen_as_cells
from karyo.models.distillation import Distillation
from karyo.models.mixup import Mix, draw_mix
from karyo.models.network import ChromosomeNetwork

Batch = tuple[Tensor, Tensor, Tensor]
"""Images uint8 ``(B, C, H, W)``, labels int64 ``(B,)``, record indices int64 ``(B,)``; a whole cell comes as a
:class:`~karyo.data.dataset.WholeCell`."""


class Classifier(pl.LightningModule):
    """Trains a network with cross-entropy, and InceptionV3's auxiliary classifier beside it.

    Args:
        network: What to train.
        optimizer: From parameters to an optimizer.
        scheduler: From an optimizer to a learning rate schedule; None keeps the rate.
        interval: ``"epoch"`` or ``"step"``: how often the schedule moves on. A schedule that moves by the step is
            given ``total_steps`` as well.
        monitor: The logged value that a schedule such as ReduceLROnPlateau watches.
        label_smoothing: Share of the probability spread evenly over all classes, 0..1.
        auxiliary_weight: Weight of the auxiliary loss; 0.4 as in Szegedy et al. 2015.
        mixup: Both parameters of mixup's beta distribution; 0 for no mixup. Half of the batches are mixed; their
            accuracy is how often the larger part of an image is recognised.
        distillation: What it learns from other networks besides its labels; None for labels alone. With mixup they see
            the mixed images.
        average: Decay of the moving average of the weights, which is what is validated and kept; None for none.
        decay_norms: Whether weight decay pulls at biases and the weights of normalisations too.
        channels_last: Whether to keep images and filters in the memory format that convolutions are fastest in.
        seed: Start of the random numbers of every epoch, so that a resumed run draws what an unbroken one would.
        provenance: Primitives to keep in every checkpoint (preparation, classes and the like).
    """

    def __init__(
        self,
        network: ChromosomeNetwork,
        optimizer: Callable[..., Optimizer],
        scheduler: Callable[..., Any] | None = None,
        interval: str = "epoch",
        monitor: str = "validation/loss",
        label_smoothing: float = 0.0,
        auxiliary_weight: float = 0.4,
        mixup: float = 0.0,
        distillation: Distillation | None = None,
        average: float | None = None,
        decay_norms: bool = True,
        channels_last: bool = True,
        seed: int = 0,
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self._memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.network = network.to(memory_format=self._memory_format)
        self.averaged = None if average is None else averaged_network(self.network, average)
        self.loss = nn.CrossEntropyLoss(label_smoothing=label_smoothing)
        self._make_optimizer = optimizer
        self._make_scheduler = scheduler
        self._interval = interval
        self._monitor = monitor
        self._auxiliary_weight = auxiliary_weight
        self._mixup = mixup
        self._distillation = distillation
        self._decay_norms = decay_norms
        self._seed = seed
        self._provenance = dict(provenance or {})
        classes = network.spec.n_classes
        self.accuracies = nn.ModuleDict(
            {
                f"{stage}_side": MulticlassAccuracy(classes, average="micro", validate_args=False)
                for stage in ("train", "validation", *(["in_cell"] if network.spec.context else []))
            }
        )
        # Not a number has to show: by default it would be left out of the mean, and a diverged run would look fine.
        # (The strategy "disable" would show it too, but drops the weights.)
        self.losses = nn.ModuleDict(
            {f"{stage}_side": MeanMetric(nan_strategy=float("nan")) for stage in ("train", "validation")}
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map images ``(B, C, H, W)``, uint8, to logits ``(B, n_classes)``, by the averaged weights if there are."""
        network = self.network if self.averaged is None else self.averaged
        logits: Tensor = network(images.contiguous(memory_format=self._memory_format))
        return logits

    def on_fit_start(self) -> None:
        """Bring the teachers, who are no part of this module, to the network's device."""
        if self._distillation is not None:
            self._distillation.to(self.device, self._memory_format)

    def on_train_epoch_start(self) -> None:
        """Start the epoch's random numbers (dropout) from the seed and the epoch alone."""
        torch.manual_seed((self._seed * 100_003 + self.current_epoch) * 1_009 + self.global_rank)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Compute the loss of one batch."""
        images, labels, _ = batch
        # By the batch's place, not by what was drawn before it: a resumed run mixes as an unbroken one.
        place = (self._seed, self.current_epoch, batch_index, self.global_rank)
        mix = draw_mix(self._mixup, len(labels), place)
        if mix is not None:
            images = mix.images(images)
        images = images.contiguous(memory_format=self._memory_format)
        taught = None if self._distillation is None else self._distillation.answers(images)
        with seen_as_cells(self.network) if isinstance(batch, WholeCell) else nullcontext():
            logits, auxiliary = self.network.forward_training(images)
        loss = self._loss(logits, labels, mix, taught)
        self._measure("train", batch_index, loss, logits, labels)
        if auxiliary is not None:
            loss = loss + self._auxiliary_weight * self._loss(auxiliary, labels, mix, taught)
        return loss

    def _loss(self, logits: Tensor, labels: Tensor, mix: Mix | None, taught: Tensor | None) -> Tensor:
        loss: Tensor = self.loss(logits, labels) if mix is None else mix.loss(self.loss, logits, labels)
        if self._distillation is None or taught is None:
            return loss
        share = self._distillation.weight
        return (1 - share) * loss + share * self._distillation.loss(logits, taught)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Take the average further after each step of the optimizer, of which several batches may make one."""
        if self.averaged is not None and self.global_step > int(self.averaged.n_averaged):
            self.averaged.update_parameters(self.network)

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Measure one batch of the validation side."""
        images, labels, _ = batch
        logits = self(images)
        self._measure("validation", batch_index, self.loss(logits, labels), logits, labels)
        if self.network.spec.context is not None:
            self._validate_in_cell(batch, batch_index)

    def _validate_in_cell(self, batch: Batch, batch_index: int) -> None:
        """Measure the same with each image seen beside the others of its cell."""
        images, labels, _ = batch
        with seen_as_cells(self) if isinstance(batch, WholeCell) else nullcontext():
            logits = self(images)
        accuracy = self.accuracies["in_cell_side"]
        accuracy.update(logits, labels)  # type: ignore[operator]
        if batch_index == 0:
            self.log("validation/accuracy_in_cell", accuracy, on_step=False, on_epoch=True)  # type: ignore[arg-type]

    def _measure(self, stage: str, batch_index: int, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        mean_loss, accuracy = self.losses[f"{stage}_side"], self.accuracies[f"{stage}_side"]
        mean_loss.update(loss.detach(), len(labels))  # type: ignore[operator]
        accuracy.update(logits.detach(), labels)  # type: ignore[operator]
        if batch_index > 0:
            return
        # Metric objects, not values: an epoch's figure is then the mean over its images, not over its batches. What
        # is logged is the object, so once an epoch is enough, and saves a few milliseconds in every other step.
        for name, metric in (("loss", mean_loss), ("accuracy", accuracy)):
            self.log(f"{stage}/{name}", metric, on_step=False, on_epoch=True, prog_bar=name == "accuracy")  # type: ignore[arg-type]

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build the optimizer and its schedule.

        Raises:
            SettingsError: If either refuses its settings.
        """
        try:
            return self._configure()
        except (TypeError, ValueError, OverflowError, ZeroDivisionError) as error:
            raise SettingsError(f"the optimizer or its schedule refuses its settings: {error}.") from error

    def _configure(self) -> OptimizerLRScheduler:
        optimizer = self._make_optimizer(self._parameter_groups())
        if self._make_scheduler is None:
            return optimizer
        horizon = {"total_steps": int(self.trainer.estimated_stepping_batches)} if self._interval == "step" else {}
        scheduler = self._make_scheduler(optimizer, **horizon)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": self._interval, "monitor": self._monitor},
        }

    def _parameter_groups(self) -> Iterable[nn.Parameter | dict[str, Any]]:
        if self._decay_norms:
            return self.network.parameters()
        # Biases and what normalisations scale and shift by are vectors; all else has more dimensions.
        wide = [parameter for parameter in self.network.parameters() if parameter.ndim > 1]
        narrow = [parameter for parameter in self.network.parameters() if parameter.ndim <= 1]
        return [{"params": wide}, {"params": narrow, "weight_decay": 0.0}]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Undo what :meth:`on_save_checkpoint` did to the weights."""
        if self.averaged is not None:
            checkpoint["state_dict"] = from_checkpoint(checkpoint["state_dict"])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Give the network its averaged weights, and add what is needed to build it again: primitives only."""
        if self.averaged is not None:
            checkpoint["state_dict"] = to_checkpoint(checkpoint["state_dict"], whole="optimizer_states" in checkpoint)
        checkpoint["karyo"] = {"network": self.network.spec.to_dict(), **self._provenance}
