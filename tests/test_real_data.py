"""The real data sets, where KARYO_REAL_DATA names the folder of their archives.

They are gband65.zip, bioimlab.zip and metaphases.zip.
"""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from karyo.data.datamodule import ChromosomeData
from karyo.data.ideogram import relative_lengths
from karyo.data.layouts import FolderSource
from karyo.data.records import Record
from karyo.data.sizes import learn_sizes
from karyo.data.spreads import SpreadSource, find_pairs
from karyo.data.spreads.export import export_crops
from karyo.evaluation.detection import measure_annotated
from karyo.imaging.polarity import background_is_bright, normalise_polarity
from karyo.imaging.preparation import Preparation
from karyo.imaging.straighten import straighten_medial

CONF = Path(__file__).parents[1] / "conf"
ARCHIVES = Path(os.environ.get("KARYO_REAL_DATA") or "-")

NAMES = ("gband65", "bioimlab", "metaphases")

pytestmark = pytest.mark.skipif(
    not all((ARCHIVES / f"{name}.zip").is_file() for name in NAMES),
    reason=f"KARYO_REAL_DATA does not name a folder with {', '.join(f'{name}.zip' for name in NAMES)}",
)


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    for name in NAMES:
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


def test_the_spreads_have_6895_boxes_in_150_cells(unpacked: Path) -> None:
    records = SpreadSource(unpacked).records
    assert len(records) == 6895
    assert count([record.cell for record in records]) == 150
    assert {record.label for record in records} == set(range(24))


@pytest.mark.slow
def test_every_box_of_the_spreads_becomes_one_chromosome(unpacked: Path, tmp_path: Path) -> None:
    folder = unpacked / "24_chromosomes_object"
    totals = export_crops(folder / "JEPG", folder / "annotations", tmp_path / "crops", 2, "object", 2)
    assert totals.inputs == 150
    assert totals.files == totals.counts["boxes"] == 6895
    left_out = {reason: found for (reason, is_out), found in totals.problems.items() if is_out}
    assert left_out == {}
    assert totals.problems[("no object fits the box", False)] < 0.05 * 6895


def test_bent_chromosomes_of_bioimlab_straighten(unpacked: Path) -> None:
    source = source_of("bioimlab", unpacked)
    found = [straighten_medial(normalise_polarity(source.read(record))) for record in source.records[::60]]
    assert np.mean([result.changed for result in found]) > 0.9
    for result in found:
        assert result.axis is None or result.image.shape[0] >= result.image.shape[1] * 0.8


@pytest.mark.parametrize("name", ["gband65", "bioimlab"])
def test_sizes_within_real_cells_follow_the_ideogram(unpacked: Path, name: str) -> None:
    source = source_of(name, unpacked)
    # Women have no Y, so a few cells of one case are not enough.
    cells = sorted({record.cell or "" for record in source.records})[::5]
    norms = learn_sizes(source, [record for record in source.records if record.cell in cells])
    assert norms is not None
    lengths = np.exp(np.array(norms.means)[:, 1])
    assert np.corrcoef(lengths, relative_lengths())[0, 1] > 0.9


@pytest.mark.slow
def test_real_spreads_are_taken_apart_without_boxes(unpacked: Path) -> None:
    folder = unpacked / "24_chromosomes_object"
    pairs = find_pairs(folder / "JEPG", folder / "annotations").pairs[::25]
    found = measure_annotated(pairs).measures
    assert found["refused"].value == 0
    assert found["recall widened"].value > 0.75
    assert found["precision widened"].value > 0.65
