"""What a sweep costs beside its runs, and what two runs at a time are worth on this machine."""

import json
import subprocess
import sys
import time
from pathlib import Path

from application import TINY
from comparison import Comparison

_TRAIN = str(Path(__file__).parents[2] / "src" / "train.py")
_GRID = ("model=resnet18,resnet50,vgg16,inception_v3", "optimizer=adam,sgd,rmsprop", "lr=1e-4,1e-3,1e-2")
_SMALL = ("model=resnet18", "image_size=32", "data.source.cells=30", "epochs=8", "bootstrap=0")
OVERHEAD, THROUGHPUT = 1.15, 1.5


def measure(quick: bool) -> list[Comparison]:
    """Sweep one after the other, and two at a time."""
    return [_overhead(quick), _throughput(quick)]


def _overhead(quick: bool) -> Comparison:
    grid = (*TINY, "lr=1e-3,1e-2") if quick else _GRID
    whole = _sweep("overhead", *grid, "trainer=smoke", "trainer.accelerator=cpu")
    spent = _seconds_of_runs("overhead")
    runs = len(list(Path("multirun/overhead").glob("*/summary.json")))
    return Comparison(
        what=f"A sweep of {runs} smoke runs in one process, from the command to its end",
        ours=f"{whole:.0f} s",
        peer=f"its runs' own time, from data to figures: {spent:.0f} s",
        ratio=f"{spent / whole:.2f} (the sweep costs {whole / spent:.2f} times its runs)",
        target=f"at most {OVERHEAD} times",
        met=whole / spent <= OVERHEAD,
    )


def _throughput(quick: bool) -> Comparison:
    settings = (*TINY, "data.source.cells=8", "epochs=1", "bootstrap=0") if quick else _SMALL
    jobs = "lr=1e-2,1e-3" if quick else "lr=1e-2,5e-3,3e-3,1e-3,5e-4,3e-4,2e-4,1e-4"
    settings = (*settings, jobs, "trainer.accelerator=cpu")
    serial = _sweep("serial", *settings)
    parallel = _sweep("parallel", *settings, "hydra/launcher=joblib", "hydra.launcher.engine.n_jobs=2")
    return Comparison(
        what="Small networks (ResNet18, 32 px), two runs at a time (joblib), from the command to its end",
        ours=f"{parallel:.0f} s",
        peer=f"one after the other, each with all cores: {serial:.0f} s",
        ratio=f"{serial / parallel:.2f}",
        target=f"at least {THROUGHPUT}",
        met=serial / parallel >= THROUGHPUT,
    )


def _sweep(name: str, *settings: str) -> float:
    """Run a sweep as its command line would, and give the seconds it took."""
    began = time.monotonic()
    subprocess.run([sys.executable, _TRAIN, "-m", *settings, f"sweep={name}"], check=True)
    return time.monotonic() - began


def _seconds_of_runs(name: str) -> float:
    records = Path("multirun", name).glob("*/summary.json")
    return sum(float(json.loads(record.read_text(encoding="utf-8"))["seconds"]) for record in records)
