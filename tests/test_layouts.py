"""Folder trees to records: the shipped layouts, and everything that can be wrong with a root."""

import logging
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from karyo.data.layouts import FolderSource
from karyo.data.sources import Source
from karyo.errors import DataError, SettingsError

CONF = Path(__file__).parents[1] / "conf"


def write(root: Path, *names: str) -> None:
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((6, 5), number, np.uint8)
        path.write_bytes(cv2.imencode(path.suffix.lower(), pixels)[1].tobytes())


def shipped(layout: str, root: Path, **changes: str) -> FolderSource:
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("train", [f"data={layout}", f"data.root='{root}'"])
    settings = {key: config.data.source[key] for key in config.data.source if key != "_target_"}
    return FolderSource(**{**settings, **changes})


@pytest.mark.parametrize("inside", [True, False])
def test_gband65(tmp_path: Path, inside: bool) -> None:
    write(tmp_path, "gband65/1/1_1_56131_115966_1341591.tiff", "gband65/24/24_2_56204_116116_1342110.TIF")
    source = shipped("gband65", tmp_path / "gband65" if inside else tmp_path)
    first, last = source.records
    assert (first.path, first.label, first.cell) == ("1/1_1_56131_115966_1341591.tiff", 0, "56131_115966_1341591")
    assert (first.case, first.homolog) == ("56131", "1")
    assert (last.label, last.case) == (23, "56204")
    assert isinstance(source, Source)


def test_bioimlab(tmp_path: Path) -> None:
    write(tmp_path, "bioimlab/100/100 10a.bmp", "bioimlab/100/100 24.bmp", "bioimlab/7/7 23b.bmp")
    found = {(r.path, r.label, r.cell, r.case, r.homolog) for r in shipped("bioimlab", tmp_path).records}
    assert found == {
        ("100/100 10a.bmp", 9, "100", None, "a"),
        ("100/100 24.bmp", 23, "100", None, None),
        ("7/7 23b.bmp", 22, "7", None, "b"),
    }


def test_cirnet(tmp_path: Path) -> None:
    """Its labels count from 0, as its authors' training code takes them."""
    write(tmp_path, "origin/10701562828257.7639692.0.tiff", "71562828259.067297.18.tiff", "71562828259.067298.23.tiff")
    records = shipped("cirnet", tmp_path).records
    assert [record.label for record in records] == [18, 23, 0]
    assert {(record.cell, record.case) for record in records} == {(None, None)}


def test_labels_that_count_from_0_end_at_23(tmp_path: Path) -> None:
    write(tmp_path, "a.1.24.tiff", "a.1.3.tiff")
    with pytest.raises(DataError, match=r"counted from 0\): '24' \(a\.1\.24\.tiff\)"):
        _ = shipped("cirnet", tmp_path).records
    with pytest.raises(SettingsError, match="first_label must be 0 or 1, not 2"):
        FolderSource(tmp_path, r".*\.(?P<label>\d+)\.tiff", first_label=2)


def test_folders_in_any_usual_spelling(tmp_path: Path) -> None:
    write(tmp_path, "X/a.png", "chr7/b.PNG", "labor/ü/C10/c.jpg", "24/d.bmp", "03/e.tif")
    labels = {record.path: record.label for record in shipped("folders", tmp_path).records}
    assert labels == {"X/a.png": 22, "chr7/b.PNG": 6, "labor/ü/C10/c.jpg": 9, "24/d.bmp": 23, "03/e.tif": 2}


def test_reading_and_locating(tmp_path: Path) -> None:
    write(tmp_path, "1/a.png", "2/b.png")
    source = shipped("folders", tmp_path)
    assert [int(source.read(record)[0, 0]) for record in source.records] == [0, 1]
    assert source.locate(source.records[1]) == str(tmp_path / "2" / "b.png")


def test_hidden_and_other_files_are_left_out_and_strays_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, "1/a.png", "1/.b.png", ".git/2/c.png", "stray.png")
    (tmp_path / "1" / "notes.txt").write_text("x")
    with caplog.at_level(logging.INFO):
        assert [record.path for record in shipped("folders", tmp_path).records] == ["1/a.png"]
    assert "1 images do not match the pattern, such as stray.png" in caplog.text
    assert "1 files of other kinds" in caplog.text


def test_cell_ids_that_repeat_between_cases_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path, "A/1/7_a.png", "B/1/7_b.png", "B/2/8_c.png")
    source = FolderSource(tmp_path, r"(?P<case>\w)/(?P<cell>\d)/(?P<label>\d)_.*")
    assert [record.cell for record in source.records] == ["A/1", "B/1", "2"]


def test_linked_folders_are_entered_once(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", "1/a.png")
    root = tmp_path / "root"
    root.mkdir()
    (root / "1").symlink_to(tmp_path / "elsewhere" / "1")
    (root / "loop").symlink_to(root)
    assert [record.path for record in shipped("folders", root).records] == ["1/a.png"]


def test_fingerprint_follows_the_content(tmp_path: Path) -> None:
    write(tmp_path, "1/a.png", "2/b.png")
    before = shipped("folders", tmp_path).fingerprint()
    assert shipped("folders", tmp_path).fingerprint() == before
    assert re.fullmatch("[0-9a-f]{64}", before)
    write(tmp_path, "3/c.png")
    assert shipped("folders", tmp_path).fingerprint() != before


def test_root_must_be_given_and_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"data=gband65 needs data\.root=FOLDER"):
        FolderSource(None, "(?P<label>.*)", name="gband65")
    with pytest.raises(SettingsError, match="does not exist"):
        shipped("folders", tmp_path / "absent")
    (tmp_path / "file.zip").write_text("x")
    with pytest.raises(SettingsError, match="is not a folder"):
        shipped("folders", tmp_path / "file.zip")


def test_a_root_where_nothing_matches_shows_pattern_and_three_paths(tmp_path: Path) -> None:
    write(tmp_path, "a.png", "b.png", "c.png", "d.png")
    with pytest.raises(SettingsError) as caught:
        _ = shipped("gband65", tmp_path).records
    text = str(caught.value)
    assert "none of the 4 images" in text
    assert "'a.png', 'b.png', 'c.png'" in text
    assert "d.png" not in text
    assert "(?P<label>" in text


def test_an_empty_root_is_said_to_be_empty(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="holds no image files"):
        _ = shipped("folders", tmp_path).records


def test_unknown_labels_are_listed_together_and_can_be_ignored(tmp_path: Path) -> None:
    write(tmp_path, "1/a.png", "25/b.png", "25/c.png", "marker/d.png")
    with pytest.raises(DataError) as caught:
        _ = shipped("folders", tmp_path).records
    assert "2 labels" in str(caught.value)
    assert "'25' (25/b.png)" in str(caught.value)
    assert "'marker' (marker/d.png)" in str(caught.value)
    assert len(shipped("folders", tmp_path, ignore="(25|marker)/.*").records) == 1


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("(", "not a regular expression"), ("(?P<cell>.*)", "no group"), ("(?P<label>.*)(?P<arm>.)", "group 'arm'")],
)
def test_patterns_that_cannot_be_meant(tmp_path: Path, pattern: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        FolderSource(tmp_path, pattern)
