"""How much of the time a training keeps a GPU busy."""

import statistics
import subprocess
from pathlib import Path
from typing import ClassVar

import pytorch_lightning as pl
import torch
from application import train
from comparison import Comparison, skipped
from pictures import BY_CELL, write_by_cell
from pytorch_lightning.callbacks import Callback

TARGET = 80
_WHAT = "Share of time a GPU is busy (ResNet18, 224 px, mixed precision, batch 64)"
_QUERY = ("nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--loop-ms=100")


class Utilisation(Callback):
    """Asks the driver, from the second epoch to the end of training, for the share of time in which kernels ran.

    Attributes:
        percentages: What it answered, ten times a second.
    """

    percentages: ClassVar[list[float]] = []

    def __init__(self) -> None:
        self._query: subprocess.Popen[str] | None = None

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin with the second epoch: the first one warms up."""
        if trainer.current_epoch == 1:
            device = ["--id", str(torch.cuda.get_device_properties(0).uuid)]
            self._query = subprocess.Popen([*_QUERY, *device], stdout=subprocess.PIPE, text=True)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop asking."""
        if self._query is not None:
            self._query.terminate()
            answers, _ = self._query.communicate()
            self.percentages.extend(float(line) for line in answers.split())


def measure(quick: bool) -> list[Comparison]:
    """Train on drawn cells where there is a GPU."""
    if not torch.cuda.is_available():
        return [skipped(_WHAT, "no GPU at hand", f"at least {TARGET} %")]
    folder = write_by_cell(Path("cells"), 8 if quick else 40)
    train(
        *BY_CELL,
        f"data.root={folder}",
        "trainer=gpu",
        "model=resnet18",
        "image_size=224",
        "batch_size=64",
        f"epochs={2 if quick else 8}",
        "bootstrap=0",
        "+callbacks.utilisation._target_=gpu.Utilisation",
    )
    busy = statistics.mean(Utilisation.percentages)
    return [Comparison(_WHAT, f"{busy:.0f} %", target=f"at least {TARGET} %", met=busy >= TARGET)]
