"""Whatever a user gets wrong is answered with one sentence and an exit code."""

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import TINY, Result, Run

from karyo.chromosomes import CLASSES

FOLDERS = (*(setting for setting in TINY if not setting.startswith("data.")), "image_size=32", "data=folders")


def draw_folders(root: Path, classes: tuple[str, ...] = CLASSES, count: int = 6) -> Path:
    """Fill a tree of one folder per class with distinct little bright bars on black."""
    random = np.random.default_rng(0)
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for copy in range(count):
            image = np.zeros((40, 24), np.uint8)
            image[4 : 12 + number, 8:16] = random.integers(120, 255, (8 + number, 8))
            cv2.imwrite(str(root / name / f"{copy}.png"), image)
    return root


def assert_refused(result: Result, code: int, *words: str) -> None:
    assert result.code == code, result.out + result.err
    assert "Traceback" not in result.out + result.err
    (line,) = [line for line in result.err.splitlines() if line.startswith("Error: ")]
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["lr=0"], ["lr=0"]),
        (["lr=-1e-3"], ["lr=-0.001"]),
        (["lr=nan"], ["lr="]),
        (["lr=fast"], ["lr=fast"]),
        (["batch_size=0"], ["batch_size=0"]),
        (["batch_size=2.5"], ["batch_size=2.5"]),
        (["epochs=0"], ["epochs=0"]),
        (["seed=-1"], ["seed=-1"]),
        (["channels=2"], ["channels=2"]),
        (["label_smoothing=1"], ["label_smoothing=1"]),
        (["canvas=oval"], ["canvas", "oval", "letterbox"]),
        (["canvas=pad", "extent=0"], ["extent"]),
        (["model=resnet81"], ["resnet81", "resnet18"]),
        (["model=timm", "model.name=resnet181"], ["resnet181", "resnet18"]),
        (["model=torchvision", "model.name=vgg61"], ["vgg61", "vgg16"]),
        (["model=timm"], ["model.name"]),
        (["model=inception_v3", "image_size=40"], ["image_size=40", "299"]),
        (["image_size=-5"], ["image_size=-5"]),
        (["optimizer=adan"], ["optimizer=adan", "adam"]),
        (["lrr=1"], ["lrr", "lr"]),
        (["preprocessing=null"], ["preprocessing=null", "none"]),
        (["preprocessing.steps.clahe.clip_limit=3"], ["+preprocessing.steps.clahe={}"]),
        (["preprocessing.stepps=3"], ["did you mean preprocessing.steps, preprocessing?"]),
        (["data.split_bye=cell"], ["data.split_bye", "data.split_by"]),
        (["optimizer.momentun=0.9", "optimizer=sgd"], ["optimizer.momentun", "optimizer.momentum"]),
        (["data.split_by=case"], ["case", "cell"]),
        (["data.fractions=[0.9,0.1,0.0]"], ["fractions"]),
        (["data.fractions=[0.9,0.1]"], ["fractions"]),
        (["data.folds=5", "data.fold=5"], ["fold"]),
        (["data.source.cells=0"], ["cells"]),
        (["data.source.difficulty=2"], ["difficulty"]),
        (["data.cache=cloud"], ["cache"]),
        (["data.on_bad_image=ignore"], ["on_bad_image"]),
        (["data.num_workers=-1"], ["num_workers"]),
        (["data=folders"], ["data.root"]),
        (["data=gband65", "data.root=/no/such/folder"], ["/no/such/folder"]),
        (["weights=nowhere.pt"], ["nowhere.pt"]),
        (["trainer.precision=fast"], ["precision"]),
        (["trainer.accelerator=abacus"], ["abacus"]),
        (["+trainer.nonsense=1"], ["nonsense"]),
        (["lr=1e-3", "lr"], ["lr"]),
        (["lr=1e-4,1e-3"], ["lr=1e-4,1e-3", "-m"]),
        (["data.fractions=abc"], ["data.fractions"]),
        (["data.folds=2.5"], ["data.folds"]),
        (["data.split_seed=x"], ["data.split_seed"]),
        (["trainer.max_epochs=-1"], ["trainer.max_epochs"]),
        (["trainer.accumulate_grad_batches=0"], ["accumulate_grad_batches"]),
        (["trainer.limit_val_batches=0"], ["limit_val_batches"]),
        (["scheduler.schedule.pct_start=7"], ["pct_start"]),
        (["optimizer.weight_decay=-1"], ["weight_decay"]),
        (["scheduler=plateau", "scheduler.monitor=foo"], ["foo"]),
        (["optimizer.momentum=0.9"], ["optimizer.momentum"]),
        (["experiment=rapport"], ["rapport", "report"]),
        (["augmentation.transforms.0.name=HorizontalFlap"], ["HorizontalFlap", "HorizontalFlip"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_settings_that_cannot_be_meant(run: Run, settings: list[str], words: list[str]) -> None:
    base = [setting for setting in TINY if not any(setting.split("=")[0] == other.split("=")[0] for other in settings)]
    groups = [setting.partition("=")[0] for setting in settings if setting.startswith(("model=", "data="))]
    base = [setting for setting in base if not setting.startswith(tuple(f"{group}." for group in groups) or "!")]
    assert_refused(run("train", *base, *settings), 2, *words)


def test_a_root_where_nothing_matches_shows_the_pattern_and_what_was_tried(run: Run, tmp_path: Path) -> None:
    for name in ("a.tiff", "b.tiff", "c.tiff", "d.tiff"):
        (tmp_path / "pictures").mkdir(exist_ok=True)
        (tmp_path / "pictures" / name).write_bytes(b"x")
    settings = [setting for setting in FOLDERS if setting != "data=folders"]
    result = run("train", *settings, "data=bioimlab", "data.root=pictures")
    assert_refused(result, 2, "(?P<label>", "a.tiff", "b.tiff", "c.tiff")


def test_unknown_labels_are_all_named(run: Run, tmp_path: Path) -> None:
    root = draw_folders(tmp_path / "set")
    (root / "23").rename(root / "25") if (root / "23").exists() else (root / "X").rename(root / "25")
    (root / "Y").rename(root / "Z")
    assert_refused(run("train", *FOLDERS, f"data.root={root}"), 1, "'25'", "'Z'")


@pytest.mark.parametrize(("classes", "count", "words"), [(("7",), 30, ["class"]), (CLASSES[:4], 1, ["image"])])
def test_too_little_to_learn_from(
    run: Run, tmp_path: Path, classes: tuple[str, ...], count: int, words: list[str]
) -> None:
    root = draw_folders(tmp_path / "set", classes, count)
    assert_refused(run("train", *FOLDERS, f"data.root={root}"), 1, *words)


def test_all_bad_images_are_listed_and_can_be_skipped(run: Run, tmp_path: Path) -> None:
    root = draw_folders(tmp_path / "sät")
    (root / "1/0.png").write_bytes(b"")
    (root / "2/0.png").write_bytes(b"not an image")
    whole = (root / "3/0.png").read_bytes()
    (root / "3/0.png").write_bytes(whole[: len(whole) // 2])
    result = run("train", *FOLDERS, f"data.root={root}")
    assert result.code == 1
    for name in ("1/0.png", "2/0.png", "3/0.png"):
        assert name in result.err
    assert "Traceback" not in result.err
    skipped = run("train", *FOLDERS, f"data.root={root}", "data.on_bad_image=skip")
    assert skipped.code == 0, skipped.err
    assert "3" in skipped.out


def test_the_same_pixels_on_two_sides_are_named(run: Run, tmp_path: Path) -> None:
    root = draw_folders(tmp_path / "set")
    for copy in range(20):
        shutil.copy(root / "1/0.png", root / f"1/again{copy}.png")
    assert_refused(run("train", *FOLDERS, f"data.root={root}"), 1, "1/0.png")


def test_no_permission_for_the_output(run: Run, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        # Root may write anywhere; a file where the folder should be stops it as well.
        (tmp_path / "logs").write_text("in the way")
    else:
        tmp_path.chmod(0o500)
    try:
        assert_refused(run("train", *TINY), 1)
    finally:
        tmp_path.chmod(0o700)


def test_evaluate_says_what_it_needs(run: Run, tmp_path: Path) -> None:
    assert_refused(run("evaluate"), 2, "run=", "checkpoint=")
    assert_refused(run("evaluate", "run=nowhere"), 2, "nowhere")
    assert_refused(run("evaluate", "run=nowhere", "preprocessing=none"), 2, "preprocessing", "checkpoint")
    assert_refused(run("evaluate", "checkpoint=nowhere.ckpt", "data=synthetic"), 2, "nowhere.ckpt")
    (tmp_path / "broken.ckpt").write_bytes(b"PK\x03\x04 nothing")
    assert_refused(run("evaluate", "checkpoint=broken.ckpt", "data=synthetic"), 1, "broken.ckpt")


@pytest.mark.usefixtures("blank_figures")
def test_evaluate_measures_only_sides_that_it_knows(run: Run, finished: Result) -> None:
    directory = finished.directory
    assert_refused(run("evaluate", f"run={directory}", "bootstrap=x"), 2, "bootstrap=x")
    assert_refused(run("evaluate", f"run={directory}", "batch_size=0"), 2, "batch_size=0")
    other = run("evaluate", f"run={directory}", "data=synthetic", "data.source.cells=2", "part=test")
    assert_refused(other, 2, "part=all")
    same = run("evaluate", f"run={directory}", "data=synthetic", "data.source.cells=8", "bootstrap=0")
    assert same.code == 0, same.err
    assert "unseen" not in same.out


def test_a_checkpoint_from_another_class_set(run: Run, finished: Result, tmp_path: Path) -> None:
    directory = finished.directory
    path = directory / "checkpoints/best.ckpt"
    content = torch.load(path, weights_only=True)
    content["karyo"]["classes"] = ["cat", "dog"]
    torch.save(content, path)
    assert_refused(run("evaluate", f"run={directory}"), 1, "cat", "24")


def test_a_run_directory_cannot_name_foreign_objects(run: Run, finished: Result) -> None:
    directory = finished.directory
    config = directory / "config.yaml"
    config.write_text(config.read_text().replace("karyo.data.synthetic.SyntheticSource", "os.system"))
    assert_refused(run("evaluate", f"run={directory}"), 2, "os.system")
