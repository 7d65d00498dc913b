"""A list of folds: which cases or cells each fold tests and validates on, by name; all others are its training side.

The file is JSON::

    {"format": 1, "by": "case", "folds": [{"test": ["56204", "71177"], "validation": ["60021"]}, ...]}

A case is written as the data set names it. A cell is written the same way, and as ``case/cell`` where the data set
knows its case: cell 3 of two patients is two cells. Over all folds each name is in ``test`` once.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyo.data.records import Record
from karyo.errors import DataError, SettingsError, printable

BY = ("case", "cell")
"""What a list may keep together."""

SIDES = ("train", "validation", "test")

_FORMAT = 1
_NAMED = 3
"""Names given in a message at most."""


@dataclass(frozen=True)
class Fold:
    """One fold.

    Attributes:
        test: Names of the cases or cells to measure on.
        validation: Names of those to choose between epochs and settings by; none of ``test``.
    """

    test: tuple[str, ...]
    validation: tuple[str, ...]


@dataclass(frozen=True)
class FoldList:
    """Folds by name.

    Attributes:
        name: ``gband65``, or the stem of the user's file.
        by: ``case`` or ``cell``.
        folds: At least two.
    """

    name: str
    by: str
    folds: tuple[Fold, ...]

    @cached_property
    def digest(self) -> str:
        """12 hexadecimal digits that are the same for the same folds, whatever the file is called."""
        plain = [[sorted(fold.test), sorted(fold.validation)] for fold in self.folds]
        return hashlib.sha256(json.dumps([self.by, plain]).encode()).hexdigest()[:12]

    def to_json(self) -> str:
        """Write it as :func:`read_fold_list` reads it."""
        folds = [{"test": list(fold.test), "validation": list(fold.validation)} for fold in self.folds]
        content = {"format": _FORMAT, "by": self.by, "folds": folds}
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"

    def sides(self, records: Sequence[Record], fold: int) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
        """Divide records as a fold says.

        Args:
            records: What to divide.
            fold: Which fold, 0 or more.

        Returns:
            Indices of the records on each side of :data:`SIDES`, int64, ascending; and a sentence where the data have
            only a part of the list.

        Raises:
            SettingsError: If there is no such fold, the data do not know what the list names, or hold others.
            DataError: If a side would be empty, or two cells have the same name.
        """
        self.check_fold(fold)
        names = names_of(records, self.by)
        listed = [name for each in self.folds for name in each.test]
        if foreign := sorted(set(names) - set(listed)):
            raise SettingsError(
                f"data.folds={self.name} does not name {len(foreign)} of the {len(set(names))} {self.by}s of these "
                f"images ({_some(foreign)}), so it was made for others; data.folds=null draws one split, data.folds=5 "
                "draws five folds, and karyo folds writes a list of your own."
            )
        chosen = self.folds[fold]
        side_of = dict.fromkeys(chosen.test, "test") | dict.fromkeys(chosen.validation, "validation")
        sides = {
            side: np.array([i for i, name in enumerate(names) if side_of.get(name, "train") == side], dtype=np.int64)
            for side in SIDES
        }
        for side, indices in sides.items():
            if not len(indices):
                raise DataError(
                    f"the {side} side of fold {fold} of data.folds={self.name} is empty: these images have only "
                    f"{len(set(names))} of its {len(listed)} {self.by}s; take another data.fold, or data.folds=5."
                )
        absent = sorted(set(listed) - set(names))
        sentence = (
            f"data.folds={self.name} names {len(listed)} {self.by}s and these images have {len(set(names))} of them "
            f"(not {_some(absent)}): results cannot be compared with those on all of them"
        )
        return sides, (sentence,) if absent else ()

    def check_fold(self, fold: int) -> None:
        """Refuse a fold that the list does not have.

        Raises:
            SettingsError: If ``fold`` is not 0 to one less than there are.
        """
        if not 0 <= fold < len(self.folds):
            raise SettingsError(
                f"data.fold must be from 0 to {len(self.folds) - 1} with data.folds={self.name}, not {fold}"
            )


def shipped_lists() -> list[str]:
    """Name the lists that come with the program, by the alphabet."""
    return sorted(Path(file.name).stem for file in files(__package__).iterdir() if file.name.endswith(".json"))


def read_fold_list(name: str) -> FoldList:
    """Read a list of folds.

    Args:
        name: Of one that is shipped, or the path of a file.

    Returns:
        The list; each name is in one fold's test side, and in no fold on two sides.

    Raises:
        SettingsError: If there is no such list.
        DataError: If it is no list of folds, or one in which a name is missing or twice.
    """
    if name in shipped_lists():
        text = files(__package__).joinpath(f"{name}.json").read_text(encoding="utf-8")
        return parse_fold_list(name, text, name)
    path = Path(name)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = error.strerror or error
        raise SettingsError(
            f"data.folds={name} is neither a number of folds, nor {', '.join(shipped_lists())}, nor a file that can be "
            f"read ({reason})"
        ) from error
    except ValueError as error:
        raise DataError(f"{name} is no list of folds: it is no text in UTF-8") from error
    return parse_fold_list(path.stem, text, name)


def parse_fold_list(name: str, text: str, place: str) -> FoldList:
    """Make a list of its JSON text.

    Args:
        name: Of the list.
        text: Content of the file.
        place: What the file is called in messages.

    Raises:
        DataError: As :func:`read_fold_list`.
    """
    try:
        content = json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place} is no list of folds: {error}") from error
    if not isinstance(content, dict) or set(content) != {"format", "by", "folds"} or content["format"] != _FORMAT:
        raise DataError(
            f'{place} is no list of folds: it must hold {{"format": {_FORMAT}, "by": "case" or "cell", "folds": [...]}}'
        )
    if content["by"] not in BY:
        raise DataError(f'{place}: "by" must be "case" or "cell", not {json.dumps(content["by"])[:40]}')
    if not isinstance(content["folds"], list) or len(content["folds"]) < 2:
        raise DataError(f'{place}: "folds" must be a list of at least two folds')
    folds = tuple(_fold(entry, f"{place}, fold {number}") for number, entry in enumerate(content["folds"]))
    _check_names(folds, place)
    return FoldList(name, content["by"], folds)


def names_of(records: Sequence[Record], by: str) -> list[str]:
    """Name the case or cell of each record as lists of folds do.

    Args:
        records: The records.
        by: ``case`` or ``cell``.

    Returns:
        A name for each record.

    Raises:
        SettingsError: If the data do not know the case or cell of every record.
        DataError: If different cells would have the same name.
    """
    unknown = [record.path for record in records if getattr(record, by) is None]
    if unknown:
        raise SettingsError(
            f"a list of folds by {by} needs the {by} of every image, and {len(unknown)} of {len(records)} have none, "
            f"first {printable(unknown[0])}; name it with (?P<{by}>...) in data.source.pattern, or take data.folds=null"
        )
    if by == "case":
        return [str(record.case) for record in records]
    names = [str(record.cell) if record.case is None else f"{record.case}/{record.cell}" for record in records]
    cells = {(record.case, record.cell): name for record, name in zip(records, names, strict=True)}
    if twice := _repeated(cells.values()):
        raise DataError(f"two cells are called {printable(twice[0])}, so a list of folds cannot tell them apart")
    return names


def _fold(entry: Any, place: str) -> Fold:
    if not isinstance(entry, dict) or set(entry) != {"test", "validation"}:
        raise DataError(f'{place}: a fold is {{"test": [names], "validation": [names]}}')
    for side, names in entry.items():
        if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
            raise DataError(f'{place}: "{side}" must be a list of at least one name, each a text in quotes')
    if both := sorted(set(entry["test"]) & set(entry["validation"])):
        raise DataError(f"{place}: {_some(both)} cannot be in test and validation of one fold")
    if twice := _repeated(entry["validation"]):
        raise DataError(f"{place}: {_some(twice)} stands twice in validation")
    return Fold(tuple(entry["test"]), tuple(entry["validation"]))


def _check_names(folds: Sequence[Fold], place: str) -> None:
    """See to it that each name is tested once."""
    tested = [name for fold in folds for name in fold.test]
    if twice := _repeated(tested):
        raise DataError(f"{place}: {_some(twice)} must be in test once over all folds, not more often")
    if never := sorted({name for fold in folds for name in fold.validation} - set(tested)):
        raise DataError(f"{place}: {_some(never)} is validated on and in the test side of no fold")


def _repeated(names: Iterable[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(printable(name) for name in names[:_NAMED])
    return f"{shown} and {len(names) - _NAMED} more" if len(names) > _NAMED else shown


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object with the same key twice, of which JSON would take the last."""
    if twice := _repeated(key for key, _ in pairs):
        raise ValueError(f"{json.dumps(twice[0])} stands twice in one object")
    return dict(pairs)
