"""Sweeps on Ray: a real cluster of two nodes, started for these tests, and Ray on this machine alone."""

import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from clusters import EPOCHS, Sweep, epochs, ray_cluster
from conftest import TINY, Run

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="no Ray here: pip install 'karyo[ray]'")


@pytest.mark.slow
# Ray's own cluster for tests leaves its log files and sockets open.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_jobs_whose_worker_or_node_dies_go_on_from_their_checkpoints(tmp_path: Path) -> None:
    with ray_cluster() as cluster:
        settings = ("hydra/launcher=ray", f"hydra.launcher.engine.address={cluster.address}")
        sweep = Sweep.start(tmp_path, *settings, "lr=1e-2,1e-3,1e-4")
        before = {str(record["lr"]): record for record in sweep.wait_for("0.01", "0.001")}
        # Worker processes are children of their node's raylet.
        raylets = {lr: psutil.Process(record["process"]).ppid() for lr, record in before.items()}
        (lost,) = (node for node in cluster.worker_nodes)
        home = lost.all_processes["raylet"][0].process.pid
        (on_lost,) = (lr for lr, raylet in raylets.items() if raylet == home)
        (elsewhere,) = set(raylets) - {on_lost}
        # Without the last, whose checkpoint may not be written yet: that epoch is then done again.
        rows = {lr: epochs(record)[:-1] for lr, record in before.items()}
        os.kill(before[elsewhere]["process"], signal.SIGKILL)
        cluster.remove_node(lost, allow_graceful=False)
        output = sweep.end()
    assert sweep.process.returncode == 0, output
    assert ": failed" not in output
    after = sweep.records()
    assert [record["status"] for record in after.values()] == ["finished"] * 3
    for lr, known in rows.items():
        assert len(known) >= 2
        assert after[lr]["process"] != before[lr]["process"]
        assert epochs(after[lr])[: len(known)] == known, "it began anew"
        assert len(epochs(after[lr])) == EPOCHS


@pytest.mark.slow
@needs_ray
def test_ctrl_c_stops_the_jobs_and_the_ray_of_this_machine(tmp_path: Path) -> None:
    sweep = Sweep.start(tmp_path, "hydra/launcher=ray", "hydra.launcher.engine.init={num_cpus:1}", "lr=1e-2,1e-3")
    (record,) = sweep.wait_for("0.01", count=1)
    children = psutil.Process(sweep.process.pid).children(recursive=True)
    assert record["process"] in {child.pid for child in children}
    sweep.process.send_signal(signal.SIGINT)
    output = sweep.end()
    assert sweep.process.returncode == 130, output
    assert "Traceback" not in output
    assert [record["status"] for record in sweep.records().values()] == ["interrupted"]
    assert psutil.wait_procs(children, timeout=10)[1] == []


@pytest.mark.slow
@needs_ray
def test_more_gpus_than_this_machine_has_is_a_sentence(tmp_path: Path) -> None:
    sweep = Sweep.start(tmp_path, "hydra/launcher=ray", "hydra.launcher.engine.num_gpus=99", "lr=1e-2,1e-3")
    output = sweep.end()
    assert sweep.process.returncode == 2, output
    assert "hydra.launcher.engine.num_gpus=99 is more than the" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("setting", "code", "words"),
    [
        ("address=127.0.0.1:9", 1, "no Ray cluster answers at 127.0.0.1:9"),
        ("address=ray://127.0.0.1:9", 1, "no Ray cluster answers at ray://127.0.0.1:9"),
        ("address=nonsense", 2, "Invalid address format: nonsense"),
        ("init={colour:red}", 2, "Unknown keyword argument(s): colour"),
    ],
)
@needs_ray
def test_no_such_cluster_is_a_sentence(run: Run, setting: str, code: int, words: str) -> None:
    result = run("train", "-m", *TINY, "lr=1e-2,1e-3", "hydra/launcher=ray", f"hydra.launcher.engine.{setting}")
    assert result.code == code, result.err
    assert words in result.err
    assert len(result.err.strip().splitlines()) == 1


def test_ray_missing_is_a_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    result = run("train", "-m", *TINY, "lr=1e-2,1e-3", "hydra/launcher=ray")
    assert result.code == 2
    assert result.err.strip() == "Error: hydra/launcher=ray needs Ray: pip install 'karyo[ray]'"
