"""Seeing a chromosome beside the others of its cell: training, measuring, comparing, exporting, using."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from conftest import TINY, Run
from exported import SIZE, tiny_model
from typer.testing import CliRunner

import karyo
from karyo.chromosomes import CLASSES
from karyo.commands import app
from karyo.data.datamodule import ChromosomeData
from karyo.data.dataset import WholeCell
from karyo.data.synthetic import SyntheticSource
from karyo.errors import DataError, SettingsError
from karyo.evaluation.predictions import Predictions
from karyo.exporting.graph import ExportedGraph
from karyo.exporting.onnx_file import to_onnx, write_onnx
from karyo.imaging.preparation import Preparation
from karyo.inference.passport import Passport
from karyo.inference.predictor import FEWEST_IN_CELL
from karyo.karyotype.cell import CellObject
from karyo.karyotype.karyotyper import Karyotyper
from karyo.models.checkpoint import load_checkpoint
from karyo.models.ensemble import Ensemble
from karyo.models.network import ChromosomeNetwork, NetworkSpec

CONTEXT = ("context=cell", "by_cell=true", "bootstrap=20", "augmentation=none", "logger=none")


def network(context: str | None = "cell", seed: int = 0) -> ChromosomeNetwork:
    """A network with random weights and running statistics of its own."""
    torch.manual_seed(seed)
    built = ChromosomeNetwork(NetworkSpec("timm", "test_resnet", SIZE, context=context))
    for _ in range(3):
        built(torch.randint(0, 256, (8, 1, SIZE, SIZE)))
    torch.nn.init.normal_(built.head[-1].weight, std=0.3)
    return built.eval()


def pictures(count: int = 20, seed: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 120, (count, 1, SIZE, SIZE), dtype=np.uint8))


def written(folder: Path, context: str | None = "cell", **passport: object) -> Path:
    """An exported file of :func:`network`."""
    fields = {"model": "test_resnet", "preparation": Preparation(SIZE, crop=False, polarity="dark")}
    path = folder / "cells.onnx"
    write_onnx(to_onnx(ExportedGraph(network(context))), Passport(**(fields | passport)), path)  # type: ignore[arg-type]
    return path


def data_of(cells: int = 6, **settings: object) -> ChromosomeData:
    source = SyntheticSource(cells=cells)
    return ChromosomeData(source, Preparation(16), fractions=(0.6, 0.2, 0.2), **settings)  # type: ignore[arg-type]


def test_in_its_cell_a_chromosome_looks_the_same_however_bright_the_cell_is() -> None:
    images, net = pictures().float(), network()
    net.set_pixel_statistics(0, 0.3)
    with torch.no_grad():
        assert torch.allclose(net.forward_cell(images), net.forward_cell(images * 2), atol=1e-2)
        assert not torch.allclose(net(images), net(images * 2), atol=0.1), "alone, it does not"
        assert torch.allclose(net.forward_cell(images).flip(0), net.forward_cell(images.flip(0)), atol=1e-4)
        halves = torch.cat([net.forward_cell(images[:10]), net.forward_cell(images[10:])])
        assert not torch.allclose(net.forward_cell(images), halves, atol=0.01), "the others of its cell count"
        assert torch.allclose(net(images), torch.cat([net(images[:1]), net(images[1:])]), atol=1e-3), "alone, not"
        assert torch.equal(network(None).forward_cell(images), network(None)(images))


def test_whole_cells_leave_the_running_statistics_alone() -> None:
    net = network().train()
    before = {name: value.clone() for name, value in net.state_dict().items() if "running" in name or "tracked" in name}
    net.forward_cell(pictures())
    assert before
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items() if name in before)
    net(pictures())
    assert not all(torch.equal(value, before[name]) for name, value in net.state_dict().items() if name in before)


def test_an_ensemble_sees_cells_if_every_member_does() -> None:
    images, nets = pictures(), [network(seed=0), network(seed=1)]
    with torch.no_grad():
        expected = torch.stack([net.forward_cell(images).softmax(dim=1) for net in nets]).mean(dim=0)
        together = Ensemble(nets)
        assert torch.allclose(together.forward_cell(images).exp(), expected, atol=1e-5)
    assert together.spec.context == "cell"
    assert Ensemble([network(), network(None)]).spec.context is None


def test_training_sees_every_image_among_others_and_every_cell_whole() -> None:
    data = data_of(batch_size=32, fewest=20)
    loader = data.train_dataloader()
    loader.batch_sampler.sampler.set_epoch(3)  # type: ignore[union-attr]
    batches = list(loader)
    assert len(batches) == len(loader)
    cells = [batch for batch in batches if isinstance(batch, WholeCell)]
    others = [index for batch in batches if not isinstance(batch, WholeCell) for index in batch[2].tolist()]
    assert sorted(others) == sorted(data.split.train.tolist())
    assert sorted(index for cell in cells for index in cell.indices.tolist()) == sorted(data.split.train.tolist())
    assert all(len({data.records[index].cell for index in cell.indices.tolist()}) == 1 for cell in cells)
    assert [isinstance(batch, WholeCell) for batch in batches] != sorted(isinstance(it, WholeCell) for it in batches)
    again = data.train_dataloader()
    again.batch_sampler.sampler.set_epoch(3)  # type: ignore[union-attr]
    assert [batch[2].tolist() for batch in again] == [batch[2].tolist() for batch in batches]
    again.batch_sampler.sampler.set_epoch(4)  # type: ignore[union-attr]
    assert [batch[2].tolist() for batch in again] != [batch[2].tolist() for batch in batches]


@pytest.mark.parametrize("number", [1, 31, 32, 33, 46])
def test_cells_of_too_few_images_come_with_others(number: int) -> None:
    data = data_of(batch_size=32)
    first = [place for place, record in enumerate(data.records) if record.cell == data.records[0].cell]
    chosen = [*first[:number], *range(46, 46 + FEWEST_IN_CELL)]
    batches = list(data.cell_dataloader(chosen, FEWEST_IN_CELL + 1))
    whole = [batch for batch in batches if isinstance(batch, WholeCell)]
    assert len(whole) == (number > FEWEST_IN_CELL)
    assert sorted(index for batch in batches for index in batch[2].tolist()) == sorted(chosen)
    assert all(len(batch[2]) <= 32 for batch in batches if not isinstance(batch, WholeCell))


def test_several_processes_see_as_many_batches_each(monkeypatch: pytest.MonkeyPatch) -> None:
    data = data_of(cells=8, batch_size=8, fewest=20)
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
    monkeypatch.setattr("torch.distributed.get_world_size", lambda: 3)
    kinds, cells = [], []
    for rank in range(3):
        monkeypatch.setattr("torch.distributed.get_rank", lambda rank=rank: rank)
        batches = list(data.train_dataloader())
        kinds.append([isinstance(batch, WholeCell) for batch in batches])
        cells += [data.records[int(batch[2][0])].cell for batch in batches if isinstance(batch, WholeCell)]
    assert kinds[0] == kinds[1] == kinds[2]
    assert set(cells) == {data.records[index].cell for index in data.split.train.tolist()}


def test_a_run_measures_exports_and_uses_what_it_learned_of_cells(run: Run, tmp_path: Path) -> None:
    result = run("train", *TINY, *CONTEXT, "epochs=3", "average=0.9")
    assert result.code == 0, result.err
    assert "each, in its cell" in result.out
    measured = json.loads((result.directory / "by_cell.json").read_text())["by_cell"]
    rows = (result.directory / "assigned.csv").read_text().splitlines()
    assert rows[0].split(",")[4] == "in_cell"
    right = np.mean([row.split(",")[2] == row.split(",")[4] for row in rows[1:]])
    assert right == pytest.approx(measured["in_cell"]["accuracy"]["value"])
    kept = Predictions.read_csv(result.directory / "predictions_in_cell.csv")
    assert kept.correct.mean() == pytest.approx(right)
    # What a user gets from the file is what was measured.
    path = tmp_path / "model.onnx"
    exported = CliRunner().invoke(app, ["export", str(result.directory), "-o", str(path), "--wanted-error", "0.6"])
    assert exported.exit_code == 0, exported.output
    assert "in its cell: accuracy" in exported.output
    predictor = karyo.load(path)
    trained = load_checkpoint(next((result.directory / "checkpoints").glob("best*")))
    assert trained.network.spec.context == "cell"
    own = [value for name, value in trained.network.state_dict().items() if name.endswith("cell_weight")]
    assert all(bool(((value != 0) & (value != 1)).any()) for value in own), "whole cells have taught it something"
    read = Predictions.read_csv(result.directory / "predictions.csv")
    cell = read.cells[0]
    source = SyntheticSource(cells=8)
    records = {record.path: record for record in source.records}
    names = [name for name, own in zip(read.paths, read.cells, strict=True) if own == cell]
    images = [source.read(records[name]) for name in names]
    said = {row.split(",")[0]: row.split(",")[4] for row in rows[1:]}
    pixels = np.stack([predictor.prepare(image).pixels for image in images])
    found = predictor.probabilities_in_cell(pixels).argmax(axis=1)
    assert [CLASSES[label] for label in found] == [said[name] for name in names]
    card = path.with_suffix(".md").read_text()
    assert "accuracy, seen in its cell" in card
    assert f"below the probability {predictor.passport.cell_threshold:.3f} is rejected" in card
    answers = {
        own: predictor.predict_cell(
            [source.read(records[path]) for path, cell in zip(read.paths, read.cells, strict=True) if cell == own]
        )
        for own in dict.fromkeys(read.cells)
    }
    accepted = [not it.rejected for own in answers.values() for it in own]
    assert 0 < predictor.passport.selection["cell_test_coverage"] < 1
    assert predictor.passport.selection["cell_test_coverage"] == pytest.approx(np.mean(accepted))
    again = run("evaluate", f"run={result.directory}", "by_cell=true", "bootstrap=0")
    assert again.code == 0, again.err
    assert json.loads((again.directory / "summary.json").read_text())["by_cell"]["in_cell"]["accuracy"][
        "value"
    ] == pytest.approx(right)


def test_predicting_a_cell_is_predicting_each_where_it_cannot_be_seen(tmp_path: Path) -> None:
    images = [picture.numpy()[0] for picture in pictures(FEWEST_IN_CELL)]
    sees = karyo.load(written(tmp_path, cell_temperature=0.5))
    blind = karyo.load(tiny_model(tmp_path))
    assert sees.sees_cells
    assert not blind.sees_cells
    for model, some in ((sees, images[:-1]), (blind, images), (sees, [])):
        alone = model.predict(list(some))
        assert [it.probabilities.tolist() for it in model.predict_cell(some)] == [
            it.probabilities.tolist() for it in alone
        ]
    with torch.no_grad():
        prepared = torch.from_numpy(np.stack([sees.prepare(image).pixels for image in images]))[:, None]
        expected = (network().forward_cell(prepared) / 0.5).softmax(dim=1).numpy()
    found = np.stack([it.probabilities for it in sees.predict_cell(images)])
    assert np.abs(found - expected).max() < 1e-4
    assert np.abs(found - np.stack([it.probabilities for it in sees.predict(images)])).max() > 0.01
    with pytest.raises(ValueError, match="does not see whole cells"):
        blind.probabilities_in_cell(np.zeros((20, SIZE, SIZE), np.uint8))


def test_a_cell_is_decided_from_what_the_model_sees_in_it(tmp_path: Path) -> None:
    source = SyntheticSource(cells=1)
    objects = [CellObject(record.path, source.read(record)) for record in source.records]
    preparation = Preparation(SIZE)
    model = karyo.load(written(tmp_path, cell_temperature=1.0, preparation=preparation))
    asked: list[int] = []
    plain = model.probabilities_in_cell

    def watched(pixels: np.ndarray) -> np.ndarray:
        asked.append(len(pixels))
        return plain(pixels)

    model.probabilities_in_cell = watched  # type: ignore[method-assign]
    typer = Karyotyper(model)
    whole = typer.decide("cell", objects, pictures=False)
    twice = typer.decide("cell", [*objects, objects[0]], pictures=False)
    assert asked == [46, 46], "a copy of an image is no second chromosome"
    assert [it.label for it in twice.objects][:46] == [it.label for it in whole.objects]
    blind = Karyotyper(karyo.load(written(tmp_path, context=None, preparation=preparation)))
    without = blind.decide("cell", objects, pictures=False)
    assert [it.alone.label for it in without.objects] == [it.alone.label for it in whole.objects]
    assert not np.allclose(
        [it.probabilities for it in without.objects], [it.probabilities for it in whole.objects], atol=1e-3
    )
    typer.decide("cell", objects[: FEWEST_IN_CELL - 1], pictures=False)
    assert len(asked) == 2, "so few are no context"


def test_a_file_that_promises_cells_and_cannot_see_them_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, context=None, cell_temperature=1.0)
    with pytest.raises(DataError, match="does not take what its settings say, images and cell"):
        karyo.load(path)
    with pytest.raises(DataError, match="does not take what its settings say, images"):
        karyo.load(written(tmp_path, cell_temperature=None))
    for wrong in (0, "x", float("inf"), True):
        text = Passport("m", Preparation(SIZE)).to_json()
        changed = json.dumps(json.loads(text) | {"cell_temperature": wrong})
        with pytest.raises(DataError):
            Passport.from_json(changed)
    graph = onnx.load(written(tmp_path, cell_temperature=1.0))
    graph.graph.output.pop()
    onnx.save(graph, path)
    with pytest.raises(DataError, match="does not see whole cells as its settings say"):
        karyo.load(path)


def test_weights_go_from_plain_networks_to_those_that_see_cells_and_back(run: Run, tmp_path: Path) -> None:
    plain = run("train", *TINY, "epochs=1", "augmentation=none", "logger=none", "by_cell=false")
    seeing = run("train", *TINY, *CONTEXT, "epochs=1", f"weights={plain.directory}", "lr=1e-9")
    assert seeing.code == 0, seeing.err
    back = run("train", *TINY, "epochs=1", "by_cell=false", "logger=none", f"weights={seeing.directory}", "lr=1e-9")
    assert back.code == 0, back.err
    states = [
        load_checkpoint(each.directory / "checkpoints/best.ckpt").network.state_dict() for each in (plain, seeing, back)
    ]
    for name, value in states[0].items():
        if "running" not in name and "tracked" not in name and "pixel" not in name:
            assert torch.allclose(states[1][name], value, atol=1e-5), name
            assert torch.allclose(states[2][name], value, atol=1e-5), name
    own = [name for name in states[1] if name.endswith("cell_weight")]
    assert own
    for name in own:
        assert torch.allclose(states[1][name], states[0][name.removesuffix("cell_weight") + "weight"], atol=1e-5)
    assert not any(name.endswith("cell_weight") for name in states[2])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (["context=slide"], "context=slide cannot be; it is cell, or null"),
        (["context=cell", "model.spec.name=test_vit"], "context=cell works through plain batch normalisation"),
    ],
)
def test_what_cannot_be_a_context_is_said(run: Run, settings: list[str], sentence: str) -> None:
    result = run("train", *TINY, *settings)
    assert result.code == 2
    assert sentence in result.err.replace("\n", " ")
    assert "Traceback" not in result.err


def test_images_without_cells_are_no_context(run: Run, tmp_path: Path) -> None:
    import cv2

    for label in ("1", "2", "X"):
        (tmp_path / "images" / label).mkdir(parents=True)
        for number in range(10):
            picture = np.random.default_rng([number, len(label), ord(label)]).integers(0, 255, (20, 20), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / "images" / label / f"{number}{label}.png"), picture)
    folder = [setting for setting in TINY if not setting.startswith("data")]
    result = run("train", *folder, "data=folders", f"data.root={tmp_path / 'images'}", "context=cell")
    assert result.code == 2
    assert "context=cell needs the cell of every image" in result.err.replace("\n", " ")


def test_training_on_torn_cells_is_refused() -> None:
    with pytest.raises(SettingsError, match="no cell of the training side has 47 images; divide the data by cell"):
        data_of(fewest=47).train_dataloader()


def test_bad_context_in_a_checkpoint_is_refused() -> None:
    with pytest.raises(SettingsError, match="context=slide is unknown"):
        ChromosomeNetwork(NetworkSpec("timm", "test_resnet", SIZE, context="slide"))


def test_networks_with_normalisations_of_another_kind_are_refused() -> None:
    """In skresnet18 most of them are timm's own, which carry an activation with them."""
    with pytest.raises(SettingsError, match="has none or another kind besides"):
        ChromosomeNetwork(NetworkSpec("timm", "skresnet18", SIZE, context="cell"))


def test_what_is_no_chromosome_is_no_part_of_a_cell(tmp_path: Path) -> None:
    model = karyo.load(written(tmp_path, cell_temperature=1.0))
    images = [picture.numpy()[0] for picture in pictures(FEWEST_IN_CELL + 1)]
    blank = np.zeros((SIZE, SIZE), np.uint8)
    without = [it.probabilities for it in model.predict_cell(images)]
    among = model.predict_cell([*images, blank])
    assert np.array_equal(np.stack([it.probabilities for it in among[:-1]]), np.stack(without))
    assert np.array_equal(among[-1].probabilities, model.predict(blank).probabilities)


def test_what_is_seen_in_its_cell_is_accepted_from_a_threshold_of_its_own(tmp_path: Path) -> None:
    images = [picture.numpy()[0] for picture in pictures(FEWEST_IN_CELL)]
    model = karyo.load(written(tmp_path, cell_temperature=1.0, threshold=1.0, cell_threshold=0.0))
    assert all("low_confidence" in it.reasons for it in model.predict(images))
    assert not any("low_confidence" in it.reasons for it in model.predict_cell(images))
    assert all("low_confidence" in it.reasons for it in model.predict_cell(images[1:])), "too few to be a cell"
    older = karyo.load(written(tmp_path, cell_temperature=1.0, threshold=1.0))
    assert all("low_confidence" in it.reasons for it in older.predict_cell(images)), "it knows one threshold alone"
    model = karyo.load(written(tmp_path, cell_temperature=1.0, threshold=0.0, cell_threshold=1.0))
    assert all("low_confidence" in it.reasons for it in model.predict_cell(images))
    assert not any("low_confidence" in it.reasons for it in model.predict(images))


def test_processes_that_cannot_train_both_ways_together_are_refused(run: Run) -> None:
    result = run("train", *TINY, "context=cell", "+trainer.sync_batchnorm=true")
    assert result.code == 2
    assert "context=cell and trainer.sync_batchnorm=true exclude each other" in result.err
