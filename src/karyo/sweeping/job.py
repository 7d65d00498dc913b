"""One job of a sweep, and doing it in whatever process it was sent to."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hydra.core.singleton import Singleton
from hydra.core.utils import configure_log, run_job, setup_globals
from hydra.types import HydraContext
from omegaconf import DictConfig

from karyo.errors import KaryoError
from karyo.training.locations import register_resolvers

OUTPUT = "output.log"
"""What a job of a sweep prints, in its directory."""


@dataclass(frozen=True)
class SweepJob:
    """A job that can be sent to another process.

    Attributes:
        name: Its directory's name below the sweep's; unique in the sweep.
        directory: The absolute path of its directory.
        key: See :func:`karyo.identity.run_key`.
        overrides: What distinguishes it, ``["model=vgg16", "lr=0.001"]``.
        config: The composed configuration with its ``hydra`` node, which names the directory.
        context: Hydra's own objects that a job needs.
        state: Hydra's global state.
    """

    name: str
    directory: Path
    key: str
    overrides: tuple[str, ...]
    config: DictConfig
    context: HydraContext
    state: Any


class Engine(Protocol):
    """Something that does jobs.

    Attributes:
        shares_fate: Whether a job whose process dies may take others with it.
    """

    shares_fate: bool

    def run(self, jobs: list[SweepJob]) -> None:
        """Do all jobs and return when none of them is waiting or running any more, however each has ended.

        How a job ended is read from its directory, never from here: one whose process died is found there unfinished
        and is given to ``run`` again. Ctrl-C (KeyboardInterrupt) stops the jobs that were started, then is raised on.

        Raises:
            KaryoError: If the engine itself cannot work: an extra that is not installed, no cluster.
        """
        ...


def execute(job: SweepJob) -> None:
    """Do a job in this process; what it prints goes to ``output.log`` in its directory.

    Raises:
        KeyboardInterrupt: On Ctrl-C; the run's record then says so.
        KaryoError: If nothing can be written. Any other failure is in the run's record.
    """
    # Only now: a process that merely hands jobs on needs no torch.
    from karyo.training.run import run_in_sweep

    register_resolvers()
    setup_globals()
    Singleton.set_state(job.state)
    failures: list[KaryoError] = []

    def guarded(config: DictConfig) -> None:
        # Hydra would print a line of its own before handing the exception over.
        try:
            run_in_sweep(config)
        except KaryoError as error:
            failures.append(error)

    try:
        with _output_to(job.directory / OUTPUT):
            run_job(
                hydra_context=job.context,
                task_function=guarded,
                config=job.config,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
            )
    finally:
        # The job's log went to that file, which is closed now.
        configure_log(job.config.hydra.hydra_logging, job.config.hydra.verbose)
    for failure in failures:
        raise failure


@contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """Send what Python prints to a file, at its end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    with (
        path.open("a", encoding="utf-8", errors="backslashreplace", buffering=1) as output,
        redirect_stdout(output),
        redirect_stderr(output),
    ):
        yield
