"""Splits: shares, strata, groups, folds, seeds, leaks."""

import json
from pathlib import Path

import numpy as np
import pytest

from karyo.data.leaks import check_leaks
from karyo.data.records import Record
from karyo.data.splits import Split, known_levels, split_records
from karyo.errors import DataError, SettingsError


def cells(count: int, per_case: int | None = None, per_cell: int = 46) -> list[Record]:
    return [
        Record(f"{c}/{k}", k % 24, str(c), None if per_case is None else str(c // per_case), str(k // 24))
        for c in range(count)
        for k in range(per_cell)
    ]


def images(per_class: int) -> list[Record]:
    return [Record(f"{k}/{i}.png", k) for k in range(24) for i in range(per_class)]


def parts(split: Split) -> list[set[int]]:
    return [set(side.tolist()) for side in split.sides().values()]


@pytest.mark.parametrize("records", [images(10), cells(30), cells(40, per_case=2)], ids=["image", "cell", "case"])
@pytest.mark.parametrize("folds", [None, 4])
def test_sides_are_disjoint_and_cover_everything(records: list[Record], folds: int | None) -> None:
    train, validation, test = parts(split_records(records, folds=folds, fold=0))
    assert len(train) + len(validation) + len(test) == len(records)
    assert train | validation | test == set(range(len(records)))


@pytest.mark.parametrize("per_class", [3, 7, 10, 41])
def test_images_are_stratified(per_class: int) -> None:
    records = images(per_class)
    split = split_records(records, seed=3)
    for side, share in zip(split.sides().values(), (0.7, 0.2, 0.1), strict=True):
        assert abs(len(side) - share * len(records)) <= 2
        counts = np.bincount([records[i].label for i in side], minlength=24)
        assert np.abs(counts - share * per_class).max() < 1.5


def test_training_gets_an_image_of_every_class_however_few_there_are() -> None:
    records = [*images(1), *(Record(f"more/{i}", i % 3) for i in range(20))]
    assert {records[i].label for i in split_records(records).train} == set(range(24))


@pytest.mark.parametrize(
    ("records", "level"),
    [(images(5), "image"), (cells(12), "cell"), (cells(12, 2), "case"), (cells(12, 6), "cell"), (cells(2), "image")],
)
def test_default_is_the_strictest_level_with_enough_groups(records: list[Record], level: str) -> None:
    assert split_records(records).by == level


@pytest.mark.parametrize("by", ["cell", "case"])
@pytest.mark.parametrize("seed", range(4))
def test_groups_stay_together_near_their_shares(by: str, seed: int) -> None:
    records = cells(60, per_case=3)
    split = split_records(records, by=by, seed=seed)
    groups = [{getattr(records[i], by) for i in side} for side in split.sides().values()]
    assert sum(len(group) for group in groups) == len(set().union(*groups)) == (60 if by == "cell" else 20)
    for side, share in zip(split.sides().values(), (0.7, 0.2, 0.1), strict=True):
        assert len(side) / len(records) == pytest.approx(share, abs=0.04)


def test_groups_of_unequal_size_come_near_their_shares() -> None:
    sizes = [400, 230, 220, 90, 80, 70, 60, 50, 50, 40, 30, 30, 20]
    records = [Record(f"{c}/{i}", i % 24, f"{c}", f"{c}") for c, size in enumerate(sizes) for i in range(size)]
    for seed in range(5):
        shares = [row["share"] for row in split_records(records, seed=seed).describe(records)]
        assert shares == pytest.approx([0.7, 0.2, 0.1], abs=0.03)


@pytest.mark.parametrize("records", [images(7), cells(11), cells(20, 2)], ids=["image", "cell", "case"])
def test_folds_test_everything_once(records: list[Record]) -> None:
    splits = [split_records(records, folds=5, fold=fold, seed=1) for fold in range(5)]
    tested = np.concatenate([split.test for split in splits])
    assert sorted(tested.tolist()) == list(range(len(records)))
    assert all(len(split.validation) and len(split.train) > len(split.validation) for split in splits)


def test_two_folds_need_four_groups() -> None:
    for fold in (0, 1):
        split = split_records(cells(4), folds=2, fold=fold, by="cell")
        assert all(len(side) for side in split.sides().values())
    with pytest.raises(DataError, match="3 cells cannot be divided into 2 folds"):
        split_records(cells(3), folds=2, by="cell")


@pytest.mark.parametrize("records", [images(10), cells(30)], ids=["image", "cell"])
def test_seed_decides(records: list[Record]) -> None:
    assert parts(split_records(records, seed=5)) == parts(split_records(records, seed=5))
    assert parts(split_records(records, seed=5)) != parts(split_records(records, seed=6))


def test_image_split_of_known_cells_is_warned_about() -> None:
    split = split_records(cells(10), by="image")
    assert "cell of every image is known" in split.warnings[0]
    assert split_records(images(5), by="image").warnings == ()


def test_levels_must_be_known_by_every_record() -> None:
    records = [*cells(10), Record("lone", 3)]
    assert known_levels(records) == ["image"]
    with pytest.raises(SettingsError, match=r"data\.split_by=cell is not possible: this data set knows only image"):
        split_records(records, by="cell")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"by": "slide"}, "data.split_by must be one of"),
        ({"fractions": (0.7, 0.3)}, "data.fractions"),
        ({"fractions": (0.7, 0.3, 0.0)}, "data.fractions"),
        ({"fractions": (70, 20, 10)}, "data.fractions"),
        ({"folds": 1}, "data.folds must be at least 2"),
        ({"folds": 5, "fold": 5}, "data.fold must be from 0 to 4"),
        ({"fold": 1}, "data.fold must be 0 unless"),
    ],
)
def test_settings_that_cannot_be_meant(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        split_records(images(5), **settings)


@pytest.mark.parametrize(
    ("records", "settings", "message"),
    [
        ([], {}, "no images"),
        ([Record(str(i), 4) for i in range(50)], {}, "all 50 images are of class 5"),
        ([Record(str(i), i) for i in range(23)], {}, "23 images are fewer than the 24 classes"),
        (cells(2), {"by": "cell"}, "2 cells cannot be divided into three sides"),
        (cells(4), {"by": "cell", "folds": 5}, "4 cells cannot be divided into 5 folds"),
        (images(1), {"fractions": (0.98, 0.01, 0.01)}, "side of the split is empty"),
    ],
)
def test_content_that_cannot_be_split(records: list[Record], settings: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        split_records(records, **settings)


def test_describe_counts() -> None:
    records = cells(20, per_case=2)
    rows = split_records(records).describe(records)
    assert [row["side"] for row in rows] == ["train", "validation", "test"]
    assert sum(row["cells"] for row in rows) == 20
    assert sum(row["cases"] for row in rows) == 10
    assert all(row["classes"] == 24 and row["rarest"] >= 1 for row in rows)


def test_split_is_saved_as_paths(tmp_path: Path) -> None:
    records = images(6)
    split = split_records(records, seed=9)
    split.save(tmp_path / "new" / "split.json", records)
    stored = json.loads((tmp_path / "new" / "split.json").read_text())
    assert stored["by"] == "image"
    assert stored["seed"] == 9
    assert stored["test"] == [records[i].path for i in split.test]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["split.json"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot be saved"):
        split_records(images(6)).save(tmp_path / "file" / "split.json", images(6))


def test_same_pixels_on_two_sides_are_named() -> None:
    records = images(5)
    split = split_records(records)
    digests = np.arange(len(records), dtype=np.uint8)[:, None].repeat(2, axis=1)
    places = [f"/data/{record.path}" for record in records]
    check_leaks(split, digests, places)
    inside = digests.copy()
    inside[split.train[1]] = inside[split.train[0]]
    check_leaks(split, inside, places)
    across = digests.copy()
    across[split.test[:7]] = across[split.train[:7]]
    with pytest.raises(DataError) as caught:
        check_leaks(split, across, places)
    text = str(caught.value)
    assert text.startswith("7 images have the same pixels")
    assert f"{places[split.train[0]]} (train) = {places[split.test[0]]} (test)" in text
    assert "and 2 more" in text
