"""What an exported file tells people about its training."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from karyo.evaluation.measure import MEASURES
from karyo.exporting.measured import Measured
from karyo.exporting.run import SIDES, TrainedRun
from karyo.reports.fields import number_at, text_at

RANDOM_WEIGHTS = "random weights"
"""What a network starts from that has learned nothing before."""

_TEXTS = ("optimizer", "scheduler", "preprocessing", "augmentation", "split_by", "started", "git_revision")
_NUMBERS = ("lr", "epochs", "best_epoch")
_SETTINGS = ("batch_size", "seed", "label_smoothing")


def training_facts(run: TrainedRun, measured: Mapping[str, Measured]) -> dict[str, Any]:
    """Gather what is known; what is not known is left out, and no path of this machine goes in.

    Args:
        run: The run.
        measured: What the exported file does on each side.

    Returns:
        Primitives: what it was trained on and with, and what the exported file reaches on the sides of its split.
    """
    network = run.trained.network
    facts: dict[str, Any] = {
        "run": ", ".join(each.directory.resolve().name for each in run.members or (run,)),
        "dataset": run.data.source.name,
        **_counts(run, [position for side in SIDES for position in run.sides[side]]),
        "sides": [{"side": side, **_counts(run, run.sides[side])} for side in SIDES],
        "model": network.spec.name,
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "image_size": network.spec.image_size,
        "started_from": ", ".join(dict.fromkeys(_started_from(each) for each in run.members or (run,))),
    }
    facts |= {"members": [_member(each) for each in run.members]} if run.members else {"epoch": run.trained.epoch}
    facts |= {"teachers": len(teachers)} if (teachers := run.facts.get("teachers")) else {}
    facts |= {name: text for name in _TEXTS if (text := text_at(run.facts, name))}
    facts |= {name: number for name in _NUMBERS if (number := number_at(run.facts, name)) is not None}
    facts |= {name: value for name in _SETTINGS if (value := run.config.get(name)) is not None}
    return facts | _results(run, measured)


def _counts(run: TrainedRun, positions: Sequence[int]) -> dict[str, int]:
    """Count images and, where they are known, cells and cases."""
    records = [run.data.records[position] for position in positions]
    known = {
        "cells": {record.cell for record in records if record.cell is not None},
        "cases": {record.case for record in records if record.case is not None},
    }
    return {"images": len(records), **{name: len(found) for name, found in known.items() if found}}


def _results(run: TrainedRun, measured: Mapping[str, Measured]) -> dict[str, Any]:
    validation = measured["validation"].measures
    results: dict[str, Any] = {
        "validation": {"accuracy": validation.accuracy.value, "loss": validation.log_loss.value},
        "calibration": {
            side: {"before": it.uncalibrated, "after": it.measures.calibration_error.value}
            for side, it in measured.items()
        },
        "recorded": _recorded(run),
    }
    if "test" in measured:
        measures = measured["test"].measures
        results["test"] = {name: asdict(getattr(measures, name)) for name in MEASURES}
        results["per_class"] = [asdict(score) for score in measures.per_class]
        if (in_cell := measured["test"].in_cell) is not None:
            results["test_in_cell"] = {name: asdict(getattr(in_cell, name)) for name in MEASURES}
    return results


def _recorded(run: TrainedRun) -> dict[str, float | None]:
    return {
        "validation_accuracy": number_at(run.facts, "validation", "accuracy"),
        "test_accuracy": number_at(run.facts, "test", "accuracy", "value"),
    }


def _member(run: TrainedRun) -> dict[str, Any]:
    """Say what is known of one of several networks that answer as one."""
    return {
        "run": run.directory.resolve().name,
        "model": run.trained.network.spec.name,
        "epoch": run.trained.epoch,
        "checkpoint": run.fingerprint,
        **_recorded(run),
    }


def _started_from(run: TrainedRun) -> str:
    """Say what the weights were before training."""
    if run.config.get("weights"):
        return "weights from a file"
    return "ImageNet weights" if run.config.get("pretrained") else RANDOM_WEIGHTS
