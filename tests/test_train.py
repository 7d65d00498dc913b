import csv
import json
from pathlib import Path

import pytest
import torch
from conftest import TINY, Result, Run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from karyo.models.checkpoint import load_checkpoint


def summary(directory: Path) -> dict:
    return json.loads((directory / "summary.json").read_text(encoding="utf-8"))


def best_state(directory: Path) -> dict[str, torch.Tensor]:
    return torch.load(directory / "checkpoints/best.ckpt", weights_only=True)["state_dict"]


def test_a_run_leaves_everything_it_promises(finished: Result) -> None:
    assert finished.code == 0, finished.err
    assert "accuracy on unseen cells" in finished.out
    directory = finished.directory
    names = {path.name for path in directory.iterdir()}
    assert {"config.yaml", "summary.json", "split.json", "epochs.csv", "predictions.csv", "run.log"} <= names
    figures = {path.name for path in (directory / "figures").iterdir()}
    assert figures == {"confusion.png", "reliability.png", "mistakes.png", "curves.png", "samples.png"}
    record = summary(directory)
    assert record["status"] == "finished"
    assert record["model"] == "timm:test_resnet"
    assert record["data"]["split_by"] == "cell"
    assert record["overrides"] == list(TINY)
    assert record["config"]["lr"] == 1e-3
    assert record["seconds"] > 0
    assert 0 < record["test"]["log_loss"]["value"] < 20


def test_the_predictions_are_those_of_the_best_checkpoint_on_the_test_side(run: Run, finished: Result) -> None:
    directory = finished.directory
    with (directory / "predictions.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    split = json.loads((directory / "split.json").read_text(encoding="utf-8"))
    assert [row["path"] for row in rows] == split["test"]
    right = sum(row["label"] == row["predicted"] for row in rows)
    assert right / len(rows) == pytest.approx(summary(directory)["test"]["accuracy"]["value"])
    evaluated = run("evaluate", f"run={directory}", "bootstrap=20")
    assert evaluated.code == 0, evaluated.err
    assert summary(evaluated.directory)["test"]["accuracy"] == summary(directory)["test"]["accuracy"]


@pytest.mark.usefixtures("blank_figures")
def test_same_seed_same_numbers_and_another_seed_others(run: Run, finished: Result) -> None:
    first, second, other = finished.directory, run("train", *TINY).directory, run("train", *TINY, "seed=4").directory
    state = best_state(first)
    again, different = best_state(second), best_state(other)
    assert all(torch.equal(value, again[key]) for key, value in state.items())
    assert any(not torch.equal(value, different[key]) for key, value in state.items())
    assert summary(first)["test"] == summary(second)["test"]


def test_tensorboard_holds_curves_pictures_and_final_figures(finished: Result) -> None:
    directory = finished.directory
    events = EventAccumulator(str(directory), size_guidance={"images": 0}).Reload()
    scalars = set(events.Tags()["scalars"])
    curves = {f"{side}/{name}" for side in ("train", "validation") for name in ("loss", "accuracy")}
    assert curves <= scalars
    assert any(name.startswith("lr-") for name in scalars)
    assert events.Scalars("test/accuracy")[-1].value == pytest.approx(summary(directory)["test"]["accuracy"]["value"])
    assert {"figures/confusion", "figures/mistakes", "samples/augmented"} <= set(events.Tags()["images"])
    assert "_hparams_/session_start_info" in events.PluginTagToContent("hparams")
    assert "hp_metric" not in scalars


def test_checkpoints_load_without_running_anything(finished: Result) -> None:
    directory = finished.directory
    for name in ("best", "last"):
        content = torch.load(directory / f"checkpoints/{name}.ckpt", weights_only=True)
        assert content["karyo"]["network"]["name"] == "test_resnet"
        assert content["karyo"]["preparation"]["size"] == 32


@pytest.mark.usefixtures("blank_figures")
@pytest.mark.parametrize(
    "grid",
    [
        ("optimizer=adam,sgd,rmsprop", "scheduler=onecycle"),
        ("optimizer=sgd", "scheduler=step,cosine,plateau,none"),
    ],
)
def test_every_optimizer_and_every_schedule(run: Run, grid: tuple[str, str]) -> None:
    result = run("train", "-m", *TINY, "trainer=smoke", *grid)
    assert result.code == 0, result.out + result.err
    count = max(setting.count(",") + 1 for setting in grid)
    assert f"{count} of {count} runs finished" in result.out


@pytest.mark.usefixtures("blank_figures")
def test_other_canvases_channels_heads_and_augmentations(run: Run) -> None:
    result = run(
        "train",
        *TINY,
        "canvas=pad",
        "channels=3",
        "augmentation=report",
        "model.spec.head=chu",
        "trainer.gradient_clip_val=1.0",
        "trainer.precision=bf16-mixed",
        "channels_last=false",
    )
    assert result.code == 0, result.err
    content = torch.load(result.directory / "checkpoints/best.ckpt", weights_only=True)
    assert content["karyo"]["preparation"]["canvas"] == "pad"
    assert content["karyo"]["network"]["channels"] == 3
    assert run("evaluate", f"run={result.directory}", "bootstrap=0").code == 0


@pytest.mark.usefixtures("blank_figures")
def test_cross_validation_is_one_sweep(run: Run) -> None:
    result = run("train", "-m", *TINY, "epochs=1", "data.folds=3", "data.fold=range(3)")
    assert result.code == 0, result.err
    tests = [json.loads(path.read_text())["test"] for path in sorted(result.directory.glob("*/split.json"))]
    assert len(tests) == 3
    assert len(set().union(*map(set, tests))) == sum(map(len, tests)) == 8 * 46


@pytest.mark.usefixtures("blank_figures")
def test_early_stopping_ends_a_run_that_no_longer_improves(run: Run) -> None:
    result = run("train", *TINY, "epochs=9", "lr=1e-12", "callbacks.early_stopping.patience=1")
    assert result.code == 0, result.err
    assert summary(result.directory)["epochs"] < 9


def test_the_last_epoch_counts_where_it_is_meant_to(run: Run) -> None:
    result = run("train", *TINY, "callbacks=last_epoch", "epochs=4", "lr=0.03", "optimizer=sgd")
    assert result.code == 0, result.err
    rows = list(csv.DictReader((result.directory / "epochs.csv").read_text(encoding="utf-8").splitlines()))
    accuracies = [float(row["validation_accuracy"]) for row in rows]
    assert accuracies.index(max(accuracies)) < 3, "or this run says nothing"
    record = summary(result.directory)
    assert record["best_epoch"] == 4
    assert record["validation"] == {"accuracy": accuracies[-1], "loss": float(rows[-1]["validation_loss"])}
    best, last = (load_checkpoint(result.directory / f"checkpoints/{name}.ckpt") for name in ("best", "last"))
    assert best.epoch == 4
    weights = zip(best.network.state_dict().values(), last.network.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in weights)
