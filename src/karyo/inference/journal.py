"""Results of a long prediction, kept as they come, so that the same command goes on after Ctrl-C, a crash or a cut."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from karyo.errors import KaryoError
from karyo.inference.passport import Passport

Row = dict[str, Any]
"""What is known of one image, as primitives; ``name`` is its path."""


class Journal:
    """A file of JSON lines beside the one that is being made.

    The first line says which model answers; each other one is an image's row with the size and the time of change of
    its file. Rows of another model, of images that have changed since, and a last line that was cut off are not used.

    Args:
        out: The file that is being made; the journal is a hidden file beside it.
        passport: Of the model that answers.

    Attributes:
        rows: What earlier runs found, by path.

    Raises:
        KaryoError: If the journal cannot be written.
    """

    def __init__(self, out: Path, passport: Passport) -> None:
        self._path = out.with_name(f".{out.name}.journal")
        self._model = hashlib.sha256(passport.to_json().encode()).hexdigest()
        self.rows = self._earlier_rows()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Written anew, not appended to: the last line may have been cut off.
            self._file = self._path.open("w", encoding="utf-8", errors="surrogateescape")
        except OSError as error:
            raise KaryoError(f"{out} cannot be written: {error.strerror or error}") from error
        self._write({"model": self._model})
        for row in self.rows.values():
            self._write({"row": row, "stamp": _stamp(row["name"])})

    def add(self, row: Row) -> None:
        """Keep an image's row.

        Raises:
            KaryoError: If it cannot be written (a full disk).
        """
        self._write({"row": row, "stamp": _stamp(row["name"])})

    def done(self) -> None:
        """Remove the journal: what it held stands in the finished file."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What could not be written would be tried again, and hide why.
        with suppress(OSError):
            self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        try:
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._file.flush()
        except OSError as error:
            raise KaryoError(f"{self._path} cannot be written: {error.strerror or error}") from error

    def _earlier_rows(self) -> dict[str, Row]:
        try:
            lines = self._path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
        except OSError:
            return {}
        kept = [line for line in map(_parsed, lines) if line is not None]
        if not kept or kept[0].get("model") != self._model:
            return {}
        rows = ((line.get("row"), line.get("stamp")) for line in kept[1:])
        named = ((row, stamp) for row, stamp in rows if isinstance(row, dict) and isinstance(row.get("name"), str))
        return {row["name"]: row for row, stamp in named if stamp == _stamp(row["name"])}


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        content = json.loads(line)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _stamp(path: str) -> list[int] | None:
    """Size in bytes and time of change in nanoseconds; None for a file that is gone."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]
