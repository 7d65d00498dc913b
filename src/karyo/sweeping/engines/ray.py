"""A sweep's jobs on a Ray cluster, or on this machine as one."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from karyo.errors import KaryoError, SettingsError
from karyo.sweeping.engines.paths import code_path, importable_in_children
from karyo.sweeping.job import SweepJob, execute

_FAREWELL_S = 15.0
_PATIENCE_S = 10.0
# No statistics to Ray's makers, and no upload of the working directory where Python was started by `uv run`.
_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
# Jobs hand nothing to each other through Ray, whose store would take a third of the memory. The least that it accepts.
_STORE_BYTES = 80 * 1024**2

log = logging.getLogger(__name__)


class RayEngine:
    """Does each job as a Ray task. One whose worker or node dies goes on elsewhere, from its last checkpoint.

    Args:
        address: The cluster: ``auto``, ``HOST:6379`` or ``ray://HOST:10001``; None starts one on this machine for as
            long as the sweep takes.
        num_cpus: Cores of a job.
        num_gpus: GPUs of a job; a fraction lets several jobs share one. None is one where the cluster has any.
        max_retries: How often Ray itself gives a job to another worker when one dies.
        runtime_env: Ray's description of what the workers need, see Ray's documentation of runtime environments.
        init: Further arguments of ``ray.init``.
    """

    shares_fate = False

    def __init__(
        self,
        address: str | None = None,
        num_cpus: float = 1,
        num_gpus: float | None = None,
        max_retries: int = 1,
        runtime_env: Mapping[str, Any] | None = None,
        init: Mapping[str, Any] | None = None,
    ) -> None:
        self._address = address
        self._num_cpus, self._num_gpus = num_cpus, num_gpus
        self._max_retries = max_retries
        self._runtime_env, self._init = dict(runtime_env or {}), dict(init or {})

    def run(self, jobs: list[SweepJob]) -> None:
        """Do all jobs; see :class:`karyo.sweeping.job.Engine`.

        Raises:
            SettingsError: If Ray is not installed, or its settings cannot be meant.
            KaryoError: If the cluster cannot be reached.
        """
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        try:
            import ray
        except ImportError as error:
            raise SettingsError("hydra/launcher=ray needs Ray: pip install 'karyo[ray]'") from error
        with self._connected(ray):
            task = ray.remote(execute).options(**self._options(ray))
            names = {task.remote(job): job.name for job in jobs}
            try:
                _wait(ray, names)
            except BaseException:
                _cancel(ray, list(names))
                raise

    @contextmanager
    def _connected(self, ray: Any) -> Iterator[None]:
        """Have a cluster; one that was started here is stopped at the end."""
        with _own_signals():
            try:
                _reach(self._address)
                with importable_in_children():
                    ray.init(**self._arguments())
            except OSError as error:
                ray.shutdown()
                where = self._address or "this machine"
                raise KaryoError(f"no Ray cluster answers at {where} ({_sentence(error)})") from error
            except (RuntimeError, TypeError, ValueError) as error:
                ray.shutdown()
                raise SettingsError(
                    f"Ray does not start with this hydra.launcher.engine: {_sentence(error)}"
                ) from error
            try:
                yield
            except ConnectionError as error:
                raise KaryoError(f"the Ray cluster does not answer any more ({_sentence(error)})") from error
            finally:
                ray.shutdown()

    def _arguments(self) -> dict[str, Any]:
        environment = dict(self._runtime_env)
        if path := code_path():
            environment["env_vars"] = {"PYTHONPATH": path} | dict(environment.get("env_vars", {}))
        # Not None: Ray would then look into RAY_ADDRESS for a cluster.
        address = self._address or "local"
        own = {} if self._address else {"include_dashboard": False, "object_store_memory": _STORE_BYTES}
        quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
        return {"address": address, "runtime_env": environment, "namespace": "karyo"} | own | quiet | self._init

    def _options(self, ray: Any) -> dict[str, Any]:
        has = ray.cluster_resources()
        gpus = float(has.get("GPU", 0) > 0) if self._num_gpus is None else self._num_gpus
        for resource, wanted, setting in (("CPU", self._num_cpus, "num_cpus"), ("GPU", gpus, "num_gpus")):
            if isinstance(wanted, bool) or not isinstance(wanted, int | float) or wanted < 0:
                raise SettingsError(f"hydra.launcher.engine.{setting}={wanted} cannot be; it is a number from 0 on.")
            # A cluster may grow when jobs wait, this machine does not.
            if self._address is None and wanted > has.get(resource, 0):
                raise SettingsError(
                    f"hydra.launcher.engine.{setting}={wanted:g} is more than the {has.get(resource, 0):g} that this "
                    "machine has; lower it, or give the address of a cluster."
                )
        return {"num_cpus": self._num_cpus, "num_gpus": gpus, "max_retries": self._max_retries}


def _reach(address: str | None) -> None:
    """Knock where a cluster shall be: Ray would try for minutes.

    Raises:
        OSError: If nobody is there.
    """
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE_S).close()


def _wait(ray: Any, names: Mapping[Any, str]) -> None:
    """Return when no task is waiting or running any more; say of each that was lost why."""
    left = list(names)
    while left:
        done, left = ray.wait(left, num_returns=1)
        for task in done:
            try:
                ray.get(task)
            except ray.exceptions.RayError as error:
                log.warning("%s: its process on Ray died (%s)", names[task], _sentence(error))


def _cancel(ray: Any, tasks: list[Any]) -> None:
    """Stop tasks; those that run are given a moment to note in their records that they were stopped."""
    try:
        for task in tasks:
            ray.cancel(task, force=False)
        ray.wait(tasks, num_returns=len(tasks), timeout=_FAREWELL_S)
    except (ConnectionError, ray.exceptions.RayError) as error:
        log.debug("Ray could not stop all jobs: %s", error)


@contextmanager
def _own_signals() -> Iterator[None]:
    """Give this process its handler of SIGTERM back, which ``ray.init`` takes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)


def _sentence(error: BaseException) -> str:
    """Give the line of Ray's long words that says what happened: of a traceback the last, else the first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return (lines[-1] if "Traceback" in str(error) else lines[0]).rstrip(".")
