"""From a public set's address to a verified folder of images."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from karyo.data.download.archive import unpack
from karyo.data.download.catalogue import Archive, PublicSet
from karyo.data.download.fetch import Report, UnreachableError, fetch, forget
from karyo.errors import DataError, SettingsError
from karyo.servers import mirrored

MIRROR_VARIABLE = "KARYO_DATA_MIRROR"
"""Environment variable: a base URL that holds the archives by their file names, for closed networks."""

MARKER = ".karyo-download.json"
"""In each unpacked folder: which archive it is from, and the size of each of its files."""

_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Delivery:
    """A public set on disk.

    Attributes:
        folder: What ``data.root`` is.
        files: Number of files in it.
        came: ``downloaded``, ``by hand`` (its archive was there) or ``present`` (it was unpacked before).
    """

    folder: Path
    files: int
    came: str


def deliver(public: PublicSet, archive: Archive, target: Path, report: Report) -> Delivery:
    """Download, verify and unpack a set, as far as each has not been done.

    The archive lies at ``target/<its name>``, the set at ``target/<set>``. An archive that someone has put there is
    used without a connection.

    Args:
        public: The set.
        archive: Its archive.
        target: Made if missing.
        report: Told of the download's progress.

    Raises:
        SettingsError: If ``target`` cannot be a folder, or the mirror's address is none.
        DataError: If the archive cannot be had, is not the one that was published or is not safe to unpack, or the
            folder holds something else. Nothing is left half-unpacked.
    """
    folder, file = target / public.name, target / archive.file
    try:
        target.mkdir(parents=True, exist_ok=True)
        with _alone(target):
            if folder.exists() and not (folder.is_dir() and _is_empty(folder)):
                return Delivery(folder, _count_complete(folder, archive.blob), "present")
            came = "by hand" if file.exists() else "downloaded"
            if came == "by hand":
                _verify_own(file, archive)
            else:
                _download(archive, file, report)
            return Delivery(folder, _unpack_beside(file, folder, archive), came)
    except (FileExistsError, NotADirectoryError) as error:
        raise SettingsError(f"{error.filename} is no folder; give another one.") from error
    except OSError as error:
        where = error.filename or target
        raise DataError(
            f"{where} cannot be written or read ({error.strerror or error}); make room there or give another folder."
        ) from error


def git_blob_id(file: Path) -> str:
    """Compute the id by which git knows a file's content: SHA-1 over ``blob <size>``, a zero byte and the content.

    Args:
        file: Read in blocks, so that it may be of any size.

    Returns:
        40 hexadecimal digits.

    Raises:
        OSError: If the file cannot be read.
    """
    with file.open("rb") as content:
        size = os.fstat(content.fileno()).st_size
        digest = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
        while block := content.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _download(archive: Archive, file: Path, report: Report) -> None:
    """Bring the archive to its place; only a verified one gets there."""
    url = mirrored(archive.url, MIRROR_VARIABLE)
    part = file.with_name(file.name + ".part")
    try:
        fetch(url, part, archive.size, report)
    except UnreachableError as error:
        what = "the file" if url == archive.url else archive.url
        raise DataError(
            f"{url} cannot be fetched ({error}): get {what} by hand, put it at {file} and run the same command again, "
            f"or set {MIRROR_VARIABLE} to a server that you can reach."
        ) from error
    found = git_blob_id(part)
    if found != archive.blob:
        forget(part)
        raise DataError(
            f"what came from {url} is damaged or another file (git blob id {found}, not {archive.blob}) and was "
            "removed; run the same command again to start over."
        )
    part.replace(file)
    forget(part)


def _verify_own(file: Path, archive: Archive) -> None:
    """Refuse an archive put there by hand that is not the published one; it is not ours to delete."""
    found = git_blob_id(file)
    if found != archive.blob:
        raise DataError(
            f"{file} is damaged or another file (git blob id {found}, not {archive.blob}); take it away and run the "
            "same command again to download it."
        )


def _unpack_beside(file: Path, folder: Path, archive: Archive) -> int:
    """Unpack into a folder beside, mark it, and put it in its place in one step; gives the number of files."""
    beside = folder.with_name(f".{folder.name}.unpacking")
    if beside.exists():
        shutil.rmtree(beside)  # Left by a run that was killed; nobody else works here now.
    try:
        beside.mkdir()
        files = unpack(file, beside, archive.limits)
        marker = {"blob": archive.blob, "files": files}
        (beside / MARKER).write_text(json.dumps(marker, ensure_ascii=True, indent=0), "utf-8")
        beside.replace(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return len(files)


def _count_complete(folder: Path, blob: str) -> int:
    """Give the number of files of a folder unpacked before.

    Raises:
        DataError: If it is not from this archive, or no longer complete.
    """
    try:
        marker = json.loads((folder / MARKER).read_text("utf-8"))
        files = {str(name): int(size) for name, size in marker["files"].items()}
        same = marker["blob"] == blob
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError, KeyError, AttributeError):
        same = False
    if not same:
        raise DataError(f"{folder} is not from this archive; rename it or give another folder.")
    wrong = [name for name, size in files.items() if _size(folder / name) != size]
    if wrong:
        raise DataError(
            f"{folder} is not complete: {len(wrong):,} of {len(files):,} files are missing or changed, such as "
            f"{wrong[0]!r}; delete the folder and run the same command again."
        )
    return len(files)


def _size(file: Path) -> int | None:
    """Bytes of a file; None if there is none."""
    return file.stat().st_size if file.is_file() else None


def _is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Keep a second download out of a folder while the first one works in it."""
    handle = os.open(target, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise DataError(f"another download is working in {target}; wait for it to end.") from error
    finally:
        os.close(handle)
