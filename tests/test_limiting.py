"""Training on a part of the labelled cells."""

from itertools import pairwise

import numpy as np
import pytest

from karyo.data.datamodule import ChromosomeData
from karyo.data.limiting import limit_training
from karyo.data.records import Record
from karyo.data.splits import Split, split_records
from karyo.data.synthetic import SyntheticSource
from karyo.errors import SettingsError
from karyo.imaging.preparation import Preparation

RECORDS = list(SyntheticSource(cells=12).records)
WHOLE = split_records(RECORDS, seed=1)


def cells(split: Split) -> set[str | None]:
    return {RECORDS[index].cell for index in split.train.tolist()}


def test_some_cells_stay_whole_and_the_other_sides_as_they_are() -> None:
    few = limit_training(WHOLE, RECORDS, 3, seed=0)
    assert len(cells(few)) == 3
    assert cells(few) <= cells(WHOLE)
    assert sum(record.cell in cells(few) for record in RECORDS) == len(few.train)
    assert np.array_equal(few.test, WHOLE.test)
    assert np.array_equal(few.validation, WHOLE.validation)
    assert (np.diff(few.train) > 0).all()


def test_more_cells_hold_the_fewer_and_seeds_draw_others() -> None:
    rising = [cells(limit_training(WHOLE, RECORDS, number, seed=5)) for number in range(1, len(cells(WHOLE)) + 1)]
    assert all(small < large for small, large in pairwise(rising))
    assert rising[-1] == cells(WHOLE)
    assert len({frozenset(cells(limit_training(WHOLE, RECORDS, 2, seed))) for seed in range(10)}) > 3


@pytest.mark.parametrize(("share", "number"), [(0.5, 4), (0.25, 2), (0.001, 1), (0.999, 8)])
def test_a_share_is_of_the_cells_and_at_least_one(share: float, number: int) -> None:
    assert len(cells(WHOLE)) == 8
    assert len(cells(limit_training(WHOLE, RECORDS, share, seed=0))) == number


def test_classes_that_are_gone_are_told() -> None:
    women = list(SyntheticSource(cells=12, sex="XX").records)
    mixed = [Record(r.path, 23, r.cell) if r.cell == "cell-0000" and r.label == 22 else r for r in women]
    split = split_records(mixed, seed=0)
    warned = [limit_training(split, mixed, 1, seed).warnings for seed in range(12)]
    known = {mixed[index].label for index in split.train.tolist()}
    assert any("no image of class Y is in the one training cell" in text for texts in warned for text in texts) is (
        23 in known
    )


@pytest.mark.parametrize(
    ("number", "message"), [(9, "has 8 cells"), (0, "not 0"), (1.0, "not 1.0"), (True, "not True")]
)
def test_numbers_that_cannot_be_meant(number: float, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        limit_training(WHOLE, RECORDS, number, seed=0)


def test_cells_must_be_known() -> None:
    unknown = [Record(record.path, record.label) for record in RECORDS]
    with pytest.raises(SettingsError, match="cells are known"):
        limit_training(split_records(unknown), unknown, 2, seed=0)


def test_the_data_module_trains_on_them_alone() -> None:
    def data(**settings: object) -> ChromosomeData:
        return ChromosomeData(SyntheticSource(cells=8), Preparation(16), batch_size=64, **settings)  # type: ignore[arg-type]

    few, whole = data(train_cells=2), data()
    seen = {index for _, _, indices in few.train_dataloader() for index in indices.tolist()}
    assert len({few.records[index].cell for index in seen}) == 2
    assert seen < set(whole.split.train.tolist())
    assert few.facts()["sides"][0]["cells"] == 2
    assert few.facts()["split"] != whole.facts()["split"]
    assert few.fingerprint == whole.fingerprint
    with pytest.raises(SettingsError, match=r"data\.train_cells must be"):
        data(train_cells=-1)
