import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import TINY, Result, Run

REPOSITORY = Path(__file__).parents[1]
EPOCHS = 5
# Dropout draws random numbers in every step, which an unbroken run and a resumed one must draw alike.
SETTINGS = (*TINY, f"epochs={EPOCHS}", "model.spec.head=chu", "+model.spec.head_options.dropout=0.3")


def start(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(REPOSITORY / "src/train.py"), *arguments],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for_epochs(directory: Path, count: int, process: subprocess.Popen[str]) -> Path:
    """Wait until the run below a directory has finished some epochs; give the run's directory."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        for log in directory.glob("logs/train/*/epochs.csv"):
            # The row comes first, then the checkpoint.
            saved = (log.parent / "checkpoints/last.ckpt").is_file()
            if saved and len(log.read_text(encoding="utf-8").splitlines()) > count:
                return log.parent
        time.sleep(0.05)
    raise AssertionError(f"no {count} epochs: {process.communicate()[0]}")


def last_weights(run_directory: Path) -> dict[str, torch.Tensor]:
    return torch.load(run_directory / "checkpoints/last.ckpt", weights_only=True)["state_dict"]


def record(run_directory: Path) -> dict:
    return json.loads((run_directory / "summary.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_killed_and_resumed_ends_with_the_weights_of_an_unbroken_run(tmp_path: Path, run: Run) -> None:
    unbroken = run("train", *SETTINGS)
    assert unbroken.code == 0, unbroken.err
    broken = tmp_path / "broken"
    broken.mkdir()
    process = start(broken, *SETTINGS)
    directory = wait_for_epochs(broken, 2, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert record(directory)["status"] == "running"
    assert torch.load(directory / "checkpoints/last.ckpt", weights_only=True)["epoch"] + 1 >= 1
    resumed = run("train", f"resume={directory}")
    assert resumed.code == 0, resumed.err
    expected, found = last_weights(unbroken.directory), last_weights(directory)
    assert all(torch.equal(value, found[key]) for key, value in expected.items())
    assert record(directory)["test"] == record(unbroken.directory)["test"]
    epochs = (directory / "epochs.csv").read_text(encoding="utf-8").splitlines()
    assert [row.split(",")[0] for row in epochs[1:]] == [str(number) for number in range(1, EPOCHS + 1)]


@pytest.mark.slow
def test_ctrl_c_keeps_the_finished_epochs_and_says_how_to_go_on(tmp_path: Path, run: Run) -> None:
    process = start(tmp_path, *SETTINGS, "epochs=200")
    directory = wait_for_epochs(tmp_path, 1, process)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert f"resume={directory.relative_to(tmp_path)}" in output or f"resume={directory}" in output
    assert record(directory)["status"] == "interrupted"
    assert (directory / "checkpoints/last.ckpt").is_file()


def test_a_finished_run_is_shown_and_not_trained_again(run: Run, finished: Result) -> None:
    directory = finished.directory
    before = (directory / "checkpoints/last.ckpt").stat().st_mtime_ns
    again = run("train", f"resume={directory}")
    assert again.code == 0
    assert "accuracy on unseen cells" in again.out
    assert (directory / "checkpoints/last.ckpt").stat().st_mtime_ns == before


def test_resume_takes_no_other_settings(run: Run, finished: Result) -> None:
    directory = finished.directory
    result = run("train", f"resume={directory}", "lr=1e-2")
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert "lr=1e-2" in result.err


@pytest.mark.parametrize("where", ["nowhere", "."])
def test_resume_of_something_else_is_refused(run: Run, tmp_path: Path, where: str) -> None:
    result = run("train", f"resume={where}")
    assert result.code == 2
    assert result.err.startswith("Error: ")
    assert result.err.count("\n") == 1


def test_a_run_with_a_damaged_record_is_refused(run: Run, finished: Result, tmp_path: Path) -> None:
    directory = finished.directory
    (directory / "summary.json").write_text('{"status": "runn')
    result = run("train", f"resume={directory}")
    assert result.code == 1
    assert "damaged" in result.err


@pytest.mark.usefixtures("blank_figures")
def test_a_moved_run_goes_on_where_it_lies(run: Run, finished: Result, tmp_path: Path) -> None:
    directory = finished.directory
    moved = tmp_path / "moved here"
    directory.rename(moved)
    stopped = record(moved) | {"status": "interrupted"}
    (moved / "summary.json").write_text(json.dumps(stopped), encoding="utf-8")
    result = run("train", f"resume={moved}")
    assert result.code == 0, result.err
    assert record(moved)["checkpoint"] == "checkpoints/best.ckpt"
    assert not directory.exists()


def test_a_run_does_not_go_on_with_other_images(run: Run, finished: Result) -> None:
    directory = finished.directory
    stopped = record(directory) | {"status": "interrupted"}
    stopped["data"]["fingerprint"] = "of other images"
    (directory / "summary.json").write_text(json.dumps(stopped), encoding="utf-8")
    split = (directory / "split.json").read_bytes()
    result = run("train", f"resume={directory}")
    assert result.code == 1
    assert "not the images" in result.err
    assert (directory / "split.json").read_bytes() == split
