"""Directories of runs as a real run leaves them, with drawn numbers: for what reads runs without training any."""

import csv
import hashlib
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from karyo.evaluation.measure import measure
from karyo.evaluation.predictions import Predictions
from karyo.training.epochs import COLUMNS
from karyo.training.record import RunRecord

WEIGHTS = {"resnet18": 11_182_552, "resnet50": 23_538_000, "vgg16": 134_353_624, "inception_v3": 21_834_000}
TARGETS = {"adam": "torch.optim.Adam", "sgd": "torch.optim.SGD", "rmsprop": "torch.optim.RMSprop"}
CLASSES = 24


def make_run(
    directory: Path,
    *,
    model: str = "resnet18",
    optimizer: str = "adam",
    lr: float | str = 1e-3,
    seed: int = 0,
    fold: int | None = None,
    folds: int = 5,
    data: str = "gband",
    split_by: str = "cell",
    split_seed: int | None = 0,
    status: str = "finished",
    accuracy: float = 0.9,
    validation: float | None = None,
    error: str = "ValueError: the loss is not finite",
    epochs: int = 3,
    cells: int = 8,
    predictions: Predictions | None = None,
    settings: Mapping[str, Any] | None = None,
    record: Mapping[str, Any] | None = None,
    resamples: int = 20,
) -> Path:
    """Write ``summary.json``, ``epochs.csv`` and ``predictions.csv`` of a run.

    Args:
        directory: Of the run; made.
        model: Any name; a known one has its number of weights.
        optimizer: Any name.
        lr: As typed.
        seed: Of the run; with ``split_seed`` None it draws the split too.
        fold: Test side of a cross-validation over ``folds``; None for a single split.
        folds: How many, if ``fold`` is given.
        data: Name of the data set; another name is other images.
        split_by: Level of the split.
        split_seed: Draws the split, so that repetitions share their test images.
        status: As in the record; ``finished`` and ``failed`` have what goes with it, ``pruned`` a validation alone.
        accuracy: Probability that a test image is recognised, 0..1.
        validation: Validation accuracy of the best epoch; ``accuracy`` if None.
        error: Of a run that failed.
        epochs: How many it trained.
        cells: Cells of the test side, of 24 images each.
        predictions: Instead of drawn ones.
        settings: Further settings by dotted name, also in the overrides: ``{"batch_size": 64}``.
        record: Overrides what the record holds, by its first key.
        resamples: Of the bootstrap behind the intervals.

    Returns:
        The directory.
    """
    directory.mkdir(parents=True)
    further = dict(settings or {})
    scheme = {"split_by": split_by, "folds": None if fold is None else folds, "fold": fold or 0}
    config = _config(model, optimizer, lr, seed, data, scheme | {"split_seed": split_seed}, further)
    drawn_by = seed if split_seed is None else split_seed
    split = hashlib.sha256(f"{data} {scheme} {drawn_by}".encode()).hexdigest()
    typed = {"model": model, "optimizer": optimizer, "lr": lr, "seed": seed, "data": data}
    typed |= {} if fold is None else {"data.folds": folds, "data.fold": fold}
    chance = np.random.default_rng(_number(f"{model} {optimizer} {lr} {seed} {fold} {data}"))
    best = accuracy if validation is None else validation
    began = status not in ("failed",) or epochs > 0
    content: dict[str, Any] = {
        "name": directory.name,
        "overrides": [f"{name}={value}" for name, value in (typed | further).items()],
        "model": model,
        "optimizer": optimizer,
        "scheduler": "onecycle",
        "preprocessing": "none",
        "augmentation": "strong",
        "dataset": data,
        "lr": float(lr),
        "started": "2025-03-01T10:00:00+00:00",
        "status": status,
        "directory": str(directory),
        "config": config,
        "device": "CPU, 1 threads",
        "parameters": WEIGHTS.get(model, 500_000),
        "seconds": 125.4,
        "cost": {
            "latency_ms": round(WEIGHTS.get(model, 500_000) / 1e6 + chance.random(), 3),
            "checkpoint_bytes": 4 * WEIGHTS.get(model, 500_000),
            "seconds_per_epoch": 12.5,
        },
        "data": {
            "name": data,
            "fingerprint": hashlib.sha256(data.encode()).hexdigest(),
            "images": 1000,
            "split_by": split_by,
            "split": split,
        },
    }
    if began and epochs:
        rows = _epochs(epochs, best, float(lr), chance)
        _write_epochs(directory / "epochs.csv", rows)
        content |= {"epochs": epochs, "best_epoch": epochs}
    if status in ("finished", "pruned"):
        content |= {
            "validation": {"accuracy": best, "loss": round(1.5 - best, 6)},
            "finished": "2025-03-01T10:02:05+00:00",
        }
    if status == "finished":
        answers = predictions or draw_predictions(accuracy, cells, split, chance)
        answers.write_csv(directory / "predictions.csv")
        content |= {"test": measure(answers, resamples=resamples).to_dict(), "checkpoint": "checkpoints/best.ckpt"}
        content |= {"split_by": split_by, "part": "test", "unseen": True}
    if status == "failed":
        content |= {"error": error, "traceback": f"Traceback (most recent call last):\n{error}\n"}
    RunRecord(directory, content | dict(record or {})).write()
    return directory


def make_grid(directory: Path, seeds: int = 1, cells: int = 8) -> list[Path]:
    """Write a sweep of 3 models x 3 optimizers x 3 rates, in which SGD at 1e-4 hardly learns; 27 runs per seed."""
    runs = []
    models, rates = list(WEIGHTS)[:3], ("1e-4", "1e-3", "1e-2")
    for seed, model, optimizer, lr in product(range(seeds), models, TARGETS, rates):
        worse = 0.05 * models.index(model) + 0.03 * list(TARGETS).index(optimizer) + 0.02 * abs(rates.index(lr) - 1)
        hopeless = optimizer == "sgd" and lr == "1e-4"
        run = make_run(
            directory / f"lr-{lr}_model-{model}_optimizer-{optimizer}_seed-{seed}",
            model=model,
            optimizer=optimizer,
            lr=lr,
            seed=seed,
            accuracy=0.06 if hopeless else 0.95 + 0.004 * seed - worse,
            cells=cells,
            epochs=8,
        )
        runs.append(run)
    return runs


def draw_predictions(accuracy: float, cells: int, split: str, chance: np.random.Generator) -> Predictions:
    """Draw answers to a split's test side, 24 images of each of its cells, in some of which all is harder."""
    labels = np.tile(np.arange(CLASSES), cells)
    cell_of = np.repeat(np.arange(cells), CLASSES)
    ease = np.random.default_rng(_number(split)).normal(0.0, 0.05, cells)[cell_of]
    right = chance.random(len(labels)) < np.clip(accuracy + ease, 0.0, 1.0)
    answers = np.where(right, labels, (labels + 1 + chance.integers(0, CLASSES - 1, len(labels))) % CLASSES)
    return predictions_of(answers, labels, [f"{split[:6]}-{number}" for number in cell_of])


def predictions_of(answers: Any, labels: Any, cells: list[str | None]) -> Predictions:
    """Give predictions that name these classes (0..23), each with probability 0.77; images are named after cells."""
    probabilities = np.full((len(labels), CLASSES), 0.01)
    probabilities[np.arange(len(labels)), np.asarray(answers)] = 0.77
    paths = [f"{cell}/{index:04d}.png" for index, cell in enumerate(cells)]
    return Predictions(paths, list(cells), np.asarray(labels), probabilities)


def _config(
    model: str,
    optimizer: str,
    lr: float | str,
    seed: int,
    data: str,
    scheme: Mapping[str, Any],
    further: Mapping[str, Any],
) -> dict[str, Any]:
    config: dict[str, Any] = {
        "lr": float(lr),
        "batch_size": 32,
        "epochs": 3,
        "seed": seed,
        "label_smoothing": 0.1,
        "data": {
            "_target_": "karyo.data.datamodule.ChromosomeData",
            "root": f"/data/{data}",
            "source": {"_target_": "karyo.data.layouts.FolderSource", "name": data, "root": f"/data/{data}"},
            "seed": seed,
            "fractions": [0.7, 0.2, 0.1],
            **scheme,
        },
        "model": {"spec": {"library": "torchvision", "name": model, "head": "linear"}},
        "optimizer": {"_target_": TARGETS.get(optimizer, optimizer), "_partial_": True, "lr": float(lr)},
    }
    for name, value in further.items():
        *parents, last = name.split(".")
        node = config
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    return config


def _epochs(count: int, best: float, lr: float, chance: np.random.Generator) -> list[dict[str, float]]:
    """Draw a course that rises to the best accuracy in its last epoch."""
    rows = []
    for epoch in range(1, count + 1):
        share = 1 - 0.5 ** (4 * epoch / count)
        top = 1 - 0.5**4
        reached = best if epoch == count else max(0.0, best * share / top - 0.02 * chance.random() - 1e-3)
        row = (epoch, 3 - 2.5 * share, min(1.0, reached * 1.03), 3 - 2.2 * share, reached, lr, 12.5 + chance.random())
        rows.append(dict(zip(COLUMNS, row, strict=True)))
    return rows


def _write_epochs(path: Path, rows: list[dict[str, float]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _number(text: str) -> int:
    """Give a seed that is the same on every machine."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)
