import contextlib
import io
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

# The networks of most tests are so small that several threads only wait for each other. Before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A few drawn cells, a test network of half a million weights, no long figures: seconds instead of minutes.
TINY = (
    "model=timm",
    "model.name=test_resnet",
    "data.source.cells=8",
    "image_size=32",
    "batch_size=64",
    "epochs=2",
    "bootstrap=20",
    "trainer.accelerator=cpu",
)


@dataclass(frozen=True)
class Result:
    """What a command left behind: exit code, output, and the newest run directory below logs/ or multirun/."""

    code: int
    out: str
    err: str
    directory: Path | None


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run `train` or `evaluate` in this process, as the command line would, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)

    def run_command(command: str, *arguments: str) -> Result:
        before = _directories(tmp_path)
        code = _exit_code(command, arguments, monkeypatch)
        captured = capfd.readouterr()
        new = sorted(_directories(tmp_path) - before)
        return Result(code, captured.out, captured.err, new[-1] if new else None)

    return run_command


@pytest.fixture(scope="session")
def _tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("tiny")
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patched, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patched.chdir(folder)
        patched.delenv("HYDRA_FULL_ERROR", raising=False)
        code = _exit_code("train", TINY, patched)
    (directory,) = _directories(folder)
    return Result(code, out.getvalue(), err.getvalue(), directory)


@pytest.fixture
def finished(_tiny_run: Result, tmp_path: Path) -> Result:
    """What `train` with TINY leaves: trained once for all tests, and each has a copy in its own working directory."""
    assert _tiny_run.directory is not None, _tiny_run.err
    own = tmp_path / "logs" / "train" / _tiny_run.directory.name
    shutil.copytree(_tiny_run.directory, own)
    return replace(_tiny_run, directory=own)


@pytest.fixture
def blank_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs in this process write blank pictures: drawing them is more than half of what a tiny run takes."""
    blank = {name: np.zeros((8, 8, 3), np.uint8) for name in ("confusion", "reliability", "mistakes")}
    for module in ("outcome", "evaluate"):
        monkeypatch.setattr(f"karyo.training.{module}.draw_figures", lambda *_: dict(blank))


def _exit_code(command: str, arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> int:
    from karyo.training import application

    monkeypatch.setattr("sys.argv", [command, *arguments])
    try:
        {"train": application.train, "evaluate": application.evaluate}[command]()
    except SystemExit as leaving:
        return int(leaving.code or 0)
    finally:
        os.environ.pop("HYDRA_FULL_ERROR", None)
    return 0


def _directories(folder: Path) -> set[Path]:
    return {path for parent in ("logs/*", "multirun") for path in folder.glob(f"{parent}/*") if path.is_dir()}
