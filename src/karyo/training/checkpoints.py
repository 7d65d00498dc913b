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

    def load_checkpoint(
        self, path: _PATH, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint, with the places in it set to where it lies now: a run directory may have been moved.

        Args:
            path: The file.
            map_location: Where its tensors shall be.
            weights_only: Ignored: nothing but tensors and primitives is ever read.

        Returns:
            What was saved.
        """
        checkpoint: dict[str, Any] = super().load_checkpoint(path, map_location, weights_only=True)
        folder = Path(path).resolve().parent
        for state in checkpoint.get("callbacks", {}).values():
            if "dirpath" in state:
                state |= _moved(state, folder)
        return checkpoint


def _moved(state: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Give the entries of a ModelCheckpoint's state that name places, for another folder."""

    def place(path: str) -> str:
        return str(folder / Path(path).name) if path else path

    names = ("best_model_path", "kth_best_model_path", "last_model_path")
    moved: dict[str, Any] = {name: place(state[name]) for name in names if name in state}
    best = {place(path): score for path, score in state.get("best_k_models", {}).items()}
    return moved | {"dirpath": str(folder), "best_k_models": best}
