"""`karyo predict` and the preparation of images beside the bare network."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from comparison import Comparison, ratios, shown, take_turns
from exported import write_images, write_models

import karyo
from karyo.inference.engines import INPUT, LOGITS

SHARE, INTEGERS, PREPARATION = 0.9, 2.5, 0.1
_BATCH = 32
_CELLS = 49  # 2,254 chromosomes, about as many as the largest real set at hand


def measure(quick: bool) -> list[Comparison]:
    """Predict a folder, and run the network over the same images in memory."""
    size, rounds = (64, 1) if quick else (224, 3)
    folder = Path("images")
    folder.mkdir()
    models = write_models(Path.cwd(), size)
    paths = write_images(folder, 2 if quick else _CELLS)
    return [
        _command(models[0], paths, size, rounds),
        _integers(models, paths, size, rounds),
        _preparation(models[0], paths),
    ]


def _command(model: Path, paths: list[Path], size: int, rounds: int) -> Comparison:
    def ours() -> float:
        began = time.perf_counter()
        command = "from karyo.commands import main; main()"
        subprocess.run([sys.executable, "-c", command, "predict", str(model), "images", "--csv", "out.csv"], check=True)
        return time.perf_counter() - began

    pixels = np.random.default_rng(0).integers(0, 255, (_BATCH, 1, size, size), np.uint8)
    turns = take_turns(ours, lambda: _bare(model, pixels, len(paths)), rounds)
    seconds, bare = (statistics.median(column) for column in zip(*turns, strict=True))
    share = bare / seconds
    return Comparison(
        what=f"`karyo predict` over {len(paths):,} files, ResNet18 at {size} px, start and table included",
        ours=f"{len(paths) / seconds:.0f} images/s",
        peer=f"bare onnxruntime, batches of {_BATCH} in memory: {len(paths) / bare:.0f} images/s",
        ratio=shown(ratios(turns)),
        target=f"at least {SHARE}",
        met=share >= SHARE,
    )


def _integers(models: tuple[Path, Path], paths: list[Path], size: int, rounds: int) -> Comparison:
    pixels = np.random.default_rng(0).integers(0, 255, (_BATCH, 1, size, size), np.uint8)
    count = min(len(paths), 640)
    turns = take_turns(lambda: _bare(models[1], pixels, count), lambda: _bare(models[0], pixels, count), rounds)
    integers, floats = (statistics.median(column) for column in zip(*turns, strict=True))
    return Comparison(
        what=f"ResNet18 at {size} px in eight-bit integers, bare onnxruntime, batches of {_BATCH}",
        ours=f"{count / integers:.0f} images/s",
        peer=f"in float: {count / floats:.0f} images/s",
        ratio=shown(ratios(turns)),
        target=f"at least {INTEGERS}",
        met=floats / integers >= INTEGERS,
    )


def _preparation(model: Path, paths: list[Path]) -> Comparison:
    """One image at a time, as a web request brings it: to the network's input, then through the network."""
    predictor = karyo.load(model)
    chosen = paths[:: max(1, len(paths) // 200)]
    preparing, answering = [], []
    for path in chosen:
        start = time.perf_counter()
        prepared = predictor.prepare(path)
        middle = time.perf_counter()
        predictor.classify([prepared])
        preparing.append(middle - start)
        answering.append(time.perf_counter() - middle)
    ours, network = statistics.median(preparing), statistics.median(answering)
    return Comparison(
        what="Preparation of one image: read, look for what is wrong, bring to 224 px",
        ours=f"{1000 * ours:.2f} ms",
        peer=f"the network's time: {1000 * network:.1f} ms",
        ratio=f"{network / ours:.2f}",
        target=f"at most {PREPARATION:.0%} of it",
        met=ours / network <= PREPARATION,
    )


def _bare(model: Path, pixels: "np.ndarray", count: int) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    session.run([LOGITS], {INPUT: pixels})
    began = time.perf_counter()
    for start in range(0, count, _BATCH):
        session.run([LOGITS], {INPUT: pixels[: count - start]})
    return time.perf_counter() - began
