"""karyo's launcher for Hydra, which accepts plugins from this namespace only; the work is done in `karyo.sweeping`.

Hydra imports this module at every start, so nothing heavy is imported before a sweep is launched.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from karyo.sweeping.job import Engine


class KaryoLauncher(Launcher):
    """Launches a sweep's jobs on an engine: what is done is kept, what died goes on.

    Args:
        engine: What the jobs run on.

    Attributes:
        directories: The directory of each job of the last launch, in order.
        fixed: The overrides that all jobs share, set by a search; None for a grid.
        total: How many jobs there will be in all launches of a search; None where each launch is a whole.
    """

    def __init__(self, engine: "Engine") -> None:
        self.directories: list[Path] = []
        self.fixed: Sequence[str] | None = None
        self.total: int | None = None
        self._engine = engine
        self._context: HydraContext | None = None
        self._config: DictConfig | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra gives; a job's own function is always training's."""
        self._context, self._config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Do the jobs that are not done; what they return is in their directories."""
        from karyo.sweeping.launch import Launch
        from karyo.sweeping.watch import Part

        assert self._context is not None
        assert self._config is not None
        launch = Launch(self._engine, self._context, self._config)
        part = Part(initial_job_idx, self.total or initial_job_idx + len(job_overrides))
        self.directories = launch.launch(job_overrides, self.fixed, part)
        returns: list[Any] = []
        return returns


class KaryoGrid(BasicSweeper):
    """Hydra's grid of all combinations, composed once: the launcher finds what Hydra would check beforehand."""

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Leave it to the launcher, which composes every job before it starts the first."""


# In the place of Hydra's own, which begins every sweep anew. The other launchers are files in conf/hydra/launcher; a
# file of this name would be held to the fields of Hydra's.
ConfigStore.instance().store(
    group="hydra/launcher",
    name="basic",
    node={
        "_target_": f"{__name__}.{KaryoLauncher.__name__}",
        "engine": {"_target_": "karyo.sweeping.engines.serial.SerialEngine"},
    },
    provider="karyo",
)
ConfigStore.instance().store(
    group="hydra/sweeper",
    name="basic",
    node={"_target_": f"{__name__}.{KaryoGrid.__name__}", "max_batch_size": None, "params": None},
    provider="karyo",
)
