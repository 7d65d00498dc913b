"""The end of a run: the weights that it kept meet the test side once, and what came out is written and shown."""

import os
import shlex
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig
from rich.console import Console
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch.utils.tensorboard.summary import hparams

from karyo.data.datamodule import ChromosomeData
from karyo.evaluation.latency import measure_latency
from karyo.evaluation.measure import Measures, measure
from karyo.evaluation.predict import predict
from karyo.evaluation.predictions import Predictions
from karyo.files import sha256
from karyo.imaging.write import write_png
from karyo.models.checkpoint import load_checkpoint
from karyo.reports.by_cell import by_cell_table, remarks_of
from karyo.reports.confusion import draw_confusion
from karyo.reports.curves import draw_curves
from karyo.reports.gallery import draw_mistakes
from karyo.reports.outcome import outcome_table, print_pairs
from karyo.reports.pictures import figure_to_array
from karyo.reports.reliability import draw_reliability
from karyo.reports.runs import PREDICTIONS_NAME, read_by_cell
from karyo.training.by_cell import measure_at_the_end
from karyo.training.epochs import validation_of
from karyo.training.fit import Fitted
from karyo.training.locations import SUMMARY
from karyo.training.record import RunRecord
from karyo.training.samples import tensorboards

Pictures = dict[str, NDArray[np.uint8]]
"""RGB pictures, uint8 ``(H, W, 3)``, by file name."""

HPARAMS = ("model", "optimizer", "scheduler", "preprocessing", "augmentation", "dataset", "lr")
GRID = ("model", "optimizer", "lr")


def conclude(config: DictConfig, record: RunRecord, fitted: Fitted) -> None:
    """Measure the checkpoint that counts on the test side, and complete the run's record, files and TensorBoard log."""
    trained = load_checkpoint(fitted.best)
    device = measuring_device(config.trainer.get("accelerator"))
    predictions = predict(
        trained.network,
        fitted.data.test_dataloader(),
        fitted.data.records,
        device=device,
        limit=batch_limit(config),
    )
    measures = measure(predictions, resamples=config.bootstrap, seed=config.seed)
    rows = fitted.epochs.rows()
    figures = draw_figures(predictions, measures, fitted.data)
    figures["curves"] = figure_to_array(draw_curves(rows, trained.epoch))
    write_results(record.directory, predictions, figures)
    result = sha256(record.directory / PREDICTIONS_NAME)
    record.add(
        best_epoch=trained.epoch,
        epochs=len(rows),
        validation=validation_of(rows, trained.epoch),
        test=measures.to_dict(),
        result=result,
        split_by=fitted.data.split.by,
        part="test",
        unseen=True,
        checkpoint=os.path.relpath(fitted.best, record.directory),
        cost={
            "latency_ms": round(measure_latency(trained.network, device), 3),
            "checkpoint_bytes": fitted.best.stat().st_size,
            "seconds_per_epoch": statistics.median(row["seconds"] for row in rows),
        },
        figures=sorted(f"figures/{name}.png" for name in figures),
    )
    log_results(fitted, config, record, figures)
    if batch_limit(config) is None:
        measure_at_the_end(config, record.directory, fitted.best, trained, fitted.data, predictions, device)


def measuring_device(wanted: str | None) -> torch.device:
    """Choose where to measure: the GPU, unless ``"cpu"`` is wanted."""
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def batch_limit(config: DictConfig) -> int | None:
    """Give the number of test batches that the trainer's settings allow; None for all."""
    limit = config.trainer.get("limit_test_batches")
    return int(limit) if isinstance(limit, int) else None


def draw_figures(predictions: Predictions, measures: Measures, data: ChromosomeData) -> Pictures:
    """Draw what there is to see of a set of predictions, by file name."""
    positions = {record.path: position for position, record in enumerate(data.records)}
    images = data.images([positions[path] for path in predictions.paths])
    drawn = {
        "confusion": draw_confusion(measures.confusion),
        "reliability": draw_reliability(predictions),
        "mistakes": draw_mistakes(predictions, images),
    }
    return {name: figure_to_array(figure) for name, figure in drawn.items()}


def write_results(directory: Path, predictions: Predictions, figures: Pictures) -> None:
    """Write ``predictions.csv`` and ``figures/*.png``."""
    predictions.write_csv(directory / PREDICTIONS_NAME)
    for name, picture in figures.items():
        write_png(directory / "figures" / f"{name}.png", picture)


def log_results(fitted: Fitted, config: DictConfig, record: RunRecord, figures: Pictures) -> None:
    """Fill TensorBoard's pictures and its table of hyperparameters."""
    settings = {name: record.content.get(name) for name in HPARAMS} | {
        name: config[name] for name in ("batch_size", "epochs", "seed", "pretrained")
    }
    settings["fold"] = config.data.get("fold")
    settings["image_size"] = record.content["image_size"]
    test = record.content["test"]
    final = {f"test/{name}": test[name]["value"] for name in ("accuracy", "macro_f1", "log_loss")}
    final["best/validation_accuracy"] = record.content["validation"].get("accuracy")
    metrics = {key: value for key, value in final.items() if value is not None}
    for logger in tensorboards(fitted.loggers):
        for name, picture in figures.items():
            logger.experiment.add_image(f"figures/{name}", picture, dataformats="HWC")
        # For hparams.yaml alone: with the metrics, Lightning would write a table whose columns stand by the alphabet.
        logger.log_hyperparams(settings)
        logger.log_metrics(metrics)
        for summary in _hyperparameter_table(settings, metrics):
            logger.experiment.file_writer.add_summary(summary)
        logger.finalize("success")


def _hyperparameter_table(settings: dict[str, Any], metrics: dict[str, float]) -> list[Any]:
    """Give what fills a run's row of TensorBoard's HParams tab, the settings of a grid in its first columns.

    TensorBoard shows five settings until told otherwise, those first that are said to differ between runs. A run does
    not know what its sweep varies; model, optimizer and learning rate are what a grid is made of.
    """
    # Truth would be written as the numbers 0 and 1.
    shown = {name: str(value).lower() if isinstance(value, bool) else value for name, value in settings.items()}
    given = {name: value for name, value in shown.items() if value is not None}
    experiment, start, end = hparams(given, metrics)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    plugin_data = experiment.value[0].metadata.plugin_data
    content = HParamsPluginData.FromString(plugin_data.content)
    for info in content.experiment.hparam_infos:
        info.differs = info.name in GRID
    plugin_data.content = content.SerializeToString()
    return [experiment, start, end]


def print_outcome(record: RunRecord) -> None:
    """Show a finished run's result as a table, where its files are, and what to type next."""
    directory = shown(record.directory)
    quoted = shlex.quote(directory)
    by_cell, _ = read_by_cell(record.directory, record.content)
    files = {
        "best checkpoint": f"{directory}/{record.content['checkpoint']}",
        "figures": f"{directory}/figures/  (confusion, reliability, mistakes, curves, samples)",
        "each prediction": f"{directory}/{PREDICTIONS_NAME}",
    }
    files |= files_of_cells(record.directory) if by_cell else {}
    print_result(
        {**record.content, "by_cell": by_cell} if by_cell else record.content,
        files | {"everything else": f"{directory}/{SUMMARY}"},
        {
            "put it into a file": f"karyo export {quoted} -o chromosome.onnx",
            "measure it on your images": f"python src/evaluate.py run={quoted} data=folders data.root=FOLDER",
            "look at the curves": f"tensorboard --logdir {shlex.quote(str(Path(directory).parent))}",
            "compare settings": "python src/train.py -m model=resnet18,resnet50 lr=1e-4,1e-3",
        },
    )


def files_of_cells(directory: Path) -> dict[str, str]:
    """Name what a measurement by cell has left in a directory, as the user would type it."""
    names = {
        "each cell": "cells.csv",
        "each place in a cell": "assigned.csv",
        "each image in its cell": "predictions_in_cell.csv",
    }
    return {title: f"{shown(directory)}/{name}" for title, name in names.items() if (directory / name).is_file()}


def print_result(summary: Mapping[str, Any], files: dict[str, str], commands: dict[str, str]) -> None:
    """Show the measures as a table, and below it named files and commands."""
    console = Console(width=None if sys.stdout.isatty() else 110)
    console.print()
    console.print(outcome_table(summary))
    if (by_cell := by_cell_table(summary)) is not None:
        console.print(by_cell)
    for remark in remarks_of(summary):
        console.print(remark, style="yellow", soft_wrap=True, markup=False, highlight=False)
    print_pairs(console, "Files", files)
    print_pairs(console, "Next", commands)


def shown(directory: Path) -> str:
    """Give a path as the user would type it from here."""
    directory = directory.resolve()
    here = Path.cwd()
    return str(directory.relative_to(here) if directory.is_relative_to(here) else directory)
