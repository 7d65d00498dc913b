"""The leaderboard of a sweep, the records it is made of, and the table of one run."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_runs import make_run
from rich.console import Console

from karyo.errors import SettingsError
from karyo.evaluation.measure import measure
from karyo.evaluation.predictions import Predictions
from karyo.reports.comparison import compare
from karyo.reports.leaderboard import Leaderboard
from karyo.reports.outcome import outcome_table
from karyo.reports.runs import read_records


def run(directory: Path, model: str, lr: str, validation: float, test: float, **changes: Any) -> None:
    """Leave a run whose test accuracy has an interval of two points to either side."""
    test_side = {"accuracy": {"value": test, "low": test - 0.02, "high": test + 0.02}, "macro_f1": {"value": test}}
    record = {"parameters": 11_181_144, "test": test_side} | changes.pop("record", {})
    make_run(directory, model=model, lr=lr, accuracy=0.9, validation=validation, record=record, **changes)


def board(*directories: Path) -> Leaderboard:
    return Leaderboard(compare(directories))


def rendered(table: Any, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined]


def table_of(leaderboard: Leaderboard) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(leaderboard.as_csv())))


def test_rows_stand_in_the_order_of_their_validation_accuracy(tmp_path: Path) -> None:
    run(tmp_path / "a", "resnet18", "1e-3", 0.90, 0.97)
    run(tmp_path / "b", "vgg16", "1e-3", 0.95, 0.80)
    run(tmp_path / "c", "resnet50", "1e-3", 0.95, 0.70)
    rows = table_of(board(tmp_path))
    assert [(row["rank"], row["model"]) for row in rows] == [("1", "resnet50"), ("1", "vgg16"), ("3", "resnet18")]


def test_only_settings_that_differ_are_columns(tmp_path: Path) -> None:
    run(tmp_path / "a", "a", "1e-3", 0.9, 0.9)
    run(tmp_path / "b", "b", "0.001", 0.8, 0.8)  # 1e-3 and 0.001 are the same
    header = board(tmp_path).as_csv().splitlines()[0].split(",")
    assert header[:4] == ["board", "rank", "model", "repetitions"]


def test_failed_runs_are_last_with_the_last_line_of_their_error(tmp_path: Path) -> None:
    run(tmp_path / "a", "a", "1e-3", 0.5, 0.5)
    run(tmp_path / "c", "c", "1e-3", 0.9, 0.9, status="failed", error="Traceback\n  here\nValueError: bad [red] | lr\n")
    run(tmp_path / "d", "d", "1e-3", 0.97, 0.9, status="interrupted", record={"error": "stopped by the user"})
    leaderboard = board(tmp_path)
    assert [(row["rank"], row["model"]) for row in table_of(leaderboard)] == [("1", "a"), ("", "d"), ("", "c")]
    (table,) = leaderboard.as_tables(200)
    assert "failed: ValueError: bad [red] | lr" in rendered(table)
    assert "Traceback" not in leaderboard.as_markdown()
    assert r"bad [red] \| lr" in leaderboard.as_markdown()


def test_a_failed_repetition_is_told_beside_the_others(tmp_path: Path) -> None:
    for seed, status in enumerate(("finished", "failed", "finished")):
        run(tmp_path / f"a{seed}", "a", "1e-3", 0.9, 0.9, seed=seed, status=status)
        run(tmp_path / f"b{seed}", "b", "1e-3", 0.8, 0.8, seed=seed)
    leaderboard = board(tmp_path)
    assert "| 2 of 3 |" in leaderboard.as_markdown()
    assert "| 3 |" in leaderboard.as_markdown()
    assert "2 finished, 1 failed: ValueError: the loss is not finite" in leaderboard.as_markdown()
    assert [(row["repetitions"], row["finished"]) for row in table_of(leaderboard)] == [("3", "2"), ("3", "3")]
    for width in (80, 120):
        text = rendered(leaderboard.as_tables(width)[0], width)
        assert "2 of 3" in text
        assert "partly" in text


def test_several_boards_are_several_tables(tmp_path: Path) -> None:
    run(tmp_path / "a", "a", "1e-3", 0.9, 0.9)
    run(tmp_path / "b", "b", "1e-3", 0.8, 0.8)
    run(tmp_path / "c", "a", "1e-3", 0.7, 0.7, data="qband")
    leaderboard = board(tmp_path)
    texts = [rendered(table) for table in leaderboard.as_tables()]
    assert ["gband" in text for text in texts] == [True, False]
    assert ["qband" in text for text in texts] == [False, True]
    assert leaderboard.as_markdown().count("## ") == 2
    assert [(row["board"], row["rank"]) for row in table_of(leaderboard)] == [("1", "1"), ("1", "2"), ("2", "1")]


@pytest.mark.parametrize("width", [80, 120, 200])
def test_tables_are_as_wide_as_the_terminal_and_lose_no_number(tmp_path: Path, width: int) -> None:
    for seed in range(2):
        run(tmp_path / f"a{seed}", "inception_resnet_v2", "1e-3", 0.9, 0.9, seed=seed)
    run(tmp_path / "b", "vgg16", "1e-4", 0.85, 0.8, optimizer="rmsprop")
    (table,) = board(tmp_path).as_tables(width)
    text = rendered(table, width)
    for part in (
        "#",
        "model",
        "optimizer",
        "lr",
        "runs",
        "1e-4",
        "85.0",
        "80.0 (78.0–82.0)",
        "90.0 (90.0–90.0)",
        "finished",
    ):
        assert part in text
    assert "…" not in text
    wide = ("11.2 M", "2:05 min", "12 s", "537.4", "latency")
    assert [part for part in wide if part in text] == list(wide if width >= 120 else ())
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width


def test_columns_of_nothing_are_left_out_of_the_terminal(tmp_path: Path) -> None:
    run(tmp_path / "a", "a", "1e-3", 0.9, 0.9, record={"cost": None})
    run(tmp_path / "b", "b", "1e-3", 0.8, 0.8, record={"cost": None})
    text = rendered(board(tmp_path).as_tables()[0])
    assert "latency" not in text
    assert "size" not in text
    assert "runs" not in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.6, "1:00 min"), (3599.4, "59:59 min"), (3600, "1:00 h"), (360_000, "100:00 h"), (-1, "–")],
)
def test_durations(tmp_path: Path, seconds: float, text: str) -> None:
    run(tmp_path / "a", "a", "1e-3", 0.9, 0.9, record={"seconds": seconds})
    assert f" {text} " in board(tmp_path).as_markdown()


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (999, "999"), (1000, "1 k"), (999_499, "999 k"), (999_500, "1.0 M"), (138_357_544, "138.4 M")],
)
def test_numbers_of_weights(tmp_path: Path, count: int, text: str) -> None:
    run(tmp_path / "a", "a", "1e-3", 0.9, 0.9, record={"parameters": count})
    assert f"| {text} |" in board(tmp_path).as_markdown()


def test_csv_holds_plain_numbers(tmp_path: Path) -> None:
    run(tmp_path / "a", "a,b", "1e-3", 0.9, 0.875)
    run(tmp_path / "b", "b", "1e-3", 0.8, 0.8)
    first = table_of(board(tmp_path))[0]
    assert first["model"] == "a,b"
    assert float(first["test_accuracy"]) == 0.875
    assert float(first["test_accuracy_low"]) == pytest.approx(0.855)
    assert (first["validation_accuracy_low"], first["error"]) == ("", "")
    assert int(first["parameters"]) == 11_181_144
    assert float(first["seconds_per_epoch"]) == 12.5
    assert first["directory"] == str(tmp_path / "a")


def test_markdown_has_as_many_cells_in_every_line(tmp_path: Path) -> None:
    run(tmp_path / "a", "a|b\nc", "1e-3", 0.9, 0.9)
    run(tmp_path / "b", "b", "1e-4", 0.9, 0.9)
    run(tmp_path / "c", "c", "1e-4", 0.9, 0.9, status="failed")
    lines = board(tmp_path).as_markdown().splitlines()
    assert len(lines) == 2 + 3
    assert len({line.replace(r"\|", "").count("|") for line in lines}) == 1


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"status": "finished"},
        {"status": None, "overrides": None, "model": {"deep": 1}, "lr": [1]},
        {"status": "finished", "validation": {"accuracy": None}, "test": {"accuracy": 0.5}},
        {"status": "finished", "validation": {"accuracy": "0.9"}, "overrides": [1, None, "", "=", "~x"], "error": 3},
        {"status": "failed", "error": "", "directory": 5, "parameters": True, "seconds": -1},
        {"status": "exploded", "validation": []},
    ],
)
def test_records_of_a_few_words_do_no_harm(tmp_path: Path, record: dict[str, Any]) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "half/summary.json").write_text(json.dumps(record))
    assert len(table_of(board(tmp_path))) == 1
    run(tmp_path / "a", "a", "1e-3", 0.9, 0.9)
    rows = table_of(board(tmp_path))
    assert [row["rank"] for row in rows] == ["1", ""]
    assert all(rendered(table) for table in board(tmp_path).as_tables(80))


def test_no_runs(tmp_path: Path) -> None:
    leaderboard = board(tmp_path)
    assert [rendered(table) for table in leaderboard.as_tables()]
    leaderboard.write(tmp_path)
    assert len((tmp_path / "leaderboard.md").read_text().splitlines()) == 2
    assert len((tmp_path / "leaderboard.csv").read_text().splitlines()) == 1


def test_files_are_replaced_whole(tmp_path: Path) -> None:
    run(tmp_path / "runs/c", "c", "1e-3", 0.8, 0.8)
    run(tmp_path / "runs/b", "b", "1e-3", 0.9, 0.9)
    directory = tmp_path / "sweep ü"
    board(tmp_path / "runs").write(directory)
    record = tmp_path / "runs/b/summary.json"
    record.write_text(record.read_text().replace("model=b", "model=b\\udcff"))
    board(tmp_path / "runs").write(directory)
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


def test_records_are_found_once_and_those_set_aside_are_not(tmp_path: Path) -> None:
    for name in ("sweep/a", "sweep/outdated/b", "sweep/.c", "other/d"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "summary.json").write_text("{}")
    records, _ = read_records(tmp_path / "sweep", tmp_path, tmp_path / "sweep/a")
    assert [Path(record["directory"]).name for record in records] == ["a", "d"]


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
