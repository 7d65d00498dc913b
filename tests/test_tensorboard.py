"""A sweep in TensorBoard: what its event files hold, and the HParams tab that is made of them."""

import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from browsing import open_browser
from conftest import TINY, Run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

pytestmark = pytest.mark.usefixtures("blank_figures")

METRICS = ("test/accuracy", "test/macro_f1", "test/log_loss", "best/validation_accuracy")
TABS = {
    "experiment": "_hparams_/experiment",
    "start": "_hparams_/session_start_info",
    "end": "_hparams_/session_end_info",
}


def hparams_of(directory: Path) -> tuple[EventAccumulator, dict[str, Any]]:
    """Read a run's event files as TensorBoard does: the scalars, and what fills its line of the HParams tab."""
    events = EventAccumulator(str(directory))
    events.Reload()
    found = events.PluginTagToContent("hparams")
    return events, {name: HParamsPluginData.FromString(found[tag]) for name, tag in TABS.items()}


def sweep(run: Run) -> list[Path]:
    result = run("train", "-m", *TINY, "epochs=1", "optimizer=adam,sgd")
    assert result.code == 0, result.err
    return sorted(path.parent for path in result.directory.glob("*/summary.json"))


def test_every_run_fills_its_line_of_the_tab(run: Run) -> None:
    directories = sweep(run)
    seen = {}
    for directory in directories:
        record = json.loads((directory / "summary.json").read_text(encoding="utf-8"))
        events, hparams = hparams_of(directory)
        given = hparams["start"].session_start_info.hparams
        assert given["model"].string_value == record["model"]
        assert given["lr"].number_value == record["lr"]
        assert given["pretrained"].string_value == "false"
        (accuracy,) = events.Scalars("test/accuracy")
        assert accuracy.value == pytest.approx(record["test"]["accuracy"]["value"])
        check_columns(hparams, set(given))
        # STATUS_SUCCESS
        assert hparams["end"].session_end_info.status == 1
        seen[given["optimizer"].string_value] = directory.name
    assert set(seen) == {"adam", "sgd"}
    assert all(optimizer in name for optimizer, name in seen.items())


def check_columns(hparams: dict[str, Any], given: set[str]) -> None:
    """The tab begins with the settings of a grid, and every run gives what its columns promise."""
    experiment = hparams["experiment"].experiment
    named = {info.name for info in experiment.hparam_infos}
    assert [info.name.tag for info in experiment.metric_infos] == list(METRICS)
    assert {info.name for info in experiment.hparam_infos if info.differs} == {"model", "optimizer", "lr"}
    assert {"seed", "fold", "batch_size", "image_size", "preprocessing", "augmentation"} <= named
    assert given == named


@contextmanager
def tensorboard(directory: Path) -> Iterator[str]:
    """Serve a directory on a free port of this machine, until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(directory), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--load_fast", "false"]
    with (directory / "tensorboard.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


def wait_for_runs(address: str, count: int) -> list[str]:
    """Wait until the server has read the event files."""
    for _ in range(120):
        try:
            with urllib.request.urlopen(f"{address}/data/runs", timeout=5) as answer:
                runs = json.load(answer)
        except OSError:
            runs = []
        if len(runs) >= count:
            return list(runs)
        time.sleep(0.5)
    raise AssertionError("TensorBoard found no runs in a minute")


@pytest.mark.slow
def test_the_hparams_tab_shows_every_run_once(run: Run) -> None:
    directories = sweep(run)
    with open_browser() as browser, tensorboard(directories[0].parent) as address:
        # One run for each job, not one for each event file.
        assert sorted(wait_for_runs(address, 2)) == [directory.name for directory in directories]
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.goto(f"{address}/#hparams")
        page.get_by_text("TABLE VIEW").wait_for(timeout=60_000)
        for column in ("lr", "model", "optimizer", "test/accuracy"):
            page.locator(".table-header", has_text=re.compile(rf"^\s*{column}\s*$")).wait_for(timeout=30_000)
        for directory in directories:
            page.locator(".table-cell", has_text=directory.name).wait_for(timeout=30_000)
        page.get_by_text("PARALLEL COORDINATES VIEW").click()
        page.locator("svg").get_by_text("optimizer", exact=True).first.wait_for(timeout=30_000)
        page.locator("svg").get_by_text("test/accuracy", exact=True).first.wait_for(timeout=30_000)
