"""Writing checkpoints: whole or not at all, and without a second copy in memory."""

from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning_fabric.utilities.types import _PATH

from karyo.files import write_beside


class CheckpointFiles(TorchCheckpointIO):
    """Lightning's files, written straight to disk beside their place.

    Lightning writes each checkpoint into memory first and then to disk, which takes twice as long; with a checkpoint
    after every epoch that is a per cent of a small network's training.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any | None = None) -> None:
        """Write a checkpoint to a local file in one step.

        Args:
            checkpoint: What Lightning collected.
            path: Where the file shall be.
            storage_options: Nothing: only local files are written.
        """
        write_beside(Path(path), lambda beside: torch.save(checkpoint, beside))
