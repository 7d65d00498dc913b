"""Several trained networks as one: their mean, measured and exported."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import TINY, Run
from copied_runs import change_checkpoint, change_record, exchange, other_network, refused
from numpy.typing import NDArray
from typer.testing import CliRunner

import karyo
from karyo.commands import app
from karyo.errors import DataError, SettingsError
from karyo.evaluation.calibration import fit_temperature
from karyo.evaluation.predictions import Predictions
from karyo.exporting.export import SUFFIXES
from karyo.exporting.graph import ExportedGraph
from karyo.exporting.run import TrainedRun, open_runs
from karyo.identity import run_key, setting_key, settings_of_config
from karyo.models.checkpoint import load_checkpoint
from karyo.models.ensemble import Ensemble
from karyo.models.network import ChromosomeNetwork, NetworkSpec
from karyo.reports.comparing.boards import arrange
from karyo.reports.comparing.choice import choose
from karyo.reports.comparing.gather import gather
from karyo.reports.comparison import compare
from karyo.training.application import quote_place
from karyo.training.evaluate import members_config


def probabilities_of(directory: Path) -> tuple[list[str], NDArray[np.float64]]:
    read = Predictions.read_csv(directory / "predictions.csv")
    return list(read.paths), read.probabilities


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has learned enough to be sure of some answers; tests change copies of it."""
    from karyo.training import application

    folder = tmp_path_factory.mktemp("learned")
    settings = (*TINY, "epochs=8", "lr=0.01", "augmentation=none", "logger=none", "by_cell=false")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("sys.argv", ["train", *settings])
        patch.setattr("karyo.training.outcome.draw_figures", lambda *_: {})
        application.train()
    os.environ.pop("HYDRA_FULL_ERROR", None)
    return next((folder / "logs/train").iterdir())


@pytest.fixture
def pair(learned: Path, tmp_path: Path) -> list[Path]:
    """A run and one of another network, of the same split."""
    one = Path(shutil.copytree(learned, tmp_path / "logs/train/one run"))
    return [one, other_network(learned, tmp_path / "logs/train/other run")]


def test_an_ensemble_gives_the_mean_probability_whatever_its_members_take() -> None:
    torch.manual_seed(0)
    networks = [ChromosomeNetwork(NetworkSpec("timm", "test_resnet", 32, channels)).eval() for channels in (1, 3, 1)]
    for number, network in enumerate(networks):
        network.set_pixel_statistics(0.1 + 0.2 * number, 0.3)
        torch.nn.init.normal_(network.head[-1].weight, std=2.0)
    ensemble = Ensemble(networks).eval()
    images = torch.randint(0, 256, (5, 1, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        each = [network(images.expand(-1, network.spec.channels, -1, -1)) for network in networks]
        for temperature in (1.0, 3.0):
            expected = torch.stack([(logits / temperature).softmax(dim=1) for logits in each]).mean(dim=0)
            assert torch.allclose(ensemble(images, temperature).exp(), expected, atol=1e-6)
            assert torch.allclose(ensemble(images.expand(-1, 3, -1, -1), temperature).exp(), expected, atol=1e-6)
        logits, features = ExportedGraph(ensemble)(images)
        assert torch.allclose(logits.exp(), torch.stack(each).softmax(dim=2).mean(dim=0), atol=1e-6)
    assert features.shape[1] == 3 * ExportedGraph(networks[0])(images)[1].shape[1]
    assert ensemble.spec.name == "3 x test_resnet"


def test_several_runs_are_measured_as_their_mean(run: Run, pair: list[Path]) -> None:
    other = run("evaluate", f"run={pair[1]}", "bootstrap=0")
    kept = (pair[0] / "predictions.csv").read_bytes()
    both = run("evaluate", f"run=[{pair[0]},{pair[1]}]", "bootstrap=20", "by_cell=true")
    assert both.code == 0, both.err
    paths, found = probabilities_of(both.directory)
    (first, one), (second, two) = probabilities_of(pair[0]), probabilities_of(other.directory)
    assert paths == first == second
    assert np.abs(one - two).max() > 0.01
    np.testing.assert_allclose(found, (one + two) / 2, atol=1e-5)
    record = json.loads((both.directory / "summary.json").read_text(encoding="utf-8"))
    assert record["unseen"] is True
    assert record["by_cell"]["temperature"] > 0
    validation = run("evaluate", f"run=[{pair[0]},{pair[1]}]", "bootstrap=0", "part=validation")
    measured = json.loads((validation.directory / "summary.json").read_text(encoding="utf-8"))
    assert record["validation"]["accuracy"] == measured["test"]["accuracy"]["value"]
    assert "members" not in measured
    # Beside the run itself it stands in a comparison.
    (ensemble,), problems = gather([both.directory])
    assert not problems
    assert len(ensemble.settings["members"]) == 2
    assert ensemble.by_cell["n_images"] == len(paths)
    (board,) = arrange(gather([pair[0], both.directory, validation.directory])[0])
    assert sorted(it.label.rpartition(" · ")[2] for it in board.contenders) == ["members=2", "members=–"]
    # Neither run's own result is touched.
    assert not (pair[0] / "by_cell.json").exists()
    assert (pair[0] / "predictions.csv").read_bytes() == kept


def test_of_sweeps_the_runs_of_each_split_are_measured_as_one(run: Run, pair: list[Path], tmp_path: Path) -> None:
    for sweep, source in zip(("one", "two"), pair, strict=True):
        for fold in ("fold-0", "fold-1"):
            shutil.copytree(source, tmp_path / sweep / fold)
            change_record(tmp_path / sweep / fold, lambda content, fold=fold: content["data"].update(split=fold))
    sweeps = f"run=[{tmp_path / 'one'},{tmp_path / 'two'}]"
    both = run("evaluate", sweeps, "bootstrap=0", "by_cell=true")
    assert both.code == 0, both.err
    assert "karyo compare" in both.out
    records = sorted(tmp_path.glob("logs/evaluate/*/fold-*/summary.json"))
    assert [path.parent.name for path in records] == ["fold-0", "fold-1"]
    for path in records:
        record = json.loads(path.read_text(encoding="utf-8"))
        assert record["members"] == [str(tmp_path / sweep / path.parent.name) for sweep in ("one", "two")]
        assert (path.parent / "by_cell.json").is_file()
    refused(run("evaluate", f"run=[{tmp_path / 'one'},{pair[0]}]"), "runs as well as sweeps")
    shutil.rmtree(tmp_path / "two/fold-1")
    refused(run("evaluate", sweeps), f"{tmp_path / 'two'} has not as many finished runs", str(tmp_path / "one/fold-1"))
    refused(run("evaluate", f"run=[{tmp_path / 'one'},{tmp_path / 'one'}]"), "a sweep twice")
    refused(run("evaluate", f"run=[{tmp_path / 'one'},{tmp_path / 'no'}]"), "runs as well as sweeps")
    refused(run("evaluate", f"run={tmp_path / 'no'}"), "is not the directory of a run")
    change_record(tmp_path / "one/fold-1", lambda content: content["data"].pop("split"))
    refused(run("evaluate", f"run={tmp_path / 'one'}"), "does not say how its images were split")
    for fold in ("fold-0", "fold-1"):
        change_record(tmp_path / "one" / fold, lambda content: content.update(status="failed"))
    refused(run("evaluate", f"run={tmp_path / 'one'}"), f"no run below {tmp_path / 'one'} has finished")


def test_seeds_as_one_are_repetitions_and_other_partners_another_setting(tmp_path: Path) -> None:
    """What `karyo compare` takes for one setting, of runs whose resolved configurations differ deep inside."""

    def member(fold: int, seed: int, lr: float = 0.1) -> dict[str, Any]:
        return {"seed": seed, "lr": lr, "data": {"seed": seed, "fold": fold, "folds": 2, "source": {"cells": 8}}}

    def settings(*configs: dict[str, Any]) -> dict[str, Any]:
        return settings_of_config(members_config(configs))

    first, second = (settings(member(fold, 0), member(fold, 1)) for fold in (0, 1))
    assert (first["data.fold"], first["data.source.cells"]) == (0, 8)
    assert setting_key(first) == setting_key(second)
    assert run_key(first) != run_key(second)
    others = settings(member(0, 2), member(0, 3))
    assert setting_key(others) == setting_key(first)
    assert run_key(others) != run_key(first)
    partners = [settings(member(0, 0), member(0, 0, lr)) for lr in (0.2, 0.3)]
    assert setting_key(partners[0]) != setting_key(partners[1])


def test_several_as_one_are_no_run_to_choose(run: Run, pair: list[Path]) -> None:
    both = run("evaluate", f"run=[{pair[0]},{pair[1]}]", "bootstrap=0")
    assert both.code == 0, both.err
    exchange(pair[1], "validation", "train")
    others = run("evaluate", f"run=[{pair[0]},{pair[1]}]", "bootstrap=0")
    assert others.code == 0, "on the test side they agree"
    assert "validation" not in json.loads((others.directory / "summary.json").read_text(encoding="utf-8"))
    chosen = choose(compare([pair[0], both.directory]))
    assert chosen.run.directory == pair[0]
    assert chosen.candidates == 1


def test_what_cannot_answer_as_one_is_refused(run: Run, pair: list[Path], tmp_path: Path) -> None:
    both = f"run=[{pair[0]},{pair[1]}]"
    refused(run("evaluate", f"run=[{pair[0]},{pair[0]}]"), "twice")
    exchange(pair[1], "test", "train")
    refused(run("evaluate", both), "test images", "split")
    exchange(pair[1], "test", "train")
    exchange(pair[1], "validation", "train")
    refused(run("evaluate", both, "by_cell=true"), "validation images")
    change_checkpoint(pair[1], lambda content: content["karyo"].update(data_fingerprint="other"))
    refused(run("evaluate", both), "different images")
    change_checkpoint(pair[1], lambda content: content["karyo"]["preparation"].update(canvas="letterbox"))
    refused(run("evaluate", both), str(pair[1]), "canvas is stretch and letterbox")


def test_exporting_refuses_them_too(pair: list[Path], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="given twice"):
        open_runs([pair[0], pair[0] / "checkpoints/best.ckpt"])
    exchange(pair[1], "validation", "train")
    with pytest.raises(SettingsError, match=r"share \d+ of \d+ validation images"):
        open_runs(pair)
    change_checkpoint(pair[1], lambda content: content["karyo"].update(data_fingerprint="other"))
    with pytest.raises(DataError, match="not those that"):
        open_runs(pair)
    change_checkpoint(pair[1], lambda content: content["karyo"]["preparation"].update(size=40))
    with pytest.raises(SettingsError, match="image_size is 32 and 40"):
        open_runs(pair)


def test_what_any_of_them_learned_from_is_their_training_side(pair: list[Path]) -> None:
    file = pair[1] / "split.json"
    split = json.loads(file.read_text(encoding="utf-8"))
    split["train"] = split["train"][:-7]
    file.write_text(json.dumps(split), encoding="utf-8")
    opened = open_runs(pair[::-1])
    assert {each.path for each in opened.records("train")} == set(
        json.loads((pair[0] / "split.json").read_text(encoding="utf-8"))["train"]
    )
    assert [len(each.records("train")) for each in opened.members] == [
        len(split["train"]),
        len(opened.records("train")),
    ]
    assert opened.config.data is not None
    assert opened.fingerprint not in {each.fingerprint for each in opened.members}


@pytest.mark.parametrize(
    ("typed", "quoted"),
    [
        ("run=[a,b]", "run=[a,b]"),
        ("run=[/my runs/ä, b=1]", "run=['/my runs/ä','b=1']"),
        ("teachers=[a b]", "teachers=['a b']"),
        ("teachers=[a,b],[c,d]", "teachers=[a,b],[c,d]"),
        ("run='[a,b]'", "run='[a,b]'"),
    ],
)
def test_places_in_a_list_need_no_quotes(typed: str, quoted: str) -> None:
    assert quote_place(typed) == quoted


@pytest.fixture
def quickly_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    """What chromosomes look like takes seconds to learn: here from fewer images."""
    monkeypatch.setattr("karyo.exporting.export._LEARNED_FROM", 60)
    monkeypatch.setattr("karyo.exporting.export._DISTORTED", 30)
    monkeypatch.setattr("karyo.exporting.outliers._EPOCHS", 2)


def mean_of(runs: list[Path], opened: TrainedRun, side: str) -> NDArray[np.float64]:
    """The mean probability as the checkpoints give it, without anything of the exporter's."""
    pixels = torch.from_numpy(opened.data.images(opened.sides[side])[:, None])
    with torch.no_grad():
        answers = [load_checkpoint(run / "checkpoints/best.ckpt").network(pixels).double() for run in runs]
    mean: NDArray[np.float64] = torch.stack([answer.softmax(dim=1) for answer in answers]).mean(dim=0).numpy()
    return mean


@pytest.mark.slow
@pytest.mark.usefixtures("quickly_learned")
def test_one_file_says_what_they_say_together(pair: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "both.onnx"
    result = CliRunner().invoke(app, ["export", *map(str, pair), "-o", str(out), "--wanted-error", "0.5"])
    assert result.exit_code == 0, result.output
    opened = open_runs(pair)
    model = karyo.load(out)
    validation, test = (mean_of(pair, opened, side) for side in ("validation", "test"))
    wanted = fit_temperature(np.log(validation).astype(np.float32), opened.labels("validation"))
    assert model.passport.temperature == pytest.approx(wanted, rel=1e-3)
    assert model.passport.model == "2 x test_resnet"
    found = model.predict([opened.data.source.read(record) for record in opened.records("test")])
    scaled = test ** (1 / model.passport.temperature)
    expected = scaled / scaled.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.stack([each.probabilities for each in found]), expected, atol=1e-4)
    facts: Any = model.passport.training
    assert [each["run"] for each in facts["members"]] == [run.name for run in pair]
    assert facts["parameters"] == 2 * sum(weight.numel() for weight in load_one(pair[0]).parameters())
    assert facts["test"]["accuracy"]["value"] == pytest.approx(
        float((test.argmax(axis=1) == opened.labels("test")).mean())
    )
    card = out.with_suffix(".md").read_text(encoding="utf-8")
    assert all(run.name in card for run in pair)
    assert str(tmp_path) not in card


def load_one(run: Path) -> torch.nn.Module:
    return load_checkpoint(run / "checkpoints/best.ckpt").network


@pytest.mark.slow
@pytest.mark.usefixtures("quickly_learned")
@pytest.mark.parametrize("suffix", [*SUFFIXES, "int8"])
def test_every_format_takes_several_runs(pair: list[Path], tmp_path: Path, suffix: str) -> None:
    out = tmp_path / ("both.onnx" if suffix == "int8" else f"both{suffix}")
    flags = ["--int8"] if suffix == "int8" else []
    result = CliRunner().invoke(app, ["export", *map(str, pair), "-o", str(out), "--wanted-error", "0.5", *flags])
    assert result.exit_code == 0, result.output
    assert out.is_file()
    if suffix == "int8":
        opened = open_runs(pair)
        images = [opened.data.source.read(record) for record in opened.records("test")]
        labels = np.array([each.probabilities.argmax() for each in karyo.load(out).predict(images)])
        assert (labels == mean_of(pair, opened, "test").argmax(axis=1)).mean() > 0.6
