"""The run record, ``summary.json``: what a run was, how far it came and what it reached.

It is written when the run starts, when it ends, and also when it fails; comparing, resuming and exporting read it and
never the directory's name.
"""

import json
import os
import platform
import subprocess
import sys
import traceback
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from karyo.errors import DataError, KaryoError, SettingsError
from karyo.files import write_text
from karyo.training.locations import SUMMARY

PACKAGES = ("torch", "torchvision", "pytorch-lightning", "timm", "albumentations", "opencv-python-headless", "numpy")


class RunRecord:
    """One run's record, kept in step with its file.

    Args:
        directory: The run's directory; it must exist.
        content: What the record holds at first.

    Attributes:
        directory: The run's directory.
        content: The record as it stands in the file after :meth:`write`.
    """

    def __init__(self, directory: Path, content: dict[str, Any] | None = None) -> None:
        self.directory = directory
        self.content: dict[str, Any] = content or {}

    @classmethod
    def read(cls, directory: Path) -> "RunRecord":
        """Read the record of a run.

        Raises:
            SettingsError: If there is no run in that directory.
            DataError: If the record is damaged.
        """
        path = directory / SUMMARY
        if not path.is_file():
            raise SettingsError(f"{directory} is not the directory of a run: it has no {SUMMARY}.")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{path} is damaged: {error}.") from error
        if not isinstance(content, dict):
            raise DataError(f"{path} is damaged: it holds no mapping.")
        return cls(directory, content)

    def start(self, **facts: Any) -> None:
        """Note that the run has begun, and under what circumstances."""
        for stale in ("error", "traceback", "finished"):
            self.content.pop(stale, None)
        (self.directory / "error.txt").unlink(missing_ok=True)
        self.content.setdefault("started", _now())
        self.content |= {"status": "running", "directory": str(self.directory), **facts, **circumstances()}
        self.write()

    def add(self, **facts: Any) -> None:
        """Add facts and write the file."""
        self.content |= facts
        self.write()

    def finish(self, seconds: float, **facts: Any) -> None:
        """Note that the run is complete."""
        self._end("finished", seconds, **facts)

    def prune(self, seconds: float) -> None:
        """Note that a search cut the run short."""
        self._end("pruned", seconds)

    def interrupt(self, seconds: float) -> None:
        """Note that the user stopped the run."""
        self._end("interrupted", seconds, error="stopped by the user")

    def fail(self, seconds: float, error: BaseException) -> None:
        """Note why the run failed; a defect's traceback goes into the record and into ``error.txt`` beside it."""
        trace = "".join(traceback.format_exception(error))
        text = str(error) if isinstance(error, KaryoError) else f"{type(error).__name__}: {error}"
        self._end("failed", seconds, error=text, traceback=trace)
        write_text(self.directory / "error.txt", trace)

    def _end(self, status: str, seconds: float, **facts: Any) -> None:
        spent = float(self.content.get("seconds", 0.0)) + seconds
        self.content |= {"status": status, "finished": _now(), "seconds": round(spent, 2), **facts}
        self.write()

    def write(self) -> None:
        """Write the file: beside the old one, then in its place."""
        write_text(self.directory / SUMMARY, json.dumps(self.content, indent=2, ensure_ascii=False) + "\n")


def begun(directory: Path) -> RunRecord:
    """Give the record of a run that may have begun; an empty one where it has not, or left nothing that can be read."""
    try:
        return RunRecord.read(directory)
    except KaryoError:
        return RunRecord(directory)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def circumstances() -> dict[str, Any]:
    """Say on what a run ran: versions, device, process, revision of the code."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    return {
        "karyo": version_of("karyo"),
        "packages": {name: version_of(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device,
        "processor": processor(),
        "cores": os.cpu_count(),
        "visible_gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "process": os.getpid(),
        "command": sys.argv,
        "git_revision": git_revision(),
    }


def processor() -> str | None:
    """Name the machine's processor, as people know it: what a duration was measured on; None where it is not told."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine() or None


def version_of(package: str) -> str | None:
    """Give the installed version of a package, None where it is not installed."""
    from karyo import __version__

    if package == "karyo":
        return __version__
    try:
        return version(package)
    except ModuleNotFoundError:
        return None


def git_revision() -> str | None:
    """Give the revision of this code, with ``+changes`` where files differ; None outside a checkout."""
    here = Path(__file__).parent
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+changes", "--exclude=*"],
            cwd=here,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return described.stdout.strip() or None
