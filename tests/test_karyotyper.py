"""From the chromosomes of a cell, or from a whole spread, to its karyotype."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from exported import tiny_model

import karyo
from karyo.data.sizes import learn_sizes, measure_sizes
from karyo.data.spreads import Box
from karyo.data.synthetic import CellSettings, SpreadSettings, SyntheticSource, draw_cell, draw_spread
from karyo.errors import DataError
from karyo.imaging.size import measure_size, size_logarithms
from karyo.inference.passport import Passport
from karyo.inference.sizes import SizeNorms
from karyo.karyotype.cell import MOST_OBJECTS, CellObject, Karyotype
from karyo.karyotype.karyotyper import Karyotyper

EASY = CellSettings(difficulty="easy")


@pytest.fixture(scope="module")
def norms() -> SizeNorms:
    source = SyntheticSource(cells=4)
    found = learn_sizes(source, source.records)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def karyotyper(tmp_path_factory: pytest.TempPathFactory, norms: SizeNorms) -> Karyotyper:
    return Karyotyper(karyo.load(tiny_model(tmp_path_factory.mktemp("model"), sizes=norms)))


@pytest.fixture(scope="module")
def blind(tmp_path_factory: pytest.TempPathFactory) -> Karyotyper:
    """The same model without any knowledge of sizes."""
    return Karyotyper(karyo.load(tiny_model(tmp_path_factory.mktemp("blind"))))


def known_cell(cell: int = 0) -> list[CellObject]:
    """A cell of those that the tiny model was made from."""
    source = SyntheticSource(cells=4)
    names = list(dict.fromkeys(record.cell for record in source.records))
    records = [record for record in source.records if record.cell == names[cell]]
    return [CellObject(record.path, source.read(record), truth=record.label) for record in records]


def right(found: Karyotype) -> int:
    return sum(each.label == each.object.truth for each in found.objects)


def test_the_cell_as_a_whole_is_recognised_better_than_its_chromosomes_alone(
    karyotyper: Karyotyper, blind: Karyotyper
) -> None:
    cells = [known_cell(number) for number in range(4)]
    alone = sum(
        each.alone.probabilities.argmax() == each.object.truth
        for cell in cells
        for each in blind.decide("cell", cell, pictures=False).objects
    )
    together = sum(right(blind.decide("cell", cell, pictures=False)) for cell in cells)
    with_sizes = sum(right(karyotyper.decide("cell", cell, pictures=False)) for cell in cells)

    assert alone < together < with_sizes
    assert with_sizes >= 0.97 * 4 * 46


def test_a_karyotype_holds_every_object_once_in_the_order_given(karyotyper: Karyotyper) -> None:
    cell = known_cell()

    found = karyotyper.decide("cell 1", cell)

    assert [each.object for each in found.objects] == cell
    assert all(each.upright is not None for each in found.objects)
    assert found.copies.shape == (24, 5)
    np.testing.assert_allclose(found.copies.sum(axis=1), 1)
    assert sum(len(found.placed(label)) for label in [*range(24), None]) == 46
    assert found.size is None


def test_low_probability_is_doubtful(karyotyper: Karyotyper) -> None:
    found = karyotyper.decide("cell 1", known_cell(), pictures=False)

    assert all(each.doubtful == (each.label is None or each.probability < 0.95) for each in found.objects)


def test_nothing_is_no_error(karyotyper: Karyotyper) -> None:
    found = karyotyper.decide("empty", [])

    assert found.objects == []
    assert "no chromosome" in found.remarks[0]
    assert not found.call.abnormal


@pytest.mark.parametrize("kept", [45, 30])
def test_an_incomplete_cell_says_what_is_missing(karyotyper: Karyotyper, kept: int) -> None:
    found = karyotyper.decide("cell", known_cell()[:kept], pictures=False)

    assert f"{kept} of the 46" in " ".join(found.remarks)


def test_a_missing_x_is_named_as_possible(karyotyper: Karyotyper) -> None:
    source = SyntheticSource(cells=4)
    women = {record.cell for record in source.records} - {r.cell for r in source.records if r.label == 23}
    records = [record for record in source.records if record.cell == min(women, key=str)]
    cell = [CellObject(record.path, source.read(record)) for record in records if record.path != records[-1].path]

    found = karyotyper.decide("cell", cell, pictures=False)

    assert records[-1].label == 22
    assert any(remark.startswith("1 of X instead of 2 cannot be excluded") for remark in found.remarks)


def test_images_without_any_chromosome_are_no_karyotype(karyotyper: Karyotyper) -> None:
    blank = [CellObject(f"{number}.png", np.full((40, 30), 200 + number, np.uint8)) for number in range(3)]

    with pytest.raises(DataError, match="none of its 3 images shows a chromosome"):
        karyotyper.decide("blanks", blank)


def test_uncertain_numbers_are_said_to_be_uncertain(karyotyper: Karyotyper) -> None:
    found = karyotyper.decide("few", known_cell()[:3], pictures=False)

    assert found.call.probability < 0.5
    assert any(remark.startswith("the numbers are uncertain") for remark in found.remarks)


def test_two_cells_in_one_are_noticed(karyotyper: Karyotyper) -> None:
    found = karyotyper.decide("two", known_cell(0) + known_cell(1), pictures=False)

    assert "two cells lie in it" in " ".join(found.remarks)


def test_the_same_image_twice_is_named_and_counts_once(karyotyper: Karyotyper) -> None:
    cell = known_cell()
    once = karyotyper.decide("once", cell, pictures=False)
    again = CellObject("a copy.png", cell[3].grey)

    found = karyotyper.decide("twice", [*cell, again], pictures=False)

    assert any(cell[3].name in remark and "a copy.png" in remark for remark in found.remarks)
    assert found.call == once.call
    assert [each.label for each in found.objects] == [*(each.label for each in once.objects), None]
    assert found.objects[-1].doubtful


def test_more_objects_than_any_cell_has_are_refused(karyotyper: Karyotyper) -> None:
    with pytest.raises(DataError, match="401 objects"):
        karyotyper.decide("many", known_cell()[:1] * (MOST_OBJECTS + 1))


def test_a_drawn_spread_becomes_a_karyotype(karyotyper: Karyotyper) -> None:
    spread = draw_spread(3, SpreadSettings(cell=EASY, touching=0, crossing=0))

    found = karyotyper.spread("spread 3", spread.image, pictures=False)

    assert 44 <= len(found.objects) <= 48
    assert found.size == (spread.image.shape[1], spread.image.shape[0])
    assert all(each.object.edges is not None and each.object.outline is not None for each in found.objects)
    assert found.objects[0].object.name == "spread 3_1"


def test_a_spread_with_boxes_keeps_what_a_person_named(karyotyper: Karyotyper) -> None:
    spread = draw_spread(4, SpreadSettings(cell=EASY))
    boxes = [Box(number, each.label, each.box) for number, each in enumerate(spread.chromosomes, 1)]

    found = karyotyper.spread("spread 4", spread.image, boxes)

    assert [each.object.truth for each in found.objects] == [box.label for box in boxes]
    assert [each.object.edges for each in found.objects] == [box.edges for box in boxes]
    assert {each.object.relation for each in found.objects} == {"given"}


def _blank() -> np.ndarray:
    return np.full((600, 800), 230, np.uint8)


def _one_chromosome() -> np.ndarray:
    return np.pad(draw_cell(0, EASY)[0].image, 200, constant_values=255)


@pytest.mark.parametrize("picture", [_blank, _one_chromosome])
def test_what_is_no_spread_is_said_to_be_none(karyotyper: Karyotyper, picture: Callable[[], np.ndarray]) -> None:
    with pytest.raises(DataError, match="no metaphase spread"):
        karyotyper.spread("picture", picture())


def test_a_size_is_measured_alike_on_either_ground_and_grows_with_the_chromosome() -> None:
    cell = draw_cell(0, EASY)
    first, last = measure_size(cell[0].image), measure_size(cell[43].image)
    inverted = measure_size(255 - cell[0].image)

    assert first is not None
    assert last is not None
    assert inverted is not None
    assert first.length > 2 * last.length
    assert first.area > 2 * last.area
    assert inverted.area == pytest.approx(first.area, rel=0.02)
    assert inverted.mass == pytest.approx(first.mass, rel=0.02)
    assert np.array_equal(size_logarithms(cell[0].image), first.logarithms)
    nothing = np.full((40, 40), 128, np.uint8)
    assert measure_size(nothing) is None
    assert np.isnan(size_logarithms(nothing)).all()


def test_sizes_of_a_drawn_set_follow_the_ideogram(norms: SizeNorms) -> None:
    lengths = np.array(norms.means)[:, 1]

    assert norms.cells == 4
    assert lengths[0] > lengths[6] > lengths[15] > lengths[20]
    assert np.sqrt(norms.covariance[1][1]) < 0.15


def test_an_unreadable_image_has_no_size(tmp_path: Path) -> None:
    class Broken(SyntheticSource):
        def read(self, record: object) -> np.ndarray:
            raise DataError("broken")

    source = Broken(cells=1)

    assert np.isnan(measure_sizes(source, source.records[:3])).all()


def test_sizes_travel_inside_the_model(karyotyper: Karyotyper, norms: SizeNorms) -> None:
    assert karyotyper.predictor.passport.sizes == norms


@pytest.mark.parametrize(
    "sizes",
    [
        {"means": [[0.0] * 3] * 23, "covariance": np.eye(3).tolist()},
        {"means": [[0.0] * 3] * 24, "covariance": np.zeros((3, 3)).tolist()},
        {"means": [[float("inf")] * 3] * 24, "covariance": np.eye(3).tolist()},
        {"means": "many", "covariance": np.eye(3).tolist()},
        {"means": [[0.0] * 3] * 24, "covariance": np.eye(3).tolist(), "cells": -1},
        {"means": [[0.0] * 3] * 24, "covariance": np.eye(3).tolist(), "colour": 1},
        [1, 2],
        7,
    ],
)
def test_sizes_that_cannot_be_used_are_refused_with_the_file(karyotyper: Karyotyper, sizes: object) -> None:
    import json

    content = json.loads(karyotyper.predictor.passport.to_json()) | {"sizes": sizes}
    text = json.dumps(content)

    with pytest.raises(DataError):
        Passport.from_json(text)
