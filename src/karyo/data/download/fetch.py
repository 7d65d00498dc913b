"""One large file over HTTP into a file beside its place; a download that was cut off goes on where it stopped."""

import http.client
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from karyo.errors import DataError
from karyo.servers import PATIENCE, reason

Report = Callable[[int, int | None], None]
"""Called with the bytes there are and the bytes there will be (None if the server does not say)."""

_BLOCK = 2**16
_RANGE = re.compile(r"bytes (?P<first>\d+)-\d+/(?P<total>\d+)")
_UNSATISFIED = re.compile(r"bytes \*/(?P<total>\d+)")
_PARTIAL, _UNSATISFIABLE = 206, 416


class UnreachableError(DataError):
    """The server does not answer, or not with the file; the text is the reason alone."""


class _StaleError(UnreachableError):
    """What an earlier attempt has left cannot be continued."""


def fetch(url: str, part: Path, limit: int, report: Report) -> None:
    """Fetch a file, going on with what an earlier attempt has left.

    The server is asked for the missing rest (RFC 9110, section 14), on the condition that its file is still the one
    that the beginning is from, as far as it names versions by a strong ETag; that tag is kept in a file beside the
    part. A server that cannot send the rest sends the whole, which then replaces the beginning.

    Args:
        url: ``https://``, ``http://`` or ``file://``.
        part: Where the bytes go. Complete when this returns, but not yet verified; kept when the connection breaks,
            so that the next call goes on.
        limit: Bytes that the file can have at most.
        report: Told of the progress.

    Raises:
        UnreachableError: If there is no connection, or the server has no such file.
        DataError: If the connection breaks half-way, or the file is larger than ``limit``.
        OSError: If ``part`` cannot be written.
    """
    try:
        _go_on(url, part, limit, report)
    except _StaleError:
        forget(part)
        _go_on(url, part, limit, report)


def forget(part: Path) -> None:
    """Remove what an attempt has left."""
    part.unlink(missing_ok=True)
    _tag_file(part).unlink(missing_ok=True)


def _go_on(url: str, part: Path, limit: int, report: Report) -> None:
    """Fetch what is missing.

    Raises:
        _StaleError: If the server's answer does not fit what is there.
    """
    have = part.stat().st_size if part.exists() else 0
    tag = _read_tag(part)
    response = _ask(url, have, tag)
    if response is None:
        return
    with response:
        sent = response.headers.get("ETag", "")
        if getattr(response, "status", None) == _PARTIAL:
            begins = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if not have or not begins or int(begins["first"]) != have or (tag and sent and sent != tag):
                raise _StaleError("the server sends another part than the one asked for")
        else:
            forget(part)
            have = 0
            _write_tag(part, sent)
        _receive(response, part, have, limit, report)


def _ask(url: str, have: int, tag: str) -> Any:
    """Ask for a file from byte ``have`` on.

    Returns:
        urllib's response; None if nothing is missing.

    Raises:
        _StaleError: If the server's file has fewer bytes than ``have``.
        UnreachableError: If there is no file to be had.
    """
    try:
        request = Request(url)
        if have:
            request.add_header("Range", f"bytes={have}-")
            if tag:
                request.add_header("If-Range", tag)
        return urlopen(request, timeout=PATIENCE)
    except HTTPError as answer:
        answer.close()
        if not have or answer.code != _UNSATISFIABLE:
            raise UnreachableError(reason(answer)) from answer
        end = _UNSATISFIED.fullmatch(answer.headers.get("Content-Range", ""))
        if end is None or int(end["total"]) != have:
            raise _StaleError(reason(answer)) from answer
        return None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UnreachableError(reason(error)) from error


def _receive(response: Any, part: Path, have: int, limit: int, report: Report) -> None:
    """Append an answer's body to the part."""
    length = response.headers.get("Content-Length", "")
    total = have + int(length) if length.isdecimal() else None
    largest = total or 0
    if largest <= limit:
        report(have, total)
        with part.open("ab") as file:
            for block in _blocks(response):
                have += file.write(block)
                if have > limit:
                    break
                report(have, total)
        largest = have
    if largest > limit:
        forget(part)
        raise DataError(
            f"{response.url} sends {largest:,} bytes or more, but the file that is meant has at most {limit:,}; "
            "nothing was kept."
        )
    if total is not None and have < total:
        raise DataError(_broken(response.url, f"after {have:,} of {total:,} bytes"))


def _blocks(response: Any) -> Iterator[bytes]:
    """The body in blocks; a failing connection is told from a failing disk."""
    while True:
        try:
            # Whatever has come: a broken connection then loses nothing of it.
            block = response.read1(_BLOCK) if hasattr(response, "read1") else response.read(_BLOCK)
        except (OSError, http.client.HTTPException) as error:
            raise DataError(_broken(response.url, f"({reason(error)})")) from error
        if not block:
            return
        yield block


def _broken(url: str, how: str) -> str:
    return f"the download of {url} broke off {how}; run the same command again, it goes on from there."


def _tag_file(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _read_tag(part: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return _tag_file(part).read_text("ascii").strip()
    return ""


def _write_tag(part: Path, tag: str) -> None:
    """Keep a strong tag; a weak one (W/"...") does not promise equal bytes and may not be used in If-Range."""
    if re.fullmatch(r'"[\x21\x23-\x7e]*"', tag):
        _tag_file(part).write_text(tag, "ascii")
    else:
        _tag_file(part).unlink(missing_ok=True)
