"""The epoch log: one line on the screen and one row in ``epochs.csv`` for every finished epoch."""

import csv
import io
import logging
import math
import time
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from karyo.files import write_text
from karyo.reports.fields import duration

FILE = "epochs.csv"
COLUMNS = (
    "epoch",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "lr",
    "seconds",
)

log = logging.getLogger(__name__)

Row = dict[str, float]


class EpochLog(Callback):
    """Prints and keeps each epoch's figures.

    The file is the only memory: a process that trains elsewhere (distributed) and one that goes on after a stop see
    the same rows.

    Args:
        directory: The run's directory.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self._began = time.monotonic()
        self._durations: list[float] = []

    def rows(self) -> list[Row]:
        """Read the rows of all finished epochs, in order; empty before the first."""
        if not self._path.is_file():
            return []
        with self._path.open(encoding="utf-8", newline="") as lines:
            return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(lines)]

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the epoch's clock."""
        self._began = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write and print the epoch."""
        if not trainer.is_global_zero:
            return
        row = self._row(trainer)
        # A resumed run does some epoch again: its row replaces the one that was cut off.
        kept = [old for old in self.rows() if old["epoch"] < row["epoch"]]
        self._write([*kept, row])
        self._durations.append(row["seconds"])
        log.info("%s", self._line(row, trainer))

    def _row(self, trainer: pl.Trainer) -> Row:
        def value(name: str) -> float:
            return float(trainer.callback_metrics.get(name, float("nan")))

        figures = [value(f"{stage}/{name}") for stage in ("train", "validation") for name in ("loss", "accuracy")]
        lr = float(trainer.optimizers[0].param_groups[0]["lr"])
        seconds = time.monotonic() - self._began
        return dict(zip(COLUMNS, [trainer.current_epoch + 1.0, *figures, lr, round(seconds, 3)], strict=True))

    def _write(self, rows: list[Row]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows([{**row, "epoch": int(row["epoch"])} for row in rows])
        write_text(self._path, text.getvalue())

    def _line(self, row: Row, trainer: pl.Trainer) -> str:
        total = trainer.max_epochs or 0
        left = (total - row["epoch"]) * sum(self._durations) / len(self._durations)
        return (
            f"epoch {row['epoch']:3.0f}/{total}   "
            f"train: loss {row['train_loss']:.3f}, {row['train_accuracy']:6.1%}   "
            f"validation: loss {row['validation_loss']:.3f}, {row['validation_accuracy']:6.1%}   "
            f"lr {row['lr']:.1e}   {row['seconds']:.0f} s" + (f", at most {duration(left)} left" if left > 0 else "")
        )


def validation_of(rows: list[Row], epoch: int | None) -> dict[str, float]:
    """Give what an epoch reached on the validation side.

    Args:
        rows: Of all epochs.
        epoch: Its number, from 1.

    Returns:
        ``{"accuracy": 0.97, "loss": 0.31}``; {} where that was not measured.
    """
    row = next((row for row in rows if row["epoch"] == epoch), None)
    if row is None or math.isnan(row["validation_accuracy"]):
        return {}
    return {"accuracy": row["validation_accuracy"], "loss": row["validation_loss"]}
