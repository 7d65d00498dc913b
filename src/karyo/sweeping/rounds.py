"""Doing jobs in rounds until each has ended, whatever dies meanwhile."""

import logging
import time
from collections import Counter
from collections.abc import Sequence

from karyo.errors import KaryoError
from karyo.sweeping.job import Engine, SweepJob
from karyo.sweeping.plan import Planned, State
from karyo.training.record import begun

_DEATHS = 3
_LOOK_AGAIN = 1.0

log = logging.getLogger(__name__)


def do_all(engine: Engine, jobs: Sequence[Planned]) -> None:
    """Do the pending ones of these jobs, again where a process died, and wait for those that another launch does.

    Where processes share their fate, those that died are done again one at a time, so that the culprit dies alone. A
    job whose process has died three times is recorded as failed. What another launch leaves unfinished is taken over.

    Raises:
        KaryoError: If the engine cannot work.
    """
    deaths: Counter[str] = Counter()
    left = [planned for planned in jobs if planned.pending or planned.state is State.BUSY]
    while left:
        pending = [planned for planned in left if planned.pending]
        for batch in _batches(engine, pending, deaths):
            engine.run([planned.job for planned in batch])
            deaths.update(_dead(engine, batch))
        if not pending:
            time.sleep(_LOOK_AGAIN)
        for planned in pending:
            if deaths[planned.job.name] >= _DEATHS:
                _record_death(planned.job)
        again = [planned.looked_at_again() for planned in left]
        left = [planned for planned in again if planned.pending or planned.state is State.BUSY]


def _batches(engine: Engine, pending: Sequence[Planned], deaths: Counter[str]) -> list[list[Planned]]:
    if not engine.shares_fate:
        return [list(pending)] if pending else []
    together = [planned for planned in pending if not deaths[planned.job.name]]
    alone = [[planned] for planned in pending if deaths[planned.job.name]]
    return [*([together] if together else []), *alone]


def _dead(engine: Engine, batch: Sequence[Planned]) -> list[str]:
    """Name the jobs of a batch whose process died; where processes share their fate, those that had begun."""
    left = [after for planned in batch if (after := planned.looked_at_again()).pending]
    underway = [planned for planned in left if planned.state is State.UNFINISHED]
    # Where none had begun, it is one of those that were about to.
    suspects = underway if engine.shares_fate and underway else left
    return [planned.job.name for planned in suspects]


def _record_death(job: SweepJob) -> None:
    record = begun(job.directory)
    # It may have died before it had a record.
    record.content = {"name": job.name, "key": job.key, "overrides": list(job.overrides)} | record.content
    error = KaryoError(
        f"its process died {_DEATHS} times without a word, perhaps for lack of memory; see {job.directory}/output.log."
    )
    record.fail(0.0, error)
