"""The real data sets, where KARYO_REAL_DATA names the folder of their archives (gband65.zip, bioimlab.zip)."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from karyo.data.datamodule import ChromosomeData
from karyo.data.layouts import FolderSource
from karyo.data.records import Record
from karyo.imaging.polarity import background_is_bright
from karyo.imaging.preparation import Preparation

CONF = Path(__file__).parents[1] / "conf"
ARCHIVES = Path(os.environ.get("KARYO_REAL_DATA") or "-")

pytestmark = pytest.mark.skipif(
    not (ARCHIVES / "gband65.zip").is_file() or not (ARCHIVES / "bioimlab.zip").is_file(),
    reason="KARYO_REAL_DATA does not name a folder with gband65.zip and bioimlab.zip",
)


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    for name in ("gband65", "bioimlab"):
        with zipfile.ZipFile(ARCHIVES / f"{name}.zip") as archive:
            archive.extractall(folder)
    return folder


def source_of(name: str, root: Path) -> FolderSource:
    with initialize_config_dir(str(CONF), version_base=None):
        settings = compose("train", [f"data={name}"]).data.source
    return FolderSource(root, settings.pattern, name, folder=settings.folder)


def count(values: list[str | None]) -> int:
    return len(set(values))


def test_gband65_has_2241_chromosomes_of_52_cells_of_13_cases(unpacked: Path) -> None:
    records = source_of("gband65", unpacked).records
    assert len(records) == 2241
    assert count([record.cell for record in records]) == 52
    assert count([record.case for record in records]) == 13
    assert {record.label for record in records} == set(range(24))
    assert {record.homolog for record in records} == {"1", "2"}


def test_bioimlab_has_95_cells_of_46(unpacked: Path) -> None:
    records = source_of("bioimlab", unpacked / "bioimlab").records
    assert len(records) == 4370
    cells, sizes = np.unique([record.cell or "" for record in records], return_counts=True)
    assert len(cells) == 95
    assert set(sizes.tolist()) == {46}
    assert {record.label for record in records} == set(range(24))


@pytest.mark.parametrize(("name", "bright"), [("gband65", True), ("bioimlab", False)])
def test_every_image_reads_quietly_and_its_background_is_recognised(
    name: str, bright: bool, unpacked: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = source_of(name, unpacked)

    def is_wrong(record: Record) -> bool:
        grey = source.read(record)
        return grey.min() == grey.max() or background_is_bright(grey) is not bright

    assert [record.path for record in source.records if is_wrong(record)] == []
    assert capfd.readouterr() == ("", "")


def test_malformed_tiffs_read_exactly(unpacked: Path) -> None:
    """The files are not compressed, so what was read must stand in them byte for byte."""
    source = source_of("gband65", unpacked)
    for record in source.records[::50]:
        assert source.read(record).tobytes() in Path(source.locate(record)).read_bytes()


@pytest.mark.parametrize(("name", "by"), [("gband65", "case"), ("gband65", "cell"), ("bioimlab", "cell")])
def test_no_group_is_on_two_sides_and_no_pixels_leak(name: str, by: str, unpacked: Path) -> None:
    data = ChromosomeData(source_of(name, unpacked), Preparation(96), split_by=by)
    groups = [{getattr(data.records[i], by) for i in side.tolist()} for side in data.split.sides().values()]
    assert sum(len(group) for group in groups) == len(set().union(*groups))
    rows = data.describe()
    assert [row["share"] for row in rows] == pytest.approx([0.7, 0.2, 0.1], abs=0.05)
    assert rows[0]["classes"] == 24
