"""Sweeps that are launched again: after they ended, after they died, with more values, with something else changed."""

import contextlib
import gc
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY, Run

from karyo.models.network import ChromosomeNetwork
from karyo.training import identity
from karyo.training.resume import claim

pytestmark = pytest.mark.usefixtures("blank_figures")

TRAIN = Path(__file__).parents[1] / "src" / "train.py"
SWEEP = Path("multirun/one")


def records(sweep: Path) -> dict[str, dict[str, Any]]:
    return {path.parent.name: json.loads(path.read_text()) for path in sorted(sweep.glob("*/summary.json"))}


def started(sweep: Path) -> dict[str, float]:
    """When the record of each run was written last: a run that is left alone keeps it."""
    return {path.parent.name: path.stat().st_mtime_ns for path in sweep.glob("*/summary.json")}


def test_the_same_sweep_again_does_nothing_and_more_values_only_what_is_new(run: Run) -> None:
    first = run("train", "-m", *TINY, "lr=1e-2,1e-3", "sweep=one")
    assert first.code == 0, first.out + first.err
    assert "2 jobs: 2 new" in first.out
    assert first.directory == SWEEP.absolute()
    before = started(SWEEP)
    again = run("train", "-m", *TINY, "lr=0.01,0.001", "sweep=one")
    assert again.code == 0
    assert "2 jobs: 2 finished" in again.out
    assert "2 of 2 runs finished" in again.out
    assert started(SWEEP) == before
    more = run("train", "-m", *TINY, "lr=3e-3,1e-2", "optimizer=adamw,sgd", "sweep=one")
    assert "4 jobs: 3 new, 1 finished" in more.out
    assert len(records(SWEEP)) == 5
    assert {name: stamp for name, stamp in started(SWEEP).items() if name in before} == before


@pytest.mark.slow
def test_no_network_outlives_its_job(run: Run) -> None:
    def networks() -> int:
        gc.collect()
        return sum(type(item) is ChromosomeNetwork for item in gc.get_objects())

    before = networks()
    assert run("train", "-m", *TINY, "seed=range(3)", "epochs=1", "sweep=one").code == 0
    assert networks() <= before


def test_a_job_is_its_settings_however_they_are_typed(run: Run) -> None:
    run("train", "-m", *TINY, "lr=1e-2", "sweep=one")
    again = run("train", "-m", "sweep=one", "lr=0.01", "optimizer=adamw", "seed=0", *TINY, "data.num_workers=0")
    assert "1 job: 1 finished" in again.out
    twice = run("train", "-m", *TINY, "lr=1e-2,0.01", "sweep=one")
    assert "1 job (1 of the same settings as another): 1 finished" in twice.out
    assert len(records(SWEEP)) == 1


def test_another_base_is_refused_and_the_difference_shown(run: Run) -> None:
    run("train", "-m", *TINY, "lr=1e-2", "sweep=one")
    other = run("train", "-m", *TINY, "lr=1e-2", "canvas=pad", "label_smoothing=0.2", "sweep=one")
    assert other.code == 2
    assert "sweep=one was begun with other settings" in other.err
    assert "canvas was stretch, now pad" in other.err
    assert "label_smoothing was 0.1, now 0.2" in other.err
    assert len(records(SWEEP)) == 1
    swept = run("train", "-m", *TINY, "lr=1e-2", "canvas=stretch,pad", "sweep=one")
    assert "2 jobs: 1 new, 1 finished" in swept.out
    # Seeds are repetitions, never another base.
    assert "1 job: 1 new" in run("train", "-m", *TINY, "lr=1e-2", "seed=3", "sweep=one").out


def test_failed_runs_stay_failed_until_they_shall_be_tried_again(run: Run) -> None:
    broken = ("train", "-m", *TINY, "lr=1e-2,-1", "sweep=one")
    assert run(*broken).code == 1
    before = started(SWEEP)
    again = run(*broken)
    assert again.code == 1
    assert "2 jobs: 1 finished, 1 failed" in again.out
    assert "sweep.retry_failed=true" in again.out
    assert started(SWEEP) == before
    retried = run(*broken, "sweep.retry_failed=true")
    assert "1 to go on with, 1 finished" in retried.out
    (failed,) = [name for name, record in records(SWEEP).items() if record["status"] == "failed"]
    assert started(SWEEP)[failed] > before[failed]


@pytest.mark.slow
def test_a_run_that_is_tried_again_is_news_only_when_it_ends_again(run: Run) -> None:
    settings = [setting for setting in TINY if not setting.startswith("data.source.cells")]
    command = ("train", "-m", *settings, "data=folders", "data.root=images", "sweep=one")
    assert run(*command).code == 1
    write_images(Path("images"), seed=0)
    retried = run(*command, "sweep.retry_failed=true")
    assert retried.code == 0, retried.out
    (line,) = [line for line in retried.out.splitlines() if line.startswith("[1/1]")]
    assert "validation" in line


def test_runs_of_other_code_are_kept_aside_and_done_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("train", "-m", *TINY, "lr=1e-2", "sweep=one")
    run(*command)
    (name,) = records(SWEEP)
    for module in ("karyo.training.identity", "karyo.sweeping.plan"):
        monkeypatch.setattr(f"{module}.code_digest", lambda: "another")
    kept = run(*command, "sweep.keep_outdated=true")
    assert "1 job: 1 finished" in kept.out
    again = run(*command)
    assert "was made by other code" in again.out
    assert "1 job: 1 new" in again.out
    assert records(SWEEP)[name]["code"] == "another"
    assert json.loads((SWEEP / "outdated" / name / "summary.json").read_text())["status"] == "finished"
    assert "1 of 1 runs finished" in again.out


@pytest.mark.slow
def test_the_digest_of_the_code_counts_code_and_not_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = Path(identity.__file__).parents[1]
    copied = tmp_path / "karyo"
    shutil.copytree(package, copied, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(identity, "__file__", str(copied / "training" / "identity.py"))

    def digest() -> str:
        identity.code_digest.cache_clear()
        return identity.code_digest()

    before = digest()
    file = copied / "imaging" / "canvas.py"
    source = file.read_text(encoding="utf-8")
    file.write_text("# a remark\n" + source.replace('"""', '"""Now: ', 1), encoding="utf-8")
    (copied / "reports" / "theme.py").write_text("DPI = 1\n", encoding="utf-8")
    assert digest() == before
    file.write_text(source + "\nZOOM = 2\n", encoding="utf-8")
    assert digest() != before
    monkeypatch.undo()
    identity.code_digest.cache_clear()


@pytest.mark.slow
def test_other_images_are_another_run_beside_the_first(run: Run) -> None:
    settings = [setting for setting in TINY if not setting.startswith("data.source.cells")]
    command = ("train", "-m", *settings, "data=folders", "data.root=images", "epochs=1", "sweep=one")
    write_images(Path("images"), seed=0)
    first = run(*command)
    assert first.code == 0, first.out + first.err
    shutil.move("images", "elsewhere")
    moved = run(*command, "data.root=elsewhere")
    assert "1 job: 1 finished" in moved.out
    write_images(Path("images"), seed=1)
    other = run(*command)
    assert "1 job: 1 new" in other.out
    fingerprints = {record["data"]["fingerprint"] for record in records(SWEEP).values()}
    assert len(fingerprints) == 2
    both = run(*command, "data.root=images,elsewhere")
    assert "2 jobs: 2 finished" in both.out


def write_images(folder: Path, seed: int) -> None:
    import cv2
    import numpy as np

    from karyo.data.synthetic import SyntheticSource

    source = SyntheticSource(cells=8, seed=seed)
    for number, record in enumerate(source.records):
        place = folder / str(record.label + 1) / f"{record.cell}_{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(place), np.asarray(source.read(record)))


def test_a_damaged_record_is_kept_aside_and_the_run_done_again(run: Run) -> None:
    command = ("train", "-m", *TINY, "lr=1e-2,1e-3", "sweep=one")
    run(*command)
    name = sorted(records(SWEEP))[0]
    record = SWEEP / name / "summary.json"
    record.write_text(record.read_text()[:100])
    again = run(*command)
    assert again.code == 0
    assert "is damaged" in again.out
    assert "2 jobs: 1 new, 1 finished" in again.out
    assert (SWEEP / "outdated" / name / "summary.json").stat().st_size == 100


def test_a_damaged_note_of_the_sweep_is_one_sentence(run: Run) -> None:
    run("train", "-m", *TINY, "lr=1e-2", "sweep=one")
    (SWEEP / "sweep.json").write_text("[1, 2")
    again = run("train", "-m", *TINY, "lr=1e-2", "sweep=one")
    assert again.code == 1
    assert "sweep.json is damaged" in again.err
    assert "Traceback" not in again.err


@pytest.mark.slow
def test_a_run_that_another_launch_is_doing_is_left_to_it_until_it_dies(run: Run) -> None:
    run("train", "-m", *TINY, "lr=1e-2", "sweep=one")
    (name,) = records(SWEEP)
    record = SWEEP / name / "summary.json"
    content = json.loads(record.read_text())
    record.write_text(json.dumps(content | {"status": "running"}))
    seen = []

    def another_launch() -> None:
        with claim(SWEEP / name):
            held.set()
            # It dies when this launch has done all the rest.
            while not any(one["status"] == "finished" for one in records(SWEEP).values()):
                time.sleep(0.05)
            seen.append(json.loads(record.read_text())["status"])

    held = threading.Event()
    peer = threading.Thread(target=another_launch)
    peer.start()
    held.wait()
    again = run("train", "-m", *TINY, "lr=1e-2,1e-3", "sweep=one")
    peer.join()
    assert "2 jobs: 1 new, 1 being done by another launch" in again.out
    assert seen == ["running"]
    assert "2 of 2 runs finished" in again.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("sweep=one",), "add -m"),
        (("-m", "sweep=a/b"), "cannot be; a sweep's name"),
        (("-m", "sweep=.."), "cannot be; a sweep's name"),
        (("-m", "sweep="), "cannot be; a sweep's name"),
        (("-m", "sweep=" + "n" * 101), "cannot be; a sweep's name"),
        (("-m", "hydra/launcher=slrum"), "hydra/launcher=slrum is unknown; did you mean slurm"),
        (("-m", "hydra/launcher=joblib", "hydra.launcher.engine.n_jobs=0"), "n_jobs=0 cannot be"),
        (("-m", "hydra/launcher=joblib", "hydra.launcher.engine.n_job=2"), "n_job"),
        (("-m", "hydra/launcher=joblib", "hydra.launcher.engine.gpus=0"), "gpus=0 cannot be"),
        (("-m", "sweep.retry_failed=no"), "sweep.retry_failed=no cannot be"),
        (("-m", "sweep=outdated"), "cannot be; a sweep's name"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(run: Run, arguments: tuple[str, ...], sentence: str) -> None:
    result = run("train", *arguments, *TINY)
    assert result.code == 2
    assert sentence in result.err
    assert "Traceback" not in result.err
    assert len(result.err.strip().splitlines()) == 1
    assert not list(Path().glob("*/*/*/summary.json"))


def test_a_mistyped_setting_of_all_jobs_starts_none_and_keeps_the_name_free(run: Run) -> None:
    mistaken = run("train", "-m", *TINY, "lr=1e-2,1e-3", "label_smoothing=7", "sweep=one")
    assert mistaken.code == 2
    assert mistaken.err.startswith("Error: label_smoothing=7 cannot be")
    assert run("train", "-m", *TINY, "lr=1e-2", "label_smoothing=0.2", "sweep=one").code == 0


@pytest.mark.slow
def test_a_file_of_weights_is_what_it_holds(run: Run) -> None:
    run("train", "-m", *TINY, "lr=1e-2,1e-3", "epochs=1", "sweep=first")
    first, second = sorted(Path("multirun/first").glob("*/checkpoints/best.ckpt"))
    shutil.copy(first, "a.ckpt")
    shutil.copy(first, "b.ckpt")
    run("train", "-m", *TINY, "lr=1e-2", "weights=a.ckpt", "sweep=one")
    assert "1 job: 1 finished" in run("train", "-m", *TINY, "lr=1e-2", "weights=b.ckpt", "sweep=one").out
    shutil.copy(second, "a.ckpt")
    other = run("train", "-m", *TINY, "lr=1e-2", "weights=a.ckpt", "sweep=one")
    assert "weights was" in other.err


@pytest.mark.slow
def test_a_damaged_checkpoint_begins_the_run_anew(run: Run) -> None:
    run("train", "-m", *TINY, "lr=1e-2", "sweep=one")
    (place,) = (path.parent for path in SWEEP.glob("*/summary.json"))
    content = json.loads((place / "summary.json").read_text())
    (place / "summary.json").write_text(json.dumps(content | {"status": "interrupted"}))
    last = place / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    resumed = run("train", f"resume={place}")
    assert resumed.code == 1
    assert "last.ckpt is damaged" in resumed.err
    assert "Traceback" not in resumed.err
    again = run("train", "-m", *TINY, "lr=1e-2", "sweep=one")
    assert "1 job: 1 to go on with" in again.out
    assert "1 of 1 runs finished" in again.out
    assert "the run begins anew" in (place / "output.log").read_text()


def test_a_file_where_a_run_should_be_is_left_alone(run: Run) -> None:
    SWEEP.mkdir(parents=True)
    for name in ("lr-0.01", "lr-0.001"):
        (SWEEP / name).write_text("a note")
    result = run("train", "-m", *TINY, "lr=1e-2,1e-3", "sweep=one")
    assert result.code == 0, result.out + result.err
    assert "2 of 2 runs finished" in result.out
    assert (SWEEP / "lr-0.01").read_text() == "a note"


def test_two_folders_of_annotations_are_two_jobs(run: Run) -> None:
    Path("spreads").mkdir()
    settings = [setting for setting in TINY if not setting.startswith("data.source.cells")]
    places = ("data=spreads", "data.source.images=spreads", "data.source.annotations=a,b")
    result = run("train", "-m", *settings, *places, "sweep=one")
    assert "2 jobs: 2 new" in result.out
    assert "a does not exist" in result.out
    assert "b does not exist" in result.out


def test_the_flag_may_follow_settings(run: Run) -> None:
    result = run("train", "epochs=1", "-m", *TINY[:-2], "bootstrap=20", "trainer.accelerator=cpu", "lr=1e-2,1e-3")
    assert result.code == 0, result.err
    assert "2 of 2 runs finished" in result.out


def test_a_name_may_be_in_any_script(run: Run) -> None:
    result = run("train", "-m", *TINY, "lr=1e-2", "epochs=1", "sweep=Zürich-2026")
    assert result.code == 0, result.err
    assert len(records(Path("multirun/Zürich-2026"))) == 1


@pytest.mark.slow
def test_the_grid_of_the_report_is_one_word(run: Run) -> None:
    # A device that does not exist fails before anything is read: what matters here is which runs there are.
    result = run("train", "-m", "experiment=report_grid", "trainer.accelerator=abacus", "sweep=one")
    assert result.code == 1
    assert "45 jobs: 45 new" in result.out
    made = records(SWEEP).values()
    assert len({(record["model"], record["optimizer"], record["lr"]) for record in made}) == 45
    assert {record["model"] for record in made} >= {"resnet18", "inception_v3_chu"}
    part = ("model=resnet18", "lr=1e-4,1e-5")
    less = run("train", "-m", "experiment=report_grid", "trainer.accelerator=abacus", *part, "sweep=one")
    assert "6 jobs: 3 new, 3 failed" in less.out


def launch(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start a sweep in a process of its own, in a session of its own so that it can be killed as a whole."""
    command = [sys.executable, str(TRAIN), "-m", *TINY, "sweep=one", *arguments]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def wait_for_epoch(sweep: Path, name: str = "*", epochs: int = 2) -> dict[str, Any]:
    """Wait until a run has finished some epochs, and give its record."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for path in sweep.glob(f"{name}/epochs.csv"):
            record = json.loads((path.parent / "summary.json").read_text())
            saved = (path.parent / "checkpoints" / "last.ckpt").is_file()
            if saved and len(path.read_text().splitlines()) > epochs and record["status"] == "running":
                return dict(record)
        time.sleep(0.05)
    raise AssertionError("no run came that far")


@pytest.mark.slow
def test_a_terminal_shows_one_display_of_the_whole(tmp_path: Path) -> None:
    command = [sys.executable, str(TRAIN), "-m", *TINY, "lr=1e-2,1e-3,-1", "sweep=one"]
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    with subprocess.Popen(command, cwd=tmp_path, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        # The system's word for "all have left" is an error.
        with contextlib.suppress(OSError):
            while part := os.read(ours, 65536):
                shown += part
    os.close(ours)
    assert process.returncode == 1
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "0 of 3 done, 1 running" in text
    assert re.search(r"epoch [12]/2 +lr=0.01, validation \d", text)
    assert re.search(r"best so far \d+\.\d % validation: lr=0.01", text)
    assert re.search(r"about \d+ s left", text)
    assert "[3/3] lr=-1: failed: lr=-1 cannot be" in text
    assert "images, split by" not in text, "what a run prints belongs into its directory"


@pytest.mark.slow
def test_a_killed_sweep_goes_on_and_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    for folder in (killed, whole):
        folder.mkdir()
    process = launch(killed, "lr=1e-2,1e-3", "epochs=12")
    first = wait_for_epoch(killed / SWEEP)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    output, _ = launch(killed, "lr=1e-2,1e-3", "epochs=12").communicate()
    assert "2 jobs: 1 new, 1 to go on with" in output
    launch(whole, "lr=1e-2,1e-3", "epochs=12").communicate()
    again = records(killed / SWEEP)
    assert {record["status"] for record in again.values()} == {"finished"}
    assert again[first["name"]]["started"] == first["started"]
    for name in again:
        both = [(folder / SWEEP / name / "predictions.csv").read_text() for folder in (killed, whole)]
        assert both[0] == both[1]


@pytest.mark.slow
def test_two_launches_at_once_share_the_work(tmp_path: Path) -> None:
    arguments = ("lr=1e-2,3e-3,1e-3,3e-4", "epochs=3")
    both = [launch(tmp_path, *arguments) for _ in range(2)]
    outputs = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert [record["status"] for record in records(tmp_path / SWEEP).values()] == ["finished"] * 4
    # Each run was begun once: a second beginning would have written a second file of events and of log lines.
    for place in (tmp_path / SWEEP).glob("*/output.log"):
        assert place.read_text().count("images, split by") == 1, place


@pytest.mark.slow
def test_two_launches_of_different_seeds_do_not_share_a_directory(tmp_path: Path) -> None:
    both = [launch(tmp_path, "lr=1e-2,1e-3", "epochs=8", f"seed={seed}") for seed in (0, 1)]
    outputs = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    made = {(record["lr"], record["config"]["seed"], record["status"]) for record in records(tmp_path / SWEEP).values()}
    assert made == {(lr, seed, "finished") for lr in (1e-2, 1e-3) for seed in (0, 1)}


@pytest.mark.slow
def test_ctrl_c_ends_a_sweep_with_what_there_is(tmp_path: Path) -> None:
    process = launch(tmp_path, "lr=1e-2,1e-3", "epochs=300")
    wait_for_epoch(tmp_path / SWEEP)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "0 of 1 runs finished" in output
    assert "sweep=one goes on" in output
    assert "Traceback" not in output
    assert [record["status"] for record in records(tmp_path / SWEEP).values()] == ["interrupted"]


@pytest.mark.slow
def test_joblib_shares_out_cores_and_gpus_and_survives_a_killed_worker(tmp_path: Path) -> None:
    engine = (
        "hydra/launcher=joblib",
        "hydra.launcher.engine.gpus=[0]",
        "hydra.launcher.engine.jobs_per_gpu=2",
        "hydra.launcher.engine.threads=1",
    )
    process = launch(tmp_path, "lr=1e-2,3e-3,1e-3", "epochs=12", *engine)
    victim = wait_for_epoch(tmp_path / SWEEP)
    os.kill(victim["process"], signal.SIGKILL)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert "3 of 3 runs finished" in output
    after = records(tmp_path / SWEEP)
    assert after[victim["name"]]["started"] == victim["started"]
    assert after[victim["name"]]["process"] != victim["process"]
    assert {record["visible_gpus"] for record in after.values()} == {"0"}
    assert len({record["process"] for record in after.values()} | {victim["process"]}) > 1


@pytest.mark.slow
def test_a_job_that_always_dies_is_given_up_and_the_others_finish(tmp_path: Path) -> None:
    # A callback that kills its own process stands for the system's out-of-memory killer.
    (tmp_path / "deadly.py").write_text(
        "import os, signal\n"
        "from pytorch_lightning.callbacks import Callback\n"
        "class Deadly(Callback):\n"
        "    def __init__(self, lr):\n"
        "        self.lr = lr\n"
        "    def on_train_epoch_start(self, *_):\n"
        "        if self.lr == 1e-3:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    deadly = ("+callbacks.deadly._target_=deadly.Deadly", "+callbacks.deadly.lr=${lr}")
    engine = ("hydra/launcher=joblib", "hydra.launcher.engine.n_jobs=2", "hydra.launcher.engine.threads=1")
    command = [sys.executable, str(TRAIN), "-m", *TINY, "sweep=one", "lr=1e-2,3e-3,1e-3", *deadly, *engine]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    statuses = {record["lr"]: record["status"] for record in records(tmp_path / SWEEP).values()}
    assert statuses == {1e-2: "finished", 3e-3: "finished", 1e-3: "failed"}
    assert "its process died 3 times" in done.stdout
