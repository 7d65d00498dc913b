"""Several jobs at a time on this machine, in processes of their own."""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from karyo.data.parallel import available_cores
from karyo.errors import KaryoError, SettingsError
from karyo.locks import take
from karyo.sweeping.engines.paths import importable_in_children
from karyo.sweeping.job import SweepJob, execute

_MOST_WITHOUT_GPU = 8
_LOOK_AGAIN = 2.0
# joblib's word on the semaphores of processes that were ended.
_QUIET = "ignore:resource_tracker"
# What the libraries of numerical code read when they are imported.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# The seat of this worker process, for as long as it lives: see karyo.locks.
_seat: int | None = None


class JoblibEngine:
    """Does jobs in worker processes that joblib keeps, each with its share of the cores and one GPU.

    Args:
        n_jobs: Jobs at a time; None for GPUs x ``jobs_per_gpu``, or without a GPU one per core, at most 8.
        jobs_per_gpu: Jobs that share a GPU.
        gpus: Numbers of the GPUs to use; None for all that there are.
        threads: Cores per job; None for an equal share.
    """

    # When one worker is killed, joblib ends the others too.
    shares_fate = True

    def __init__(
        self,
        n_jobs: int | None = None,
        jobs_per_gpu: int = 1,
        gpus: Sequence[int] | None = None,
        threads: int | None = None,
    ) -> None:
        self._wanted, self._threads = n_jobs, threads
        self._gpus = gpus
        self._jobs_per_gpu = jobs_per_gpu

    def run(self, jobs: list[SweepJob]) -> None:
        """Do all jobs; see :class:`karyo.sweeping.job.Engine`.

        Raises:
            SettingsError: If a number is not above 0, or more jobs are wanted than the GPUs have room for.
        """
        self._check()
        # joblib's own pool, and not its Parallel, which does a single job in this process: it might die of it.
        from joblib.externals.loky import get_reusable_executor
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        seats = [f"{gpu}-{place}" for gpu in self._available_gpus() for place in range(self._jobs_per_gpu)]
        workers = min(self._workers(seats), len(jobs))
        # The same when a run that died is done again alone: with other threads sums come out differently.
        self._threads = self._threads or max(1, available_cores() // workers)
        settings = dict.fromkeys(_THREADS, str(self._threads)) | {"PYTHONWARNINGS": _QUIET}
        with importable_in_children(), _environment(PYTHONWARNINGS=_QUIET):
            pool = get_reusable_executor(workers, env=settings, initializer=_watch_over, initargs=(os.getpid(),))
            done = [pool.submit(_seated, job, seats) for job in jobs]
            try:
                for each in done:
                    each.result()
            except TerminatedWorkerError:
                # The others are ended with it, and hold their runs until they are gone.
                pool.shutdown(wait=True, kill_workers=True)
            except (KaryoError, KeyboardInterrupt):
                pool.shutdown(wait=True, kill_workers=True)
                raise
            except Exception as error:
                pool.shutdown(wait=True, kill_workers=True)
                reason = str(error).splitlines()[0] if str(error) else "no reason is given"
                raise KaryoError(f"a worker process cannot work ({type(error).__name__}: {reason}).") from error

    def _check(self) -> None:
        numbers = {"n_jobs": self._wanted, "jobs_per_gpu": self._jobs_per_gpu, "threads": self._threads}
        for name, value in numbers.items():
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise SettingsError(f"hydra.launcher.engine.{name}={value} cannot be; it is a whole number above 0.")
        if self._gpus is not None and not _are_numbers(self._gpus):
            raise SettingsError(f"hydra.launcher.engine.gpus={self._gpus} cannot be; it is a list of numbers, [0,1].")

    def _available_gpus(self) -> Sequence[str]:
        if self._gpus is not None:
            return [str(gpu) for gpu in self._gpus]
        import torch

        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        return visible.split(",") if visible else [str(number) for number in range(torch.cuda.device_count())]

    def _workers(self, seats: Sequence[str]) -> int:
        if seats and self._wanted is not None and self._wanted > len(seats):
            raise SettingsError(
                f"hydra.launcher.engine.n_jobs={self._wanted} is more than the GPUs have room for ({len(seats)}); "
                "raise hydra.launcher.engine.jobs_per_gpu or lower n_jobs."
            )
        return self._wanted or len(seats) or min(available_cores(), _MOST_WITHOUT_GPU)


def _are_numbers(gpus: object) -> bool:
    return isinstance(gpus, Sequence) and all(isinstance(gpu, int) and not isinstance(gpu, bool) for gpu in gpus)


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Set environment variables for a while: some of joblib's processes get theirs from this one's."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _watch_over(parent: int) -> None:
    """End this worker when the process that it works for is gone: it would keep memory, and a GPU, for nothing."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_AGAIN)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _seated(job: SweepJob, seats: Sequence[str]) -> None:
    """Do a job on the GPU where this worker has its seat."""
    if seats:
        _take_seat(job.directory.parent / ".gpus", seats)
    execute(job)


def _take_seat(folder: Path, seats: Sequence[str]) -> None:
    """Take the first free seat for this process, before torch looks for GPUs; the system frees it when it dies."""
    global _seat
    if _seat is not None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for seat in seats:
        _seat = take(folder / seat)
        if _seat is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = seat.rpartition("-")[0]
            return
    raise SettingsError(f"every GPU in {folder} is taken by another launch of this sweep; wait for it, or use others.")
