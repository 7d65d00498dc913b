"""`karyo export`: from a trained run to one file that says what the checkpoint says."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from conftest import TINY
from numpy.typing import NDArray

import karyo
from karyo.chromosomes import CLASSES
from karyo.commands.export import export
from karyo.data.synthetic import SyntheticSource
from karyo.errors import DataError, KaryoError, SettingsError
from karyo.exporting.run import TrainedRun, open_run
from karyo.imaging.read import read_grey
from karyo.imaging.write import write_png
from karyo.inference.passport import METADATA_KEY
from karyo.models.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow
CELLS = 8


@pytest.fixture(scope="module", autouse=True)
def distance_learned_once() -> Iterator[None]:
    """What chromosomes look like takes seconds to learn and depends on the images alone."""
    import karyo.exporting.export as exporting

    learn, known = exporting.learn_distance, {}

    def once(run: TrainedRun, greys: Any) -> Any:
        if run.data.fingerprint not in known:
            known[run.data.fingerprint] = learn(run, greys)
        return known[run.data.fingerprint]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "learn_distance", once)
        yield


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn chromosomes in files, a folder for each class."""
    folder = tmp_path_factory.mktemp("images ü")
    source = SyntheticSource(cells=CELLS, difficulty="easy")
    for number, record in enumerate(source.records):
        write_png(folder / f"{CLASSES[record.label]}/{record.cell}_{number}.png", source.read(record))
    return folder


@pytest.fixture(scope="module")
def trained(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short training run, once for all tests; they change copies of it."""
    from karyo.training import application

    folder = tmp_path_factory.mktemp("runs")
    settings = [setting for setting in TINY if not setting.startswith("data.source")]
    data = ["data=folders", f"data.root='{images}'", "data.source.pattern='(?P<label>[^/]+)/(?P<cell>.*)_.*'"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(
            "sys.argv", ["train", *settings, *data, "epochs=8", "lr=0.01", "logger=none", "augmentation=none"]
        )
        application.train()
    os.environ.pop("HYDRA_FULL_ERROR", None)
    return next((folder / "logs/train").iterdir())


@pytest.fixture(scope="module")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's exported file, with its card beside it."""
    out = tmp_path_factory.mktemp("exported") / "chromosome.onnx"
    export([trained], out, wanted_error=0.2, licence="for teaching ü")
    return out


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run to spoil."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def split_of(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "split.json").read_text())
    return content


def by_checkpoint(run: Path, paths: list[Path], temperature: float) -> NDArray[np.float64]:
    """Probabilities as training computes them, without anything of the exporter's."""
    it = load_checkpoint(run / "checkpoints/best.ckpt")
    pixels = torch.stack([torch.from_numpy(it.preparation(read_grey(path))) for path in paths])
    with torch.no_grad():
        logits = it.network(pixels[:, None].expand(-1, it.network.spec.channels, -1, -1)).double()
    probabilities: NDArray[np.float64] = torch.softmax(logits / temperature, dim=1).numpy()
    return probabilities


def metadata(path: Path) -> dict[str, Any]:
    model = onnx.load(path)
    content: dict[str, Any] = json.loads({each.key: each.value for each in model.metadata_props}[METADATA_KEY])
    return content


@pytest.mark.parametrize("batch", [1, 2, 5, 64])
def test_the_file_says_what_the_checkpoint_says(exported: Path, trained: Path, images: Path, batch: int) -> None:
    model = karyo.load(exported)
    paths = [images / name for name in split_of(trained)["test"]]
    expected = by_checkpoint(trained, paths, model.passport.temperature)
    found = [each for start in range(0, len(paths), batch) for each in model.predict(paths[start : start + batch])]
    np.testing.assert_allclose(np.stack([each.probabilities for each in found]), expected, atol=1e-5)


def test_everything_travels_inside(exported: Path, trained: Path) -> None:
    record = json.loads((trained / "summary.json").read_text())
    it = metadata(exported)
    assert (it["model"], it["precision"], it["licence"]) == ("test_resnet", "float32", "for teaching ü")
    assert it["karyo"] == karyo.__version__
    assert it["preparation"] == load_checkpoint(trained / "checkpoints/best.ckpt").preparation.to_dict()
    assert it["data_fingerprint"] == record["data"]["fingerprint"]
    facts = it["training"]
    assert (facts["dataset"], facts["images"], facts["cells"], facts["split_by"]) == (
        "folders",
        46 * CELLS,
        CELLS,
        "cell",
    )
    assert [side["images"] for side in facts["sides"]] == [side["images"] for side in record["data"]["sides"]]
    assert facts["test"]["accuracy"] == record["test"]["accuracy"]
    assert facts["validation"]["accuracy"] == pytest.approx(record["validation"]["accuracy"])
    assert [score["recall"] for score in facts["per_class"]] == [
        score["recall"] for score in record["test"]["per_class"]
    ]
    assert facts["run"] == trained.name
    assert it["scope"]["shortest"] > 0
    assert it["scope"]["distance"] > 0


def test_nothing_of_this_machine_travels_along(exported: Path, images: Path) -> None:
    content = exported.read_bytes()
    for trace in (str(images), str(Path(karyo.__file__).parent), str(Path.home()), "site-packages", 'File "'):
        assert trace.encode() not in content, trace
    assert str(images.parent) not in exported.with_suffix(".md").read_text()


def test_calibration_and_rejection_do_on_the_sides_what_the_file_states(
    exported: Path, trained: Path, images: Path
) -> None:
    from karyo.evaluation.metrics import calibration_error, log_loss

    model = karyo.load(exported)
    selection, calibration = model.passport.selection, model.passport.training["calibration"]
    for side, prefix in (("validation", ""), ("test", "test_")):
        paths = [images / name for name in split_of(trained)[side]]
        truth = np.array([CLASSES.index(path.parent.name) for path in paths])
        found = model.predict(paths)
        kept = [set(each.reasons).isdisjoint({"low_confidence", "not_a_chromosome"}) for each in found]
        wrong = [each.label != path.parent.name for each, path in zip(found, paths, strict=True)]
        assert selection[f"{prefix}coverage"] == pytest.approx(np.mean(kept))
        if any(kept):
            assert selection[f"{prefix}error"] == pytest.approx(np.mean(np.array(wrong)[kept]))
        probabilities = np.stack([each.probabilities for each in found])
        assert calibration[side]["after"] == pytest.approx(float(calibration_error(truth, probabilities)), abs=1e-6)
        plain = by_checkpoint(trained, paths, 1.0)
        assert calibration[side]["before"] == pytest.approx(float(calibration_error(truth, plain)), abs=1e-6)
        if side == "validation":
            assert log_loss(truth, probabilities) <= log_loss(truth, plain)
    assert selection["error"] <= selection["wanted_error"] == 0.2
    assert 0 < selection["coverage"] < 1


def test_the_card_says_what_was_measured(exported: Path, trained: Path) -> None:
    card = exported.with_suffix(".md").read_text()
    record = json.loads((trained / "summary.json").read_text())
    for text in (
        f"{100 * record['test']['accuracy']['value']:.1f} % |",
        f"| test | {record['test']['n_images']} | {record['test']['n_cells']} |",
        record["data"]["fingerprint"],
        'karyo.load("chromosome.onnx")',
        "for teaching ü",
        "## Known limits",
        f"divided by: {record['split_by']}",
        "on 92 validation images",
    ):
        assert text in card, text


def test_int8_is_smaller_and_its_own_figures_stand_in_it(
    exported: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small.onnx"
    export([trained], out, int8=True, wanted_error=0.2)
    shown = " ".join(capsys.readouterr().out.split())
    assert "accuracy in float" in shown
    assert "accuracy in int8" in shown
    plain, small = onnx.load(exported), onnx.load(out)
    weights = [sum(len(each.raw_data) for each in model.graph.initializer) for model in (plain, small)]
    assert weights[1] < 0.6 * weights[0]
    convolutions = [node for node in small.graph.node if node.op_type == "Conv"]
    dequantised = {name for node in small.graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    # All of the backbone, and nothing of what measures the distance.
    plain_count = sum(node.op_type == "Conv" for node in plain.graph.node)
    in_float = sum(node.input[1] not in dequantised for node in convolutions)
    assert in_float == plain_count - backbone_convolutions(trained)
    it = metadata(out)
    assert it["precision"] == "int8"
    assert it["temperature"] != metadata(exported)["temperature"]
    paths = [SyntheticSource(cells=1).read(record) for record in SyntheticSource(cells=1).records[:8]]
    assert len(karyo.load(out).predict(paths)) == 8


def backbone_convolutions(run: Path) -> int:
    network = load_checkpoint(run / "checkpoints/best.ckpt").network
    return sum(isinstance(module, torch.nn.Conv2d) for module in network.modules())


def test_a_program_for_torch(trained: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "chromosome.pt2"
    export([trained], out)
    assert "karyo predict" not in capsys.readouterr().out
    extra = {METADATA_KEY: ""}
    network = torch.export.load(out, extra_files=extra).module()
    passport = karyo.inference.Passport.from_json(extra[METADATA_KEY])
    paths = [images / name for name in split_of(trained)["test"][:5]]
    pixels = np.stack([passport.preparation(read_grey(path)) for path in paths])
    for rows in (slice(0, 1), slice(0, 5)):
        logits = network(torch.from_numpy(pixels[rows, None]))[0].detach().double()
        found = torch.softmax(logits / passport.temperature, dim=1).numpy()
        np.testing.assert_allclose(found, by_checkpoint(trained, paths[rows], passport.temperature), atol=1e-5)
    card = out.with_name("chromosome.pt2.md").read_text()
    assert "torch.export.load" in card
    assert "one cell" not in card, "it has no second input"


def test_a_file_that_says_something_else_is_refused_and_leaves_nothing(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import karyo.exporting.export as exporting

    honest = exporting.to_onnx

    def slightly_wrong(graph: Any) -> onnx.ModelProto:
        with torch.no_grad():
            next(graph.network.backbone.parameters()).mul_(1.01)
        return honest(graph)

    monkeypatch.setattr(exporting, "to_onnx", slightly_wrong)
    out = tmp_path / "out/chromosome.onnx"
    with pytest.raises(DataError, match=r"differ from the checkpoint's by up to .*nothing was written to .*chromosome"):
        export([trained], out)
    assert list(out.parent.iterdir()) == []


def test_of_a_sweep_the_best_run(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, accuracy in (("worse", 0.1), ("better", 0.9)):
        copy = Path(shutil.copytree(trained, tmp_path / "sweep" / name))
        record = json.loads((copy / "summary.json").read_text())
        record["validation"]["accuracy"] = accuracy
        record["overrides"] = [f"optimizer={name}"]
        record["config"]["optimizer"]["weight_decay"] = accuracy
        (copy / "summary.json").write_text(json.dumps(record))
    out = tmp_path / "best.onnx"
    export([tmp_path / "sweep"], out)
    shown = capsys.readouterr().out
    assert str(tmp_path / "sweep/better") in shown
    assert f"karyo predict {out} images/" in " ".join(shown.split())
    assert metadata(out)["training"]["run"] == "better"


def test_images_that_have_moved(trained: Path, images: Path, tmp_path: Path) -> None:
    away = images.with_name("away")
    images.rename(away)
    try:
        with pytest.raises(KaryoError, match="--data-root FOLDER"):
            export([trained], tmp_path / "a.onnx")
        assert len(open_run(trained, away).records("test")) == len(split_of(trained)["test"])
    finally:
        away.rename(images)
    assert not (tmp_path / "a.onnx").exists()


def test_other_images_than_it_was_trained_on(trained: Path, images: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(images, tmp_path / "other"))
    write_png(next(other.glob("7/*.png")), np.full((40, 30), 90, np.uint8))
    with pytest.raises(DataError, match=r"not those that .* was trained on"):
        export([trained], tmp_path / "a.onnx", data_root=other)


def test_a_checkpoint_inside_and_outside_its_run(copied: Path, tmp_path: Path) -> None:
    (tmp_path / "lone.ckpt").write_bytes((copied / "checkpoints/best.ckpt").read_bytes())
    with pytest.raises(SettingsError, match="not inside the directory of a run"):
        export([tmp_path / "lone.ckpt"], tmp_path / "a.onnx")
    export([copied / "checkpoints/last.ckpt"], tmp_path / "a.onnx")
    assert metadata(tmp_path / "a.onnx")["training"]["epoch"] == 8


def test_a_network_that_diverged(copied: Path, tmp_path: Path) -> None:
    content = torch.load(copied / "checkpoints/best.ckpt", weights_only=True)
    for name, weights in content["state_dict"].items():
        if name.endswith("weight"):
            weights.fill_(float("nan"))
    torch.save(content, copied / "checkpoints/best.ckpt")
    with pytest.raises(DataError, match="training diverged"):
        export([copied], tmp_path / "out/a.onnx")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_run_without_a_result(copied: Path, tmp_path: Path) -> None:
    record = json.loads((copied / "summary.json").read_text())
    del record["checkpoint"]
    (copied / "summary.json").write_text(json.dumps(record | {"status": "interrupted"}))
    with pytest.raises(SettingsError, match=r"interrupted; finish it with .*resume="):
        export([copied], tmp_path / "a.onnx")


@pytest.mark.parametrize("name", ["split.json", "config.yaml", "checkpoints/best.ckpt"])
@pytest.mark.parametrize("content", [None, "{", "[1]"])
def test_a_damaged_run_is_one_sentence(copied: Path, tmp_path: Path, name: str, content: str | None) -> None:
    (copied / name).unlink()
    if content is not None:
        (copied / name).write_text(content)
    with pytest.raises(KaryoError, match=Path(name).name) as caught:
        export([copied], tmp_path / "a.onnx")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a.onnx").exists()


def test_nothing_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SettingsError, match="there are no runs below"):
        export([tmp_path / "empty"], tmp_path / "a.onnx")
    with pytest.raises(SettingsError, match="there is no run, sweep or checkpoint"):
        export([tmp_path / "none"], tmp_path / "a.onnx")


def test_a_file_that_is_there_stays_unless_it_may_be_replaced(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.onnx"
    out.with_suffix(".md").write_text("mine")
    with pytest.raises(SettingsError, match=r"a\.md is there already; .*--force"):
        export([trained], out)
    # What is no card was written by somebody: not even --force takes it.
    with pytest.raises(SettingsError, match=r"a\.md is there and no model card, so it stays"):
        export([trained], out, force=True)
    assert out.with_suffix(".md").read_text() == "mine"
    out.with_suffix(".md").write_text("# a: chromosome classifier (old)\n")
    export([trained], out, force=True)
    assert "# a: chromosome classifier (test_resnet" in out.with_suffix(".md").read_text()
    with pytest.raises(SettingsError, match=r"a\.onnx is there already"):
        export([trained], out)
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(SettingsError, match=r"folder\.onnx is a folder"):
        export([trained], tmp_path / "folder.onnx", force=True)


def test_what_cannot_be_meant(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for options, words in (
        ({"out": tmp_path / "model.h5"}, r"must end in \.onnx"),
        ({"out": tmp_path / "model"}, r"must end in \.onnx"),
        ({"out": tmp_path / "model.pt2", "int8": True}, "ONNX files only"),
        ({"out": tmp_path / "a.onnx", "wanted_error": 1.0}, "--wanted-error"),
        ({"out": tmp_path / "a.onnx", "wanted_error": float("nan")}, "--wanted-error"),
        ({"out": tmp_path / "file/a.onnx"}, "cannot write to .*choose another -o"),
    ):
        with pytest.raises(SettingsError, match=words):
            export([tmp_path], **options)
