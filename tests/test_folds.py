"""Folds fixed in a file: the shipped lists, what a list may hold, what data it fits, and `karyo folds`."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from karyo.commands import app
from karyo.data.datamodule import ChromosomeData
from karyo.data.folds.drawing import draw_folds
from karyo.data.folds.fold_list import names_of, parse_fold_list, read_fold_list, shipped_lists
from karyo.data.records import Record
from karyo.data.splits import split_records
from karyo.data.synthetic import SyntheticSource
from karyo.errors import DataError, KaryoError, SettingsError
from karyo.identity import setting_key, settings_of_config, with_listed_folds


def cells(count: int, per_case: int | None = None, first: int = 0) -> list[Record]:
    """Give records of cells of 46; ``per_case`` cells are numbered anew in each case."""
    found = []
    for cell in range(first, first + count):
        case = None if per_case is None else f"ä{cell // per_case}"
        name = str(cell if per_case is None else cell % per_case)
        found += [Record(f"{cell}/{k}", k % 24, name, case) for k in range(46)]
    return found


def listed(**changes: Any) -> str:
    folds = [{"test": [str(k)], "validation": [str((k + 1) % 3)]} for k in range(3)]
    return json.dumps({"format": 1, "by": "cell", "folds": folds} | changes)


@pytest.mark.parametrize(
    ("name", "by", "count"), [("gband65", "case", 13), ("bioimlab", "cell", 95), ("spreads", "cell", 150)]
)
def test_the_shipped_lists_test_everything_once(name: str, by: str, count: int) -> None:
    fold_list = read_fold_list(name)
    assert (fold_list.by, len(fold_list.folds)) == (by, 5)
    tested = Counter(each for fold in fold_list.folds for each in fold.test)
    assert (len(tested), set(tested.values())) == (count, {1})
    for fold in fold_list.folds:
        assert not set(fold.test) & set(fold.validation)
        assert 0.06 * count < len(fold.validation) < 0.24 * count
        assert abs(len(fold.test) - count / 5) <= 1
    assert name in shipped_lists()


def test_each_fold_has_its_sides_and_the_rest_trains() -> None:
    records = cells(30, per_case=3)
    drawn = draw_folds(records, "ours")
    assert drawn.by == "case"
    tested: list[int] = []
    for number, fold in enumerate(drawn.folds):
        split = split_records(records, folds=drawn, fold=number, seed=number)
        assert {records[i].case for i in split.test} == set(fold.test)
        assert {records[i].case for i in split.validation} == set(fold.validation)
        assert sorted([*split.train, *split.validation, *split.test]) == list(range(len(records)))
        assert (split.by, split.folds, split.fold, split.warnings) == ("case", "ours", number, ())
        tested += split.test.tolist()
    assert sorted(tested) == list(range(len(records)))


def test_the_same_seed_draws_what_data_folds_draws() -> None:
    records = cells(20)
    drawn = draw_folds(records, "ours", count=4, validation=1 / 9, seed=3)
    for number in range(4):
        by_number = split_records(records, folds=4, fold=number, fractions=(0.8, 0.1, 0.1), seed=3)
        assert split_records(records, folds=drawn, fold=number).digest(records) == by_number.digest(records)


def test_cells_of_two_cases_may_have_the_same_name() -> None:
    records = cells(12, per_case=3)
    assert set(names_of(records, "cell")) == {f"ä{case}/{cell}" for case in range(4) for cell in range(3)}
    drawn = draw_folds(records, "ours", by="cell", count=3)
    assert len(split_records(records, folds=drawn, fold=0).test) == 4 * 46
    alike = [Record("a", 0, "b/c", "a"), Record("b", 1, "c", "a/b")]
    with pytest.raises(DataError, match="two cells are called a/b/c"):
        names_of(alike, "cell")


def test_data_that_do_not_fit_the_list() -> None:
    drawn = draw_folds(cells(10), "ours")
    with pytest.raises(
        SettingsError, match=r"data\.folds=ours does not name 2 of the 12 cells of these images \(10, 11\)"
    ) as said:
        split_records(cells(12), folds=drawn)
    assert "data.folds=null" in str(said.value)
    assert "karyo folds" in str(said.value)
    with pytest.raises(SettingsError, match=r"does not name 10 of the 10 cells .*100, 101, 102 and 7 more"):
        split_records(cells(10, first=100), folds=drawn)
    with pytest.raises(SettingsError, match=r"data\.fold must be from 0 to 4 with data\.folds=ours, not 5"):
        split_records(cells(10), folds=drawn, fold=5)
    with pytest.raises(SettingsError, match=r"data\.split_by=image does not go with data\.folds=ours"):
        split_records(cells(10), by="image", folds=drawn)
    with pytest.raises(SettingsError, match="needs the cell of every image, and 1 of 461 have none, first lone"):
        split_records([*cells(10), Record("lone", 0)], folds=drawn)


def test_a_part_of_the_data_is_warned_about_and_an_empty_side_refused() -> None:
    drawn = draw_folds(cells(10), "ours")
    missing = drawn.folds[0].test[0]
    part = [record for record in cells(10) if record.cell != missing]
    split = split_records(part, folds=drawn, fold=0)
    assert f"names 10 cells and these images have 9 of them (not {missing})" in split.warnings[0]
    none = [record for record in cells(10) if record.cell not in drawn.folds[0].test]
    with pytest.raises(DataError, match=r"the test side of fold 0 of data\.folds=ours is empty"):
        split_records(none, folds=drawn, fold=0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no list of folds"),
        ("[1]", "it must hold"),
        ("[" * 100_000, "is no list of folds"),
        (listed(format=2), "it must hold"),
        (listed(extra=1), "it must hold"),
        (listed(by="image"), '"by" must be "case" or "cell"'),
        (listed(folds=[]), "at least two folds"),
        (listed(folds=[{"test": ["1"], "validation": ["2"]}]), "at least two folds"),
        (listed(folds=[{"test": ["1"]}, {"test": ["2"]}]), "fold 0: a fold is"),
        (listed(folds=[{"test": ["1"], "validation": []}] * 2), '"validation" must be a list of at least one'),
        (listed(folds=[{"test": [1], "validation": ["2"]}] * 2), '"test" must be a list of at least one name'),
        (listed(folds=[{"test": ["1"], "validation": ["1"]}] * 2), "1 cannot be in test and validation of one fold"),
        (listed(folds=[{"test": ["1"], "validation": ["2"]}] * 2), "1 must be in test once over all folds"),
        (listed(folds=[{"test": ["1"], "validation": ["2", "2"]}] * 2), "2 stands twice in validation"),
        (
            listed(folds=[{"test": ["1"], "validation": ["2"]}, {"test": ["2"], "validation": ["9"]}]),
            "9 is validated on and in the test side of no fold",
        ),
        ('{"format": 1, "by": "cell", "by": "case", "folds": []}', '"by" stands twice'),
    ],
)
def test_what_is_no_list(text: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as found:
        parse_fold_list("ours", text, "ours.json")
    assert str(found.value).startswith("ours.json")
    assert "\n" not in str(found.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="neither a number of folds, nor bioimlab, gband65, spreads, nor a file"):
        read_fold_list("gband66")
    with pytest.raises(SettingsError, match="nor a file that can be read"):
        read_fold_list(str(tmp_path))
    (tmp_path / "odd.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="no text in UTF-8"):
        read_fold_list(str(tmp_path / "odd.json"))


def test_drawing_refuses_what_cannot_be_meant() -> None:
    for settings, said in (
        ({"count": 1}, "at least 2 folds"),
        ({"validation": 0.0}, "share to validate on"),
        ({"by": "image"}, "by case or cell, not by image"),
        ({"by": "case"}, "needs the case of every image"),
    ):
        with pytest.raises(SettingsError, match=said):
            draw_folds(cells(10), "ours", **settings)
    with pytest.raises(SettingsError, match="these images have neither"):
        draw_folds([Record(str(k), k % 24) for k in range(100)], "ours")
    with pytest.raises(KaryoError, match="4 cells cannot be divided into 5 folds"):
        draw_folds(cells(4), "ours")


def test_the_command_writes_a_list_that_training_takes(tmp_path: Path) -> None:
    path = tmp_path / "our folds ä.json"
    settings = ["data=synthetic", "data.source.cells=6"]
    done = CliRunner().invoke(app, ["folds", *settings, "-o", str(path), "--count", "3"])
    assert done.exit_code == 0, done.output
    assert "4" in done.output
    source = SyntheticSource(cells=6)
    data = ChromosomeData(source, {"size": 8, "canvas": "stretch", "extent": 8}, folds=str(path), fold=2)
    split = split_records(source.records, folds=read_fold_list(str(path)), fold=2)
    assert len(split.test) == 2 * 46
    with pytest.raises(SettingsError, match=r"data\.fold must be from 0 to 2"):
        ChromosomeData(source, data.preparation, folds=str(path), fold=3)
    again = CliRunner().invoke(app, ["folds", *settings, "-o", str(path)])
    assert isinstance(again.exception, SettingsError)
    assert "is there already" in str(again.exception)
    wrong = CliRunner().invoke(app, ["folds", "data=sinthetic", "-o", str(tmp_path / "b.json")])
    assert "did you mean synthetic?" in str(wrong.exception)


def test_what_a_list_settles_makes_no_other_setting() -> None:
    def key(digest: str, **data: Any) -> str:
        return setting_key(with_listed_folds(settings_of_config({"lr": 1e-3, "data": data}), 5, digest))

    assert key("a", folds="x.json", fractions=[0.7, 0.2, 0.1], fold=0) == key(
        "a", folds="gband65", split_by="case", fold=3
    )
    assert key("a", folds="x.json") != key("b", folds="x.json")
    one = read_fold_list("gband65")
    assert parse_fold_list("other", one.to_json(), "other").digest == one.digest != read_fold_list("spreads").digest
