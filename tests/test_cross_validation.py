"""Folds put together and changes beside a baseline: their numbers, their files, and what is damaged or missing."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_runs import make_run, predictions_of
from rich.console import Console

from karyo.chromosomes import CLASSES
from karyo.errors import SettingsError
from karyo.evaluation.predictions import Predictions
from karyo.reports.ablation import ablation_tables, write_ablation
from karyo.reports.comparing.result import Board
from karyo.reports.comparison import Comparison, compare
from karyo.reports.cross_validation import as_csv, as_markdown, cross_validation_tables, write_cross_validation
from karyo.reports.leaderboard import Leaderboard
from karyo.reports.page import write_page
from karyo.training.by_cell import tests_whole_cells as whole_enough
from karyo.training.record import circumstances


def fold_predictions(fold: int, wrong: int, cells: int = 2) -> Predictions:
    """Give a fold's answers: 24 images of each cell, of which the first ``wrong`` of its first cell are wrong."""
    labels = np.tile(np.arange(24), cells)
    answers = labels.copy()
    answers[:wrong] = (answers[:wrong] + 1) % 24
    return predictions_of(answers, labels, [f"{fold}-{index // 24}" for index in range(24 * cells)])


def make_fold(directory: Path, fold: int, wrong: int, assigned_wrong: int | None = None, **further: Any) -> Path:
    """Write a run of a fold; with ``assigned_wrong`` as measured by cell, the first so many in the tray."""
    predictions = fold_predictions(fold, wrong)
    run = make_run(directory, fold=fold, predictions=predictions, **{"split_by": "case", **further})
    cases = {
        f"case{fold}{cell[-1]}": [p for p in predictions.paths if p.startswith(str(cell))]
        for cell in dict.fromkeys(predictions.cells)
    }
    (run / "split.json").write_text(json.dumps({"tested_cases": cases}), encoding="utf-8")
    if assigned_wrong is not None:
        measure_by_cell(run, predictions, assigned_wrong)
    return run


def measure_by_cell(run: Path, predictions: Predictions, wrong: int) -> None:
    finished = json.loads((run / "summary.json").read_text(encoding="utf-8"))["finished"]
    accuracy = 1 - wrong / len(predictions)
    share = {"accuracy": {"value": accuracy}, "cells_right": {"value": 0.5}}
    content = {"format": 1, "finished": finished, "by_cell": {"single": share, "assigned": share}}
    (run / "by_cell.json").write_text(json.dumps(content), encoding="utf-8")
    with (run / "assigned.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "cell", "label", "single", "assigned", "probability"])
        for index, path in enumerate(predictions.paths):
            label, single = CLASSES[predictions.labels[index]], CLASSES[predictions.predicted[index]]
            rows.writerow([path, predictions.cells[index], label, single, "" if index < wrong else label, 0.9])


def only_board(comparison: Comparison) -> Board:
    (board,) = comparison.boards
    return board


def rendered(tables: list[Any], width: int = 140) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    for table in tables:
        console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_all_folds_count_as_one_test_side(tmp_path: Path) -> None:
    for fold, wrong in enumerate((0, 6, 12)):
        make_fold(tmp_path / f"f{fold}", fold, wrong, wrong // 3, folds=3)
    comparison = compare([tmp_path])
    (crossed,) = only_board(comparison).crossed
    assert (crossed.folds, crossed.expected, crossed.runs, crossed.images, crossed.cells) == ((0, 1, 2), 3, 3, 144, 6)
    assert dict(crossed.resampled) == {"case": 6, "cell": 6}
    single, assigned = crossed.own["single"], crossed.own["assigned"]
    assert single.accuracy.value == pytest.approx(1 - 18 / 144)
    assert assigned.accuracy.value == pytest.approx(1 - 6 / 144)
    assert (single.cells_right.value, assigned.cells_right.value) == (pytest.approx(4 / 6), pytest.approx(4 / 6))
    assert single.accuracy.low is not None
    assert single.accuracy.low < 1 - 18 / 144 < single.accuracy.high < 1.0001
    # Of the six images of class 1 two were called 2; class 13 was called by one of class 12 as well.
    assert single.recalls[0].value == pytest.approx(4 / 6)
    assert (single.recalls[20].value, crossed.support) == (1, (6,) * 24)
    labels = np.tile(np.arange(24), 6)
    said = np.concatenate([fold_predictions(fold, wrong).predicted for fold, wrong in enumerate((0, 6, 12))])
    f1 = [2 * np.sum((labels == k) & (said == k)) / (np.sum(labels == k) + np.sum(said == k)) for k in range(24)]
    assert single.macro_f1.value == pytest.approx(np.mean(f1))
    spread = crossed.spread["single"]["accuracy"]
    assert spread.values == pytest.approx((1, 42 / 48, 36 / 48))
    assert spread.mean == pytest.approx(42 / 48)
    assert spread.deviation == pytest.approx(np.std([1, 42 / 48, 36 / 48], ddof=1))
    assert comparison.problems == ()


def test_what_is_resampled_is_what_the_split_kept_together(tmp_path: Path) -> None:
    # One case of two cells is all wrong in part: cases are fewer and the interval is wider.
    for fold in range(4):
        run = make_fold(tmp_path / f"f{fold}", fold, 10, folds=4)
        one = {f"case{fold}": fold_predictions(fold, 0).paths}
        (run / "split.json").write_text(json.dumps({"tested_cases": one}), encoding="utf-8")
    (crossed,) = only_board(compare([tmp_path])).crossed
    assert (dict(crossed.resampled), crossed.unit) == ({"case": 4, "cell": 8}, "case")
    by_case, by_cell = (crossed.scores[unit]["single"].accuracy for unit in ("case", "cell"))
    # Every case has the same accuracy, and only half of the cells.
    assert by_case.low == by_case.high == by_case.value == by_cell.value
    assert by_cell.low is not None
    assert by_cell.low < by_case.low
    assert "assigned" not in crossed.own


def test_cases_are_found_in_the_names_where_the_split_does_not_tell(tmp_path: Path) -> None:
    for fold in range(2):
        pattern = {"data.source.pattern": r"(?P<cell>(?P<case>\d+)-\d+)/(?P<label>\d+)\.png"}
        run = make_fold(tmp_path / f"f{fold}", fold, 3, folds=2, settings=pattern)
        (run / "split.json").unlink()
    (crossed,) = only_board(compare([tmp_path])).crossed
    assert dict(crossed.resampled) == {"case": 2, "cell": 4}


def test_seeds_of_a_fold_count_each_image_once(tmp_path: Path) -> None:
    for fold, wrongs in enumerate(((0, 24), (6, 6), (12,))):
        for seed, wrong in enumerate(wrongs):
            make_fold(tmp_path / f"f{fold}s{seed}", fold, wrong, folds=3, seed=seed)
    (crossed,) = only_board(compare([tmp_path])).crossed
    assert (crossed.runs, crossed.images, crossed.cells) == (5, 144, 6)
    assert crossed.own["single"].accuracy.value == pytest.approx(1 - (12 + 6 + 12) / 144)
    # The first cell is right in one of two runs.
    assert crossed.own["single"].cells_right.value == pytest.approx((1 + 0.5 + 1 + 1) / 6)
    assert crossed.spread["single"]["accuracy"].values == pytest.approx((0.75, 42 / 48, 0.75))
    assert "3, 5 runs" in as_markdown(compare([tmp_path]))


def test_splits_by_image_have_no_whole_cells_and_may_know_none(tmp_path: Path) -> None:
    for fold in range(2):
        known = fold_predictions(fold, 2)
        paths = [f"{fold}/{path}" for path in known.paths]
        bare = Predictions(paths, [None] * len(paths), known.labels, known.probabilities)
        make_run(tmp_path / f"f{fold}", fold=fold, folds=2, split_by="image", predictions=bare)
    (crossed,) = only_board(compare([tmp_path])).crossed
    assert (dict(crossed.resampled), crossed.cells) == ({"image": 96}, 0)
    assert crossed.own["single"].cells_right.value is None
    assert "–" in as_markdown(compare([tmp_path]))


def test_missing_and_damaged_folds(tmp_path: Path) -> None:
    for fold in range(5):
        make_fold(tmp_path / f"f{fold}", fold, fold, fold)
    (tmp_path / "f0/predictions.csv").unlink()
    (tmp_path / "f1/assigned.csv").unlink()
    text = (tmp_path / "f2/assigned.csv").read_text(encoding="utf-8")
    (tmp_path / "f2/assigned.csv").write_text(text.replace(",X,X,X,", ",X,X,Y,"), encoding="utf-8")
    (tmp_path / "f3/assigned.csv").write_text("path,label\n1,2\n", encoding="utf-8")
    comparison = compare([tmp_path])
    (crossed,) = only_board(comparison).crossed
    assert (crossed.folds, crossed.expected, list(crossed.own)) == ((1, 2, 3, 4), 5, ["single"])
    assert "4 of 5" in as_markdown(comparison)
    said = "\n".join(comparison.problems)
    for part in (
        "f0/predictions.csv cannot be used",
        "f1/assigned.csv is missing",
        "f2/assigned.csv cannot be used: it is not what by_cell.json measured",
        "f3/assigned.csv cannot be used: it lacks images or columns",
    ):
        assert said.count(part) == 1
    assert "f4" not in said


def test_one_fold_or_none_is_no_cross_validation(tmp_path: Path) -> None:
    make_fold(tmp_path / "a", 0, 3)
    make_run(tmp_path / "b")
    comparison = compare([tmp_path])
    assert not any(board.crossed for board in comparison.boards)
    assert write_cross_validation(comparison, tmp_path) == write_ablation(comparison, tmp_path) == []
    assert not cross_validation_tables(comparison)
    assert not list(tmp_path.glob("*.md"))


def listed(digest: str, name: str) -> dict[str, Any]:
    data = {"name": "gband", "fingerprint": "f" * 64, "images": 96, "split_by": "case"}
    return {"data": data | {"folds": {"name": name, "digest": digest, "count": 2}}}


def test_a_list_of_folds_is_what_it_holds(tmp_path: Path) -> None:
    for fold, (place, name) in enumerate((("/x/ours.json", "ours"), ("/y/theirs.json", "theirs"))):
        settings = {"data.folds": place, "data.fractions": [0.7 - fold / 10, 0.2 + fold / 10, 0.1]}
        make_fold(tmp_path / f"f{fold}", fold, 3, settings=settings, record=listed("abc", name))
    board = only_board(compare([tmp_path]))
    assert len(board.contenders) == 1
    assert (board.crossed[0].folds, board.crossed[0].expected) == ((0, 1), 2)
    assert "split by case, 2 folds of ours" in board.title
    make_fold(tmp_path / "f2", 0, 3, settings={"data.folds": "/x/ours.json"}, record=listed("def", "ours"))
    assert len(compare([tmp_path]).boards) == 2


def make_changes(root: Path) -> None:
    """Write a baseline, begun first, and two changes of it, over three folds."""
    for number, (name, wrong) in enumerate((("strong", 6), ("none", 12), ("flips", 2))):
        for fold in range(3):
            further = {"started": f"2025-03-0{number + 1}", "seconds": 60.0 * (number + 1)}
            command = ["src/train.py", "-m", f"augmentation={name}", "data.root=/my/own", "sweep.name='ä 1'"]
            make_fold(
                root / f"{name}{fold}", fold, wrong + fold, folds=3, settings={"augmentation": name},
                record=further | {"command": command, "processor": "Chip 9", "cores": 2, "karyo": "1.2"},
            )  # fmt: skip


def test_changes_beside_the_baseline(tmp_path: Path) -> None:
    make_changes(tmp_path)
    board = only_board(compare([tmp_path]))
    assert board.ablation is not None
    first, better, worse = board.ablation.changes
    assert (board.ablation.baseline, first.change, first.difference.value) == ("augmentation=strong", "", None)
    assert (better.change, worse.change) == ("augmentation=flips", "augmentation=none")
    assert better.difference.value == pytest.approx(4 * 3 / 144)
    assert worse.difference.value == pytest.approx(-6 * 3 / 144)
    assert worse.difference.low is not None
    assert worse.difference.high is not None
    assert worse.difference.low < -18 / 144 < worse.difference.high <= 0
    assert (better.seconds, better.single.value) == (180, pytest.approx(1 - (2 + 3 + 4) / 144))
    for named in ("augmentation=none", "none1"):
        other = only_board(compare([tmp_path], baseline=named)).ablation
        assert other is not None
        assert [change.change for change in other.changes] == ["", "augmentation=flips", "augmentation=strong"]
    with pytest.raises(SettingsError, match="--baseline 'nothing' is no setting here; there are “augmentation=flips”"):
        compare([tmp_path], baseline="nothing")


def test_settings_that_differ_in_several_things_are_no_ablation(tmp_path: Path) -> None:
    for lr, batch in (("1e-3", 32), ("1e-4", 64)):
        make_run(tmp_path / f"{lr}", lr=lr, settings={"batch_size": batch})
    board = only_board(compare([tmp_path]))
    assert board.ablation is None
    asked = only_board(compare([tmp_path], baseline=board.contenders[0].label)).ablation
    assert asked is not None
    assert asked.changes[1].change.count("=") == 2


def test_files_tables_and_page(tmp_path: Path) -> None:
    make_changes(tmp_path / "runs")
    comparison = compare([tmp_path / "runs"])
    out = tmp_path / "out"
    write_cross_validation(comparison, out)
    write_ablation(comparison, out)
    Leaderboard(comparison).write(out)
    page = write_page(comparison, out).read_text(encoding="utf-8")
    crossed, changes, leaders = (
        (out / f"{n}.md").read_text("utf-8") for n in ("cross_validation", "ablation", "leaderboard")
    )
    for text in (crossed, changes, leaders):
        assert "`python src/train.py -m augmentation=strong data.root=FOLDER 'sweep=ä 1'`" in text
        assert "Chip 9, 2 cores, CPU, 1 threads" in text
        assert "3 × 2:00 min" in text
        assert "/my/own" not in text
    assert "| augmentation=strong (baseline) |" in changes
    assert "−12.5 (" in changes
    assert "| X | 6 | 100.0 % (100.0–100.0) |" in crossed
    rows = list(csv.DictReader(io.StringIO(as_csv(comparison))))
    accuracy = [
        row for row in rows if (row["measure"], row["resampled"], row["setting"][-4:]) == ("accuracy", "case", "none")
    ]
    assert [float(row["value"]) for row in accuracy] == [pytest.approx(1 - 39 / 144)]
    assert sum(row["measure"] == "recall" for row in rows) == 3 * 2 * 24
    with (out / "ablation.csv").open(encoding="utf-8", newline="") as lines:
        assert [row["seconds"] for row in csv.DictReader(lines)] == ["60.0", "180.0", "120.0"]
    for heading in ("Cross-validation", "One change at a time", "How to repeat these numbers", "Recall by chromosome"):
        assert heading in page
    assert (out / "figures/recall-by-class.png").stat().st_size > 10_000
    wide, narrow = rendered(cross_validation_tables(comparison)), rendered(cross_validation_tables(comparison, 80), 80)
    assert "macro-F1" in wide
    assert "macro-F1" not in narrow
    assert "…" not in wide + narrow
    assert "beside augmentation=strong" in rendered(ablation_tables(comparison))


def test_by_cell_without_being_told_needs_whole_cells() -> None:
    def predictions(*sizes: int, unknown: bool = False) -> Predictions:
        cells: list[str | None] = [None if unknown else str(n) for n, size in enumerate(sizes) for _ in range(size)]
        labels = np.arange(len(cells)) % 24
        return predictions_of(labels, labels, cells)

    assert whole_enough(predictions(46, 46, 40, 10, 46))
    assert not whole_enough(predictions(46, 46, 46, 46))
    assert not whole_enough(predictions(46, 46, 39, 39, 39))
    assert not whole_enough(predictions(46, 46, 46, 46, 46, unknown=True))
    assert not whole_enough(predictions(46, 46, 46, 46, 500))


def test_a_record_names_the_machine() -> None:
    facts = circumstances()
    assert facts["processor"]
    assert facts["cores"] >= 1
