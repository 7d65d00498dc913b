"""A launch of a sweep: planned, done in rounds until nothing is left to do, watched and reported."""

import functools
import json
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import configure_log, filter_overrides, setup_globals
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict

from karyo.errors import KaryoError
from karyo.sweeping.guard import admit
from karyo.sweeping.job import Engine, SweepJob
from karyo.sweeping.plan import Plan, Planned, State, make_plan
from karyo.sweeping.report import report
from karyo.sweeping.watch import Part, watched
from karyo.training.identity import deciding_settings
from karyo.training.run import begun

_DEATHS = 3

log = logging.getLogger(__name__)


class Launch:
    """What Hydra's launcher does.

    Args:
        engine: What the jobs run on.
        context: Hydra's own objects.
        config: The sweep's configuration, without what is swept.
    """

    def __init__(self, engine: Engine, context: HydraContext, config: DictConfig) -> None:
        self._engine, self._context, self._config = engine, context, config
        self._directory = Path(str(config.hydra.sweep.dir)).absolute()

    def launch(
        self, job_overrides: Sequence[Sequence[str]], fixed: Sequence[str] | None = None, part: Part | None = None
    ) -> list[Path]:
        """Do every job that is not done.

        Args:
            job_overrides: The overrides of each job.
            fixed: The overrides of the sweep's base, where its jobs are not known beforehand (a search); None where
                these are all jobs of a grid.
            part: Which part of a search these jobs are; None where they are all.

        Returns:
            The directory of each job, in order.

        Raises:
            KaryoError: If the sweep's directory is of another sweep, or the engine cannot work.
        """
        setup_globals()
        configure_log(self._config.hydra.hydra_logging, self._config.hydra.verbose)
        self._directory.mkdir(parents=True, exist_ok=True)
        names = distinguishing(job_overrides, fixed)
        configs = [(name, self._compose(overrides)) for name, overrides in zip(names, job_overrides, strict=True)]
        base = [self._compose(fixed)] if fixed is not None else [config for _, config in configs]
        admit(self._directory, [deciding_settings(config) for config in base])
        plan = make_plan(self._directory, configs, self._job, _fingerprint)
        self._announce(plan, quiet=fixed is not None)
        try:
            with watched(self._directory.name, plan, part):
                do_all(self._engine, plan.jobs)
        except KeyboardInterrupt:
            report(self._directory)
            log.info(
                "Stopped. Every finished epoch is saved; the same command with sweep=%s goes on.", self._directory.name
            )
            raise
        return [plan.jobs[position].job.directory for position in plan.order]

    def _compose(self, overrides: Sequence[str]) -> DictConfig:
        return self._context.config_loader.load_sweep_config(self._config, list(overrides))

    def _job(self, directory: Path, key: str, overrides: tuple[str, ...], config: DictConfig) -> SweepJob:
        with open_dict(config):
            # A job is called by its name: numbers change with every launch.
            config.hydra.job.id = directory.name
            config.hydra.sweep.dir = str(self._directory)
            config.hydra.sweep.subdir = directory.name
        return SweepJob(directory.name, directory, key, overrides, config, self._context, Singleton.get_state())

    def _announce(self, plan: Plan, quiet: bool) -> None:
        for sentence in plan.set_aside:
            log.warning("%s", sentence)
        if quiet:
            return
        counts = [f"{plan.count(state)} {state.value}" for state in State if plan.count(state)]
        twice = len(plan.order) - len(plan.jobs)
        again = f" ({twice} of the same settings as another)" if twice else ""
        jobs = f"{len(plan.jobs)} job{'' if len(plan.jobs) == 1 else 's'}"
        log.info("%s: %s%s: %s", self._directory, jobs, again, ", ".join(counts))
        if plan.count(State.FAILED):
            log.info("Failed runs are left as they are; sweep.retry_failed=true tries them again.")


def distinguishing(job_overrides: Sequence[Sequence[str]], fixed: Sequence[str] | None = None) -> list[tuple[str, ...]]:
    """Give of each job the overrides that not all jobs have: what it is called after.

    Args:
        job_overrides: All overrides of each job.
        fixed: Those that all jobs share; None where these are all the jobs there are.
    """
    # Which sweep and which trial a job belongs to says nothing about it.
    own = [
        [one for one in filter_overrides(all_) if not one.lstrip("+").startswith("sweep.")] for all_ in job_overrides
    ]
    shared = set(fixed) if fixed is not None else set.intersection(*map(set, own)) if own else set()
    different = [tuple(one for one in overrides if one not in shared) for overrides in own]
    # A single job differs from no other.
    return different if any(different) else [tuple(overrides) for overrides in own]


def do_all(engine: Engine, jobs: Sequence[Planned]) -> None:
    """Do the pending ones of these jobs, again where a process died, until each has ended.

    Where processes share their fate, those that died are done again one at a time, so that the culprit dies alone. A
    job whose process has died three times is recorded as failed.
    """
    deaths: Counter[str] = Counter()
    pending = [planned for planned in jobs if planned.pending]
    while pending:
        for batch in _batches(engine, pending, deaths):
            engine.run([planned.job for planned in batch])
            deaths.update(_dead(engine, batch))
        pending = [after for planned in pending if (after := planned.looked_at_again()).pending]
        for planned in pending:
            if deaths[planned.job.name] >= _DEATHS:
                _record_death(planned.job)
        pending = [planned for planned in pending if deaths[planned.job.name] < _DEATHS]


def _dead(engine: Engine, batch: Sequence[Planned]) -> list[str]:
    """Name the jobs of a batch whose process died; where processes share their fate, those that had begun."""
    left = [after for planned in batch if (after := planned.looked_at_again()).pending]
    begun_ones = [planned for planned in left if planned.state is State.UNFINISHED]
    # Where none had begun, it is one of those that were about to.
    suspects = begun_ones if engine.shares_fate and begun_ones else left
    return [planned.job.name for planned in suspects]


def _batches(engine: Engine, pending: Sequence[Planned], deaths: Counter[str]) -> list[list[Planned]]:
    if not engine.shares_fate:
        return [list(pending)]
    together = [planned for planned in pending if not deaths[planned.job.name]]
    alone = [[planned] for planned in pending if deaths[planned.job.name]]
    return [*([together] if together else []), *alone]


def _record_death(job: SweepJob) -> None:
    record = begun(job.directory)
    # It may have died before it had a record.
    record.content = {"name": job.name, "key": job.key, "overrides": list(job.overrides)} | record.content
    error = KaryoError(
        f"its process died {_DEATHS} times without a word, perhaps for lack of memory; see {job.directory}/output.log."
    )
    record.fail(0.0, error)


@functools.cache
def _fingerprint_of(source: str) -> str:
    from karyo.training.build import build_data, build_preparation

    config = OmegaConf.create(json.loads(source))
    assert isinstance(config, DictConfig)
    return build_data(config, build_preparation(config)).fingerprint


def _fingerprint(config: DictConfig) -> str:
    """Give the fingerprint of the images of a configuration; each set of images is read once."""
    content: Any = OmegaConf.to_container(config, resolve=False)
    return _fingerprint_of(json.dumps({name: content[name] for name in content if name != "hydra"}))
