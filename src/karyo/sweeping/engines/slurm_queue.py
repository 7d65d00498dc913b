"""Slurm's queue: waiting until jobs have left it, taking them out, and saying what became of those that died."""

import logging
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

PROGRAMS = ("sbatch", "squeue", "scancel")
"""What Slurm's own programs are called here."""

_POLL_S = 1.0
_POLL_MOST_S = 15.0
_FAREWELL_S = 10.0
# Reasons for which a job waits until someone changes something.
_HOPELESS = (
    "AccountNotAllowed",
    "BadConstraints",
    "InvalidAccount",
    "InvalidQOS",
    "JobHeld",
    "PartitionDown",
    "PartitionInactive",
    "PartitionNodeLimit",
    "PartitionTimeLimit",
    "QOSNotAllowed",
    "launch_failed_requeued_held",
)

log = logging.getLogger(__name__)


class Paths(Protocol):
    """Where submitit has the files of a job."""

    @property
    def result_pickle(self) -> Path:
        """What the job returned; there only if its process came to its end."""
        ...

    @property
    def stderr(self) -> Path:
        """What the job's processes said outside of its run."""
        ...


def wait(job_ids: Sequence[str]) -> None:
    """Return when none of these jobs is in the queue any more, waiting, running or put back.

    Args:
        job_ids: Jobs of this user, ``["12"]`` or members of arrays, ``["12_0", "12_1"]``.
    """
    pause, said = _POLL_S, ""
    while (waiting := _in_queue(job_ids)) is None or waiting:
        problem = "Slurm does not answer" if waiting is None else _why_never(waiting)
        if problem and problem != said:
            log.warning("%s; waiting.", problem)
        said = problem
        time.sleep(pause)
        # Often at first, when a mistake shows; then so that a long sweep is no burden to the cluster.
        pause = min(_POLL_MOST_S, pause * 1.1)


def cancel(job_ids: Sequence[str]) -> None:
    """Take jobs out of the queue; those that run are given a moment to note in their records that they were stopped."""
    try:
        _run("scancel", "--state=PENDING", *job_ids)
        _run("scancel", "--signal=INT", *job_ids)
        end = time.monotonic() + _FAREWELL_S
        while time.monotonic() < end and _in_queue(job_ids):
            time.sleep(_POLL_S)
    finally:
        _run("scancel", *job_ids)


def report_deaths(jobs: Mapping[str, Paths]) -> None:
    """Say of each job whose process died what it last said: of what happened before its run it has no record.

    Args:
        jobs: Where submitit has the files of each job, by the job's name.
    """
    for name, paths in jobs.items():
        if not paths.result_pickle.exists():
            last = _last_line(paths.stderr) or "without a word"
            log.warning("%s: its process on Slurm died (%s); see %s", name, last, paths.stderr)


def first_line(text: str) -> str:
    """Give the first line of what a program of Slurm says, without the program's name and the full stop."""
    line = text.strip().splitlines()[0] if text.strip() else "it does not say why"
    for prefix in (f"{program}: error: " for program in PROGRAMS):
        line = line.removeprefix(prefix)
    return line.rstrip(".")


def _in_queue(job_ids: Sequence[str]) -> dict[str, str] | None:
    """Give the reason of waiting, or None, of those jobs that are not over; None if Slurm does not answer."""
    arrays = ",".join(dict.fromkeys(job_id.partition("_")[0] for job_id in job_ids))
    asked = _run("squeue", "--noheader", "--array", "--format=%i %r", f"--jobs={arrays}")
    if asked.returncode:
        # Slurm forgets what is over some minutes later.
        return {} if "Invalid job id" in asked.stderr else None
    listed = dict(line.split(maxsplit=1) for line in asked.stdout.splitlines() if " " in line.strip())
    return {job_id: listed[job_id] for job_id in job_ids if job_id in listed}


def _why_never(waiting: Mapping[str, str]) -> str:
    """Say which jobs will wait for ever, "" if none will."""
    for job_id, reason in waiting.items():
        if reason.startswith(_HOPELESS):
            return f"Slurm will not start job {job_id} by itself ({reason})"
    return ""


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
