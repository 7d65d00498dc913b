"""Planted abnormalities: what is planted where, and what is counted."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from exported import tiny_model
from numpy.typing import NDArray
from typer.testing import CliRunner

from karyo.chromosomes import CLASSES
from karyo.commands.measure import measure_app
from karyo.data.synthetic import CellSettings, derive_seed, draw_cell, write_cells
from karyo.errors import DataError, SettingsError
from karyo.evaluation.numbers import (
    Trial,
    counted,
    counted_gains,
    measure_numbers,
    summarise,
    together,
    vote_by_counts,
)
from karyo.evaluation.planting import Change, KnownCell, Pool
from karyo.evaluation.pools import FIRST_DRAWN, draw_pool, join_predictions, pool_of_predictions
from karyo.evaluation.predictions import Predictions
from karyo.evaluation.shares import wilson_interval
from karyo.inference import load
from karyo.karyotype.iscn import normal_copies, parse_iscn


def answers(labels: Sequence[int], sure: float = 0.999) -> NDArray[np.float64]:
    """What a classifier that is right says."""
    rows = np.full((len(labels), 24), (1 - sure) / 23)
    rows[np.arange(len(labels)), labels] = sure
    return rows


def cell_labels(iscn: str) -> list[int]:
    return [label for label, number in enumerate(parse_iscn(iscn)) for _ in range(number)]


def predicted(cells: dict[str, str], sure: float = 0.999) -> Predictions:
    """Cells by name with their numbers as ISCN text, all recognised."""
    names = [name for name, text in cells.items() for _ in cell_labels(text)]
    labels = [label for text in cells.values() for label in cell_labels(text)]
    return Predictions([f"{i}.png" for i in range(len(names))], list(names), np.array(labels), answers(labels, sure))


CASE = {"a_1": "46,XX", "a_2": "46,XX", "a_3": "45,XX,-7", "b_1": "46,XY", "b_2": "45,X"}


def cell_of(pool: Pool, name: str) -> KnownCell:
    return next(cell for cell in pool.cells if cell.name == name)


def test_cells_know_their_case_their_sex_and_what_can_be_added() -> None:
    pool = pool_of_predictions(predicted(CASE), r"^\w(?=_)")
    assert [(cell.name, cell.case, cell.male) for cell in pool.cells] == [
        ("a_1", "a", False),
        ("a_2", "a", False),
        ("a_3", "a", False),
        ("b_1", "b", True),
        ("b_2", "b", True),
    ]
    first = cell_of(pool, "a_1")
    assert len(first.rows) == 46
    assert len(first.spare[6]) == 3
    assert not set(first.rows) & {row for rows in first.spare.values() for row in rows}
    assert not pool.complete(cell_of(pool, "a_3"), 6)
    assert not pool.complete(cell_of(pool, "b_2"), 23)
    assert {str(change) for change in pool.changes(first)} == {
        *(f"{sign}{number}" for sign in "+-" for number in range(1, 23)),
        *("+X", "-X"),
    }


def test_what_is_planted_is_one_homolog_of_another_cell_of_the_case() -> None:
    pool = pool_of_predictions(predicted(CASE), r"^\w")
    cell = cell_of(pool, "a_1")
    rows = pool.planted(cell, Change(20, 1), seed=0)
    assert rows[:-1] == list(cell.rows)
    assert pool.labels[rows[-1]] == 20
    assert rows[-1] in (*cell_of(pool, "a_2").rows, *cell_of(pool, "a_3").rows)
    assert len({pool.planted(cell, Change(20, 1), seed)[-1] for seed in range(20)}) > 1
    fewer = pool.planted(cell, Change(0, -1), seed=0)
    assert set(cell.rows) - set(fewer) <= {row for row in cell.rows if pool.labels[row] == 0}
    assert len(fewer) == 45
    assert pool.planted(cell, None, 0) == list(cell.rows)
    without_y = cell_of(pool, "b_2")
    assert pool.planted(without_y, Change(23, -1), 0) == list(without_y.rows)


def test_probabilities_are_calibrated_by_the_other_cases() -> None:
    hesitant = predicted({"a_1": "46,XX", "b_1": "46,XY", "b_2": "46,XY"}, sure=0.5)
    said = hesitant.probabilities.copy()
    for row in (46, 100):
        said[row] = answers([(hesitant.labels[row] + 1) % 24], 0.5)[0]
    hesitant = Predictions(hesitant.paths, hesitant.cells, hesitant.labels, said)
    pool = pool_of_predictions(hesitant, r"^\w")
    # Case b has errors, so that a is calibrated by it; a has none, so that b stays as it is.
    assert (pool.probabilities[:46].max(axis=1) > 0.9).all()
    assert pool.probabilities[46:] == pytest.approx(said[46:], abs=1e-6)
    assert pool.probabilities.sum(axis=1) == pytest.approx(1)
    alone = pool_of_predictions(hesitant, "^")
    assert np.array_equal(alone.probabilities, said)


def test_without_cases_nothing_can_be_added() -> None:
    pool = pool_of_predictions(predicted(CASE))
    assert all(change.step < 0 for cell in pool.cells for change in pool.changes(cell))


def test_broken_inputs_are_said() -> None:
    with pytest.raises(SettingsError, match="not a regular expression"):
        pool_of_predictions(predicted(CASE), "(")
    with pytest.raises(SettingsError, match="finds no case in the cell's name 'a_1'"):
        pool_of_predictions(predicted(CASE), "zzz")
    few = predicted({"a": "46,XX"})
    with pytest.raises(DataError, match="no cell"):
        pool_of_predictions(Predictions(few.paths[:22], few.cells[:22], few.labels[:22], few.probabilities[:22]))
    with pytest.raises(DataError, match="no cell"):
        pool_of_predictions(Predictions(few.paths, [None] * 46, few.labels, few.probabilities))
    with pytest.raises(DataError, match=r"0\.png and 45 more"):
        join_predictions([few, few])


def test_a_tiny_cell_is_left_out_and_counted() -> None:
    pool = pool_of_predictions(predicted({"a": "46,XX", "b": "22<1n>,X,-1"}))
    assert [cell.name for cell in pool.cells] == ["a"]
    assert pool.left_out == 1


def test_plain_counting() -> None:
    gain = answers(cell_labels("46,XY,+21,-3"))
    assert counted(gain).numbers == parse_iscn("46,XY,+21,-3")
    assert counted_gains(gain).numbers == parse_iscn("47,XY,+21")
    assert counted(np.zeros((0, 24))).numbers == (0,) * 24
    assert counted_gains(np.zeros((0, 24))).numbers == normal_copies("XX")
    assert counted(answers([5] * 200)).numbers[5] == 99


def test_counted_cells_follow_the_rule_for_clones() -> None:
    normal, gain, loss = (counted(answers(cell_labels(text))) for text in ("46,XX", "47,XX,+8", "45,XX,-3"))
    assert vote_by_counts([normal, normal, gain]) == []
    assert vote_by_counts([normal, gain, gain]) == [parse_iscn("47,XX,+8")]
    assert vote_by_counts([normal, loss, loss]) == []
    assert vote_by_counts([loss, loss, loss]) == [parse_iscn("45,XX,-3")]


def test_a_case_is_found_by_its_clone_in_either_way() -> None:
    """Without its Y a male case is 45,X: what is missing is the Y, what ISCN text shows is the X."""
    pool = pool_of_predictions(predicted(dict.fromkeys(("a_1", "a_2", "a_3"), "46,XY")), r"^\w")
    planted = [Change(23, -1), Change(20, 1), Change(0, -1)]
    trials = [each for each in measure_numbers(pool) if each.level == "case" and each.change in (None, *planted)]
    assert {(each.way, each.change) for each in trials if each.found} >= {
        *(("together", change) for change in planted[:2]),
        *(("counted", change) for change in planted),
    }
    assert not [each for each in trials if each.abnormal and each.change is None]


def test_every_call_is_counted_once() -> None:
    pool = pool_of_predictions(predicted(CASE), r"^\w")
    ways = {"counted": (counted, vote_by_counts)}
    done: list[None] = []
    trials = measure_numbers(pool, ways, advance=lambda: done.append(None))
    assert len(done) == 5
    cells = [each for each in trials if each.level == "cell"]
    assert sum(each.change is None for each in cells) == 5
    assert not [each for each in cells if each.cell == "a_3" and each.change and each.change.label == 6]
    assert not [each for each in cells if each.cell == "b_2" and each.change and each.change.label >= 22]
    assert all(each.case == "a" for each in trials if each.level == "case")
    assert len({each.change for each in trials if each.level == "case"}) == 47
    normal = {each.cell: each.abnormal for each in cells if each.change is None}
    assert normal == {"a_1": False, "a_2": False, "a_3": True, "b_1": False, "b_2": True}
    assert all(each.found for each in cells if each.change)


def test_named_wrongly_is_not_found() -> None:
    pool = pool_of_predictions(predicted({"a_1": "46,XX", "a_2": "46,XX"}), r"^\w")
    blind = pool.probabilities.copy()
    blind[pool.labels == 20] = answers([21])[0]
    other = Pool(pool.labels, blind, pool.cells)
    trials = measure_numbers(other, {"counted": (counted, vote_by_counts)})
    added = [each for each in trials if each.change == Change(20, 1)]
    assert [(each.abnormal, each.found) for each in added] == [(True, False)] * 2


def trials_of(right: Sequence[bool], cases: Sequence[str], change: Change | None = None) -> list[Trial]:
    pairs = zip(right, cases, strict=True)
    return [Trial("cell", "w", case, case, change, good == bool(change), good) for good, case in pairs]


def test_intervals_by_patient_where_some_are_tried_more_than_once() -> None:
    single = summarise(trials_of([True, False, True, True], list("abcd")))[0]
    assert (single.tries, single.abnormal, single.right, single.share) == (4, 1, 3, 0.75)
    assert (single.low, single.high) == wilson_interval(3, 4)
    right = [True] * 40 + [False] * 10
    grouped = summarise(trials_of(right, [str(i // 10) for i in range(50)], Change(3, 1)))[0]
    low, high = wilson_interval(40, 50)
    assert grouped.low < low
    assert grouped.high > high
    perfect = summarise(trials_of([True] * 10, ["a"] * 5 + ["b"] * 5, Change(3, 1)))[0]
    assert (perfect.low, perfect.high) == wilson_interval(10, 10)


def test_kinds_and_order() -> None:
    changes = [Change(22, 1), None, Change(3, -1), Change(20, 1), Change(1, 1)]
    trials = [each for change in changes for each in trials_of([True], ["a"], change)]
    assert [each.kind for each in summarise(trials)] == ["normal", "trisomy", "monosomy", "sex chromosomes"]
    assert [each.change for each in summarise(trials, by_change=True)] == [None, "+2", "+21", "-4", "+X"]
    assert summarise([]) == []


def test_together_finds_a_trisomy_when_the_classifier_is_right_and_is_not_fooled_by_losses() -> None:
    assert together(answers(cell_labels("46,XX"))).numbers == normal_copies("XX")
    assert together(answers(cell_labels("47,XY,+21"))).numbers == parse_iscn("47,XY,+21")
    assert together(answers(cell_labels("43,XY,-1,-5,-9"))).numbers == normal_copies("XY")


def test_a_drawn_pool_is_the_cells_that_would_be_drawn(tmp_path: Path) -> None:
    predictor = load(tiny_model(tmp_path))
    pool = draw_pool(predictor, 2, cells_per_case=1, seed=5)
    assert [(cell.case, cell.male) for cell in pool.cells] == [("case-000", False), ("case-001", True)]
    for cell in pool.cells:
        sex = "XY" if cell.male else "XX"
        assert np.bincount(pool.labels[list(cell.rows)], minlength=24).tolist() == list(normal_copies(sex))
        assert all(pool.complete(cell, label) for label in range(24))
    woman = pool.cells[0]
    rows = pool.planted(woman, Change(20, 1), 0)
    drawn = draw_cell(derive_seed(5, FIRST_DRAWN), CellSettings(copies=parse_iscn("47,XX,+21")))
    said = {prediction.tobytes() for prediction in pool.probabilities[rows]}
    again = [predictor.predict(each.image).probabilities for each in drawn]
    assert sorted(np.round(each, 4).tobytes() for each in again) == sorted(
        np.round(pool.probabilities[row], 4).tobytes() for row in rows
    )
    assert len(said) == 47


def test_lost_chromosomes_of_a_drawn_pool(tmp_path: Path) -> None:
    pool = draw_pool(load(tiny_model(tmp_path)), 1, seed=1, settings=CellSettings(lost=0.3))
    assert 20 < len(pool.cells[0].rows) < 46
    with pytest.raises(SettingsError, match="1 or more"):
        draw_pool(load(tiny_model(tmp_path)), 0)


def test_the_command_on_drawn_cells(tmp_path: Path) -> None:
    arguments = ["numbers", str(tiny_model(tmp_path)), "--synthetic", "1", "--json"]
    result = CliRunner().invoke(measure_app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    answer = json.loads(result.stdout[result.stdout.index("{") :])
    assert answer["cells"] == 1
    kinds = {(each["kind"], each["way"]): each["tries"] for each in answer["all"]}
    assert kinds["trisomy", "together"] == kinds["trisomy", "counted"] == 22
    assert kinds["normal", "together"] == 1
    assert {each["change"] for each in answer["by_change"]} >= {f"+{name}" for name in CLASSES[:22]}


def test_the_command_on_predictions_with_sizes(tmp_path: Path) -> None:
    write_cells(tmp_path / "cells", 2, settings=CellSettings(sex="XX"))
    paths = sorted(path.relative_to(tmp_path / "cells").as_posix() for path in (tmp_path / "cells").rglob("*.png"))
    labels = [CLASSES.index(path.split("/")[1][:-5]) for path in paths]
    cells: list[str | None] = [path.split("/")[0] for path in paths]
    Predictions(paths, cells, np.array(labels), answers(labels)).write_csv(tmp_path / "p.csv")
    arguments = ["numbers", "--predictions", str(tmp_path / "p.csv"), "--cases-by", "cell"]
    result = CliRunner().invoke(measure_app, [*arguments, "--data-root", str(tmp_path / "cells")])
    assert result.exit_code == 0, result.output
    assert "2 normal cells" in result.stdout
    assert "+21" in result.stdout
    with pytest.raises(SettingsError, match="holds none of the predicted images"):
        CliRunner().invoke(measure_app, [*arguments, "--data-root", str(tmp_path)], catch_exceptions=False)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ([], "name a model"),
        (["model.onnx", "--predictions", "p.csv"], "not both"),
        (["--predictions", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_the_command_says_what_is_missing(options: list[str], problem: str) -> None:
    with pytest.raises((SettingsError, DataError), match=problem):
        CliRunner().invoke(measure_app, ["numbers", *options], catch_exceptions=False)
