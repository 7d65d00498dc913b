"""The one display of a whole sweep, fed by what its jobs write into their directories.

It asks no engine: records and epoch logs say the same wherever a job runs, on this machine or in a cluster.
"""

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from karyo.errors import KaryoError
from karyo.reports.fields import duration, estimate_at, number_at, percent, percent_with_interval, text_at
from karyo.sweeping.plan import Plan, Planned, State
from karyo.training.epochs import EpochLog
from karyo.training.locations import SUMMARY
from karyo.training.record import RunRecord

_EVERY = 0.5
_RUNNING_SHOWN = 8
_ENDED = ("finished", "pruned", "failed")


@dataclass
class JobView:
    """What is known of a job from its directory.

    Attributes:
        planned: The job.
        status: As in its record; ``waiting`` before it has begun in this launch.
        record: Its record; empty before it has one.
        epochs: Finished epochs.
        validation: Latest validation accuracy, 0..1.
    """

    planned: Planned
    status: str
    record: dict[str, Any] = field(default_factory=dict)
    epochs: int = 0
    validation: float | None = None
    _stamps: tuple[int, int] = (0, 0)

    @property
    def label(self) -> str:
        """What distinguishes it."""
        return " ".join(self.planned.job.overrides) or self.planned.job.name

    @property
    def best(self) -> float | None:
        """Best validation accuracy so far, 0..1."""
        return number_at(self.record, "validation", "accuracy") if self.status == "finished" else self.validation

    @property
    def share(self) -> float:
        """How much of it is done, 0..1."""
        if self.status in _ENDED:
            return 1.0
        total = number_at(self.record, "config", "epochs") or 0
        return min(1.0, self.epochs / total) if total else 0.0

    @property
    def is_news(self) -> bool:
        """Whether its end is this launch's news: it does the job itself, or waits for another that does."""
        return self.planned.pending or self.planned.state is State.BUSY

    def has_changed(self) -> bool:
        """Tell whether its directory has changed since this was asked last."""
        place, before = self.planned.job.directory, self._stamps
        self._stamps = (_changed(place / SUMMARY), _changed(place / "epochs.csv"))
        return self._stamps != before

    def look(self) -> None:
        """Read its directory, where anything has changed."""
        place = self.planned.job.directory
        if not self.has_changed():
            return
        try:
            self.record = RunRecord.read(place).content
            rows = EpochLog(place).rows()
        except (KaryoError, OSError, ValueError, KeyError):
            return
        self.status = text_at(self.record, "status") or self.status
        self.epochs = len(rows)
        self.validation = rows[-1].get("validation_accuracy") if rows else None


@dataclass(frozen=True)
class Part:
    """Where a launch stands in a search, which launches its trials a few at a time.

    Attributes:
        before: Jobs of earlier launches.
        total: Jobs of all launches.
    """

    before: int
    total: int


class SweepView:
    """A launch as a whole.

    Args:
        name: The sweep's name.
        plan: Its jobs.
        part: Which part of a search it is; None where it is a whole.
    """

    def __init__(self, name: str, plan: Plan, part: Part | None = None) -> None:
        self.name = name
        part = part or Part(0, len(plan.jobs))
        self.before, self.total = part.before, max(part.total, part.before + len(plan.jobs))
        self.jobs = [JobView(planned, _first_status(planned)) for planned in plan.jobs]
        self._began = time.monotonic()
        for job in self.jobs:
            if job.planned.pending:
                # How it ended in an earlier launch is not how it ends in this one.
                job.has_changed()
            else:
                job.look()
        self._done_before = sum(job.share for job in self.jobs)

    def look(self) -> list[JobView]:
        """Look at the jobs of this launch again; give those that have ended since the last look."""
        ended = []
        for job in self.jobs:
            # What an earlier launch left behind is no news.
            if job.is_news and job.status not in _ENDED:
                job.look()
                if job.status in _ENDED:
                    ended.append(job)
        return ended

    def count(self, *statuses: str) -> int:
        """Count the jobs with any of these statuses."""
        return sum(job.status in statuses for job in self.jobs)

    @property
    def done(self) -> int:
        """Jobs that have ended, those of earlier launches of a search included."""
        return self.before + self.count(*_ENDED)

    @property
    def left(self) -> float | None:
        """Seconds that the rest will take at the speed so far; None before there is one."""
        done = sum(job.share for job in self.jobs) - self._done_before
        rest = sum(1 - job.share for job in self.jobs if job.is_news)
        rest += self.total - self.before - len(self.jobs)
        return (time.monotonic() - self._began) * rest / done if done > 0 else None

    @property
    def best(self) -> JobView | None:
        """The finished job of highest validation accuracy."""
        finished = [job for job in self.jobs if job.status == "finished" and job.best is not None]
        return max(finished, key=lambda job: job.best or 0.0, default=None)

    def sentence(self) -> str:
        """Say in a line how far the launch is."""
        parts = [f"{self.done} of {self.total} done"]
        parts += [f"{self.count(status)} {status}" for status in ("running", "failed", "pruned") if self.count(status)]
        left = self.left
        if left:
            parts.append(f"about {duration(left)} left")
        return ", ".join(parts)


@contextmanager
def watched(name: str, plan: Plan, part: Part | None = None) -> Iterator[None]:
    """Show a launch while its jobs run: a live display on a terminal, a line for each ended job elsewhere.

    Args:
        name: The sweep's name.
        plan: Its jobs.
        part: Which part of a search it is; None where it is a whole.
    """
    # What is standard output now; it stays so when jobs send theirs to files.
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    view = SweepView(name, plan, part)
    over = threading.Event()
    show = _live if console.is_terminal else _lines
    thread = threading.Thread(target=show, args=(view, console, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _lines(view: SweepView, console: Console, over: threading.Event) -> None:
    while True:
        last = over.wait(_EVERY)
        for line in _news(view):
            console.print(line, markup=False)
        if last:
            return


def _live(view: SweepView, console: Console, over: threading.Event) -> None:
    with Live(
        console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as live:
        while True:
            last = over.wait(_EVERY)
            for line in _news(view):
                live.console.print(line, markup=False)
            live.update(_display(view), refresh=True)
            if last:
                return


def _news(view: SweepView) -> list[str]:
    """Say of each job that has ended since the last look what it reached."""
    ended = view.look()
    first = view.done - len(ended) + 1
    total, left = view.total, view.left
    rest = f"; about {duration(left)} left" if left else ""
    lines = [
        f"[{number:{len(str(total))}d}/{total}] {job.label}: {_outcome(job.record)}"
        for number, job in enumerate(ended, start=first)
    ]
    return [*lines[:-1], *(line + rest for line in lines[-1:])]


def _outcome(record: dict[str, Any]) -> str:
    status = text_at(record, "status")
    validation = f"validation {percent(number_at(record, 'validation', 'accuracy'))}"
    spent = duration(number_at(record, "seconds"))
    if status == "failed":
        return f"failed: {(text_at(record, 'error').strip().splitlines() or ['no reason is known'])[-1]}"
    if status == "pruned":
        return f"pruned after epoch {number_at(record, 'epochs') or 0:.0f}, {validation}, {spent}"
    return f"{validation}, test {percent_with_interval(estimate_at(record, 'test', 'accuracy'))}, {spent}"


def _display(view: SweepView) -> RenderableType:
    done = view.before + sum(job.share for job in view.jobs)
    heading = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=max(view.total, 1), completed=done, width=30)
    heading.add_row(Text(view.name, style="bold"), bar, Text(view.sentence()))
    lines: list[RenderableType] = [heading]
    best = view.best
    if best is not None:
        lines.append(
            Text.from_markup(f"best so far [green]{percent(best.best)}[/green] validation: {escape(best.label)}")
        )
    running = [job for job in view.jobs if job.status == "running"]
    lines.extend(_running_lines(running[:_RUNNING_SHOWN]))
    if len(running) > _RUNNING_SHOWN:
        lines.append(Text(f"  and {len(running) - _RUNNING_SHOWN} more", style="dim"))
    return Group(*lines)


def _running_lines(jobs: Sequence[JobView]) -> Iterator[Text]:
    for job in jobs:
        total = number_at(job.record, "config", "epochs") or 0
        reached = f"epoch {job.epochs}/{total:.0f}" if total else "starting"
        accuracy = f", validation {percent(job.validation)}" if job.validation is not None else ""
        yield Text(f"  {reached:<12} {job.label}{accuracy}", style="dim", no_wrap=True, overflow="ellipsis")


def _first_status(planned: Planned) -> str:
    if planned.pending:
        return "waiting"
    return "running" if planned.state is State.BUSY else planned.state.value


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
