"""Single against assigned accuracy, by cell: planted cells, a trained run, and where comparisons show it."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TINY, Run
from made_runs import make_run
from rich.console import Console

from karyo.chromosomes import CLASSES
from karyo.errors import SettingsError
from karyo.evaluation.by_cell import ByCell, measure_by_cell
from karyo.evaluation.calibration import fit_temperature
from karyo.evaluation.deciding import DecidedCells, check_cells, decide_cells, log_probabilities
from karyo.evaluation.predictions import Predictions
from karyo.inference.sizes import SizeNorms
from karyo.karyotype.cell import Call
from karyo.reports.by_cell import by_cell_table
from karyo.reports.comparison import compare
from karyo.reports.leaderboard import Leaderboard
from karyo.reports.page.rows import columns_of, rows_of
from karyo.reports.page.words import sentences

NORMAL = [*np.repeat(np.arange(22), 2).tolist(), 22, 22]
MALE = [*NORMAL[:-1], 23]


def planted(cells: Sequence[Sequence[int]], errors: Sequence[tuple[int, int, float]] = ()) -> Predictions:
    """Draw sure answers to whole cells.

    Args:
        cells: True classes of each cell's images.
        errors: (image of every cell, class taken for, its probability); the true class gets the rest.
    """
    labels = np.concatenate([np.asarray(each, np.int64) for each in cells])
    probabilities = np.full((len(labels), 24), 0.001)
    probabilities[np.arange(len(labels)), labels] = 1 - 0.023
    starts = np.cumsum([0, *map(len, cells)])[:-1]
    for image, taken, share in errors:
        for start in starts:
            row = start + image
            probabilities[row] = 0
            probabilities[row, labels[row]] = 1 - share
            probabilities[row, taken] = share
    names = [f"cell {number}" for number, each in enumerate(cells) for _ in each]
    return Predictions([f"{row}.png" for row in range(len(labels))], list(names), labels, probabilities)


def answered(predictions: Predictions, assigned: Any, abnormal: Sequence[bool], plain: Any = None) -> DecidedCells:
    """Give decisions as they are told."""
    names = list(dict.fromkeys(map(str, predictions.cells)))
    numbers = np.array([names.index(str(cell)) for cell in predictions.cells])
    calls = [Call((2,) * 24, "46,XX", 0.5, each) for each in abnormal]
    return DecidedCells(
        predictions, names, numbers, np.asarray(assigned), plain, np.full(len(numbers), 0.75, np.float64), calls
    )


def rendered(item: Any) -> str:
    console = Console(file=io.StringIO(), width=160, color_system=None)
    console.print(item)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_what_single_images_mistake_the_whole_cell_puts_right() -> None:
    predictions = planted([NORMAL, MALE, NORMAL], [(6, 4, 0.55), (30, 20, 0.6)])
    measures = measure_by_cell(decide_cells(predictions), resamples=200)
    assert measures.single.accuracy.value == pytest.approx(44 / 46)
    assert measures.assigned.accuracy.value == 1
    assert (measures.single.cells_right.value, measures.assigned.cells_right.value) == (0, 1)
    assert measures.n_pairs == 22 * 3 + 2
    assert measures.single.pairs_right.value == pytest.approx((68 - 6) / 68)
    assert measures.assigned.pairs_right.value == 1
    assert measures.gain.value == pytest.approx(2 / 46)
    assert measures.gain.low == pytest.approx(2 / 46)
    assert (measures.tray, measures.called_abnormal.value, measures.n_cells) == (0, 0, 3)
    third = measures.per_class[3]
    assert (third.name, third.single, third.assigned, third.support) == ("4", 0.5, 1, 6)
    assert measures.per_class[23].support == 1
    assert measures.assigned_without_sizes is None
    assert measures.gain_of_sizes is None
    json.dumps(measures.to_dict(), allow_nan=False)


def test_sizes_part_what_the_bands_cannot() -> None:
    predictions = planted([NORMAL] * 4, [(0, 20, 0.6), (40, 0, 0.6), (1, 20, 0.6), (41, 0, 0.6)])
    means = np.repeat(np.linspace(1.0, -1.0, 24)[:, None], 3, axis=1)
    means -= means.mean(axis=0)
    norms = SizeNorms(means.tolist(), (0.01 * np.eye(3)).tolist(), 9)
    sizes = means[predictions.labels] + 5
    measures = measure_by_cell(decide_cells(predictions, sizes=sizes, norms=norms), resamples=50)
    assert measures.assigned_without_sizes is not None
    assert measures.gain_of_sizes is not None
    assert measures.assigned_without_sizes.accuracy.value == pytest.approx(42 / 46)
    assert measures.assigned.accuracy.value == 1
    assert measures.gain_of_sizes.value == pytest.approx(4 / 46)
    assert measures.assigned_without_sizes.cells_right.value == 0
    text = rendered(by_cell_table({"by_cell": measures.to_dict() | {"temperature": 1.2, "cells_of_sizes": 9}}))
    for part in ("91.3 % (91.3–91.3)", "100.0 % (100.0–100.0)", "of that by sizes: +8.7", "9 training cells", "1.20"):
        assert part in text
    # Sizes that are measured say nothing without the usual ones, and the other way round.
    for sized, usual in ((sizes, None), (None, norms), (np.full_like(sizes, np.nan), norms)):
        assert (decide_cells(predictions, 1.0, sized, usual).assigned == predictions.predicted).all()


def test_the_temperature_is_what_calibrates() -> None:
    predictions = planted([NORMAL, MALE], [(6, 4, 0.55)])
    sure, unsure = (decide_cells(predictions, temperature).probability for temperature in (1.0, 4.0))
    assert unsure.mean() < sure.mean() - 0.05
    assert (sure > 0.5).all()
    # Six sure copies are more than can be told apart: some go to the tray, with the probability of that.
    many = decide_cells(planted([[*NORMAL, 0, 0, 0, 0]]))
    in_tray = many.probability[many.assigned < 0]
    assert len(in_tray) > 0
    assert ((in_tray > 0.01) & (in_tray < 0.9)).all()
    zeros = Predictions(["a"], ["b"], np.zeros(1), np.eye(24)[:1])
    assert np.isfinite(log_probabilities(zeros)).all()
    assert decide_cells(zeros, 0.05).assigned.tolist() == [0]


def test_counts_by_hand() -> None:
    # A cell of a pair, three of a kind, an X and a Y; a cell of one image; a cell of a pair.
    predictions = planted([[0, 0, 5, 5, 5, 22, 23], [7], [8, 8]])
    assigned = [0, 0, 5, 5, -1, 23, 22, 7, 8, 9]
    measures = measure_by_cell(answered(predictions, assigned, [True, False, False]), resamples=2000)
    assert (measures.n_images, measures.n_cells, measures.n_pairs, measures.tray) == (10, 3, 2, 1)
    assert measures.assigned.accuracy.value == pytest.approx(0.6)
    assert measures.gain.value == pytest.approx(-0.4)
    assert measures.assigned.pairs_right.value == 0.5
    assert measures.assigned.cells_right.value == pytest.approx(1 / 3)
    assert measures.called_abnormal.value == pytest.approx(1 / 3)
    # Whole cells are drawn: with the middle one alone all is right, with the last one alone half, with the first 4/7.
    assert (measures.assigned.accuracy.low, measures.assigned.accuracy.high) == (0.5, 1.0)
    assert measures.gain.high == 0
    assert measures.gain.low == -0.5
    # Pairs are not defined where the cell without any is drawn alone.
    assert (measures.assigned.pairs_right.low, measures.assigned.pairs_right.high) == (0, 1)
    low, high = measures.assigned.cells_right.low, measures.assigned.cells_right.high
    assert low is not None
    assert high is not None
    assert 0 < low < 1 / 3 < high < 1


def test_a_gain_is_paired() -> None:
    # Cells differ much, the gain is the same image in each: resampling both ways apart would not exclude zero.
    predictions = planted([NORMAL] * 6, [(0, 20, 0.9)])
    assigned = predictions.predicted.copy()
    cells = np.repeat(np.arange(6), 46)
    for cell in range(6):
        assigned[np.flatnonzero(cells == cell)[0]] = 0
        assigned[np.flatnonzero(cells == cell)[1 : 1 + 6 * cell]] = 23
    single = predictions.probabilities.copy()
    single[assigned == 23] = np.eye(24)[23]
    worse = Predictions(predictions.paths, predictions.cells, predictions.labels, single)
    measures = measure_by_cell(answered(worse, assigned, [False] * 6), resamples=300)
    assert measures.gain.value == measures.gain.low == measures.gain.high == pytest.approx(1 / 46)
    assert measures.single.accuracy.high is not None
    assert measures.assigned.accuracy.low is not None
    assert measures.assigned.accuracy.low < measures.single.accuracy.high


def test_one_cell_has_no_interval_and_a_cell_of_one_image_no_pair() -> None:
    lone = measure_by_cell(decide_cells(planted([NORMAL])))
    assert (lone.resamples, lone.gain.low, lone.single.accuracy.low, lone.assigned.cells_right.high) == (
        *(0, None, None, None),
    )
    assert lone.assigned.accuracy.value == 1
    assert "no intervals" in rendered(by_cell_table({"by_cell": lone.to_dict()}))
    single = measure_by_cell(decide_cells(planted([[4]])))
    assert (single.n_pairs, single.assigned.pairs_right.value, single.assigned.cells_right.value) == (0, None, 1)
    assert single.per_class[0].single is None
    assert json.loads(json.dumps(single.to_dict(), allow_nan=False))["single"]["pairs_right"]["value"] is None
    assert "–" in rendered(by_cell_table({"by_cell": single.to_dict()}))
    assert measure_by_cell(decide_cells(planted([NORMAL, MALE])), resamples=0).gain.low is None


def test_all_wrong() -> None:
    truth = planted([NORMAL, MALE])
    labels = (truth.labels + 1) % 24
    predictions = Predictions(truth.paths, truth.cells, labels, truth.probabilities)
    measures = measure_by_cell(decide_cells(predictions), resamples=20)
    assert (measures.single.accuracy.value, measures.assigned.accuracy.value) == (0, 0)
    assert (measures.single.cells_right.value, measures.assigned.pairs_right.value) == (0, 0)
    assert (measures.assigned.cells_right.low, measures.gain.value) == (0, 0)
    assert measures.assigned.cells_right.high is not None
    assert measures.assigned.cells_right.high > 0.5  # of two cells little is known
    assert "may be chance" in " ".join(rendered(by_cell_table({"by_cell": measures.to_dict()})).split())


def test_tables_of_cells_and_images(tmp_path: Path) -> None:
    truth = planted([[0, 0], [3]])
    cells: list[str | None] = ["zelle ü\udcff", "zelle ü\udcff", "b,\n1"]
    predictions = Predictions(truth.paths, cells, truth.labels, truth.probabilities)
    answered(predictions, [0, -1, 4], [True, False]).write(tmp_path)
    with (tmp_path / "cells.csv").open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
        first, second = csv.DictReader(lines)
    assert list(first.values()) == ["zelle ü\udcff", "2", "2", "1", "1", "46,XX", "yes", "0.5"]
    assert (second["cell"], second["assigned_right"], second["abnormal"]) == ("b,\n1", "0", "no")
    with (tmp_path / "assigned.csv").open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["assigned"] for row in rows] == ["1", "", "5"]
    assert [row["single"] for row in rows] == ["1", "1", "4"]
    assert rows[0]["probability"] == "0.75"


def test_images_without_cells_and_cells_that_are_none() -> None:
    with pytest.raises(SettingsError, match=r"2 of 3 have none, first b\.png.*data\.source\.pattern"):
        check_cells(["a.png", "b.png", "c.png"], ["x", None, ""])
    with pytest.raises(SettingsError, match=r"single cells, and x has 401 images"):
        check_cells([str(number) for number in range(402)], ["y"] + ["x"] * 401)
    with pytest.raises(SettingsError, match="none"):
        decide_cells(Predictions(["a"], [None], np.zeros(1), np.eye(24)[:1]))
    check_cells(["a"] * 400, ["x"] * 400)
    check_cells([], [])


def by_cell_of(directory: Path | None) -> dict[str, Any]:
    assert directory is not None
    found: dict[str, Any] = json.loads((directory / "summary.json").read_text(encoding="utf-8"))["by_cell"]
    return found


TRAINED = (*TINY, "data.fractions=[0.5,0.25,0.25]", "epochs=1")
OTHERS = ("data=synthetic", "data.source.cells=2", "data.source.seed=77", "by_cell=true", "bootstrap=20")


@pytest.mark.usefixtures("blank_figures")
def test_a_run_measured_by_cell(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = run("train", *TRAINED).directory
    assert trained is not None
    refused = run("evaluate", f"run={trained}", "by_cell=maybe")
    assert (refused.code, "by_cell=maybe cannot be; it is true or false" in refused.err) == (2, True)
    images = images_without_cells(tmp_path / "images")
    with monkeypatch.context() as patched:
        # Nothing is computed first.
        patched.setattr("karyo.training.evaluate.predict", None)
        patched.setattr("karyo.training.by_cell.predict", None)
        cellless = run("evaluate", f"run={trained}", "data=folders", f"data.root={images}", "by_cell=true")
    assert (cellless.code, "24 of 24 have none" in cellless.err) == (2, True)
    assert "Traceback" not in cellless.err
    assert not any(tmp_path.glob("logs/evaluate/*/summary.json"))
    evaluated = run("evaluate", f"run={trained}", "by_cell=true", "bootstrap=20")
    assert evaluated.code == 0, evaluated.err
    assert evaluated.directory is not None
    assert "Each cell decided together" in evaluated.out
    measured = by_cell_of(evaluated.directory)
    assert (measured["n_cells"], measured["resamples"], measured["remarks"]) == (2, 20, [])
    assert measured["temperature"] != 1
    assert measured["cells_of_sizes"] == 4
    # The network has learned next to nothing: what the sizes within a cell say is worth a lot.
    assert measured["gain_of_sizes"]["low"] > 0
    own = json.loads((trained / "summary.json").read_text(encoding="utf-8"))
    assert measured["single"]["accuracy"]["value"] == pytest.approx(own["test"]["accuracy"]["value"])
    assert "by_cell" not in own
    content = json.loads((trained / "by_cell.json").read_text(encoding="utf-8"))
    assert (content["by_cell"], content["finished"]) == (measured, own["finished"])
    with (evaluated.directory / "assigned.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    right = sum(row["assigned"] == row["label"] for row in rows)
    assert right / len(rows) == pytest.approx(measured["assigned"]["accuracy"]["value"])
    (board,) = compare([tmp_path]).boards
    assert board.contenders[0].assigned.value == measured["assigned"]["accuracy"]["value"]


@pytest.mark.slow
def test_other_images_and_bare_checkpoints(run: Run) -> None:
    trained = run("train", *TRAINED).directory
    assert trained is not None
    plain = run("evaluate", f"run={trained}", "bootstrap=0", "part=validation")
    assert plain.directory is not None
    validation = Predictions.read_csv(plain.directory / "predictions.csv")
    temperature = fit_temperature(log_probabilities(validation), validation.labels)
    assert not (plain.directory / "cells.csv").exists()
    assert "decided together" not in plain.out
    elsewhere = run("evaluate", f"run={trained}", *OTHERS)
    assert elsewhere.code == 0, elsewhere.err
    assert by_cell_of(elsewhere.directory)["temperature"] == pytest.approx(temperature, rel=1e-6)
    assert by_cell_of(elsewhere.directory)["cells_of_sizes"] == 4
    alone = run("evaluate", f"checkpoint={trained}/checkpoints/best.ckpt", *OTHERS)
    assert alone.code == 0, alone.err
    assert (by_cell_of(alone.directory)["temperature"], by_cell_of(alone.directory)["cells_of_sizes"]) == (1, None)
    assert by_cell_of(alone.directory)["assigned_without_sizes"] is None
    assert "give run=DIRECTORY" in alone.out
    # None of them is the run's result.
    assert not (trained / "by_cell.json").exists()
    # Images that are not the run's own any more can neither calibrate nor tell sizes.
    config = trained / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8").replace("cells: 8", "cells: 7"), encoding="utf-8")
    changed = run("evaluate", f"run={trained}", *OTHERS)
    assert changed.code == 1
    assert "not those that" in changed.err
    assert "checkpoint=FILE" in changed.err
    assert changed.err.strip().count("\n") == 0


@pytest.mark.slow
def test_torn_cells_and_a_run_that_cannot_be_written(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = run("train", *TRAINED).directory
    assert trained is not None
    # A side that holds half a cell, as a split by image leaves it.
    split = json.loads((trained / "split.json").read_text(encoding="utf-8"))
    torn = split | {"test": split["test"][:40], "validation": [], "train": split["train"][:30]}
    (trained / "split.json").write_text(json.dumps(torn), encoding="utf-8")

    def refuse(path: Path, text: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("karyo.training.by_cell.write_text", refuse)
    halves = run("evaluate", f"run={trained}", "by_cell=true", "bootstrap=20")
    assert halves.code == 0, halves.err
    remarks = " ".join(by_cell_of(halves.directory)["remarks"])
    assert "no validation images" in remarks
    assert "too few whole cells" in remarks
    assert "images on other sides" in remarks
    assert "by_cell.json cannot be written (Permission denied)" in remarks
    assert "images on other sides" in halves.out


def images_without_cells(folder: Path) -> Path:
    """Write an image for each class that no one knows the cell of."""
    for number, label in enumerate(CLASSES):
        (folder / label).mkdir(parents=True)
        picture = np.full((40, 20), 255, np.uint8)
        picture[5:35, 5:15] = 5 * number
        (folder / label / "one.png").write_bytes(_png(picture))
    return folder


def _png(picture: Any) -> bytes:
    import cv2

    return bytes(cv2.imencode(".png", picture)[1])


def keep(directory: Path, assigned: float = 0.97, finished: str | None = None, **more: Any) -> None:
    """Leave beside a run what an evaluation by cell leaves."""
    record = json.loads((directory / "summary.json").read_text(encoding="utf-8"))
    share = {"value": assigned, "low": assigned - 0.02, "high": assigned + 0.02}
    measures = {"assigned": {"accuracy": share, "cells_right": {"value": 0.4, "low": 0.2, "high": 0.6}}}
    content = {"finished": finished or record["finished"], "by_cell": measures} | more
    (directory / "by_cell.json").write_text(json.dumps(content), encoding="utf-8")


def documents(directory: Path) -> tuple[str, str, str, str]:
    comparison = compare([directory])
    leaderboard = Leaderboard(comparison)
    (board,) = comparison.boards
    page = [*(column.title for column in columns_of(board)), *sentences(board)]
    page += [f"{cell.text} {cell.note}" for row in rows_of(board) for cell in row.cells]
    assert {len(row.cells) for row in rows_of(board)} == {len(columns_of(board))}
    return leaderboard.as_csv(), leaderboard.as_markdown(), rendered(leaderboard.as_tables(160)[0]), "\n".join(page)


def test_compare_shows_it_where_it_was_measured(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    keep(make_run(runs / "a", model="resnet18"))
    make_run(runs / "b", model="vgg16", accuracy=0.8)
    table, document, screen, page = documents(runs)
    first, second = csv.DictReader(io.StringIO(table))
    assert (first["assigned_accuracy"], first["assigned_accuracy_low"]) == ("0.97", "0.95")
    assert (first["cells_right"], first["cells_right_high"]) == ("0.4", "0.6")
    assert (second["assigned_accuracy"], second["cells_right"]) == ("", "")
    assert "| 97.0 % (95.0–99.0) | 40.0 % |" in document
    assert len({line.count("|") for line in document.splitlines()}) == 1
    assert "97.0 (95.0–99.0)" in screen
    assert "assigned %" in page
    assert "decided together it is right on 97.0 %" in page
    assert compare([runs]).problems == ()


def test_compare_is_as_it_was_without_it(tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "a")
    make_run(tmp_path / "runs" / "b", model="vgg16", accuracy=0.8)
    for text in documents(tmp_path / "runs"):
        assert not any(word in text for word in ("assigned", "cells right", "cells_right", "decided together"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"by_cell": ', "cannot be read"),
        ("[]", "cannot be read"),
        ('{"by_cell": [1]}', "no measures"),
        ('{"by_cell": {}, "finished": "2020-01-01T00:00:00+00:00"}', "earlier result"),
        ('{"by_cell": {"assigned": {"accuracy": {"value": 0.9}}}}', "earlier result"),
    ],
)
def test_what_does_not_count_is_said_and_left_out(tmp_path: Path, content: str, words: str) -> None:
    make_run(tmp_path / "a")
    (tmp_path / "a" / "by_cell.json").write_text(content, encoding="utf-8")
    comparison = compare([tmp_path])
    assert len(comparison.problems) == 1
    assert words in comparison.problems[0]
    assert "assigned" not in Leaderboard(comparison).as_csv()


@pytest.mark.parametrize("value", [{"accuracy": 3}, {"accuracy": {"value": 7}}, {"accuracy": {"value": "x"}}, 5, None])
def test_nonsense_in_it_does_no_harm(tmp_path: Path, value: Any) -> None:
    keep(make_run(tmp_path / "a"), by_cell={"assigned": value})
    assert "assigned" not in Leaderboard(compare([tmp_path])).as_csv()


def test_a_mean_over_some_repetitions_only_is_not_shown(tmp_path: Path) -> None:
    first, second = (make_run(tmp_path / str(seed), seed=seed) for seed in (0, 1))
    keep(first, 0.96)
    comparison = compare([tmp_path])
    assert comparison.boards[0].contenders[0].assigned.value is None
    assert "1 of 2 finished repetitions was measured by cell" in comparison.problems[0]
    keep(second, 0.98)
    comparison = compare([tmp_path])
    assert comparison.problems == ()
    contender = comparison.boards[0].contenders[0]
    assert contender.assigned.value == pytest.approx(0.97)
    assert contender.assigned.count == 2


@pytest.mark.parametrize("record", [{}, {"by_cell": None}, {"by_cell": 3}, {"by_cell": {}}, {"by_cell": {"gain": 1}}])
def test_the_table_of_a_half_record(record: dict[str, Any]) -> None:
    table = by_cell_table(record)
    assert (table is None) == (not isinstance(record.get("by_cell"), dict))
    assert table is None or "accuracy" in rendered(table)


def test_nobody_reads_of_by_cell_what_it_is_not() -> None:
    measures = measure_by_cell(decide_cells(planted([NORMAL, MALE])), resamples=10)
    assert isinstance(measures, ByCell)
    assert set(measures.to_dict()) == set(ByCell.__slots__)
