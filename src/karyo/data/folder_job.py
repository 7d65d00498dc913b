"""Many inputs to many files of one folder: parallel, resumable; what goes wrong is listed and counted."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from karyo.data.output_folder import Outcome, OutputFolder, Problem, Task
from karyo.data.parallel import map_ordered
from karyo.errors import DataError, SettingsError
from karyo.files import write_beside
from karyo.progress import progress_bar

Work = Callable[[Task], Outcome]


@dataclass(frozen=True, slots=True)
class Totals:
    """What a folder holds after a job, its earlier runs included.

    Attributes:
        inputs: Tasks.
        resumed: Tasks that an earlier run had finished.
        files: Files written.
        problems: How many problems there are for each (reason, left_out), most frequent first.
        counts: The outcomes' numbers, summed up.
    """

    inputs: int
    resumed: int
    files: int
    problems: Mapping[tuple[str, bool], int]
    counts: Mapping[str, int]


def run_job(
    folder: OutputFolder, tasks: Sequence[Task], work: Work, workers: int = 1, title: str = "working", chunk: int = 1
) -> int:
    """Do all tasks of a folder that are not finished.

    Each finished one is recorded at once, so that the job can be stopped at any moment (Ctrl-C, a crash) and the same
    command goes on from there. A bar with the time left is drawn where standard error is a terminal.

    Args:
        folder: Where to; it guards against mixing settings.
        tasks: All tasks, also those finished earlier.
        work: Makes the files of one task and says which. It can travel to another process: a function of a module or a
            partial of one. A DataError that it raises is recorded as that task's problem, and the others go on; any
            other error ends the job.
        workers: Number of processes; 1 works in this one.
        title: What the progress bar says.
        chunk: Tasks sent to a process at a time; more than 1 where one takes less than a few milliseconds.

    Returns:
        The number of tasks that an earlier run had finished.

    Raises:
        SettingsError: If the folder cannot be written, or holds outputs of inputs that are gone or have changed.
    """
    pending = folder.pending(tasks)
    done = len(tasks) - len(pending)
    results = map_ordered(partial(_recording_problems, work), pending, min(workers, len(pending) or 1), chunk)
    with progress_bar(title, len(tasks), done, only_on_terminals=True) as advance, closing(results):  # type: ignore[type-var]
        for task, outcome in zip(pending, results, strict=True):
            folder.record(task, outcome)
            advance()
    return done


def count_totals(folder: OutputFolder, tasks: Sequence[Task], resumed: int, others: Iterable[Problem] = ()) -> Totals:
    """Count files and problems of all finished tasks, reading one at a time.

    Args:
        folder: The folder.
        tasks: All tasks.
        resumed: What :func:`run_job` returned.
        others: Problems of no task, such as inputs without a partner.
    """
    problems = Counter((problem.reason, problem.left_out) for problem in others)
    counts: Counter[str] = Counter()
    files = 0
    for _, outcome in folder.outcomes(tasks):
        files += len(outcome.files)
        problems.update((problem.reason, problem.left_out) for problem in outcome.problems)
        counts.update(outcome.counts)
    return Totals(len(tasks), resumed, files, dict(problems.most_common()), dict(counts))


def write_index(folder: OutputFolder, tasks: Sequence[Task], columns: Sequence[str]) -> None:
    """Write the rows of all finished tasks, in the tasks' order, as ``index.csv``, UTF-8 with a header.

    Raises:
        SettingsError: If it cannot be written.
    """

    def fill(place: Path) -> None:
        with _opened(place) as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            for _, outcome in folder.outcomes(tasks):
                writer.writerows(outcome.rows)

    _write(folder.path / "index.csv", fill)


def write_problems(folder: OutputFolder, tasks: Sequence[Task], others: Sequence[Problem] = ()) -> None:
    """Write all problems, one a line, as ``problems.csv``, UTF-8: place, reason, left out or flagged, detail.

    Args:
        folder: The folder.
        tasks: All tasks; their problems come in this order.
        others: Problems of no task; they come first.

    Raises:
        SettingsError: If it cannot be written.
    """

    def fill(place: Path) -> None:
        with _opened(place) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("place", "reason", "kind", "detail"))
            writer.writerows(_problem_row(problem) for problem in others)
            for _, outcome in folder.outcomes(tasks):
                writer.writerows(_problem_row(problem) for problem in outcome.problems)

    _write(folder.path / "problems.csv", fill)


def _problem_row(problem: Problem) -> tuple[str, str, str, str]:
    return problem.place, problem.reason, "left out" if problem.left_out else "flagged", problem.detail


def _opened(place: Path) -> TextIO:
    # File names that are not Unicode come back as they were.
    return place.open("w", encoding="utf-8", errors="surrogateescape", newline="")


def _write(place: Path, fill: Callable[[Path], Any]) -> None:
    try:
        write_beside(place, fill)
    except OSError as error:
        raise SettingsError(f"cannot write {place}: {error.strerror or error}; choose another place") from error


def _recording_problems(work: Work, task: Task) -> Outcome:
    try:
        return work(task)
    except DataError as error:
        return Outcome(problems=(Problem(task.key, "unusable input", str(error), True),))
