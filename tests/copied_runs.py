"""Runs that differ in what a test needs, copied from one that was trained: no second training for a second network."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from conftest import Result


def other_network(run: Path, place: Path, seed: int = 1) -> Path:
    """Copy a run and give it other weights: those of its head, moved at random.

    Args:
        run: A finished run's directory.
        place: Of the copy; it must not exist.
        seed: Of the change.

    Returns:
        The copy.
    """
    shutil.copytree(run, place)
    chance = torch.Generator().manual_seed(seed)

    def move(checkpoint: dict[str, Any]) -> None:
        for name, value in checkpoint["state_dict"].items():
            if name.startswith("network.head."):
                value.add_(0.5 * value.std() * torch.randn(value.shape, generator=chance))

    return change_checkpoint(place, move)


def change_checkpoint(run: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Change a run's best checkpoint in place; gives the run."""
    file = run / "checkpoints/best.ckpt"
    checkpoint = torch.load(file, weights_only=True)
    change(checkpoint)
    torch.save(checkpoint, file)
    return run


def change_record(run: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Change a run's record in place; gives the run."""
    file = run / "summary.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    change(record)
    file.write_text(json.dumps(record), encoding="utf-8")
    return run


def exchange(run: Path, one: str, other: str, count: int = 3) -> Path:
    """Let the first ``count`` images of two sides of a run's split change places; gives the run."""
    file = run / "split.json"
    split = json.loads(file.read_text(encoding="utf-8"))
    split[one][:count], split[other][:count] = split[other][:count], split[one][:count]
    file.write_text(json.dumps(split), encoding="utf-8")
    return run


def refused(result: Result, *words: str) -> None:
    """Make sure that a command said no in one line with these words, and began nothing."""
    assert result.code in (1, 2), result.out
    assert result.err.startswith("Error: ")
    assert result.err.count("\n") == 1, result.err
    for word in words:
        assert word in result.err
    assert result.directory is None or not (result.directory / "split.json").exists()
