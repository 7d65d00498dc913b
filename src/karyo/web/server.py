"""The server: waitress with this program's limits, and an end that finishes what is running."""

import errno
import math
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from karyo.errors import DataError, SettingsError
from karyo.inference.predictor import Predictor, load
from karyo.web.access_log import start_logging
from karyo.web.app import create_app
from karyo.web.channel import Channel
from karyo.web.memory import return_large_blocks
from karyo.web.service import EXTENSION, Service
from karyo.web.settings import ServerSettings

_LONGEST_HEADER = 16_384
_TICK = 0.5
_BACKLOG = 1024
_AFTER_OUR_LIMIT = 5
_TROUBLES = {
    errno.EADDRINUSE: "another program listens there already; choose another --port",
    errno.EACCES: "only an administrator may use a port below 1024; choose another --port",
    errno.EADDRNOTAVAIL: "this machine has no such address; choose another --host",
}


class Server(TcpWSGIServer):  # type: ignore[misc]
    """waitress with stricter connections and an orderly end."""

    channel_class = Channel

    def __init__(self, service: Service, application: Any, listener: socket.socket) -> None:
        adjustments = _adjust(service.settings)
        dispatcher = ThreadedTaskDispatcher()
        dispatcher.set_thread_count(service.settings.threads)
        information = (listener.family, listener.type, listener.proto, listener.getsockname())
        self._service = service
        super().__init__(
            application,
            {},
            True,
            listener,
            dispatcher=dispatcher,
            adj=adjustments,
            sockinfo=information,
            bind_socket=False,
        )

    @property
    def stopping(self) -> bool:
        """Whether the server has been told to stop."""
        return self._service.stopping.is_set()

    def maintenance(self, now: float) -> None:
        """Close idle connections, refuse requests that arrive too slowly."""
        super().maintenance(now)
        for channel in list(self.active_channels.values()):
            channel.check_time(time.monotonic(), self._service.settings.request_timeout)

    def on_refusal(self, method: str, status: int, code: str, seconds: float) -> None:
        """Count what waitress refused before it reached a route."""
        metrics = self._service.metrics
        metrics.count_request("unknown", method, status, seconds)
        metrics.errors.labels(code).inc()

    def run(self) -> None:
        """Serve until the service is told to stop, then finish what is running."""
        while not self.stopping:
            self._turn()
        self.accepting = False
        # Only the listening socket: those who are connected get their answers.
        self.del_channel()
        self.socket.close()
        end = time.monotonic() + self._service.settings.grace
        while time.monotonic() < end and any(channel.busy for channel in self.active_channels.values()):
            self._turn()
        self.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._map, ignore_all=True)

    def _turn(self) -> None:
        self.maintenance(time.time())
        wasyncore.loop(timeout=_TICK, use_poll=True, map=self._map, count=1)


def say(line: str) -> None:
    """Print a line at once: whoever waits for it may read from a pipe."""
    print(line, flush=True)


def serve(model: Path, settings: ServerSettings, announce: Callable[[str], None] = say) -> None:
    """Serve a model until SIGTERM or SIGINT.

    Args:
        model: A file that ``karyo export`` wrote.
        settings: The server's.
        announce: Called with one line when the server is ready.

    Raises:
        SettingsError: If there is no such file, or the address cannot be used.
        DataError: If the file is damaged or not one of this program's.
    """
    listener = _listen(settings.host, settings.port)
    try:
        return_large_blocks()
        start_logging(settings.access_log)
        app = create_app(*_open(model, settings))
        service: Service = app.extensions[EXTENSION]
        server = Server(service, app, listener)
        _stop_on_signals(service, server)
        announce(f"karyo serves {model.name} at {address(listener)}")
        server.run()
        service.batcher.stop()
    finally:
        listener.close()


def _open(model: Path, settings: ServerSettings) -> tuple[Predictor, ServerSettings, Predictor | None]:
    """Open a model for one batch with all cores and, where there are several, for many batches with one core each."""
    predictor = load(model, settings.network_threads)
    if settings.lanes == 1:
        return predictor, settings, None
    crowded = load(model, 1)
    if crowded.passport != predictor.passport:
        raise DataError(f"{model} was replaced while it was being opened; start again")
    return predictor, settings, crowded


def address(listener: socket.socket) -> str:
    """Write the URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    """Open the listening socket, before anything slow is done.

    Raises:
        SettingsError: If the address cannot be used.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, place = min(found, key=lambda each: each[0] != socket.AF_INET)
        return socket.create_server(place[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = _TROUBLES.get(error.errno or 0) or error.strerror or str(error)
        if isinstance(error, socket.gaierror):
            reason = "there is no such host; choose another --host"
        raise SettingsError(f"cannot listen at {host}, port {port}: {reason}") from error


def _adjust(settings: ServerSettings) -> Adjustments:
    proxy: dict[str, Any] = {}
    if settings.trusted_proxy:
        proxy = {"trusted_proxy": settings.trusted_proxy, "trusted_proxy_headers": "x-forwarded-for x-forwarded-proto"}
    return Adjustments(
        ident=None,
        threads=settings.threads,
        connection_limit=settings.connections,
        cleanup_interval=1,
        # Later than our own limit, which answers 408; waitress hangs up without a word.
        channel_timeout=math.ceil(settings.request_timeout) + _AFTER_OUR_LIMIT,
        log_socket_errors=False,
        recv_bytes=65_536,
        max_request_header_size=_LONGEST_HEADER,
        # waitress refuses what reaches its limit, not only what passes it.
        max_request_body_size=settings.max_upload_bytes + 1,
        clear_untrusted_proxy_headers=True,
        **proxy,
    )


def _stop_on_signals(service: Service, server: Server) -> None:
    """Let the first SIGTERM or SIGINT end the server in order, and a second one at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        service.stopping.set()
        server.pull_trigger()
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)

    with suppress(ValueError):  # not in the main thread: a test stops the service itself
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, stop)
