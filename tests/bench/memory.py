"""Peak memory of a training on a data set of 95 cells, its loader processes included."""

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import psutil
from application import TINY
from comparison import Comparison
from pictures import BY_CELL, write_by_cell

TARGET = 2.5
_TRAIN = str(Path(__file__).parents[2] / "src" / "train.py")
_PEER = "import torch, torchvision, pytorch_lightning, albumentations"
_PAUSE = 0.1


def measure(quick: bool) -> list[Comparison]:
    """Compare with a process that does nothing but import what a training needs."""
    name, data = ("8 drawn cells", _drawn(8)) if quick else _largest_data()
    model = TINY if quick else ("model=resnet18", "image_size=96")
    batches = [f"++trainer.limit_{side}_batches=5" for side in ("train", "val", "test")]
    settings = ["epochs=1", "bootstrap=0", "data.num_workers=2", "trainer.accelerator=cpu"]
    ours = peak_memory([_TRAIN, *model, *data, *batches, *settings])
    peer = peak_memory(["-c", _PEER])
    return [
        Comparison(
            what=f"Peak memory of training on {name}, with 2 loader processes (ResNet18, 96 px, batch 32)",
            ours=f"{ours:.2f} GB",
            peer=f"importing torch, torchvision, Lightning and albumentations: {peer:.2f} GB",
            ratio=f"{peer / ours:.2f}",
            target=f"below {TARGET} GB",
            met=ours < TARGET,
        )
    ]


def _largest_data() -> tuple[str, list[str]]:
    """Give BioImLab's data where KARYO_REAL_DATA has them, else as many drawn cells."""
    real = Path(os.environ.get("KARYO_REAL_DATA") or "-")
    if (real / "bioimlab.zip").is_file():
        with zipfile.ZipFile(real / "bioimlab.zip") as archive:
            archive.extractall("real")
        real = Path("real")
    if (real / "bioimlab").is_dir():
        return "the 4,370 chromosomes of BioImLab", ["data=bioimlab", f"data.root={real}"]
    return "4,370 drawn chromosomes", _drawn(95)


def _drawn(cells: int) -> list[str]:
    return [*BY_CELL, f"data.root={write_by_cell(Path('cells'), cells)}"]


def peak_memory(command: list[str]) -> float:
    """Run Python and give the most memory in GB that it and its children held at one time."""
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL) as process:
        tree, peak = psutil.Process(process.pid), 0
        while process.poll() is None:
            peak = max(peak, _held(tree))
            time.sleep(_PAUSE)
    if process.returncode:
        raise RuntimeError(f"a measured process ended with exit code {process.returncode}")
    return peak / 1e9


def _held(tree: psutil.Process) -> int:
    """Sum the memory of a process and its children; pages that they share count once."""
    try:
        return sum(process.memory_full_info().pss for process in (tree, *tree.children(recursive=True)))
    except psutil.Error:
        # One of them has just ended.
        return 0
