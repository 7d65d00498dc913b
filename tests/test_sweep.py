import csv
import json
from pathlib import Path

import pytest
from conftest import TINY, Run

from karyo.training.locations import job_directory

pytestmark = pytest.mark.usefixtures("blank_figures")


def test_a_failing_run_is_recorded_and_the_others_go_on(run: Run) -> None:
    result = run(
        "train", "-m", *TINY, "trainer=smoke", "model.name=test_resnet,test_vit,test_efficientnet", "image_size=75"
    )
    assert result.code == 1
    assert "2 of 3 runs finished" in result.out
    records = {path.parent.name: json.loads(path.read_text()) for path in result.directory.glob("*/summary.json")}
    assert sorted(record["status"] for record in records.values()) == ["failed", "finished", "finished"]
    (name,) = [name for name, record in records.items() if record["status"] == "failed"]
    assert "test_vit" in name
    assert "Traceback" in (result.directory / name / "error.txt").read_text()
    assert "image_size=75" in records[name]["error"]
    assert records[name]["error"] in result.out.replace("\n", " ") or records[name]["error"].split(";")[0] in result.out


def test_the_leaderboard_is_written_and_ranks_by_validation_accuracy(run: Run) -> None:
    result = run("train", "-m", *TINY, "lr=1e-2,1e-12", "epochs=3")
    assert result.code == 0, result.err
    with (result.directory / "leaderboard.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    accuracies = [float(row["validation_accuracy"]) for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert {float(row["lr"]) for row in rows} == {1e-2, 1e-12}
    assert "| rank |" in (result.directory / "leaderboard.md").read_text(encoding="utf-8").replace("  ", " ").lower()


def test_jobs_are_named_after_what_they_are(run: Run) -> None:
    result = run("train", "-m", "lr=1e-3,1e-2", *TINY, "trainer=smoke")
    names = sorted(path.parent.name for path in result.directory.glob("*/summary.json"))
    assert len(names) == 2
    assert all("lr-0.0" in name for name in names)


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "default"),
        (["model=vgg16", "lr=1e-3"], "lr-1e-3_model-vgg16"),
        (["lr=1e-3", "model=vgg16"], "lr-1e-3_model-vgg16"),
        (["+trainer.fast_dev_run=true"], "trainer.fast_dev_run-true"),
    ],
)
def test_job_directory(overrides: list[str], name: str) -> None:
    assert job_directory(overrides) == name


def test_job_directories_differ_where_overrides_do_and_are_one_path_component() -> None:
    alike = [
        ["data=folders", "data.root=/data/a"],
        ["data=folders", "data.root=/data/b"],
        ["data=folders"],
        ["data.fractions=[0.7,0.2,0.1]"],
        ["data.fractions=[0.7,0.1,0.2]"],
        ["data.root=" + "x/" * 300],
        [f"data.source.name={'n' * 300}1"],
        [f"data.source.name={'n' * 300}2"],
        ["data.source.name=Zürich"],
        ["data.source.name=Z-rich"],
    ]
    names = [job_directory(overrides) for overrides in alike]
    assert len(set(names)) == len(names)
    assert all("/" not in name and len(name) < 128 and "=" not in name for name in names)


@pytest.mark.slow
def test_the_whole_grid_of_the_readme_in_its_smoke_size(run: Run) -> None:
    result = run(
        "train",
        "-m",
        "model=resnet18,resnet50,vgg16,inception_v3",
        "optimizer=adam,sgd,rmsprop",
        "lr=1e-4,1e-3,1e-2",
        "trainer=smoke",
        "trainer.accelerator=cpu",
    )
    assert result.code == 0, result.out[-3000:] + result.err[-3000:]
    assert "36 of 36 runs finished" in result.out
    assert len(list(result.directory.glob("*/summary.json"))) == 36
    assert len(list(Path(result.directory).glob("*/events.out.tfevents*"))) >= 36
