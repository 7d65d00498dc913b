"""Sweeps through Slurm: a real one of one node, started for these tests."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from clusters import EPOCHS, Sweep, epochs, slurm_cluster
from conftest import TINY, Run

import karyo
from karyo.sweeping.engines import slurm_queue
from karyo.sweeping.engines.paths import importable_in_children
from karyo.sweeping.engines.slurm_queue import first_line, report_deaths, wait


@pytest.fixture(scope="module")
def slurm() -> Iterator[Path]:
    with slurm_cluster() as folder:
        yield folder


def number(record: dict[str, Any]) -> str:
    """Give the number of the Slurm job that does a run."""
    variables = Path(f"/proc/{record['process']}/environ").read_bytes().split(b"\0")
    return next(text.decode() for text in variables if text.startswith(b"SLURM_JOB_ID=")).partition("=")[2]


@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
def test_jobs_that_are_killed_or_taken_away_go_on_from_their_checkpoints(tmp_path: Path) -> None:
    # With a process that loads data, which gets Slurm's signals too.
    settings = ("hydra.launcher.engine.array_parallelism=2", "data.num_workers=1")
    sweep = Sweep.start(tmp_path, "hydra/launcher=slurm", "lr=1e-2,1e-3,1e-4", *settings)
    (killed,) = sweep.wait_for("0.01")
    # Without the last, whose checkpoint may not be written yet: that epoch is then done again.
    killed_rows = epochs(killed)[:-1]
    os.kill(killed["process"], signal.SIGKILL)
    (taken,) = sweep.wait_for("0.001")
    taken_rows = epochs(taken)[:-1]
    # What Slurm itself does before a job's time is over.
    subprocess.run(["scancel", "--signal=USR2", number(taken)], check=True)
    output = sweep.end()
    assert sweep.process.returncode == 0, output
    assert ": failed" not in output
    assert "Bypassing sacct error" not in output
    after = sweep.records()
    assert [record["status"] for record in after.values()] == ["finished"] * 3
    for before, rows in ((killed, killed_rows), (taken, taken_rows)):
        now = after[str(before["lr"])]
        assert now["process"] != before["process"]
        assert epochs(now)[: len(rows)] == rows, "it began anew"
        assert len(epochs(now)) == EPOCHS
    logs = [path.read_text() for path in sweep.directory.glob(".submitit/*_log.*")]
    assert sum("CANCELLED" in text and "JOB REQUEUE" in text for text in logs) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
def test_ctrl_c_takes_the_jobs_out_of_the_queue(tmp_path: Path) -> None:
    settings = ("hydra/launcher=slurm", "hydra.launcher.engine.array_parallelism=1")
    sweep = Sweep.start(tmp_path, *settings, "lr=1e-2,1e-3")
    sweep.wait_for("0.01", count=1)
    sweep.process.send_signal(signal.SIGINT)
    output = sweep.end()
    assert sweep.process.returncode == 130, output
    assert "Traceback" not in output
    assert [record["status"] for record in sweep.records().values()] == ["interrupted"]
    queue = subprocess.run(["squeue", "--noheader", "--states=PENDING,RUNNING"], capture_output=True, text=True)
    assert queue.stdout == ""


@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
def test_an_unknown_partition_is_a_sentence(run: Run) -> None:
    result = run("train", "-m", *TINY, "lr=1e-2,1e-3", "hydra/launcher=slurm", "hydra.launcher.engine.partition=nope")
    assert result.code == 2
    assert "Slurm refuses the jobs: invalid partition specified: nope" in result.err
    assert "Traceback" not in result.err
    assert len(result.err.strip().splitlines()) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
def test_a_job_that_cannot_start_on_its_node_fails_with_a_reason(run: Run) -> None:
    settings = ("hydra/launcher=slurm", 'hydra.launcher.engine.setup=["echo no module cuda >&2", "exit 3"]')
    result = run("train", "-m", *TINY, "lr=1e-2", *settings)
    assert result.code == 1
    assert "no module cuda" in result.out


def test_submitit_missing_is_a_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    result = run("train", "-m", *TINY, "lr=1e-2,1e-3", "hydra/launcher=slurm")
    assert result.code == 2
    assert result.err.strip() == "Error: hydra/launcher=slurm needs submitit: pip install 'karyo[slurm]'"


def test_slurm_missing_is_a_sentence(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="pip install 'karyo[slurm]'")
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run("train", "-m", *TINY, "lr=1e-2,1e-3", "hydra/launcher=slurm")
    assert result.code == 2
    assert "this machine has no sbatch" in result.err
    assert len(result.err.strip().splitlines()) == 1


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of what a stand-in for `squeue` says: 0, then 1, ...; 2.error if its third call shall fail."""
    script = tmp_path / "bin/squeue"
    script.parent.mkdir()
    script.write_text(
        f"""#!/bin/sh
cd {tmp_path}/answers
asked=$(ls ../asked | wc -l)
touch ../asked/$asked
if [ -f $asked.error ]; then cat $asked.error >&2; exit 1; fi
exec cat $asked
"""
    )
    script.chmod(0o755)
    for folder in ("answers", "asked"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(slurm_queue, "_POLL_S", 0.01)
    return tmp_path / "answers"


def test_a_job_is_over_when_it_has_left_the_queue(answers: Path, caplog: pytest.LogCaptureFixture) -> None:
    (answers / "0").write_text("12_0 None\n12_1 Resources\n99 None\n")
    # Its time was over: back in the queue.
    (answers / "1").write_text("12_0 BeginTime\n12_1 None\n99 None\n")
    (answers / "2.error").write_text("slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n")
    (answers / "3").write_text("12_1 None\n99 None\n")
    (answers / "4").write_text("99 None\n")
    wait(["12_0", "12_1"])
    assert len(list(answers.parent.glob("asked/*"))) == 5
    assert [record.message for record in caplog.records] == ["Slurm does not answer; waiting."]


def test_jobs_that_slurm_has_forgotten_are_over(answers: Path, caplog: pytest.LogCaptureFixture) -> None:
    (answers / "0.error").write_text("slurm_load_jobs error: Invalid job id specified\n")
    wait(["12"])
    assert not caplog.records


def test_a_job_that_will_wait_for_ever_is_told_of_once(answers: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(3):
        (answers / str(number)).write_text("12_0 None\n12_1 PartitionTimeLimit\n")
    (answers / "3").write_text("")
    wait(["12_0", "12_1"])
    (record,) = caplog.records
    assert record.message == "Slurm will not start job 12_1 by itself (PartitionTimeLimit); waiting."


def test_deaths_are_reported_with_the_last_words(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = {name: SimpleNamespace(result_pickle=tmp_path / f"{name}.pkl", stderr=tmp_path / name) for name in "abc"}
    (tmp_path / "a.pkl").touch()
    (tmp_path / "b").write_bytes(b"loading\nsrun: error: vm: task 0: Killed \xff\n\n")
    report_deaths(paths)
    first, second = (record.message for record in caplog.records)
    assert first.startswith("b: its process on Slurm died (srun: error: vm: task 0: Killed")
    assert second.startswith("c: its process on Slurm died (without a word)")


def test_children_import_this_very_karyo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Another one that would be found first.
    (tmp_path / "karyo").mkdir()
    (tmp_path / "karyo/__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with importable_in_children():
        asked = [sys.executable, "-c", "import karyo; print(karyo.__file__)"]
        found = subprocess.run(asked, capture_output=True, text=True, check=True, cwd=tmp_path.parent).stdout
    assert Path(found.strip()) == Path(str(karyo.__file__))
    assert os.environ["PYTHONPATH"] == str(tmp_path)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job...\n", "invalid partition: nope"),
        ("", "it does not say why"),
        ("\n  Zürich.\n", "Zürich"),
    ],
)
def test_first_line(text: str, line: str) -> None:
    assert first_line(text).replace(" specified", "") == line
