"""A sweep's jobs through Slurm: one job array per round, submitted by submitit.

submitit asks Slurm's accounting how jobs are. Many clusters have none, and a job whose process was killed is then
never found to be over; so the queue itself is asked here, which every cluster has.
"""

import io
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from karyo.errors import KaryoError, SettingsError
from karyo.sweeping.engines.paths import importable_in_children
from karyo.sweeping.engines.slurm_queue import PROGRAMS, cancel, first_line, report_deaths, wait
from karyo.sweeping.job import SweepJob, execute

FOLDER = ".submitit"
"""Folder of a sweep for what is sent to Slurm, and for what processes print before a job begins and when they die."""


@dataclass(frozen=True)
class RequeuedJob:
    """What Slurm runs: a job that may be put back into the queue, by submitit's checkpoint protocol.

    See https://github.com/facebookincubator/submitit/blob/main/docs/checkpointing.md.
    """

    job: SweepJob

    def __call__(self) -> None:
        """Do the job, or go on with it from its last checkpoint if Slurm took it away before."""
        # Under this name Lightning does not take Slurm's processes for those of a parallel training, and leaves Slurm's
        # signals alone: a job is one process.
        os.environ["SLURM_JOB_NAME"] = "interactive"
        put_back = signal.getsignal(_notice())
        assert callable(put_back), "submitit prepares for the signal before it calls anything"
        taken_away = _stop_when_told()
        try:
            execute(self.job)
        except KeyboardInterrupt:
            if _notice() in taken_away:
                put_back(_notice(), None)
            raise

    def checkpoint(self) -> Any:
        """Give what is to be done when the job runs again: the same, for a run keeps its checkpoints itself."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


class SlurmEngine:
    """Does each job through Slurm. A job that Slurm takes away goes on from its last checkpoint when it runs again.

    Args:
        timeout_min: Minutes that a job may take until it has to queue again.
        cpus_per_task: Cores of a job; None leaves this and the following to the cluster.
        mem_gb: Memory of a job in GB.
        gpus_per_node: GPUs of a job.
        partition: The queue.
        account: Whom the time is charged to.
        qos: Quality of service.
        constraint: Features that a node must have.
        array_parallelism: Jobs that may run at a time.
        setup: Shell lines, or one, before Python in each job, such as ``module load cuda``.
        name: What the jobs are called in the queue.
        comment: A comment on them.
        additional_parameters: Further options of sbatch, ``{"gres": "gpu:a100:1"}``.
        max_num_timeout: How often a job that ran out of its time queues again.
        signal_delay_s: Seconds before the end of its time at which a job is told to stop.
    """

    shares_fate = False

    def __init__(
        self,
        timeout_min: int = 240,
        cpus_per_task: int | None = None,
        mem_gb: float | None = None,
        gpus_per_node: int | None = None,
        partition: str | None = None,
        account: str | None = None,
        qos: str | None = None,
        constraint: str | None = None,
        array_parallelism: int = 256,
        setup: str | Sequence[str] | None = None,
        name: str = "karyo",
        comment: str | None = None,
        additional_parameters: Mapping[str, Any] | None = None,
        max_num_timeout: int = 100,
        signal_delay_s: int = 90,
    ) -> None:
        self._max_num_timeout = max_num_timeout
        # Without the prefix are those that submitit knows of every cluster.
        self._parameters = {
            "name": name,
            "timeout_min": timeout_min,
            "cpus_per_task": cpus_per_task,
            "mem_gb": mem_gb,
            "gpus_per_node": gpus_per_node,
            "slurm_partition": partition,
            "slurm_account": account,
            "slurm_qos": qos,
            "slurm_constraint": constraint,
            "slurm_array_parallelism": array_parallelism,
            "slurm_comment": comment,
            "slurm_setup": [setup] if isinstance(setup, str) else list(setup or ()) or None,
            "slurm_additional_parameters": dict(additional_parameters) if additional_parameters else None,
            "slurm_signal_delay_s": signal_delay_s,
        }

    def run(self, jobs: list[SweepJob]) -> None:
        """Do all jobs; see :class:`karyo.sweeping.job.Engine`.

        Raises:
            SettingsError: If submitit or Slurm is not there, or Slurm refuses the settings.
            KaryoError: If Slurm does not answer.
        """
        if not jobs:
            return
        executor = self._executor(jobs[0].directory.parent / FOLDER)
        with importable_in_children():
            sent = _submit(executor, jobs)
        try:
            wait([job.job_id for job in sent])
        except BaseException:
            cancel([job.job_id for job in sent])
            raise
        report_deaths({job.name: each.paths for job, each in zip(jobs, sent, strict=True)})

    def _executor(self, folder: Path) -> Any:
        try:
            from submitit import AutoExecutor
        except ImportError as error:
            raise SettingsError("hydra/launcher=slurm needs submitit: pip install 'karyo[slurm]'") from error
        if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
            raise SettingsError(
                f"hydra/launcher=slurm needs Slurm, and this machine has no {missing[0]}: start the sweep where jobs "
                "are submitted, or use hydra/launcher=joblib."
            )
        try:
            executor = AutoExecutor(folder, cluster="slurm", slurm_max_num_timeout=self._max_num_timeout)
            executor.update_parameters(**self._parameters)
        except (AssertionError, NameError, TypeError, ValueError) as error:
            raise SettingsError(f"submitit refuses hydra.launcher.engine: {first_line(str(error))}") from error
        return executor


def _submit(executor: Any, jobs: Sequence[SweepJob]) -> list[Any]:
    """Put the jobs into the queue, as an array where they are several."""
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    try:
        # submitit prints what sbatch says before it raises it.
        with redirect_stderr(io.StringIO()):
            return list(executor.submit_array([RequeuedJob(job) for job in jobs]))
    except (FailedJobError, FailedSubmissionError) as error:
        text = str(error)
        if "controller" in text:
            raise KaryoError(f"Slurm does not answer: {first_line(text)}") from error
        raise SettingsError(f"Slurm refuses the jobs: {first_line(text)}; see hydra.launcher.engine.") from error


def _stop_when_told() -> list[int]:
    """Have a job stop as at Ctrl-C when Slurm says that its time is over, before it is put back into the queue.

    submitit would put it back in the midst of a training step. Slurm then ends the processes that load data, and the
    run would be recorded as failed for the lack of them.

    Returns:
        The signals that told it to; empty until then.
    """
    told: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if not told:
            told.append(number)
            # Else torch would raise its own error about the processes that load data, which are told as well.
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            raise KeyboardInterrupt

    signal.signal(_notice(), stop)
    signal.signal(signal.SIGTERM, stop)
    os.register_at_fork(after_in_child=lambda: signal.signal(_notice(), signal.SIG_IGN))
    return told


def _notice() -> signal.Signals:
    """Give the signal that announces the end of a job's time."""
    from submitit import JobEnvironment

    return signal.Signals[f"SIG{JobEnvironment.USR_SIG}"]
