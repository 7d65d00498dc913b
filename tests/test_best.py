"""The commands `karyo compare` and `karyo best`: what is printed, written and refused."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_runs import make_grid, make_run, predictions_of

from karyo.commands.best import best
from karyo.commands.compare import compare
from karyo.errors import KaryoError, SettingsError
from karyo.reports.comparing.choice import choose, read_limits, read_quantity
from karyo.reports.comparison import compare as compare_runs

Said = Callable[..., str]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """Run a command and give what it printed, each space and line break as one space."""

    def run_command(command: Callable[..., None], *paths: Path, **options: Any) -> str:
        command(list(paths), **options)
        return " ".join(capsys.readouterr().out.split())

    return run_command


def with_checkpoint(directory: Path) -> Path:
    (directory / "checkpoints").mkdir()
    (directory / "checkpoints/best.ckpt").write_bytes(b"weights")
    return directory


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    """Give a sweep in which the larger network is the better one."""
    for seed in range(2):
        for model, accuracy in {"vgg16": 0.96, "resnet50": 0.9, "resnet18": 0.85}.items():
            run = make_run(tmp_path / f"grid/{model}{seed}", model=model, seed=seed, accuracy=accuracy + 0.01 * seed)
            with_checkpoint(run)
    return tmp_path / "grid"


def test_the_best_by_validation_and_of_its_repetitions_the_best(grid: Path, said: Said) -> None:
    text = said(best, grid)
    assert text.startswith("vgg16 best validation accuracy of 3 settings gband")
    assert f"run {grid / 'vgg161'} (best of its 2 repetitions on the validation side: 97.0 %" in text
    assert f"checkpoint {grid / 'vgg161/checkpoints/best.ckpt'}" in text
    assert "Runner-up: resnet50, validation accuracy 90.5 %. vgg16 is" in text
    assert f"python src/evaluate.py run={grid / 'vgg161'}" in text
    assert "Note" not in text


def test_limits(grid: Path, said: Said) -> None:
    for options, model in (
        ({"under_parameters": "100M"}, "resnet50"),
        ({"under_parameters": "11182552"}, "resnet18"),
        ({"under_parameters": "15m"}, "resnet18"),
        ({"under_size": "100 MB"}, "resnet50"),
        ({"under_latency": "13ms"}, "resnet18"),
        ({"under_latency": "1000", "under_parameters": "1G"}, "vgg16"),
    ):
        assert said(best, grid, quiet=True, **options) == str(grid / f"{model}1"), options


def test_nothing_within_limits_says_what_is_the_smallest(grid: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"none of 3 settings keeps to at most parameters of 100 k: .*11.2 M \(resnet18\)"
    ):
        best([grid], under_parameters="100k")
    with pytest.raises(SettingsError, match=r"size of 1.0 MB: the least has 44.7 MB"):
        best([grid], under_size="1MB")
    record = json.loads((grid / "vgg160/summary.json").read_text())
    for path in grid.glob("*/summary.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"cost": None}))
    assert record["cost"]
    with pytest.raises(SettingsError, match="no record holds the latency"):
        best([grid], under_latency="10")


def test_settings_that_do_not_record_what_is_limited_are_left_out_and_told(grid: Path, said: Said) -> None:
    for path in grid.glob("resnet18*/summary.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"cost": None}))
    assert "Note: 1 setting without a recorded latency" in said(best, grid, under_latency="100")


@pytest.mark.parametrize("text", ["", "many", "-3", "0", "1e3", "nan", "inf", "15MM", "1.M", "５M", "1 2", "9" * 40])
def test_nonsense_limits_are_one_sentence(text: str) -> None:
    with pytest.raises(SettingsError, match="--under-parameters") as caught:
        read_limits(text, None, None)
    assert "\n" not in str(caught.value)


def test_quantities() -> None:
    units = {"": 1.0, "k": 1e3, "m": 1e6}
    read = [read_quantity(text, units, "--x", "1") for text in ("15M", "1.5m", " 800k ", "42", "0.5 k")]
    assert read == [15e6, 1.5e6, 8e5, 42.0, 500.0]


@pytest.mark.parametrize("by", ["macro-f1", "macro_f1", "log-loss", "calibration-error"])
def test_what_only_the_test_side_measures_decides_nothing(grid: Path, by: str) -> None:
    with pytest.raises(SettingsError, match="on the test side only"):
        best([grid], by=by)


def test_an_unknown_measure(grid: Path) -> None:
    with pytest.raises(SettingsError, match="--by beauty is unknown; choose --by accuracy or --by loss"):
        best([grid], by="beauty")


def test_by_loss(tmp_path: Path, said: Said) -> None:
    for name, accuracy, loss in (("a", 0.9, 0.5), ("b", 0.8, 0.3)):
        validation = {"validation": {"accuracy": accuracy, "loss": loss}}
        with_checkpoint(make_run(tmp_path / name, optimizer=name, record=validation))
    text = said(best, tmp_path, by="loss")
    assert text.startswith("b best validation loss of 2 settings")
    assert "validation loss 0.3000" in text
    assert "Runner-up: a, validation loss 0.5000" in text


def test_losses_with_another_smoothing_are_told_to_be_incomparable(tmp_path: Path) -> None:
    for smoothing in (0.0, 0.1):
        with_checkpoint(make_run(tmp_path / str(smoothing), settings={"label_smoothing": smoothing}))
    comparison = compare_runs([tmp_path])
    assert "label_smoothing" in choose(comparison, "loss").notes[0]
    assert choose(comparison, "accuracy").notes == ()


def test_other_images_are_left_out_and_told(grid: Path, said: Said) -> None:
    make_run(grid / "other", data="qband", accuracy=1.0)
    text = said(best, grid)
    assert text.startswith("vgg16")
    assert "1 setting on other images or splits cannot be compared" in text


def test_a_tie_and_a_lone_run_and_a_missing_checkpoint(tmp_path: Path, said: Said) -> None:
    truth = np.arange(96) % 24
    answers = predictions_of(truth, truth, [f"cell {index // 24}" for index in range(96)])
    for name in ("sgd", "adam"):
        make_run(tmp_path / name, optimizer=name, predictions=answers)
    text = said(best, tmp_path)
    assert text.startswith("adam")
    assert "adam is as good as sgd on 96 test images of 4 cells" in text
    assert "best.ckpt is missing" in text
    assert "There is no other setting to compare it with." in said(best, tmp_path / "sgd")


def test_json_for_programs(grid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    best([grid], as_json=True, under_parameters="30M")
    found = json.loads(capsys.readouterr().out)
    assert found["directory"] == str(grid / "resnet501")
    assert found["settings"] == {"model": "resnet50"}
    assert found["value"] == found["validation_accuracy"]["value"] == pytest.approx(0.905)
    assert (found["repetitions"], found["candidates"], found["runner_up"]) == (2, 2, "resnet18")
    assert found["duel"]["images"] == 192


def test_nothing_finished_and_nothing_there(tmp_path: Path) -> None:
    make_run(tmp_path / "sweep/a", status="failed")
    (tmp_path / "empty").mkdir()
    for command in (best, compare):
        with pytest.raises(KaryoError, match="finished, so there is nothing to"):
            command([tmp_path / "sweep"])
        with pytest.raises(SettingsError, match="there are no runs below"):
            command([tmp_path / "sweep", tmp_path / "empty"])
        with pytest.raises(SettingsError, match="there is no directory"):
            command([tmp_path / "none"])
        with pytest.raises(SettingsError, match="there is no directory"):
            command([tmp_path / "sweep/a/summary.json"])
    assert (tmp_path / "sweep/leaderboard.csv").is_file()
    assert (tmp_path / "sweep/report.html").is_file()


def test_compare_prints_and_writes(tmp_path: Path, said: Said) -> None:
    make_grid(tmp_path / "sweep")
    make_run(tmp_path / "sweep/bad", optimizer="lion", status="failed", error="first\nValueError: [red]no[/red]")
    (tmp_path / "sweep/half").mkdir()
    (tmp_path / "sweep/half/summary.json").write_text("{")
    text = said(compare, tmp_path / "sweep")
    assert "Leaderboard" in text
    assert f"Failed {tmp_path / 'sweep/bad'}: ValueError: [red]no[/red]" in text
    assert f"{tmp_path / 'sweep/half/summary.json'} is no run record" in text
    assert "resnet18 · adam · 1e-3 is" in text
    assert text.endswith(str(tmp_path / "sweep/report.html"))
    with (tmp_path / "sweep/leaderboard.csv").open() as lines:
        assert len(list(csv.DictReader(lines))) == 28
    assert "| 1 | resnet18 | adam | 1e-3 |" in (tmp_path / "sweep/leaderboard.md").read_text()
    # What it wrote is no run.
    assert said(compare, tmp_path / "sweep") == text


def test_several_places_are_written_beside_neither(tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "one/a")
    make_run(tmp_path / "two/b", optimizer="sgd")
    said(compare, tmp_path / "one", tmp_path / "two")
    said(compare, tmp_path / "one/a")
    assert (tmp_path / "comparison/leaderboard.csv").is_file()
    said(compare, tmp_path / "one", out=tmp_path / "elsewhere ü")
    assert (tmp_path / "elsewhere ü/report.html").is_file()
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["a"]


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    make_run(tmp_path / "a")
    (tmp_path / "file").write_text("")
    with pytest.raises(KaryoError, match=r"cannot write to .*file: .*choose another --out"):
        compare([tmp_path], out=tmp_path / "file")
