"""What waitress does with one connection, made stricter: total time limits, JSON errors, no upload after a refusal."""

import socket
import time
from typing import TYPE_CHECKING, Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import BadRequest, Error

from karyo.web.access_log import log_request
from karyo.web.refusal import JSON_TYPE, error_body, known
from karyo.web.request_id import HEADER, request_id
from karyo.web.security import secure

if TYPE_CHECKING:
    from karyo.web.server import Server

_LONGEST_LINE = 1024
_LINGER = 5.0
"""Seconds in which a refused client may go on sending; what it sends is thrown away."""


class RequestTimeoutError(Error):  # type: ignore[misc]
    """A request that did not arrive in time."""

    code = 408
    reason = "Request Timeout"


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    """Reads a request, and bounds what waitress leaves unbounded."""

    path = ""
    error: Any

    def __init__(self, adj: Any) -> None:
        super().__init__(adj)
        self.started = time.monotonic()

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        # Two lengths for one body: a proxy before this server might believe the other one.
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("both Content-Length and Transfer-Encoding are given")

    def received(self, data: bytes) -> int:
        consumed: int = super().received(data)
        body = self.body_rcv
        # waitress keeps an unfinished line of a chunked body and copies it at every packet.
        unfinished = (len(body.control_line), len(body.trailer)) if self.chunked and body is not None else (0, 0)
        if unfinished > (0, 0) and self.error is None and max(unfinished) > _LONGEST_LINE:
            self.error = BadRequest("a line of the chunked body is too long")
            self.completed = True
        return consumed


class _ErrorAnswer(ErrorTask):  # type: ignore[misc]
    """Answers what waitress itself refuses, in the one shape of all errors."""

    def execute(self) -> None:
        """Write the answer, count it and log it."""
        error = self.request.error
        identity = request_id(self.request.headers.get("X_REQUEST_ID"))
        code, message = known(error.code)
        body = error_body(code, message, identity)
        headers = {"Content-Type": JSON_TYPE, HEADER: identity}
        secure(headers, is_page=False)
        self.status = f"{error.code} {error.reason}"
        self.response_headers.extend(headers.items())
        self.set_close_on_finish()
        self.content_length = len(body)
        self.channel.lingers = True
        self.write(body)
        self._record(error.code, code, len(body), identity)

    def _record(self, status: int, code: str, size: int, identity: str) -> None:
        method = getattr(self.request, "command", "")
        seconds = time.monotonic() - self.request.started
        self.channel.server.on_refusal(method, status, code, seconds)
        log_request(
            method=method,
            path=self.request.path,
            status=status,
            ms=round(seconds * 1000, 2),
            bytes_in=self.request.body_bytes_received,
            bytes_out=size,
            images=0,
            request_id=identity,
            client=self.channel.addr[0],
        )


class _Answer(WSGITask):  # type: ignore[misc]
    """Answers by the application; the last one on its connection when the server is stopping."""

    def build_response_header(self) -> bytes:
        if self.channel.server.stopping:
            self.set_close_on_finish()
        header: bytes = super().build_response_header()
        return header


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection."""

    parser_class = _Parser
    task_class = _Answer
    error_task_class = _ErrorAnswer

    server: "Server"
    request: Any
    close_when_flushed: bool
    lingers = False
    draining_until: float | None = None

    @property
    def busy(self) -> bool:
        """Whether something is arriving, being worked on or going out."""
        if self.draining_until is not None:
            return False
        return bool(self.requests or self.request is not None or self.total_outbufs_len)

    def send_continue(self) -> None:
        """Ask for the body, except after a refusal: waitress would take it in all the same."""
        if self.request.error is None:
            super().send_continue()

    def check_time(self, now: float, limit: float) -> None:
        """Refuse a request that has been arriving for too long; end a connection that has been let go long enough.

        Args:
            now: ``time.monotonic()``.
            limit: Seconds for a whole request.
        """
        if self.draining_until is not None:
            if now > self.draining_until:
                self.handle_close()
            return
        with self.requests_lock:
            request = self.request
            if request is None or self.requests or now - request.started <= limit:
                return
            request.error = RequestTimeoutError("")
            request.completed = True
            self.request = None
            self.requests.append(request)
            self.server.add_task(self)

    def handle_write(self) -> None:
        """Send; after a refusal let the client finish speaking, else it would see a reset instead of the answer."""
        if not self.lingers:
            super().handle_write()
            return
        if self.draining_until is None and self.close_when_flushed and not self.total_outbufs_len:
            self.close_when_flushed = False
            self.draining_until = time.monotonic() + _LINGER
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                self.handle_close()
        elif self.draining_until is None:
            super().handle_write()

    def writable(self) -> bool:
        """Whether there is something to send."""
        return self.draining_until is None and bool(super().writable())

    def readable(self) -> bool:
        """Whether to take what the client sends."""
        return self.draining_until is not None or bool(super().readable())

    def received(self, data: bytes) -> bool:
        """Take what the client sends; after a refusal throw it away."""
        return self.draining_until is None and bool(super().received(data))
