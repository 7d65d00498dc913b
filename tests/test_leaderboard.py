"""The leaderboard of a sweep, the records it is made of, and the table of one run."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from karyo.errors import SettingsError
from karyo.evaluation.measure import measure
from karyo.evaluation.predictions import Predictions
from karyo.reports.leaderboard import Leaderboard
from karyo.reports.outcome import outcome_table
from karyo.reports.runs import read_records


def run(model: str, lr: str, validation: float, test: float, **changes: Any) -> dict[str, Any]:
    return {
        "status": "finished",
        "name": f"{model}-{lr}",
        "directory": f"multirun/{model}-{lr}",
        "overrides": ["data=synthetic", f"model={model}", f"lr={lr}"],
        "model": model,
        "optimizer": "adam",
        "lr": float(lr),
        "parameters": 11_181_144,
        "seconds": 125.4,
        "validation": {"accuracy": validation},
        "test": {"accuracy": {"value": test, "low": test - 0.02, "high": test + 0.02}, "macro_f1": {"value": test}},
        "error": None,
    } | changes


def rendered(table: Any, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined]


def table_of(leaderboard: Leaderboard) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(leaderboard.as_csv())))


def test_validation_decides_and_the_test_set_never() -> None:
    board = Leaderboard([run("resnet18", "1e-3", 0.90, 0.99), run("vgg16", "1e-3", 0.95, 0.80)])
    assert [row.settings for row in board.rows] == [("vgg16",), ("resnet18",)]
    assert [row.rank for row in board.rows] == [1, 2]


def test_equal_runs_share_a_rank_and_the_test_set_does_not_part_them() -> None:
    runs = [run("b", "1e-3", 0.9, 0.99), run("a", "1e-3", 0.9, 0.5), run("c", "1e-3", 0.8, 0.6)]
    for records in (runs, runs[::-1]):
        board = Leaderboard(records)
        assert [(row.rank, row.settings[0]) for row in board.rows] == [(1, "a"), (1, "b"), (3, "c")]


def test_only_settings_that_differ_are_columns() -> None:
    runs = [run("a", "1e-3", 0.9, 0.9), run("a", "1e-4", 0.8, 0.8, overrides=["model=a", "lr=1e-4", "+x.y=[1,2]"])]
    assert Leaderboard(runs).settings == ("lr", "data", "x.y")
    same_lr = [run("a", "1e-3", 0.9, 0.9), run("b", "1e-3", 0.8, 0.8, overrides=["data=synthetic", "model=b"])]
    assert Leaderboard(same_lr).settings == ("model",)  # 1e-3 and 0.001 are the same
    assert Leaderboard([run("a", "1e-3", 0.9, 0.9)]).settings == ("run",)


def test_failed_runs_are_last_with_the_last_line_of_their_error() -> None:
    failed = run("c", "1e-3", 0.99, 0.99, status="failed", error="Traceback\n  here\nValueError: bad [red] | lr\n")
    stopped = run("d", "1e-3", 0.97, 0.9, status="interrupted", error="stopped by the user")
    board = Leaderboard([failed, stopped, run("a", "1e-3", 0.5, 0.5)])
    assert [row.settings[0] for row in board.rows] == ["a", "d", "c"]
    assert [row.rank for row in board.rows] == [1, None, None]
    assert "failed: ValueError: bad [red] | lr" in rendered(board.as_table())
    assert "Traceback" not in board.as_markdown()
    assert r"bad [red] \| lr" in board.as_markdown()


def test_table_is_readable() -> None:
    text = rendered(Leaderboard([run("resnet18", "1e-3", 0.9, 0.9), run("vgg16", "1e-4", 0.85, 0.8)]).as_table())
    for part in ("#", "model", "lr", "90.0 (88.0–92.0)", "11.2 M", "2:05 min", "finished"):
        assert part in text


def test_narrow_terminals_lose_no_number() -> None:
    text = rendered(Leaderboard([run("resnet18", "1e-3", 0.9, 0.9), run("vgg16", "1e-4", 0.85, 0.8)]).as_table(), 80)
    for part in ("resnet18", "1e-4", "90.0 (88.0–92.0)", "85.0", "80.0 (78.0–82.0)", "11.2 M", "2:05 min", "finished"):
        assert part in text
    assert "…" not in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.6, "1:00 min"), (3599.4, "59:59 min"), (3600, "1:00 h"), (360_000, "100:00 h"), (-1, "–")],
)
def test_durations(seconds: float, text: str) -> None:
    assert f" {text} " in Leaderboard([{"seconds": seconds}]).as_markdown()


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (999, "999"), (1000, "1 k"), (999_499, "999 k"), (999_500, "1.0 M"), (138_357_544, "138.4 M")],
)
def test_numbers_of_weights(count: int, text: str) -> None:
    assert f"| {text} |" in Leaderboard([{"parameters": count}]).as_markdown()


def test_csv_holds_plain_numbers() -> None:
    first = table_of(Leaderboard([run("a,b", "1e-3", 0.9, 0.875), run("b", "1e-3", 0.8, 0.8)]))[0]
    assert first["model"] == "a,b"
    assert float(first["test_accuracy"]) == 0.875
    assert float(first["test_accuracy_low"]) == pytest.approx(0.855)
    assert int(first["parameters"]) == 11_181_144
    assert first["error"] == ""


def test_markdown_has_as_many_cells_in_every_line() -> None:
    runs = [run("a|b\nc", "1e-3", 0.9, 0.9), run("b", "1e-4", 0.8, 0.8), {}]
    lines = Leaderboard(runs).as_markdown().splitlines()
    assert len(lines) == 2 + 3
    assert len({line.replace(r"\|", "").count("|") for line in lines}) == 1


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"status": "finished"},
        {"status": None, "overrides": None, "model": {"deep": 1}, "lr": [1]},
        {"status": "finished", "validation": {"accuracy": None}, "test": {"accuracy": 0.5}},
        {"status": "finished", "validation": {"accuracy": float("nan")}, "test": None, "seconds": float("inf")},
        {"status": "finished", "validation": {"accuracy": "0.9"}, "overrides": [1, None, "", "=", "~x"], "error": 3},
        {"status": "failed", "error": "", "directory": 5, "parameters": True, "seconds": -1},
        {"status": "exploded", "validation": []},
    ],
)
def test_half_records_do_no_harm(record: dict[str, Any]) -> None:
    board = Leaderboard([record, run("a", "1e-3", 0.9, 0.9)])
    assert board.rows[0].rank == 1
    assert board.rows[0].validation_accuracy == 0.9
    assert board.rows[1].rank is None
    assert len(table_of(board)) == 2
    assert rendered(board.as_table())
    assert rendered(Leaderboard([record]).as_table())


def test_no_runs(tmp_path: Path) -> None:
    board = Leaderboard([])
    assert board.rows == ()
    assert rendered(board.as_table())
    board.write(tmp_path)
    assert len((tmp_path / "leaderboard.md").read_text().splitlines()) == 2


def test_files_are_replaced_whole(tmp_path: Path) -> None:
    directory = tmp_path / "sweep ü"
    for model in ("a", "b\udcff"):
        Leaderboard([run(model, "1e-3", 0.9, 0.9), run("c", "1e-3", 0.8, 0.8)]).write(directory)
    assert sorted(path.name for path in directory.iterdir()) == ["leaderboard.csv", "leaderboard.md"]
    assert b"b\xff" in (directory / "leaderboard.csv").read_bytes()


def test_records_are_found_at_any_depth_and_corrupt_ones_are_named(tmp_path: Path) -> None:
    contents = {
        "a": b'{"status": "finished", "directory": "where it once was"}',
        "deep/er/b": b"{}",
        "corrupt": b'{"status": ',
        "list": b"[1, 2]",
        "empty": b"",
        "latin": b'{"name": "\xff"}',
        "endless": b"[" * 100_000,
    }
    for name, content in contents.items():
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "summary.json").write_bytes(content)
    (tmp_path / "folder" / "summary.json").mkdir(parents=True)
    records, problems = read_records(tmp_path)
    assert [record["directory"] for record in records] == [str(tmp_path / "a"), str(tmp_path / "deep/er/b")]
    assert len(problems) == 6
    for name in ("corrupt", "list", "empty", "latin", "endless", "folder"):
        assert sum(str(tmp_path / name / "summary.json") in problem for problem in problems) == 1
    assert all("\n" not in problem and problem.endswith(".") for problem in problems)


def test_a_directory_without_runs_and_no_directory(tmp_path: Path) -> None:
    assert read_records(tmp_path) == ([], [])
    with pytest.raises(SettingsError, match="there is no directory"):
        read_records(tmp_path / "none")


def summary(cells: int, by: str) -> dict[str, Any]:
    labels = np.arange(24 * cells) % 24
    probabilities = np.eye(24)[(labels + (labels == 3)) % 24]
    names = [f"cell {index // 24}" for index in range(len(labels))]
    predictions = Predictions([str(index) for index in labels], list(names), labels, probabilities)
    return {"split_by": by, "validation": {"accuracy": 0.9}, "test": measure(predictions, resamples=50).to_dict()}


@pytest.mark.parametrize(("by", "unseen"), [("cell", "cells"), ("case", "cases"), ("image", "images")])
def test_outcome_names_what_was_unseen_first(by: str, unseen: str) -> None:
    text = rendered(outcome_table(summary(10, by)))
    lines = [line for line in text.splitlines() if "%" in line]
    assert "value" in lines[0]
    assert f"accuracy on unseen {unseen}" in lines[1]
    assert "95.8 %" in lines[1]
    for part in ("240 images of 10 cells", f"split by {by}", "50 bootstrap resamples of cells", "macro AUROC"):
        assert part in " ".join(text.split())


def test_outcome_of_one_cell_says_why_there_is_no_interval() -> None:
    text = " ".join(rendered(outcome_table(summary(1, "cell"))).split())
    assert "24 images of 1 cell, split by cell; no intervals" in text


@pytest.mark.parametrize("record", [{}, {"test": None}, {"test": {"accuracy": 1}}, {"split_by": 3, "validation": 1}])
def test_outcome_of_a_half_record(record: dict[str, Any]) -> None:
    assert "accuracy on unseen images" in rendered(outcome_table(record))


def test_outcome_survives_json() -> None:
    record = summary(2, "cell")
    assert rendered(outcome_table(json.loads(json.dumps(record)))) == rendered(outcome_table(record))
