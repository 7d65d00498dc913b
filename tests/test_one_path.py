"""An image becomes the same array by every way in: that is what lets a trained network be trusted elsewhere."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, Run
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from karyo.data.cleaning import Cleaning, clean_folder
from karyo.data.datamodule import ChromosomeData
from karyo.data.layouts import FolderSource
from karyo.data.synthetic import SpreadSettings, SyntheticSource, write_spreads
from karyo.imaging.preparation import Preparation
from karyo.imaging.steps import Chain
from karyo.imaging.write import write_png
from karyo.models.checkpoint import load_checkpoint
from karyo.training.presets import preset_chain, preset_names

pytestmark = pytest.mark.usefixtures("blank_figures")

CONF = Path(__file__).parents[1] / "conf"


def data_of(*overrides: str) -> ChromosomeData:
    """The data module as the application composes it."""
    from karyo.training.build import build_data, build_preparation

    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("train", ["augmentation=none", *overrides])
    return build_data(config, build_preparation(config))


@pytest.mark.parametrize("name", preset_names())
def test_training_and_its_checkpoint_prepare_alike(name: str, run: Run) -> None:
    result = run("train", *TINY, "epochs=1", f"preprocessing={name}")
    assert result.code == 0, result.err
    assert result.directory is not None
    trained = load_checkpoint(result.directory / "checkpoints" / "best.ckpt")
    data = data_of("data.source.cells=8", "image_size=32", f"preprocessing={name}")
    source = SyntheticSource(cells=8)
    images = data.images(range(len(data.records)))
    loaded = next(iter(data.predict_dataloader()))[0].numpy()
    np.testing.assert_array_equal(loaded[:, 0], images[: len(loaded)])
    for row, record in enumerate(source.records[::7]):
        np.testing.assert_array_equal(trained.preparation(source.read(record)), images[7 * row])


@pytest.mark.parametrize(("normalisation", "expected"), [("unit", (0.0, 1.0)), ("symmetric", (0.5, 0.5))])
def test_grey_values_reach_the_network_as_asked(normalisation: str, expected: tuple[float, float], run: Run) -> None:
    result = run("train", *TINY, "epochs=1", f"normalisation={normalisation}")
    assert result.code == 0, result.err
    assert result.directory is not None
    network = load_checkpoint(result.directory / "checkpoints" / "best.ckpt").network
    assert (float(network.pixel_mean), float(network.pixel_std)) == expected
    assert run("train", *TINY, "normalisation=percent").code == 2


def test_evaluation_on_other_files_prepares_as_the_checkpoint_says(run: Run, tmp_path: Path) -> None:
    """The same images as files, in a folder whose own settings would prepare them otherwise, are the same test."""
    result = run("train", *TINY, "preprocessing=straight")
    assert result.directory is not None
    summary = json.loads((result.directory / "summary.json").read_text(encoding="utf-8"))
    source = SyntheticSource(cells=8)
    sides = json.loads((result.directory / "split.json").read_text(encoding="utf-8"))
    for record in source.records:
        if record.path in sides["test"]:
            write_png(
                tmp_path / "test" / str(record.label + 1) / f"{record.cell}{record.homolog}.png", source.read(record)
            )
    again = run(
        "evaluate",
        f"run={result.directory}",
        "data=folders",
        f"data.root={tmp_path / 'test'}",
        "data.align=true",
        "bootstrap=20",
        "accelerator=cpu",
    )
    assert again.code == 0, again.err
    assert again.directory is not None
    measured = json.loads((again.directory / "summary.json").read_text(encoding="utf-8"))
    assert measured["test"]["accuracy"]["value"] == pytest.approx(summary["test"]["accuracy"]["value"])
    assert measured["test"]["log_loss"]["value"] == pytest.approx(summary["test"]["log_loss"]["value"], rel=1e-4)


@pytest.fixture(scope="module")
def spreads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "spreads"
    write_spreads(folder, 2, settings=SpreadSettings(width=640, height=640))
    return folder


@pytest.mark.parametrize("mask", ["none", "object"])
def test_crops_on_disk_and_crops_as_read_are_the_same(
    mask: str, spreads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from karyo.commands import main

    out = tmp_path / "crops"
    places = [str(spreads / "images"), str(spreads / "annotations"), str(out)]
    monkeypatch.setattr("sys.argv", ["karyo", "crop", *places, "--mask", mask, "--workers", "1"])
    with pytest.raises(SystemExit) as leaving:
        main()
    assert not leaving.value.code
    shared = ("image_size=64", "preprocessing=straight")
    read = data_of("data=spreads", f"data.root='{spreads}'", f"data.source.mask={mask}", *shared)
    written = data_of("data=crops", f"data.root='{out}'", *shared)
    at = {Path(record.path).stem: row for row, record in enumerate(written.records)}
    assert len(at) == len(read.records) == 92
    rows = [at[record.path] for record in read.records]
    np.testing.assert_array_equal(read.images(range(92)), written.images(rows))
    assert [written.records[row].cell for row in rows] == [record.cell for record in read.records]


@pytest.mark.parametrize("name", ["report", "clean", "straight"])
def test_cleaning_beforehand_is_cleaning_on_the_fly(name: str, tmp_path: Path) -> None:
    source = SyntheticSource(cells=1)
    for record in source.records:
        write_png(tmp_path / "raw" / str(record.label + 1) / f"{record.homolog}.png", source.read(record))
    chain = preset_chain(name)
    clean_folder(tmp_path / "raw", tmp_path / "clean", Cleaning(chain))
    pattern = r"(?P<label>[^/]+)/[^/]+\.png"
    raw, clean = FolderSource(tmp_path / "raw", pattern), FolderSource(tmp_path / "clean", pattern)
    for one, other in zip(raw.records, clean.records, strict=True):
        expected = Preparation(64, steps=chain)(raw.read(one))
        np.testing.assert_array_equal(Preparation(64)(clean.read(other)), expected)


def test_the_report_s_chain_is_written_out_nowhere_else() -> None:
    """Its steps in their order, and its padding at true scale."""
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("train", ["preprocessing=report", "image_size=null"])
    assert (config.canvas, config.extent) == ("pad", None)
    names = [name for name, _ in Chain.from_config(config.preprocessing.steps).to_settings()]
    assert names == ["non_local_means", "clahe", "otsu", "largest_component", "extract"]
    from karyo.training.build import build_preparation

    small = np.zeros((40, 30), np.uint8)
    small[5:35, 8:22] = np.linspace(120, 250, 30, dtype=np.uint8)[:, None]
    prepared = build_preparation(config)(small)
    assert prepared.shape == (224, 224)
    rows, columns = np.nonzero(prepared)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (30, 14), "one pixel stays one pixel"


def test_a_run_that_names_no_preprocessing_says_so_in_one_sentence(run: Run) -> None:
    result = run("train", *TINY, "preprocessing=ironed")
    assert result.code == 2
    assert "preprocessing=ironed is unknown" in result.err
    result = run("train", *TINY, "preprocessing=report", "preprocessing.steps.clahe.clip_limit=-2")
    assert result.code == 2
    assert "clip_limit must be a number from 0.1 to 100" in result.err
    result = run("train", *TINY, "~preprocessing")
    assert result.code == 2
    assert "preprocessing cannot be taken away" in result.err


def test_data_modules_take_a_preparation_as_it_travels() -> None:
    preparation = Preparation(32, steps=Chain.from_text("denoise,straighten"))
    node = {
        "_target_": "karyo.data.datamodule.ChromosomeData",
        "source": {"_target_": "karyo.data.synthetic.SyntheticSource", "cells": 1},
    }
    data = instantiate(node, preparation=preparation.to_dict())
    assert data.preparation == preparation
