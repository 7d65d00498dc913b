import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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
        from karyo.training import application

        monkeypatch.setattr("sys.argv", [command, *arguments])
        before = _directories(tmp_path)
        code = 0
        try:
            {"train": application.train, "evaluate": application.evaluate}[command]()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        finally:
            os.environ.pop("HYDRA_FULL_ERROR", None)
        captured = capfd.readouterr()
        new = sorted(_directories(tmp_path) - before)
        return Result(code, captured.out, captured.err, new[-1] if new else None)

    return run_command


def _directories(folder: Path) -> set[Path]:
    return {path for parent in ("logs/*", "multirun") for path in folder.glob(f"{parent}/*") if path.is_dir()}
