"""An epoch through everything against the limit: a bare loop over tensors that are in memory already."""

import inspect
import statistics
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from application import TINY, train
from comparison import Comparison, medians, ratios, shown
from pictures import BY_CELL, write_by_cell
from rival import Rival, train_step
from torch import nn

from karyo.models.network import ChromosomeNetwork

TARGET = 0.95
_BATCH = 16


class BareLoop(Rival):
    """The same network, batch, optimizer and loss over prepared float tensors: nothing read, augmented or logged."""

    def prepare(self, trainer: pl.Trainer, pl_module: Any) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        train, validation = data.split.train, data.split.validation
        labels = torch.tensor([record.label for record in data.records])
        type(self).images = len(train)
        self._images = torch.from_numpy(data.images(train))[:, None].float()
        self._labels = labels[train]
        self._validation = torch.from_numpy(data.images(validation))[:, None].float()
        self._network = ChromosomeNetwork(pl_module.network.spec).to(memory_format=torch.channels_last)
        self._optimizer = like(trainer.optimizers[0], self._network)
        self._loss = nn.CrossEntropyLoss(label_smoothing=0.1)

    def train_epoch(self) -> None:
        self._network.train()
        for chosen in torch.split(torch.randperm(len(self._images)), _BATCH):
            train_step(self._network, self._optimizer, self._loss, (self._images[chosen], self._labels[chosen]))
        self._network.eval()
        with torch.no_grad():
            for images in torch.split(self._validation, _BATCH):
                self._network(images)


def like(optimizer: torch.optim.Optimizer, network: nn.Module) -> torch.optim.Optimizer:
    """Build an optimizer of the same kind and settings for another network."""
    kind: Any = type(optimizer)
    accepted = inspect.signature(kind).parameters
    settings = {name: value for name, value in optimizer.defaults.items() if name in accepted}
    made: torch.optim.Optimizer = kind(network.parameters(), **settings)
    return made


def measure(quick: bool) -> list[Comparison]:
    """Compare images per second over whole epochs, validation included."""
    folder = write_by_cell(Path("cells"), 8 if quick else 40)
    size = TINY if quick else ("model=resnet18", "image_size=96")
    rounds = 1 if quick else 3
    train(
        *size,
        *BY_CELL,
        f"data.root={folder}",
        "augmentation=strong",
        "optimizer=adamw",
        "lr=1e-3",
        f"batch_size={_BATCH}",
        f"epochs={rounds + 1}",
        "bootstrap=0",
        "trainer.accelerator=cpu",
        "+callbacks.rival._target_=epoch.BareLoop",
    )
    images = BareLoop.images
    ours, bare = medians(BareLoop.rounds)
    found = ratios(BareLoop.rounds)
    return [
        Comparison(
            what="Epoch through everything: files, augmentation, Lightning, metrics, logs, checkpoints "
            "(ResNet18, 96 px, batch 16)",
            ours=f"{images / ours:.1f} images/s",
            peer=f"bare PyTorch loop over tensors in memory: {images / bare:.1f} images/s",
            ratio=shown(found),
            target=f"at least {TARGET}",
            met=statistics.median(found) >= TARGET,
        )
    ]
