"""Dividing the records into training, validation and test: by case, by cell or by image; one split or k folds.

Chromosomes of one cell share its stain, contraction and focus, and cells of one patient share its heteromorphisms; a
split by image lets a network recognise the cell instead of the chromosome and so reads too high. The default is
therefore the strictest level that the data set knows.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.data.dealing import deal, group_records, indices_of
from karyo.data.folds.fold_list import FoldList
from karyo.data.records import Record
from karyo.errors import DataError, SettingsError
from karyo.files import write_text

LEVELS: tuple[str, ...] = ("case", "cell", "image")
"""What may be kept together, the strictest first."""

SIDES: tuple[str, ...] = ("train", "validation", "test")

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Three disjoint sets of record indices, each sorted.

    Attributes:
        train: Indices to learn from, int64.
        validation: Indices to choose between epochs and settings by, int64.
        test: Indices to measure on, once, int64.
        by: ``case``, ``cell`` or ``image``: what lies on one side only.
        seed: Seed that the split was drawn with.
        folds: Number of folds, or the name of the list that fixes them; None for a single split.
        fold: Which fold is the test side, 0-based.
        warnings: What the user should know about this split, in sentences.
    """

    train: Indices
    validation: Indices
    test: Indices
    by: str
    seed: int = 0
    folds: int | str | None = None
    fold: int = 0
    warnings: tuple[str, ...] = ()

    def sides(self) -> dict[str, Indices]:
        """Give the three sides by name, in order."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def describe(self, records: Sequence[Record]) -> list[dict[str, Any]]:
        """Count what is on each side.

        Args:
            records: The records that were split.

        Returns:
            For each side a row with ``side``, ``images``, ``share`` (0..1), ``cells``, ``cases`` (None where not
            known), ``classes`` (how many of the 24 occur) and ``rarest`` (images of the rarest class that occurs).
        """
        total = sum(len(indices) for indices in self.sides().values())
        rows = []
        for side, indices in self.sides().items():
            chosen = [records[index] for index in indices.tolist()]
            labels = Counter(record.label for record in chosen)
            rows.append(
                {
                    "side": side,
                    "images": len(chosen),
                    "share": len(chosen) / max(total, 1),
                    "cells": _distinct([record.cell for record in chosen]),
                    "cases": _distinct([record.case for record in chosen]),
                    "classes": len(labels),
                    "rarest": min(labels.values(), default=0),
                }
            )
        return rows

    def to_dict(self, records: Sequence[Record]) -> dict[str, Any]:
        """Give the split as primitives with paths instead of indices.

        ``tested_cases`` lists the test images of each case, for whoever resamples cases; {} where cases are unknown.
        """
        cases: dict[str, list[str]] = {}
        for record in (records[index] for index in self.test.tolist()):
            if record.case is not None:
                cases.setdefault(record.case, []).append(record.path)
        head = {"by": self.by, "seed": self.seed, "folds": self.folds, "fold": self.fold, "tested_cases": cases}
        return head | {side: [records[i].path for i in indices.tolist()] for side, indices in self.sides().items()}

    def digest(self, records: Sequence[Record]) -> str:
        """Give 12 hexadecimal digits that are the same for the same images on the same sides, whatever drew them."""
        sides = [sorted(records[index].path for index in side) for side in (self.train, self.validation, self.test)]
        return hashlib.sha256(json.dumps(sides).encode()).hexdigest()[:12]

    def save(self, path: str | Path, records: Sequence[Record]) -> None:
        """Write :meth:`to_dict` as JSON, all or nothing.

        Raises:
            DataError: If the file cannot be written.
        """
        try:
            write_text(Path(path), json.dumps(self.to_dict(records), indent=1))
        except OSError as error:
            raise DataError(f"the split cannot be saved as {path}: {error.strerror or error}") from error


def split_records(
    records: Sequence[Record],
    by: str | None = None,
    fractions: Sequence[float] = (0.7, 0.2, 0.1),
    folds: int | FoldList | None = None,
    fold: int = 0,
    seed: int = 0,
) -> Split:
    """Divide records into training, validation and test.

    Images are dealt out class by class (stratified); cells and cases as a whole, so that the sides come as near to
    their fractions, and to having every class, as 64 random orders allow.

    Args:
        records: What to divide.
        by: ``case``, ``cell`` or ``image``; None for the strictest that every record knows and that has enough groups
            (three; as many as there are folds, for two folds four).
        fractions: Shares of training, validation and test; they add up to 1.
        folds: Number of folds of a cross-validation, at least 2: the test sides of all folds are disjoint and cover
            everything, validation is taken from the rest in its proportion to training. A list of folds settles all
            of it, and neither fractions nor seed count. None for a single split.
        fold: Which fold, 0..folds-1.
        seed: Same seed, same split.

    Returns:
        The split.

    Raises:
        SettingsError: If a setting is out of range, or the data set does not know ``by``.
        DataError: If there is one class only, fewer images than classes, or a side would be empty.
    """
    if isinstance(folds, FoldList):
        return _listed(records, by, folds, fold, seed)
    _check_settings(by, fractions, folds, fold)
    _check_content(records)
    needed = 4 if folds == 2 else max(3, folds or 0)
    by = _chosen_level(records, by, needed)
    groups = group_records(records, by)
    if len(groups) < needed:
        purpose = f"{folds} folds" if folds else "three sides (training, validation, test)"
        raise DataError(f"{len(groups)} {by}s cannot be divided into {purpose}; at least {needed} are needed")
    random = np.random.default_rng([seed % 2**63, LEVELS.index(by)])
    if folds is None:
        sides = deal(groups, fractions, random, by)
    else:
        parts = deal(groups, [1 / folds] * folds, random, by)
        rest = [group for part in parts[:fold] + parts[fold + 1 :] for group in part]
        share = fractions[0] + fractions[1]
        sides = deal(rest, [fractions[0] / share, fractions[1] / share], random, by)
        sides.append(parts[fold])
    train, validation, test = (indices_of(side) for side in sides)
    for name, indices in zip(SIDES, (train, validation, test), strict=True):
        if not len(indices):
            raise DataError(
                f"the {name} side of the split is empty: {len(groups)} {by}s are too few for {_spoken(fractions)}"
            )
    return Split(train, validation, test, by, seed, folds, fold, _warnings(records, by, train))


def _listed(records: Sequence[Record], by: str | None, folds: FoldList, fold: int, seed: int) -> Split:
    """Divide as a list of folds says."""
    if by not in (None, folds.by):
        raise SettingsError(
            f"data.split_by={by} does not go with data.folds={folds.name}, which keeps each {folds.by} together; leave "
            "data.split_by=null, or take data.folds=null"
        )
    _check_content(records)
    sides, found = folds.sides(records, fold)
    warnings = (*found, *_warnings(records, folds.by, sides["train"]))
    return Split(sides["train"], sides["validation"], sides["test"], folds.by, seed, folds.name, fold, warnings)


def known_levels(records: Sequence[Record]) -> list[str]:
    """List the levels that every record knows, the strictest first; ``image`` is always known."""
    named = [level for level in LEVELS[:2] if all(getattr(record, level) is not None for record in records)]
    return [*named, "image"]


def _chosen_level(records: Sequence[Record], by: str | None, needed: int) -> str:
    known = known_levels(records)
    if by is None:
        return next(level for level in known if level == "image" or len(group_records(records, level)) >= needed)
    if by not in known:
        raise SettingsError(f"data.split_by={by} is not possible: this data set knows only {', '.join(known)}")
    return by


def _check_settings(by: str | None, fractions: Sequence[float], folds: int | None, fold: int) -> None:
    if by is not None and by not in LEVELS:
        raise SettingsError(f"data.split_by must be one of {', '.join(LEVELS)}, not {by!r}")
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise SettingsError(f"data.fractions must be three positive numbers that add up to 1, not {list(fractions)}")
    if folds is not None and folds < 2:
        raise SettingsError(f"data.folds must be at least 2, not {folds}")
    if not 0 <= fold < (folds or 1):
        allowed = f"from 0 to {folds - 1}" if folds else "0 unless data.folds is set"
        raise SettingsError(f"data.fold must be {allowed}, not {fold}")


def _check_content(records: Sequence[Record]) -> None:
    if not records:
        raise DataError("the data set has no images")
    classes = {record.label for record in records}
    if len(classes) < 2:
        raise DataError(f"all {len(records)} images are of class {CLASSES[classes.pop()]}; two classes are needed")
    if len(records) < len(CLASSES):
        raise DataError(f"{len(records)} images are fewer than the {len(CLASSES)} classes")


def _warnings(records: Sequence[Record], by: str, train: Indices) -> tuple[str, ...]:
    found = []
    known = known_levels(records)
    if by == "image" and len(known) > 1:
        found.append(
            f"split by image although the {known[0]} of every image is known: chromosomes of one cell fall on several "
            f"sides and the accuracy reads too high; data.split_by={known[0]} is the honest one"
        )
    absent = {record.label for record in records} - {records[index].label for index in train.tolist()}
    if absent:
        names = ", ".join(CLASSES[label] for label in sorted(absent))
        found.append(f"no image of class {names} is on the training side")
    return tuple(found)


def _distinct(values: Sequence[str | None]) -> int | None:
    known = {value for value in values if value is not None}
    return len(known) or None


def _spoken(fractions: Sequence[float]) -> str:
    return " / ".join(f"{fraction:.0%}" for fraction in fractions)
