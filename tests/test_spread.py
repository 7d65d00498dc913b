import json
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from karyo.chromosomes import parse_label
from karyo.commands.draw import draw_app
from karyo.data.synthetic import CellSettings, Spread, SpreadSettings, derive_seed, draw_spread, voc_name
from karyo.errors import SettingsError
from karyo.karyotype.iscn import parse_iscn

SMALL = SpreadSettings(width=600, height=520, nuclei=1, debris=10)
SMALL_AND_EMPTY = SpreadSettings(width=600, height=520, nuclei=0, debris=0)


@pytest.fixture(scope="module")
def spread() -> Spread:
    return draw_spread(7, SpreadSettings(width=700, height=600, touching=0.3, crossing=0.2))


def test_same_seed_same_spread_other_seed_another() -> None:
    first, second, other = draw_spread(1, SMALL), draw_spread(1, SMALL), draw_spread(2, SMALL)
    assert np.array_equal(first.image, second.image)
    assert [item.box for item in first.chromosomes] == [item.box for item in second.chromosomes]
    assert not np.array_equal(first.image, other.image)


def test_all_46_lie_inside_with_boxes_that_fit_their_masks(spread: Spread) -> None:
    height, width = spread.image.shape
    assert (height, width) == (600, 700)
    labels = [item.label for item in spread.chromosomes]
    assert [labels.count(label) for label in range(22)] == [2] * 22
    assert labels.count(22) + labels.count(23) == 2
    for item in spread.chromosomes:
        left, top, right, bottom = item.box
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        rows, columns = np.nonzero(item.full_mask(height, width))
        assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == item.box
        x, y = np.round(item.centre_line[2:-2]).astype(int).T
        assert item.full_mask(height, width)[y, x].mean() > 0.95
        assert np.linalg.norm(item.centre_line - item.centromere, axis=1).min() < 2


def test_relations_are_those_of_the_masks(spread: Spread) -> None:
    size = spread.image.shape
    masks = [item.full_mask(*size) for item in spread.chromosomes]
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    wide = [cv2.dilate(mask.view(np.uint8), kernel).astype(bool) for mask in masks]
    for index, item in enumerate(spread.chromosomes):
        others = [other for other in range(46) if other != index]
        crosses = tuple(other for other in others if (masks[index] & masks[other]).any())
        near = tuple(other for other in others if (wide[index] & masks[other]).any())
        assert item.crosses == crosses
        assert item.touches == tuple(other for other in near if other not in crosses)
        assert item.relation == ("crossing" if crosses else "touching" if near else "isolated")
    assert {item.relation for item in spread.chromosomes} == {"isolated", "touching", "crossing"}


def test_no_chromosome_is_buried(spread: Spread) -> None:
    count = sum(item.full_mask(*spread.image.shape).astype(int) for item in spread.chromosomes)
    for item in spread.chromosomes:
        left, top, right, bottom = item.box
        assert (count[top:bottom, left:right][item.mask] > 1).mean() < 0.95


def test_chromosomes_are_darker_than_the_field_and_absorb_twice_where_they_cross() -> None:
    settings = SpreadSettings(width=700, height=600, touching=0, crossing=0.5, nuclei=0, debris=0)
    single, double = [], []
    for seed in range(3):
        drawn = draw_spread(seed, settings)
        count = sum(item.full_mask(*drawn.image.shape).astype(int) for item in drawn.chromosomes)
        inner = cv2.erode((count == 2).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        field = cv2.dilate((count > 0).astype(np.uint8), np.ones((7, 7), np.uint8)) == 0
        assert np.median(drawn.image[field]) - drawn.image[count == 1].mean() > 60
        absorbance = -np.log(np.maximum(drawn.image, 1) / np.median(drawn.image[field]))
        alone = cv2.erode((count == 1).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        single.append(absorbance[alone].mean())
        double.append(absorbance[inner].mean())
    assert np.mean(double) == pytest.approx(2 * np.mean(single), rel=0.2)


def test_isolated_spreads_have_no_neighbours() -> None:
    drawn = draw_spread(3, SpreadSettings(width=1000, height=900, touching=0, crossing=0))
    assert {item.relation for item in drawn.chromosomes} == {"isolated"}


def test_dark_background() -> None:
    settings = SpreadSettings(600, 520, CellSettings(polarity="dark"), nuclei=0)
    bright = draw_spread(1, SpreadSettings(600, 520, CellSettings(polarity="bright"), nuclei=0))
    dark = draw_spread(1, settings)
    assert np.median(dark.image) < 60
    assert np.array_equal(255 - bright.image, dark.image)


def test_no_chromosome_lies_on_a_nucleus() -> None:
    for seed in range(2):
        drawn = draw_spread(seed, SpreadSettings(760, 700, nuclei=6, debris=0, touching=0.3))
        masks = [item.full_mask(*drawn.image.shape) for item in drawn.chromosomes]
        assert not any((mask & drawn.nuclei).any() for mask in masks)
        assert np.median(drawn.image[~drawn.nuclei]) - drawn.image[drawn.nuclei].mean() > 50
    assert not draw_spread(5, SMALL_AND_EMPTY).nuclei.any()


@pytest.mark.parametrize(
    "settings",
    [
        {"width": 200},
        {"height": 100},
        {"width": 600, "height": 600, "cell": CellSettings(scale=2.0)},
        {"width": 100_000},
        {"touching": -0.1},
        {"touching": 0.6, "crossing": 0.6},
        {"nuclei": -1},
        {"debris": -1},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict) -> None:
    with pytest.raises(SettingsError):
        SpreadSettings(**settings)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(SettingsError, match="seed"):
        draw_spread(-1, SMALL)


def test_names_are_those_of_published_annotations() -> None:
    names = [voc_name(label) for label in range(24)]
    assert names[:5] == ["A1", "A2", "A3", "B4", "B5"]
    assert names[20:] == ["G21", "G22", "X", "Y"]
    assert [parse_label(name) for name in names] == list(range(24))


def test_the_written_folder_holds_picture_and_truth(tmp_path: Path) -> None:
    out = tmp_path / "spreads"
    arguments = ["spreads", str(out), "--count", "2", "--width", "600", "--height", "520", "--seed", "9"]
    result = CliRunner().invoke(draw_app, arguments)
    assert result.exit_code == 0, result.output
    drawn = draw_spread(derive_seed(9, 1), SpreadSettings(width=600, height=520))
    image = cv2.imread(str(out / "images" / "spread-0001.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(image, drawn.image)
    objects = ElementTree.parse(out / "annotations" / "spread-0001.xml").getroot().findall("object")
    boxes = [tuple(int(edge.text or "") for edge in item.find("bndbox") or []) for item in objects]
    assert boxes == [item.box for item in drawn.chromosomes]
    assert [parse_label(item.findtext("name") or "") for item in objects] == [item.label for item in drawn.chromosomes]
    with np.load(out / "masks" / "spread-0001.npz") as masks:
        assert np.array_equal(masks["nuclei"], drawn.nuclei)
        assert all(
            np.array_equal(masks[f"mask_{index:02d}"], item.mask) for index, item in enumerate(drawn.chromosomes)
        )
    truth = json.loads((out / "truth" / "spread-0001.json").read_text())
    assert truth["sex"] == drawn.sex
    assert [item["relation"] for item in truth["chromosomes"]] == [item.relation for item in drawn.chromosomes]
    assert isinstance(CliRunner().invoke(draw_app, arguments).exception, SettingsError)
    assert [path.name for path in tmp_path.iterdir()] == ["spreads"]


def test_a_spread_of_another_complement() -> None:
    settings = SpreadSettings(width=600, height=520, nuclei=0, debris=0, cell=CellSettings(copies=parse_iscn("45,X")))
    spread = draw_spread(2, settings)
    labels = [item.label for item in spread.chromosomes]
    assert [labels.count(label) for label in range(24)] == [2] * 22 + [1, 0]


def test_a_tetraploid_spread_that_lost_some(tmp_path: Path) -> None:
    arguments = [*("spreads", str(tmp_path / "out"), "--count", "1", "--complement", "92,XXXX", "--lost", "0.2")]
    assert CliRunner().invoke(draw_app, arguments, catch_exceptions=False).exit_code == 0
    truth = json.loads((tmp_path / "out" / "truth" / "spread-0000.json").read_text())
    assert truth["copies"]["1"] == truth["copies"]["X"] == 4
    assert 55 < len(truth["chromosomes"]) < 90
    with np.load(tmp_path / "out" / "masks" / "spread-0000.npz") as masks:
        assert len(masks.files) == len(truth["chromosomes"]) + 1
