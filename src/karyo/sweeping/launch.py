"""A launch of a sweep: planned, done in rounds until nothing is left to do, watched and reported."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import configure_log, filter_overrides, setup_globals
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict

from karyo.errors import SettingsError
from karyo.sweeping.guard import admit, alone
from karyo.sweeping.job import Engine, SweepJob
from karyo.sweeping.plan import Plan, State, make_plan
from karyo.sweeping.report import report
from karyo.sweeping.rounds import do_all
from karyo.sweeping.watch import Part, watched
from karyo.training.identity import deciding_settings
from karyo.training.record import begun
from karyo.training.resume import is_claimed
from karyo.training.settings import check_all_values

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
        self._fingerprints: dict[str, str] = {}

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
        names = distinguishing(job_overrides, fixed)
        configs = [(name, self._compose(overrides)) for name, overrides in zip(names, job_overrides, strict=True)]
        if fixed is None:
            refuse_if_none_can_work([config for _, config in configs])
        self._directory.mkdir(parents=True, exist_ok=True)
        base = [self._compose(fixed)] if fixed is not None else [config for _, config in configs]
        admit(self._directory, [deciding_settings(config) for config in base])
        with alone(self._directory):
            plan = make_plan(self._directory, configs, self._job, self._fingerprint)
        self._announce(plan, quiet=fixed is not None)
        try:
            with watched(self._directory.name, plan, part):
                do_all(self._engine, plan.jobs)
        except KeyboardInterrupt:
            _note_interrupted(plan)
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

    def _fingerprint(self, config: DictConfig) -> str:
        """Give the fingerprint of a configuration's images; each set of images is read once."""
        from karyo.training.build import build_data, build_preparation

        images: Any = OmegaConf.to_container(config.data, resolve=True)
        source = json.dumps([images.get("source"), images.get("on_bad_image")], sort_keys=True)
        if source not in self._fingerprints:
            self._fingerprints[source] = build_data(config, build_preparation(config)).fingerprint
        return self._fingerprints[source]

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


def refuse_if_none_can_work(configs: Sequence[DictConfig]) -> None:
    """Refuse a grid in which no job has settings that can be meant: a mistyped one, rather than one bad corner.

    Raises:
        SettingsError: The first job's.
    """
    mistakes = []
    for config in configs:
        try:
            check_all_values(config)
        except SettingsError as error:
            mistakes.append(error)
    if mistakes and len(mistakes) == len(configs):
        raise mistakes[0]


def _note_interrupted(plan: Plan) -> None:
    """Say in the records of jobs whose processes were ended with the launch that they were."""
    for planned in plan.jobs:
        record = begun(planned.job.directory)
        if planned.pending and record.content.get("status") == "running" and not is_claimed(planned.job.directory):
            record.interrupt(0.0)


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
