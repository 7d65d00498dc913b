"""Annotated spreads as a data set: records, reading from threads, and what may be wrong with a folder of them."""

import logging
import pickle
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from karyo.chromosomes import CLASSES
from karyo.data.records import Record
from karyo.data.sources import Source
from karyo.data.spreads import Spread, SpreadSource
from karyo.data.spreads import source as source_module
from karyo.data.spreads.recent import Recent
from karyo.data.synthetic import CellSettings, SpreadSettings, derive_seed, draw_spread, write_spreads
from karyo.errors import DataError, SettingsError

CONF = Path(__file__).parents[1] / "conf"
SMALL = SpreadSettings(width=600, height=520, touching=0.1, crossing=0, nuclei=1, debris=5)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two spreads, ids spread-0000 and spread-0001."""
    root = tmp_path_factory.mktemp("spreads") / "drawn"
    write_spreads(root, 2, seed=5, settings=SMALL)
    return root


def small(root: Path, objects: str, shape: tuple[int, int] = (48, 64), size: str | None = "64 48") -> Path:
    """Write one spread, ``7.png``, of two dark bars on a bright ground, with an annotation of these objects."""
    root.mkdir(exist_ok=True)
    grey = np.full(shape, 230, np.uint8)
    grey[10:40, 10:18] = 60
    grey[20:28, 20:50] = 70
    (root / "7.png").write_bytes(cv2.imencode(".png", grey)[1].tobytes())
    declared = "<size><width>{}</width><height>{}</height></size>".format(*size.split()) if size else ""
    (root / "7.xml").write_text(f"<annotation>{declared}{objects}</annotation>", encoding="utf-8")
    return root


def item(left: int, top: int, right: int, bottom: int, name: str = "C7") -> str:
    edges = zip(("xmin", "ymin", "xmax", "ymax"), (left, top, right, bottom), strict=True)
    coordinates = "".join(f"<{key}>{value}</{key}>" for key, value in edges)
    return f"<object><name>{name}</name><bndbox>{coordinates}</bndbox></object>"


def test_records_are_the_boxes_and_the_spread_is_the_cell(drawn: Path) -> None:
    source = SpreadSource(drawn / "images", annotations=drawn / "annotations")
    truth = draw_spread(derive_seed(5, 1), SMALL)
    assert isinstance(source, Source)
    assert Counter(record.cell for record in source.records) == {"spread-0000": 46, "spread-0001": 46}
    expected = [Record(f"spread-0001_{n}", c.label, "spread-0001") for n, c in enumerate(truth.chromosomes, start=1)]
    assert list(source.records[46:]) == expected


def test_without_margin_and_mask_a_record_is_its_box(drawn: Path) -> None:
    source = SpreadSource(drawn, images=drawn / "images", margin=0, mask="none")
    truth = draw_spread(derive_seed(5, 0), SMALL)
    for record, chromosome in zip(source.records, truth.chromosomes, strict=False):
        left, top, right, bottom = chromosome.box
        assert np.array_equal(source.read(record), truth.image[top:bottom, left:right])
    name = source.locate(source.records[3])
    assert name.startswith(str(drawn / "images" / "spread-0000.png"))
    assert str(truth.chromosomes[3].box) in name


def test_threads_reading_in_order_decode_each_spread_once(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    monkeypatch.setattr(source_module, "read_grey", lambda path: decoded.append(path) or original(path))
    source = SpreadSource(drawn, images=drawn / "images")
    with ThreadPoolExecutor(8) as threads:
        images = list(threads.map(source.read, source.records))
    assert len(images) == 92
    assert len(decoded) == 2
    assert all(np.array_equal(image, source.read(record)) for image, record in zip(images, source.records, strict=True))


original = source_module.read_grey


def test_a_source_travels_to_another_process(drawn: Path) -> None:
    source = SpreadSource(drawn, images=drawn / "images", mask="none")
    image = source.read(source.records[0])
    again = pickle.loads(pickle.dumps(source))
    assert np.array_equal(again.read(source.records[0]), image)


def test_fingerprint_follows_files_and_settings(tmp_path: Path) -> None:
    root = small(tmp_path / "s", item(9, 9, 20, 41))
    first = SpreadSource(root).fingerprint()
    assert SpreadSource(root).fingerprint() == first
    others = [SpreadSource(root, margin=3), SpreadSource(root, mask="none"), SpreadSource(root, aspect=1.25)]
    small(root, item(9, 9, 20, 41) + item(18, 18, 52, 30))
    found = [first, *(other.fingerprint() for other in others), SpreadSource(root).fingerprint()]
    assert len(set(found)) == 5


def test_the_configuration_builds_it_and_a_data_module_of_it(drawn: Path) -> None:
    with initialize_config_dir(str(CONF), version_base=None):
        places = [f"data.root='{drawn}'", f"data.source.images='{drawn}/images'"]
        config = compose("train", ["data=spreads", "data.source.mask=none", *places])
    data = instantiate(config.data, preparation={"size": 32})
    assert isinstance(data.source, SpreadSource)
    assert data.preparation.align
    assert data.images(range(92)).shape == (92, 32, 32)
    assert [record.cell for record in data.records[::46]] == ["spread-0000", "spread-0001"]


def test_the_other_configuration_reads_what_crop_writes() -> None:
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("train", ["data=crops", "data.root=x"])
    assert config.data.align is True
    assert config.data.source.name == "crops"
    assert config.data.batch_size == config.batch_size


def test_aspect_widens(tmp_path: Path) -> None:
    root = small(tmp_path / "s", item(10, 10, 30, 40))
    source = SpreadSource(root, margin=0, aspect=1.5)
    assert source.read(source.records[0]).shape == (30, 30)


def test_an_image_that_is_not_the_annotated_one(tmp_path: Path) -> None:
    source = SpreadSource(small(tmp_path / "s", item(9, 9, 20, 41), size="640 640"))
    for _ in range(2):
        with pytest.raises(DataError, match=r"64 x 48 pixels.*made for 640 x 640"):
            source.read(source.records[0])


def test_an_annotation_without_size_takes_the_image_s(tmp_path: Path) -> None:
    source = SpreadSource(small(tmp_path / "s", item(-3, 9, 20, 99), size=None), margin=0, mask="none")
    assert source.read(source.records[0]).shape == (39, 20)


def test_a_box_outside_its_image(tmp_path: Path) -> None:
    source = SpreadSource(small(tmp_path / "s", item(9, 9, 20, 41) + item(64, 9, 90, 41)))
    with pytest.raises(DataError, match="outside the image of 64 x 48"):
        source.read(source.records[1])


def test_bad_boxes_are_refused_or_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = small(tmp_path / "s", item(9, 9, 20, 41) + item(9, 9, 20, 41, name="Q1") + item(18, 18, 52, 30, name="X"))
    with pytest.raises(DataError, match=r"object 2: 'Q1' names no human chromosome.*on_bad_annotation=skip"):
        len(SpreadSource(root).records)
    with caplog.at_level(logging.WARNING):
        records = SpreadSource(root, on_bad_annotation="skip").records
    assert [(record.path, CLASSES[record.label]) for record in records] == [("7_1", "7"), ("7_3", "X")]
    assert "1 unusable annotations or boxes left out" in caplog.text


def test_files_without_partner_are_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = small(tmp_path / "s", item(9, 9, 20, 41))
    (root / "8.png").touch()
    (root / "9.xml").touch()
    with caplog.at_level(logging.WARNING):
        assert len(SpreadSource(root).records) == 1
    assert "1 images without annotation" in caplog.text
    assert "1 annotations without image" in caplog.text


def test_annotations_without_any_box(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no annotation of spreads has a usable box"):
        len(SpreadSource(small(tmp_path / "s", "")).records)


@pytest.mark.parametrize(
    "settings",
    [
        {"root": None},
        {"root": "missing"},
        {"images": "missing"},
        {"root": "7.xml"},
        {"margin": -1},
        {"margin": 1.5},
        {"mask": "all"},
        {"aspect": 0},
        {"on_bad_annotation": "ignore"},
    ],
)
def test_settings_that_cannot_be_meant(tmp_path: Path, settings: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small(tmp_path / "s", item(9, 9, 20, 41)))
    with pytest.raises(SettingsError):
        SpreadSource(**{"root": ".", **settings})


def test_a_record_of_another_source(tmp_path: Path) -> None:
    source = SpreadSource(small(tmp_path / "s", item(9, 9, 20, 41)))
    with pytest.raises(SettingsError, match="no box of spreads"):
        source.read(Record("12_3", 0))


def test_masking_keeps_the_object_that_the_box_was_drawn_around() -> None:
    grey = np.full((120, 160), 230, np.uint8)
    cv2.line(grey, (30, 20), (90, 95), 60, 12)
    grey[20:60, 90:102] = 75
    grey[20:30, 5:17] = 40
    spread = Spread(cv2.GaussianBlur(grey, (0, 0), 1.0))
    assert spread.bright
    line, bar = (22, 12, 99, 104), (87, 17, 105, 63)
    crop = spread.cut(line, mask="object")
    assert crop.object_found
    left, top, right, bottom = line
    there = np.zeros_like(grey)
    cv2.line(there, (30, 20), (90, 95), 1, 10)
    own = there[top:bottom, left:right] > 0
    assert np.array_equal(crop.grey[own], spread.grey[top:bottom, left:right][own])
    away = cv2.dilate(there, np.ones((9, 9), np.uint8))[top:bottom, left:right] == 0
    assert np.abs(crop.grey[away].astype(int) - 230).max() <= 2
    assert (spread.cut(line).grey[away] < 100).any()
    assert spread.cut(bar, mask="object").grey.min() < 90


def test_masking_takes_touching_chromosomes_apart() -> None:
    settings = SpreadSettings(700, 600, CellSettings("easy"), touching=0.5, crossing=0, nuclei=0, debris=0)
    drawn = draw_spread(2, settings)
    spread = Spread(drawn.image, [chromosome.box for chromosome in drawn.chromosomes])
    before, after, lost = [], [], 0
    for chromosome in drawn.chromosomes:
        if chromosome.relation != "touching":
            continue
        left, top, right, bottom = chromosome.box
        others = np.zeros(drawn.image.shape, np.uint8)
        for other in drawn.chromosomes:
            if other is not chromosome:
                others |= other.full_mask(*drawn.image.shape).view(np.uint8)
        foreign = cv2.erode(others, np.ones((3, 3), np.uint8))[top:bottom, left:right] > 0
        own = cv2.erode(chromosome.mask.view(np.uint8), np.ones((3, 3), np.uint8)) > 0
        plain, masked = (spread.cut(chromosome.box, mask=mask) for mask in ("none", "object"))
        if masked.object_found:
            before.append((foreign & (plain.grey < 170)).sum())
            after.append((foreign & (masked.grey < 170)).sum())
            assert (own & (masked.grey != plain.grey)).sum() <= 0.1 * own.sum()
        lost += not masked.object_found
    assert len(before) >= 10
    assert lost <= 0.1 * len(before)
    assert sum(after) < 0.1 * sum(before)


def test_where_no_object_fits_what_fills_the_box_is_cut_off_at_its_edges() -> None:
    """A box around a part of an object that nothing tells from the rest, with a neighbour in its corner."""
    grey = np.full((160, 160), 230, np.uint8)
    grey[10:130, 50:62] = 70
    grey[45:57, 67:120] = 60
    spread = Spread(cv2.GaussianBlur(grey, (0, 0), 0.5))
    box = (46, 6, 70, 60)
    plain, masked = (spread.cut(box, mask=mask) for mask in ("none", "object"))
    assert not masked.object_found
    assert np.array_equal(masked.grey[8:, 4:16], plain.grey[8:, 4:16]), "down to the box's edge"
    assert plain.grey[:, 21:].min() < 100
    assert masked.grey[:, 19:].min() >= 228


def test_what_other_boxes_explain_is_not_cut_off() -> None:
    """A pale chromosome below a dark one that crosses its box from corner to corner and has a box of its own."""
    grey = np.full((160, 160), 230, np.uint8)
    grey[20:80, 50:62] = 205
    cv2.line(grey, (30, 8), (84, 92), 60, 7)
    box, other = (46, 16, 68, 84), (24, 2, 90, 98)
    spread = Spread(cv2.GaussianBlur(grey, (0, 0), 0.5), [box, other])
    plain, masked = (spread.cut(box, mask=mask) for mask in ("none", "object"))
    pale = np.s_[6:20, 5:15]
    assert np.array_equal(masked.grey[pale], plain.grey[pale])


@pytest.mark.parametrize("level", [0, 127, 255])
def test_where_there_is_no_object_the_crop_stays_and_is_flagged(level: int) -> None:
    spread = Spread(np.full((40, 30), level, np.uint8))
    crop = spread.cut((5, 5, 15, 25), margin=2, mask="object")
    assert crop.grey.shape == (24, 14)
    assert (crop.grey == level).all()
    assert not crop.object_found


def test_margins_end_at_the_image_and_one_pixel_is_an_image() -> None:
    crop = Spread(np.full((1, 1), 9, np.uint8)).cut((0, 0, 1, 1), margin=5, mask="object")
    assert (crop.grey.shape, crop.box, crop.clipped) == ((1, 1), (0, 0, 1, 1), False)
    crop = Spread(np.zeros((40, 30), np.uint8)).cut((-5, 30, 10, 45), margin=2)
    assert (crop.box, crop.clipped) == ((0, 28, 12, 40), True)


def test_a_dark_ground_stays_dark() -> None:
    drawn = draw_spread(1, SpreadSettings(600, 520, CellSettings("easy", polarity="dark"), nuclei=1, debris=0))
    spread = Spread(drawn.image)
    assert not spread.bright
    crop = spread.cut(drawn.chromosomes[0].box, margin=4, mask="object")
    assert np.median(crop.grey[0]) < 60


def test_threads_that_ask_at_once_wait_for_one() -> None:
    made = []

    def make(key: int) -> int:
        made.append(key)
        time.sleep(0.05)
        if key == 3:
            raise DataError("three")
        return 10 * key

    recent = Recent(make, 2)
    gate = threading.Barrier(4)

    def ask(key: int) -> int:
        gate.wait()
        return recent(key)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(ask, [1, 1, 1, 1])) == [10] * 4
    assert made == [1]
    for _ in range(2):
        with pytest.raises(DataError, match="three"):
            recent(3)
    assert [recent(1), recent(2), recent(1)] == [10, 20, 10]
    assert made == [1, 3, 2]
