"""A folder that one command fills with many files: begun, interrupted and gone on with, but never mixed.

Beside what the command makes there are three files. ``settings.json``, written first, says which command with which
settings fills the folder; another command, or the same one with other settings, is refused. ``.done.jsonl`` gets one
line for each finished input: its outputs, its rows of an index and its problems. What has its line is not done again,
so that the same command goes on where an earlier one was stopped. The lines stay on disk: memory holds no more than
each one's place. ``.lock`` is empty; while one process fills the folder, it keeps others out.
"""

import fcntl
import json
import os
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from karyo.errors import SettingsError
from karyo.files import write_text

SETTINGS_FILE = "settings.json"
_JOURNAL_FILE = ".done.jsonl"
_LOCK_FILE = ".lock"


@dataclass(frozen=True, slots=True)
class Task:
    """One input and what is made from it.

    Attributes:
        key: Its name, unique in the folder and the same in every run.
        inputs: The files that are read for it. One that has changed since is noticed.
    """

    key: str
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something a person should know of.

    Attributes:
        place: What it is about, such as ``103064`` or ``103064_7``.
        reason: A few words that many problems share, to count them by.
        detail: One sentence.
        left_out: Whether nothing was written for it; otherwise it was written and is worth a look.
    """

    place: str
    reason: str
    detail: str
    left_out: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was made from one input.

    Attributes:
        files: Paths written, relative to the folder, with ``/``.
        rows: Rows for an index, each a mapping of column to text or number.
        problems: What was left out or is worth a look.
        counts: Numbers that are summed up over all inputs, such as ``{"boxes": 46}``.
    """

    files: tuple[str, ...] = ()
    rows: tuple[Mapping[str, Any], ...] = ()
    problems: tuple[Problem, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


class OutputFolder:
    """A folder filled by one command with one set of settings.

    Args:
        path: The folder; made if it is missing.
        command: The command that fills it, such as ``karyo crop``.
        settings: Everything that decides what is written, primitives only. Where the program itself would come to
            write other pixels for the same settings, a version number among them keeps old and new apart.

    Raises:
        SettingsError: If the folder cannot be written, holds anything else, was begun by another command or with
            other settings, or is being filled by another process now. The message names the first setting that differs.
    """

    def __init__(self, path: str | Path, command: str, settings: Mapping[str, Any]) -> None:
        self.path = Path(path).expanduser().absolute()
        self._command = command
        self._identity: dict[str, Any] = json.loads(json.dumps({"command": command, "settings": dict(settings)}))
        self._begin()
        self._places: dict[str, int] = {}
        self._stamps: dict[str, list[list[int]]] = {}
        self._seen: dict[str, list[list[int]]] = {}
        self._written: set[str] = set()
        self._read_journal()

    def pending(self, tasks: Sequence[Task]) -> list[Task]:
        """Give the tasks that are not finished, in their order.

        A finished task whose outputs are no longer all there is not finished. One that gave no outputs, because its
        input was unusable, is done again when its input has changed.

        Args:
            tasks: All tasks of the command.

        Raises:
            SettingsError: If the folder holds outputs of an input that has changed since or is no longer among the
                tasks.
        """
        keys = {task.key for task in tasks}
        for key in self._written - keys:
            raise SettingsError(
                f"{self.path} holds what was made from {key}, which is no longer among the inputs; "
                "name a new folder or delete this one"
            )
        self._seen = {task.key: _stamp(task) for task in tasks}
        return [task for task in tasks if not self._is_finished(task)]

    def record(self, task: Task, outcome: Outcome) -> None:
        """Note that a task is finished; its files must be in place by now.

        Raises:
            SettingsError: If the folder cannot be written.
        """
        # The stamp from before the work: an input that changed meanwhile is noticed by the next run.
        stamp = self._seen.get(task.key) or _stamp(task)
        line = json.dumps({"key": task.key, "stamp": stamp, **asdict(outcome)}, separators=(",", ":")) + "\n"
        try:
            with self._journal.open("ab") as journal:
                place = journal.tell()
                journal.write(line.encode())
        except OSError as error:
            raise self._unwritable(error) from error
        self._places[task.key], self._stamps[task.key] = place, stamp
        if outcome.files:
            self._written.add(task.key)

    def outcomes(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Outcome]]:
        """Read the outcomes of the finished ones among these tasks, in their order, one at a time from the disk."""
        if not self._journal.exists():
            return
        with self._journal.open("rb") as journal:
            for task in tasks:
                if task.key in self._places:
                    yield task, self._outcome(journal, task.key)

    @property
    def _journal(self) -> Path:
        return self.path / _JOURNAL_FILE

    def _begin(self) -> None:
        """Make sure that the folder is this command's, and write its settings where it is new."""
        place = self.path / SETTINGS_FILE
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not place.exists() and any(not item.name.startswith(".") for item in self.path.iterdir()):
                raise SettingsError(
                    f"{self.path} holds files that {self._command} did not write; name a new or an empty folder"
                )
            self._keep_others_out()
            if place.exists():
                self._compare(place)
            # Also where it is there and equal: a folder that cannot be written is noticed now, not after minutes.
            write_text(place, json.dumps(self._identity, indent=2, ensure_ascii=False) + "\n")
        except (FileExistsError, NotADirectoryError):
            raise SettingsError(f"{self.path} is not a folder; name another place") from None
        except OSError as error:
            raise self._unwritable(error) from error

    def _keep_others_out(self) -> None:
        """Lock the folder for as long as this object lives; the system lets go for a process that was killed."""
        lock = os.open(self.path / _LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o666)
        weakref.finalize(self, os.close, lock)
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            message = f"{self.path} is being filled by another run; wait for it or name another folder"
            raise SettingsError(message) from None
        except OSError:
            # Some network file systems know no locks: there, two runs at a time are the user's own lookout.
            return

    def _compare(self, place: Path) -> None:
        try:
            found = json.loads(place.read_text(encoding="utf-8"))
            command, settings = str(found["command"]), dict(found["settings"])
        except (ValueError, KeyError, TypeError):
            raise SettingsError(f"{place} was not written by {self._command}; name a new or an empty folder") from None
        if command != self._command:
            raise SettingsError(f"{self.path} was filled by {command}, not by {self._command}; name another folder")
        wanted = self._identity["settings"]
        for name in (*wanted, *settings):
            before, now = settings.get(name), wanted.get(name)
            if before != now:
                raise SettingsError(
                    f"{self.path} was begun with {name} = {before}, not {now}: results are never mixed; "
                    "name another folder or delete this one"
                )

    def _read_journal(self) -> None:
        """Find the finished tasks; a last line that was cut off in writing is taken away."""
        if not self._journal.exists():
            return
        try:
            with self._journal.open("r+b") as journal:
                place = 0
                for line in journal:
                    try:
                        entry = json.loads(line) if line.endswith(b"\n") else None
                    except ValueError:
                        entry = None
                    if entry is None:
                        journal.truncate(place)
                        return
                    self._note(entry, place)
                    place += len(line)
        except OSError as error:
            raise self._unwritable(error) from error

    def _note(self, entry: dict[str, Any], place: int) -> None:
        key = entry["key"]
        self._places[key], self._stamps[key] = place, entry["stamp"]
        if entry["files"]:
            self._written.add(key)
        else:
            self._written.discard(key)

    def _is_finished(self, task: Task) -> bool:
        if task.key not in self._places:
            return False
        same = self._stamps[task.key] == self._seen[task.key]
        if not same and task.key in self._written:
            raise SettingsError(
                f"{self.path} holds what was made from {task.key} before {' or '.join(task.inputs)} changed; "
                "name a new folder or delete this one"
            )
        with self._journal.open("rb") as journal:
            files = self._outcome(journal, task.key).files
        return same and all((self.path / file).exists() for file in files)

    def _outcome(self, journal: IO[bytes], key: str) -> Outcome:
        journal.seek(self._places[key])
        entry = json.loads(journal.readline())
        problems = tuple(Problem(**problem) for problem in entry["problems"])
        return Outcome(tuple(entry["files"]), tuple(entry["rows"]), problems, entry["counts"])

    def _unwritable(self, error: OSError) -> SettingsError:
        return SettingsError(f"cannot write to {self.path}: {error.strerror or error}; choose another place")


def _stamp(task: Task) -> list[list[int]]:
    """Size and time of change of each input; nothing for one that cannot be looked at."""
    stamps: list[list[int]] = []
    for file in task.inputs:
        try:
            status = os.stat(file)  # noqa: PTH116 - inputs are strings
        except OSError:
            stamps.append([])
        else:
            stamps.append([status.st_size, status.st_mtime_ns])
    return stamps
