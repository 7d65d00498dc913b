"""The loader alone: augmented images per second of one core, once everything is decoded."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import image_folder
import torch
from comparison import Comparison, medians, ratios, shown, take_turns
from omegaconf import OmegaConf
from pictures import write_by_class
from torch.utils.data import DataLoader

from karyo.data.augmentation import Augmentation
from karyo.data.datamodule import ChromosomeData
from karyo.data.layouts import FolderSource
from karyo.imaging.preparation import Preparation
from karyo.training.locations import configuration_folder

TARGET = 2000
_BATCH = 16
_SIZE = 96


def measure(quick: bool) -> list[Comparison]:
    """Compare the shipped augmentations with ImageFolder and PIL; there is no such peer of `strong`."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    folder = write_by_class(Path("classes"), 2 if quick else 12)
    rounds = 1 if quick else 7
    plain, report = image_folder.plain(_SIZE), image_folder.report(_SIZE)
    return [
        _compared("none", "ImageFolder and PIL, no augmentation", folder, plain, rounds),
        _compared("report", "ImageFolder and PIL, the same kinds of changes", folder, report, rounds),
        _compared("strong", "ImageFolder and PIL, the report's changes", folder, report, rounds),
    ]


def _compared(name: str, peer_name: str, folder: Path, transform: Any, rounds: int) -> Comparison:
    data = _our_data(name, folder)
    peer = image_folder.loader(folder, transform, _BATCH)
    found = take_turns(_pass_over(data.train_dataloader()), _pass_over(peer), rounds)
    ours, theirs = medians(found)
    return Comparison(
        what=f"Loader alone, augmentation={name} (96 px, grey, one core)",
        ours=f"{1 / ours:,.0f} images/s",
        peer=f"{peer_name}: {1 / theirs:,.0f} images/s",
        ratio=shown(ratios(found)),
        target=f"at least {TARGET:,} images/s",
        met=1 / ours >= TARGET,
    )


def _our_data(name: str, folder: Path) -> ChromosomeData:
    recipe = OmegaConf.load(configuration_folder() / "augmentation" / f"{name}.yaml")
    transforms: Any = OmegaConf.to_container(recipe.transforms)
    source = FolderSource(folder, "(?P<label>[^/]+)/[^/]+", "classes")
    return ChromosomeData(source, Preparation(size=_SIZE), Augmentation(transforms), batch_size=_BATCH, num_workers=0)


def _pass_over(loader: DataLoader[Any]) -> Callable[[], float]:
    """Give what measures the core's seconds per image of one pass."""

    def run() -> float:
        start, count = time.process_time(), 0
        for batch in loader:
            count += len(batch[0])
        return (time.process_time() - start) / count

    return run
