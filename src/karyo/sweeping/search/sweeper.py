"""A search from its first trial to its last: asked, launched, told."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import HydraContext
from optuna.trial import TrialState

from karyo.errors import SettingsError
from karyo.locks import release, take
from karyo.reports.fields import percent
from karyo.sweeping.search.settings import SearchSettings
from karyo.sweeping.search.space import Space, make_space
from karyo.sweeping.search.study import SearchStudy
from karyo.training.trial import STUDY

Launch = Callable[[list[list[str]]], Sequence[Path]]
"""Runs a batch of jobs, given by their overrides, and gives the directory of each when all have ended."""

_LOCK = ".search-lock"

log = logging.getLogger(__name__)


class OptunaSearch:
    """A search in a sweep's directory.

    Args:
        settings: How to search.
        directory: The sweep's directory; it must exist.

    Raises:
        SettingsError: If a setting cannot be meant.
    """

    def __init__(self, settings: SearchSettings, directory: Path) -> None:
        settings.check()
        self._settings, self._directory = settings, directory

    def space(self, arguments: Sequence[str], context: HydraContext) -> Space:
        """Read from the command line's overrides what is searched.

        Raises:
            SettingsError: If it cannot be searched.
        """
        parser = OverridesParser.create(config_loader=context.config_loader)
        return make_space(parser.parse_overrides(list(arguments)), self._settings.sampler)

    def search(self, space: Space, launch: Launch, retry_failed: bool = False) -> None:
        """Run trials until there are as many as asked for, those of earlier calls included.

        Args:
            space: What is searched.
            launch: Runs the trials.
            retry_failed: Whether trials that failed in an earlier call are run once more.

        Raises:
            SettingsError: If another process searches in the same directory.
            DataError: If the study's journal is damaged.
        """
        with _alone(self._directory):
            study = SearchStudy(self._directory / STUDY, space, self._settings)
            if retry_failed:
                study.retry_failed()
            attempted: set[int] = set()
            while batch := study.next_batch(attempted):
                attempted |= {trial.number for trial in batch.values()}
                # Forced: a run's own configuration may not know of them.
                marks = [[f"++sweep.study={study.name}", f"++sweep.trial={one.number}"] for one in batch.values()]
                jobs = [[*overrides, *mark] for overrides, mark in zip(batch, marks, strict=True)]
                for trial, directory in zip(batch.values(), launch(jobs), strict=True):
                    study.tell(trial, directory)
            _report(study, space, len(attempted))


def _report(study: SearchStudy, space: Space, attempted: int) -> None:
    """Say how many trials there are, how they ended, and which is best."""
    known = study.known()
    words = {
        TrialState.COMPLETE: "finished",
        TrialState.PRUNED: "cut short",
        TrialState.FAIL: "failed",
        TrialState.RUNNING: "to go on with",
    }
    counts = Counter(trial.state for trial in known.values())
    ended = ", ".join(f"{counts[state]} {word}" for state, word in words.items() if counts[state])
    trials = f"{len(known)} trial{'' if len(known) == 1 else 's'}"
    log.info("Search: %s, %d of them in this launch: %s", trials, attempted, ended)
    finished = {overrides: trial for overrides, trial in known.items() if trial.state == TrialState.COMPLETE}
    if finished:
        best = max(finished, key=lambda overrides: finished[overrides].value or 0.0)
        varied = " ".join(best[len(space.fixed) :])
        log.info("best validation accuracy: %s at %s", percent(finished[best].value), varied)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Let one process at a time search here; the hold ends with the process, however that dies."""
    lock = take(directory / _LOCK)
    if lock is None:
        raise SettingsError(
            f"another process is searching in {directory}; wait for it, or give this search another name."
        )
    try:
        yield
    finally:
        release(lock)
