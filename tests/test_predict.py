"""`karyo predict`: any number of images through an exported model."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from exported import tiny_model
from typer.testing import CliRunner

import karyo
from karyo.chromosomes import CLASSES
from karyo.commands import app
from karyo.data.synthetic import SyntheticSource
from karyo.errors import DataError, SettingsError
from karyo.imaging.preparation import Preparation
from karyo.imaging.write import write_png
from karyo.inference.engines import Answer
from karyo.inference.many import Unreadable, find_images, predict_many
from karyo.inference.passport import Passport, Scope
from karyo.inference.prediction import Prediction
from karyo.inference.predictor import Predictor
from karyo.inference.results import row_of


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One drawn cell: 46 PNGs below a folder per class, the names with a space and an accent."""
    folder = tmp_path_factory.mktemp("images")
    source = SyntheticSource(cells=1)
    for number, record in enumerate(source.records):
        write_png(folder / CLASSES[record.label] / f"é {number}.png", source.read(record))
    return folder


def predict(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["predict", *map(str, arguments)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_becomes_a_table_that_agrees_with_the_predictor(model: Path, images: Path, tmp_path: Path) -> None:
    code, _, _ = predict(model, images, "--csv", tmp_path / "out.csv", "--probabilities")
    rows = rows_of(tmp_path / "out.csv")
    assert code == 0
    assert [row["path"] for row in rows] == sorted(str(path) for path in images.rglob("*.png"))
    predictor = karyo.load(model)
    for row in rows[::9]:
        alone = predictor.predict(row["path"])
        assert row["label"] == alone.label
        assert row["rejected"] == ("yes" if alone.rejected else "no")
        assert [float(row[f"p_{name}"]) for name in CLASSES] == pytest.approx(alone.probabilities, abs=1e-6)
        second, probability = alone.top(2)[1]
        assert (row["second"], float(row["second_probability"])) == (second, pytest.approx(probability, abs=1e-6))
    # The model is right about most drawn chromosomes: rows must not have changed places.
    assert np.mean([Path(row["path"]).parent.name == row["label"] for row in rows]) > 0.4


def test_the_result_does_not_depend_on_the_batch(model: Path, images: Path) -> None:
    paths, predictor = find_images([images]), karyo.load(model)
    alone, together = (list(predict_many(predictor, paths, size)) for size in (1, 7))
    assert [each.name for each in alone] == [each.name for each in together] == [str(path) for path in paths]
    for one, other in zip(alone, together, strict=True):
        assert isinstance(one, Prediction)
        assert isinstance(other, Prediction)
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_an_unreadable_image_is_named_and_the_others_go_on(model: Path, images: Path, tmp_path: Path) -> None:
    (tmp_path / "no image.png").write_bytes(b"nothing")
    good = next(images.rglob("*.png"))
    code, out, _ = predict(model, tmp_path / "no image.png", good, "--jsonl", "-")
    bad, fine = map(json.loads, out.splitlines())
    assert code == 0
    assert "is not an image" in bad["error"]
    assert fine["name"] == str(good)
    assert fine["label"] in CLASSES
    assert len(fine["top"]) == 5
    code, out, _ = predict(model, tmp_path / "no image.png")
    assert code == 1
    assert "1 unreadable" in out


def test_the_screen_shows_some_and_counts_all(model: Path, images: Path) -> None:
    code, out, _ = predict(model, images)
    assert code == 0
    assert f"{images}:" in out
    assert "... and 6 more; --csv FILE writes them all" in out
    assert "46 images: " in out


def test_files_folders_and_patterns_are_found_once_and_in_order(images: Path) -> None:
    of_seven = find_images([images / "7"])
    assert find_images([images / "7", of_seven[0], images / "7" / "*.png"]) == of_seven
    assert find_images([str(images / "[78]" / "*.png")]) == [*of_seven, *find_images([images / "8"])]
    assert find_images([images / "?"]) == [path for name in "123456789X" for path in find_images([images / name])]


@pytest.mark.parametrize("place", ["missing", "missing/*.png", "empty"])
def test_places_without_images_are_one_sentence(tmp_path: Path, place: str) -> None:
    (tmp_path / "empty" / ".hidden").mkdir(parents=True)
    (tmp_path / "empty" / ".hidden" / "a.png").touch()
    with pytest.raises(SettingsError, match=place.replace("*", r"\*")):
        find_images([tmp_path / place])


def test_a_stopped_command_goes_on_where_it_was(
    model: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole.csv"
    predict(model, images, "--csv", whole)
    classify, calls = Predictor.classify, []

    def interrupted(self: Predictor, prepared: list) -> list:
        calls.append(len(prepared))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return classify(self, prepared)

    monkeypatch.setattr(Predictor, "classify", interrupted)
    code, _, err = predict(model, images, "--csv", tmp_path / "out.csv", "--batch-size", 10)
    assert code == 130
    assert "goes on from here" in err
    assert not (tmp_path / "out.csv").exists()
    (journal,) = tmp_path.glob(".out.csv*")
    # A machine that lost power may have written half of a line.
    journal.write_text(journal.read_text(encoding="utf-8") + '{"row": {"na', encoding="utf-8")
    calls.clear()
    calls.extend([0] * 10)
    code, _, _ = predict(model, images, "--csv", tmp_path / "out.csv", "--batch-size", 10)
    assert code == 0
    assert sum(calls) == 46 - 20
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == whole.read_text(encoding="utf-8")
    assert list(tmp_path.glob(".out.csv*")) == []


def test_nothing_needed_is_written_over(model: Path, images: Path, tmp_path: Path) -> None:
    image = next(images.rglob("*.png"))
    before = (model.read_bytes(), image.read_bytes())
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for arguments, words in (
        (["--csv", model], "is the model or one of the images"),
        (["--jsonl", image], "is the model or one of the images"),
        (["--csv", tmp_path / "folder"], "no file that can be written over"),
        (["--csv", tmp_path / "a.csv", "--jsonl", tmp_path / "pipe"], "no file that can be written over"),
        (["--csv", tmp_path / "a.txt", "--jsonl", tmp_path / "." / "a.txt"], "both name"),
        (["--csv", "-", "--jsonl", "-"], "both name"),
    ):
        with pytest.raises(SettingsError, match=words):
            predict(model, images, *arguments)
    assert (model.read_bytes(), image.read_bytes()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "pipe"]


def test_a_link_stays_a_link(model: Path, images: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out.csv").symlink_to(tmp_path / "elsewhere" / "real.csv")
    assert predict(model, images, "--csv", tmp_path / "out.csv")[0] == 0
    assert (tmp_path / "out.csv").is_symlink()
    assert len(rows_of(tmp_path / "elsewhere" / "real.csv")) == 46


def test_how_many_classes_are_named_is_no_matter_of_when(model: Path, images: Path, tmp_path: Path) -> None:
    from karyo.inference.journal import Journal

    paths = find_images([images])
    predictor = karyo.load(model)
    with Journal(tmp_path / "out.jsonl", predictor.passport) as journal:
        for outcome in predict_many(predictor, paths[:9]):
            journal.add(row_of(outcome))
    predict(model, images, "--jsonl", tmp_path / "out.jsonl", "--top", 2)
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert [len(json.loads(line)["top"]) for line in lines] == [2] * 46


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no /dev/full here")
@pytest.mark.parametrize("flags", [[], ["--csv", "-"], ["--jsonl", "-"]])
def test_a_full_disk_is_one_sentence(model: Path, images: Path, flags: list[str]) -> None:
    code = "from karyo.commands import main; main()"
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, "predict", str(model), str(images), *flags],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr


def test_names_cannot_write_on_the_screen(model: Path, images: Path, tmp_path: Path) -> None:
    name = "\x1b[31mred\n[bold]\u2028.png"
    (tmp_path / name).write_bytes(next(images.rglob("*.png")).read_bytes())
    code, out, _ = predict(model, tmp_path)
    assert code == 0
    assert "\x1b[31m" not in out
    assert "\\x1b[31mred\\n[bold]" in out
    # Nor does a strange name keep a stopped command from going on.
    from karyo.inference.journal import Journal

    passport = karyo.load(model).passport
    with Journal(tmp_path / "out.csv", passport) as journal:
        journal.add({"name": str(tmp_path / name)})
    with Journal(tmp_path / "out.csv", passport) as journal:
        assert list(journal.rows) == [str(tmp_path / name)]


def test_what_cannot_be_opened_or_is_no_image_is_said(model: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"karyo opens ONNX"):
        karyo.load(tmp_path / "model.pt2")
    with pytest.raises(SettingsError, match="threads must be from 1 to 256"):
        karyo.load(model, threads=2000)
    with pytest.raises(TypeError, match="not int"):
        karyo.load(model).predict([5])  # type: ignore[list-item]


def test_a_distance_that_is_no_number_is_not_accepted(model: Path) -> None:
    class Engine:
        passport = Passport("made", Preparation(8), scope=Scope(distance=1.0))

        def __call__(self, images: np.ndarray) -> Answer:
            return Answer(np.zeros((len(images), 24), np.float32), np.full(len(images), np.nan, np.float32))

    assert "not_a_chromosome" in Predictor(Engine()).predict(np.zeros((9, 9), np.uint8)).reasons


def test_what_was_interrupted_with_another_model_or_image_is_not_used(
    model: Path, images: Path, tmp_path: Path
) -> None:
    from karyo.inference.journal import Journal

    image = next(images.rglob("*.png"))
    copy = tmp_path / "a.png"
    copy.write_bytes(image.read_bytes())
    passport = karyo.load(model).passport
    with Journal(tmp_path / "out.csv", passport) as journal:
        journal.add({"name": str(copy), "label": "planted"})
    with Journal(tmp_path / "out.csv", passport) as journal:
        assert journal.rows[str(copy)]["label"] == "planted"
    copy.write_bytes(image.read_bytes() + b" ")
    with Journal(tmp_path / "out.csv", passport) as journal:
        assert journal.rows == {}
        journal.add({"name": str(copy), "label": "planted"})
    other = karyo.load(tiny_model(tmp_path, "other.onnx", threshold=0.9)).passport
    with Journal(tmp_path / "out.csv", other) as journal:
        assert journal.rows == {}


def test_only_a_few_batches_are_ahead_of_who_listens(model: Path, images: Path) -> None:
    asked: list[Path] = []

    class Watched(list[Path]):
        def __iter__(self):
            for path in super().__iter__():
                asked.append(path)
                yield path

    outcomes = predict_many(karyo.load(model), Watched(find_images([images])), batch_size=2, readers=1)
    next(outcomes)
    assert len(asked) <= 8
    outcomes.close()


def test_arrays_bytes_and_paths_are_the_same_image(model: Path, images: Path, tmp_path: Path) -> None:
    path = next(images.rglob("*.png"))
    grey = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_GRAYSCALE)
    predictor = karyo.load(model)
    of_path, of_bytes, of_array, of_colours = predictor.predict(
        [path, path.read_bytes(), grey, np.repeat(grey[..., None], 3, axis=2)]
    )
    for other in (of_bytes, of_array, of_colours):
        assert other.probabilities == pytest.approx(of_path.probabilities, abs=1e-6)
    assert (of_path.name, of_bytes.name) == (str(path), "image 2")
    assert predictor.predict(str(path)).label == of_path.label
    assert predictor.predict([]) == []
    with pytest.raises(DataError, match="image 1 has the shape"):
        predictor.predict([np.zeros((0, 3), np.uint8)])
    assert list(predict_many(predictor, [b""])) == [Unreadable("image 1", "image 1 is empty (0 bytes)")]


def test_probability_below_the_threshold_is_rejected(images: Path, tmp_path: Path) -> None:
    sure = karyo.load(tiny_model(tmp_path, "sure.onnx", threshold=0.0))
    never = karyo.load(tiny_model(tmp_path, "never.onnx", threshold=1.0))
    paths = find_images([images])
    for accepted, rejected in zip(sure.predict(paths), never.predict(paths), strict=True):
        assert "low_confidence" not in accepted.reasons
        assert "low_confidence" in rejected.reasons
        assert rejected.rejected
        assert "no class is probable enough" in str(rejected)


def test_the_temperature_flattens_probabilities(images: Path, tmp_path: Path) -> None:
    path = next(images.rglob("*.png"))
    plain = karyo.load(tiny_model(tmp_path, "plain.onnx")).predict(path).probabilities
    flat = karyo.load(tiny_model(tmp_path, "flat.onnx", temperature=3.0)).predict(path).probabilities
    cube_roots = plain ** (1 / 3)
    assert flat == pytest.approx(cube_roots / cube_roots.sum(), abs=1e-6)


def test_predicting_imports_nothing_of_training(model: Path, images: Path) -> None:
    heavy = "torch torchvision pytorch_lightning hydra omegaconf timm albumentations matplotlib onnx scipy"
    code = (
        "import sys, karyo\n"
        f"print(karyo.load(sys.argv[1]).predict(sys.argv[2]))\n"
        f"print(sorted(set({heavy!r}.split()) & set(sys.modules)))\n"
    )
    image = next(images.rglob("*.png"))
    done = subprocess.run(
        [sys.executable, "-c", code, str(model), str(image)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert str(image) in done.stdout


def test_onnxruntime_reports_to_nobody(model: Path, images: Path, tmp_path: Path) -> None:
    image = next(images.rglob("*.png"))
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, karyo; karyo.load(sys.argv[1]).predict(sys.argv[2])",
            str(model),
            str(image),
        ],
        env={key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "ORT_"))}
        | {"HOME": str(tmp_path)},
        timeout=60,
        check=True,
    )
    assert done.returncode == 0
    # Where it reports, it keeps the id of the device below the home directory.
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_lacks_its_packages_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "class Lacking:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('torch', 'hydra', 'onnxruntime'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Lacking())\n"
        "from karyo.commands import main\n"
        "main()\n"
    )
    for arguments, extra in ((["train"], "train"), (["predict", "model.onnx", "image.png"], "inference")):
        (tmp_path / "image.png").touch()
        tiny_model(tmp_path, "model.onnx")
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert f"pip install 'karyo[{extra}]'" in done.stderr
