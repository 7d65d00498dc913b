"""What a sweep's directory is for: one grid over one base, never a mixture.

``sweep.json`` holds every value that each setting has had in the sweep. A launch may add values to what is swept, sweep
more, or do only a part; it may not hold another value fixed than the one that was fixed before.
"""

import fcntl
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from karyo.errors import DataError, SettingsError
from karyo.files import write_text
from karyo.identity import REPETITIONS, Settings

FILE = "sweep.json"
_SHOWN = 5
_ABSENT = "(not set)"

Values = dict[str, list[Any]]


def admit(directory: Path, settings: Sequence[Settings]) -> None:
    """Let a launch into a sweep's directory, and note its settings there.

    Args:
        directory: The sweep's directory; it must exist.
        settings: The settings of each job of the launch.

    Raises:
        SettingsError: If the sweep was begun with another base configuration; the message shows the difference.
        DataError: If ``sweep.json`` is damaged.
    """
    with alone(directory):
        before = _read(directory / FILE)
        now = _values(settings)
        if before:
            _compare(directory, before, now)
        write_text(directory / FILE, json.dumps(_united(before, now), indent=1, ensure_ascii=False) + "\n")


def _compare(directory: Path, before: Values, now: Values) -> None:
    changed = []
    for name in sorted({*before, *now} - set(REPETITIONS)):
        old, new = before.get(name, [_ABSENT]), now.get(name, [_ABSENT])
        if len(old) == len(new) == 1 and old != new:
            changed.append(f"{name} was {_shown(old[0])}, now {_shown(new[0])}")
    if changed:
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        raise SettingsError(
            f"sweep={directory.name} was begun with other settings: {'; '.join(changed[:_SHOWN])}{more}. Give it "
            "another name, or sweep over what differs."
        )


def _values(settings: Sequence[Settings]) -> Values:
    """Give the distinct values of each setting, in the order in which they come."""
    values: Values = {}
    for name in dict.fromkeys(name for one in settings for name in one):
        # By way of JSON: what is compared is what the file can hold.
        seen = {json.dumps(one.get(name, _ABSENT), sort_keys=True, default=str) for one in settings}
        values[name] = [json.loads(text) for text in sorted(seen)]
    return values


def _united(before: Values, now: Values) -> Values:
    if not before:
        return now
    absent = [_ABSENT]
    pairs = {name: [*before.get(name, absent), *now.get(name, absent)] for name in {**before, **now}}
    return {name: [one for place, one in enumerate(both) if one not in both[:place]] for name, both in pairs.items()}


def _read(path: Path) -> Values:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): list(values) for name, values in content.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error}); delete it if you know what the sweep was.") from error


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False).strip('"')
    return text if len(text) <= 60 else f"{text[:57]}..."


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Let one launch of a sweep at a time go on, the others wait; the hold ends with the process, however that dies."""
    with (directory / ".sweep-lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
