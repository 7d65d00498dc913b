"""Several data sets as one, to learn from all of them before the one that counts."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.data.records import Record
from karyo.data.sources import Source
from karyo.errors import SettingsError


class JoinedSource:
    """The records of several data sets, one set after the other, each image brought to a common scale.

    A path, a cell and a case are named with their data set before them, ``bioimlab/12/12 7a.bmp``; a case that a data
    set does not know is its cell, so that all can be split by case. Polarity is left to the preparation.

    Args:
        members: For each data set, by name, what opens it: a function of its folder, or of nothing where it needs none
            (drawn cells).
        roots: Folders of data sets, by name. One that is null is not taken in; one without an entry needs no folder.
        scales: What the sides of a data set's images are multiplied by, where it was photographed at another scale.

    Attributes:
        name: ``"joined"``.
        records: All records.

    Raises:
        SettingsError: If no data set is left, a name or a scale cannot be meant, or a data set cannot be opened.
    """

    def __init__(
        self,
        members: Mapping[str, Callable[..., Source] | None],
        roots: Mapping[str, str | None] | None = None,
        scales: Mapping[str, float] | None = None,
    ) -> None:
        roots, self._scales = dict(roots or {}), dict(scales or {})
        _check(members, roots, self._scales)
        wanted = [name for name, opener in members.items() if opener is not None and roots.get(name, "") is not None]
        if not wanted:
            folders = " or ".join(f"data.source.roots.{name}=FOLDER" for name in roots)
            raise SettingsError(f"there is no data set to join; give {folders or 'one in data.source.members'}")
        self.name = "joined"
        self._members = {name: _opened(members[name], roots.get(name)) for name in wanted}
        self._own: dict[str, tuple[str, Record]] = {}
        self.records = tuple(
            self._joined(name, record) for name, member in self._members.items() for record in member.records
        )

    def read(self, record: Record) -> NDArray[np.uint8]:
        """Read one image, (H, W) uint8 grey, as stored but for its scale.

        Raises:
            DataError: If the image cannot be read.
        """
        name, own = self._own[record.path]
        grey, scale = self._members[name].read(own), self._scales.get(name, 1.0)
        if scale == 1:
            return grey
        size = tuple(max(round(side * scale), 1) for side in grey.shape[::-1])
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(grey, size, interpolation=way), np.uint8)

    def locate(self, record: Record) -> str:
        """Say where a record's image is, as its own data set does."""
        name, own = self._own[record.path]
        return self._members[name].locate(own)

    def fingerprint(self) -> str:
        """Return a SHA-256 in hexadecimal over the members' fingerprints and scales."""
        content = [(name, member.fingerprint(), self._scales.get(name, 1.0)) for name, member in self._members.items()]
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def _joined(self, name: str, own: Record) -> Record:
        record = replace(
            own,
            path=f"{name}/{own.path}",
            cell=_named(name, own.cell),
            case=_named(name, own.case if own.case is not None else own.cell),
        )
        self._own[record.path] = (name, own)
        return record


def _named(name: str, known: str | None) -> str | None:
    return None if known is None else f"{name}/{known}"


def _opened(opener: Callable[..., Source] | None, root: str | None) -> Source:
    assert opener is not None
    return opener() if root is None else opener(root=root)


def _check(members: Mapping[str, object], roots: Mapping[str, object], scales: Mapping[str, object]) -> None:
    for setting, given in (("roots", roots), ("scales", scales)):
        unknown = [name for name in given if name not in members]
        if unknown:
            raise SettingsError(f"data.source.{setting} has no {unknown[0]!r}; it can have {', '.join(members)}")
    for name, scale in scales.items():
        if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not 0.05 <= scale <= 20:
            raise SettingsError(f"data.source.scales.{name} must be a number from 0.05 to 20, not {scale!r}")
