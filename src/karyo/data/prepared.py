"""Every image decoded and prepared once: no epoch, and no second run of a sweep, decodes again."""

import hashlib
import io
import json
import logging
import os
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from karyo.data.sources import Source
from karyo.errors import DataError, SettingsError
from karyo.files import write_beside
from karyo.imaging.preparation import Preparation

log = logging.getLogger(__name__)

CACHES: tuple[str, ...] = ("memory", "disk", "none")
_FORMAT = 1
"""Raised whenever the same settings would give other pixels, so that old caches are not read."""
_DIGEST_BYTES = 16
_SHOWN = 20
_KEPT = 2
_recent: "OrderedDict[str, PreparedImages]" = OrderedDict()

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class PreparedImages:
    """The prepared images of a data set's readable records.

    Attributes:
        rows: Positions of the readable records among all of the source's, sorted, (M,) int64.
        digests: A digest of each readable image's decoded pixels, before preparation, (M, 16) uint8.
        problems: One sentence for each image that could not be read.
    """

    rows: NDArray[np.int64]
    digests: Pixels
    problems: tuple[str, ...]
    _pixels: Pixels | None
    _draw: Callable[[int], Pixels]

    def __len__(self) -> int:
        """Return the number of readable images."""
        return len(self.rows)

    def take(self, indices: Sequence[int] | NDArray[np.int64]) -> Pixels:
        """Give some images.

        Args:
            indices: Positions 0..M-1 among the readable images.

        Returns:
            Array (len(indices), size, size), uint8, a copy.
        """
        rows = self.rows[np.asarray(indices, dtype=np.int64)]
        if self._pixels is None:
            return np.stack([self._draw(row) for row in rows.tolist()])
        return np.asarray(self._pixels[rows])


def prepare_images(
    source: Source,
    preparation: Preparation,
    cache: str = "memory",
    cache_dir: str | Path | None = None,
    on_bad_image: str = "error",
) -> PreparedImages:
    """Read and prepare all images of a source, or find them prepared by an earlier call or run.

    Args:
        source: The data set.
        preparation: What to do to each image.
        cache: ``memory`` holds all prepared images as one array; ``disk`` as a file that is mapped into memory and
            found again by later runs; ``none`` holds none and decodes at each access (one pass is made all the same,
            to find unreadable images and duplicates).
        cache_dir: Folder for ``disk``; None for ``$XDG_CACHE_HOME/karyo`` or ``~/.cache/karyo``.
        on_bad_image: ``error`` to refuse data with unreadable images, listing them; ``skip`` to leave them out.

    Returns:
        The prepared images.

    Raises:
        SettingsError: If ``cache`` or ``on_bad_image`` is none of these.
        DataError: If images are unreadable, or the cache cannot be written.
    """
    if cache not in CACHES:
        raise SettingsError(f"data.cache must be one of {', '.join(CACHES)}, not {cache!r}")
    if on_bad_image not in ("error", "skip"):
        raise SettingsError(f"data.on_bad_image must be error or skip, not {on_bad_image!r}")
    content = json.dumps([_FORMAT, source.fingerprint(), preparation.to_dict()], sort_keys=True)
    key = hashlib.sha256(content.encode()).hexdigest()
    place = f"{cache}:{cache_dir}:{key}"
    if place not in _recent:
        folder = _cache_folder(cache_dir) if cache == "disk" else None
        _recent[place] = _from_disk(source, preparation, folder / key) if folder else _drawn(source, preparation, cache)
    _recent.move_to_end(place)
    while len(_recent) > _KEPT:
        _recent.popitem(last=False)
    # The records may be equal but the source another object: keep the pixels, read through the one at hand.
    prepared = replace(_recent[place], _draw=_drawer(source, preparation))
    _report_problems(prepared, on_bad_image, source.name)
    return prepared


def _drawn(source: Source, preparation: Preparation, cache: str) -> PreparedImages:
    shape = (len(source.records), preparation.size, preparation.size)
    try:
        pixels = np.empty(shape, np.uint8) if cache == "memory" else None
    except MemoryError:
        raise DataError(f"{len(source.records)} images do not fit into memory; use data.cache=disk") from None
    return _filled(source, preparation, pixels)


def _filled(source: Source, preparation: Preparation, pixels: Pixels | None) -> PreparedImages:
    """Read and prepare every record once, in threads (OpenCV works outside the interpreter's lock)."""
    records = source.records
    digests = np.zeros((len(records), _DIGEST_BYTES), np.uint8)
    crowded = np.zeros(len(records), np.bool_)

    def one(row: int) -> str | None:
        try:
            grey = source.read(records[row])
        except DataError as error:
            return str(error)
        digest = hashlib.blake2b(repr(grey.shape).encode() + grey.tobytes(), digest_size=_DIGEST_BYTES)
        digests[row] = np.frombuffer(digest.digest(), np.uint8)
        prepared, state = preparation.follow(grey)
        crowded[row] = (state.objects or 0) > 1
        if pixels is not None:
            pixels[row] = prepared
        return None

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        try:
            outcomes = _with_progress(threads.map(one, range(len(records))), len(records), f"reading {source.name}")
        except BaseException:
            # Ctrl-C must not wait for thousands of images that nobody will look at.
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    if crowded.any():
        log.warning(
            "%s: preprocessing counted more than one object in %d of %d images, such as %s, and kept one of each; "
            "`karyo preprocess` lists them all",
            *(source.name, crowded.sum(), len(records), source.locate(records[int(crowded.argmax())])),
        )
    rows = np.array([row for row, problem in enumerate(outcomes) if problem is None], dtype=np.int64)
    problems = tuple(problem for problem in outcomes if problem is not None)
    return PreparedImages(rows, digests[rows], problems, pixels, _drawer(source, preparation))


def _drawer(source: Source, preparation: Preparation) -> Callable[[int], Pixels]:
    # Not a closure: the data travel to the other processes of a distributed run.
    return partial(_draw_row, source, preparation)


def _draw_row(source: Source, preparation: Preparation, row: int) -> Pixels:
    return preparation(source.read(source.records[row]))


def _with_progress(outcomes: Any, total: int, title: str) -> list[str | None]:
    console = Console(stderr=True)
    return list(track(outcomes, title, total, console=console, transient=True, disable=not console.is_terminal))


def _from_disk(source: Source, preparation: Preparation, stem: Path) -> PreparedImages:
    """Open the cache files of a key, after writing them where they are missing."""
    facts, images = stem.with_suffix(".npz"), stem.with_suffix(".npy")
    shape = (len(source.records), preparation.size, preparation.size)
    draw = _drawer(source, preparation)
    if found := _opened(facts, images, shape, draw):
        log.info("%s: prepared images found in %s", source.name, images)
        return found
    try:
        write_beside(images, lambda beside: _write(beside, facts, source, preparation, shape))
    except OSError as error:
        raise DataError(
            f"prepared images cannot be kept in {stem.parent}: {error.strerror or error}; "
            "choose another folder with data.cache_dir=FOLDER or use data.cache=memory"
        ) from error
    if found := _opened(facts, images, shape, draw):
        return found
    raise DataError(f"prepared images in {stem.parent} cannot be read back; use data.cache=memory")


def _opened(facts: Path, images: Path, shape: tuple[int, ...], draw: Callable[[int], Pixels]) -> PreparedImages | None:
    try:
        pixels = np.load(images, mmap_mode="r", allow_pickle=False)
        # Through its bytes: numpy leaves a damaged archive's file open.
        with np.load(io.BytesIO(facts.read_bytes()), allow_pickle=False) as stored:
            rows, digests, problems = stored["rows"], stored["digests"], stored["problems"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("the cache %s is damaged and is made anew: %s", images, error)
        return None
    if pixels.shape != shape or pixels.dtype != np.uint8:
        return None
    return PreparedImages(rows, digests, tuple(problems.tolist()), pixels, draw)


def _write(beside: Path, facts: Path, source: Source, preparation: Preparation, shape: tuple[int, ...]) -> None:
    pixels = np.lib.format.open_memmap(beside, mode="w+", dtype=np.uint8, shape=shape)
    if hasattr(os, "posix_fallocate") and pixels.size:
        # A full disk shows here as an error; writing into a mapped file with holes would kill the process instead.
        with beside.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, pixels.offset + pixels.nbytes)
    filled = _filled(source, preparation, pixels)
    pixels.flush()
    problems = np.array(filled.problems, dtype=np.str_)
    write_beside(facts, lambda place: np.savez(place, rows=filled.rows, digests=filled.digests, problems=problems))


def _cache_folder(cache_dir: str | Path | None) -> Path:
    if cache_dir is not None:
        return Path(cache_dir).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "karyo"


def _report_problems(prepared: PreparedImages, on_bad_image: str, name: str) -> None:
    problems = prepared.problems
    if not problems:
        return
    listed = "; ".join(problems[:_SHOWN]) + (f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else "")
    if on_bad_image == "error":
        raise DataError(
            f"{len(problems)} images of {name} cannot be read: {listed}; data.on_bad_image=skip leaves them out"
        )
    if not len(prepared):
        raise DataError(f"none of the {len(problems)} images of {name} can be read: {listed}")
    log.warning("%s: %d unreadable images left out: %s", name, len(problems), listed)
