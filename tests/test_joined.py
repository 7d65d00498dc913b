"""Several data sets as one: names, scales, what is left out, and what cannot be meant."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from karyo.data.joined import JoinedSource
from karyo.data.layouts import FolderSource
from karyo.data.splits import split_records
from karyo.data.synthetic import SyntheticSource
from karyo.errors import DataError, KaryoError, SettingsError
from karyo.imaging.write import write_png
from karyo.training.locations import configuration_folder, register_resolvers

ONE_CELL = partial(SyntheticSource, cells=1)


def folder_of(root: Path, cells: int = 1) -> Path:
    """One folder per class, drawn."""
    source = SyntheticSource(cells=cells, seed=5)
    for record in source.records:
        write_png(root / str(record.label + 1) / f"{record.path.replace('/', ' ')}.png", source.read(record))
    return root


def test_records_of_all_are_named_with_their_data_set() -> None:
    source = JoinedSource({"a": ONE_CELL, "c": ONE_CELL, "b": partial(SyntheticSource, cells=2, cells_per_case=2)})
    assert [len(source.records), len({record.path for record in source.records})] == [184, 184]
    first, last = source.records[0], source.records[-1]
    assert (first.path, first.cell, first.case) == ("a/cell-0000/1a", "a/cell-0000", "a/cell-0000")
    assert last.cell == "b/cell-0001"
    assert last.case is not None
    assert last.case.startswith("b/")
    assert last.case != last.cell
    assert source.locate(first) == "synthetic:cell-0000/1a"
    split = split_records(source.records, by="case", fractions=(0.4, 0.3, 0.3))
    assert split.by == "case"


def test_images_are_those_of_the_members_brought_to_scale() -> None:
    plain = SyntheticSource(cells=1)
    source = JoinedSource({"a": ONE_CELL, "b": ONE_CELL, "c": ONE_CELL}, scales={"b": 0.5, "c": 2})
    images = [plain.read(record) for record in plain.records[:5]]
    for number, image in enumerate(images):
        same, half, twice = (source.read(source.records[46 * member + number]) for member in range(3))
        assert np.array_equal(same, image)
        assert half.shape == tuple(round(side * 0.5) for side in image.shape)
        assert twice.shape == tuple(side * 2 for side in image.shape)
        assert half.mean() == pytest.approx(image.mean(), rel=0.05)


def test_what_has_no_folder_is_left_out(tmp_path: Path) -> None:
    opener = partial(FolderSource, pattern=r"(?P<label>[^/]+)/[^/]+")
    members = {"drawn": ONE_CELL, "own": opener, "other": opener, "none": None}
    source = JoinedSource(members, {"own": str(folder_of(tmp_path)), "other": None})
    assert {record.path.partition("/")[0] for record in source.records} == {"drawn", "own"}
    assert len(source.records) == 92


def test_fingerprints_tell_members_and_scales_apart() -> None:
    sources = [
        JoinedSource({"a": ONE_CELL}),
        JoinedSource({"b": ONE_CELL}),
        JoinedSource({"a": partial(SyntheticSource, cells=2)}),
        JoinedSource({"a": ONE_CELL}, scales={"a": 0.5}),
    ]
    assert len({source.fingerprint() for source in sources}) == 4
    assert sources[0].fingerprint() == JoinedSource({"a": ONE_CELL}).fingerprint()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"members": {}}, "no data set to join"),
        ({"members": {"a": None, "b": SyntheticSource}, "roots": {"b": None}}, "data.source.roots.b=FOLDER"),
        ({"members": {"a": ONE_CELL}, "roots": {"x": None}}, "data.source.roots has no 'x'; it can have a"),
        ({"members": {"a": ONE_CELL}, "scales": {"x": 2}}, "data.source.scales has no 'x'"),
        ({"members": {"a": ONE_CELL}, "scales": {"a": 0}}, "data.source.scales.a must be a number"),
        ({"members": {"a": ONE_CELL}, "scales": {"a": True}}, "data.source.scales.a must be a number"),
    ],
)
def test_what_cannot_be_meant_is_said_in_one_sentence(settings: dict[str, dict[str, object]], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        JoinedSource(**settings)  # type: ignore[arg-type]
    assert words in str(caught.value)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    opener = partial(FolderSource, pattern=r"(?P<label>[^/]+)/[^/]+")
    with pytest.raises(KaryoError, match="missing"):
        len(JoinedSource({"own": opener}, {"own": str(tmp_path / "missing")}).records)


def test_a_damaged_image_is_an_error_of_its_member(tmp_path: Path) -> None:
    root = folder_of(tmp_path)
    broken = sorted(root.rglob("*.png"))[0]
    broken.write_bytes(b"no picture")
    opener = partial(FolderSource, pattern=r"(?P<label>[^/]+)/[^/]+")
    source = JoinedSource({"own": opener}, {"own": str(root)})
    record = next(record for record in source.records if record.path.endswith(broken.name))
    with pytest.raises(DataError, match=broken.name):
        source.read(record)


def test_the_shipped_setting_joins_drawn_cells_with_a_folder(tmp_path: Path) -> None:
    register_resolvers()
    overrides = ["data=joined", f"data.source.roots.folders={folder_of(tmp_path)}", "data.source.members.drawn.cells=1"]
    with initialize_config_dir(str(configuration_folder()), version_base="1.3"):
        source = instantiate(compose("train", overrides).data.source)
    assert len(source.records) == 92
