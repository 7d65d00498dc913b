"""Training through the application against ImageFolder, PIL transforms and a bare loop, as the report's code had it."""

import itertools
import statistics
from pathlib import Path
from typing import Any

import image_folder
import pytorch_lightning as pl
import torch
from application import TINY, train
from comparison import Comparison, medians, ratios, shown
from pictures import write_by_class
from rival import Rival, train_step
from torch import nn
from torchvision.models import resnet18

TARGET = 1.3
_BATCH = 16
_VALIDATION_BATCHES = 1


class FolderLoop(Rival):
    """ResNet18 as torchvision makes it, in the default memory format, fed from files through PIL by two workers.

    Args:
        root: The folder of classes.
        size: Side of the input in pixels.
        batches: Training batches per epoch.
        workers: Loader processes.
    """

    def __init__(self, root: str, size: int, batches: int, workers: int) -> None:
        super().__init__()
        self._root, self._size, self._batches, self._workers = Path(root), size, batches, workers

    def prepare(self, trainer: pl.Trainer, pl_module: Any) -> None:
        type(self).images = self._batches * _BATCH
        self._loader = image_folder.loader(self._root, image_folder.report(self._size), _BATCH, self._workers)
        self._validation = image_folder.loader(self._root, image_folder.plain(self._size), _BATCH)
        self._network = resnet18(num_classes=24)
        self._optimizer = torch.optim.Adam(self._network.parameters(), lr=1e-4, weight_decay=1e-5)
        self._loss = nn.CrossEntropyLoss()

    def train_epoch(self) -> None:
        self._network.train()
        total = 0.0
        for images, labels in itertools.islice(self._loader, self._batches):
            total += train_step(self._network, self._optimizer, self._loss, (images, labels)).item()
        self._network.eval()
        with torch.no_grad():
            for images, labels in itertools.islice(self._validation, _VALIDATION_BATCHES):
                total += int((self._network(images).argmax(1) == labels).sum())


def measure(quick: bool) -> list[Comparison]:
    """Compare images per second of a training with the report's augmentation, in single and in mixed precision."""
    folder = write_by_class(Path("classes"), 3 if quick else 10)
    return [_compare(folder, trainer, quick) for trainer in ("default", "bf16")]


def _compare(folder: Path, trainer: str, quick: bool) -> Comparison:
    FolderLoop.rounds.clear()
    size, model = (32, TINY) if quick else (224, ("model=resnet18", "image_size=224"))
    batches, rounds, workers = (2, 1, 0) if quick else (16, 3, 2)
    train(
        *model,
        f"trainer={trainer}",
        "data=folders",
        f"data.root={folder}",
        "augmentation=report",
        "channels=3",
        "optimizer=adam",
        "scheduler=step",
        "lr=1e-4",
        "label_smoothing=0.0",
        f"batch_size={_BATCH}",
        f"epochs={rounds + 1}",
        "bootstrap=0",
        "trainer.accelerator=cpu",
        f"++trainer.limit_train_batches={batches}",
        f"++trainer.limit_val_batches={_VALIDATION_BATCHES}",
        "++trainer.limit_test_batches=1",
        "+callbacks.rival._target_=folder_peer.FolderLoop",
        f"+callbacks.rival.root={folder}",
        f"+callbacks.rival.size={size}",
        f"+callbacks.rival.batches={batches}",
        f"+callbacks.rival.workers={workers}",
    )
    ours, peer = medians(FolderLoop.rounds)
    found = ratios(FolderLoop.rounds)
    return Comparison(
        what=f"Training with the report's augmentation, trainer={trainer} (ResNet18, 3 channels, 224 px, batch 16)",
        ours=f"{FolderLoop.images / ours:.1f} images/s",
        peer=f"torchvision ImageFolder, PIL transforms, bare loop, {workers} workers: "
        f"{FolderLoop.images / peer:.1f} images/s",
        ratio=shown(found),
        target=f"at least {TARGET}",
        met=statistics.median(found) >= TARGET,
    )
