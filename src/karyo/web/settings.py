"""How the server is set up: by flags, by environment variables, within ranges that can be meant."""

import os
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from karyo.errors import SettingsError

PREFIX = "KARYO_"
"""What the environment variables begin with: ``KARYO_PORT`` sets ``port``."""

_RANGES: dict[str, tuple[float, float]] = {
    "port": (0, 65_535),
    "threads": (1, 256),
    "network_threads": (1, 256),
    "batch": (1, 1024),
    "queue": (1, 100_000),
    "connections": (1, 10_000),
    "max_upload_mb": (1, 1024),
    "max_images": (1, 1024),
    "max_pixels": (1, 100_000_000),
    "request_timeout": (1, 3600),
    "grace": (0, 3600),
}
_SHORTEST_KEY = 16
_TRUTH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-]+(:\d{1,5})?|https?://\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


@dataclass(frozen=True)
class ServerSettings:
    """How the server is set up.

    Attributes:
        host: Address to listen at; ``0.0.0.0`` for every network of the machine.
        port: TCP port; 0 for any free one.
        threads: Requests that are handled at a time, 1..256.
        network_threads: Threads for one batch; None for as many as the machine has cores.
        batch: Images that go through the network at once at most, 1..1024.
        queue: Images that may wait for the network; a request beyond is answered 503.
        connections: Open connections at most; more wait in the operating system.
        max_upload_mb: Largest request in MiB; a larger one is refused while it is arriving.
        max_images: Images in one request at most.
        max_pixels: Width times height of one image at most. A chromosome has some ten thousand; the time and the
            memory that an image takes grow with it.
        request_timeout: Seconds in which a request must have arrived as a whole.
        grace: Seconds that requests have to finish in when the server is told to stop.
        api_key: The key that clients must send; None for no key. Never shown.
        cors_origins: Web pages of other servers that may use the API, ``https://lab.example``; none by default.
        metrics: Whether ``/metrics`` is served.
        explanations: Whether ``/api/v1/explain`` is served, where torch and captum are installed. Its first call
            loads torch, which takes seconds and some hundred megabytes.
        access_log: File for the access log; ``-`` for standard error, ``off`` for none.
        trusted_proxy: Address of the proxy whose ``X-Forwarded-For`` is believed; None to believe nobody.

    Raises:
        SettingsError: If a value is out of its range.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    threads: int = 16
    network_threads: int | None = None
    batch: int = 32
    queue: int = 512
    connections: int = 500
    max_upload_mb: int = 32
    max_images: int = 128
    max_pixels: int = 2048 * 2048
    request_timeout: float = 30.0
    grace: float = 20.0
    api_key: str | None = field(default=None, repr=False)
    cors_origins: tuple[str, ...] = ()
    metrics: bool = True
    explanations: bool = True
    access_log: str = "-"
    trusted_proxy: str | None = None

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant."""
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise SettingsError(f"{_spoken(name)} must be from {least:g} to {most:,.0f}, not {value!r:.40}")
        if not self.host:
            raise SettingsError("host must be an address, such as 127.0.0.1")
        if self.queue < self.max_images:
            raise SettingsError(
                f"the queue must hold the images of one request at least, {self.max_images}, not {self.queue}; set "
                f"{PREFIX}QUEUE"
            )
        if self.api_key is not None and not re.fullmatch(rf"[!-~]{{{_SHORTEST_KEY},200}}", self.api_key):
            raise SettingsError(f"the API key must have {_SHORTEST_KEY} to 200 printable characters without spaces")
        if self.trusted_proxy is not None and not _is_address(self.trusted_proxy):
            raise SettingsError(f"trusted_proxy must be an address such as 10.0.0.2, not {self.trusted_proxy!r:.60}")
        for origin in self.cors_origins:
            if not _ORIGIN.fullmatch(origin):
                raise SettingsError(f"cors_origins holds {origin!r:.60}; an origin looks like https://lab.example")

    @property
    def max_upload_bytes(self) -> int:
        """Largest request body, bytes."""
        return self.max_upload_mb * 2**20

    @property
    def lanes(self) -> int:
        """Batches that run side by side when there is much to do: as many as the network has threads."""
        return self.network_threads or os.cpu_count() or 1

    @classmethod
    def gather(cls, flags: Mapping[str, Any], environment: Mapping[str, str]) -> "ServerSettings":
        """Put the settings together: a flag wins over its variable, a variable over the default.

        Args:
            flags: Values by the names of this class's attributes; None for a flag that was not given. Also
                ``api_key_file``, the path of a file that holds the key.
            environment: The process's variables; ``KARYO_PORT`` sets ``port``; an empty one counts as not set.

        Raises:
            SettingsError: If a value cannot be read or is out of its range; the message names the variable.
        """
        kinds = typing.get_type_hints(cls)
        values: dict[str, Any] = {}
        for each in fields(cls):
            written = environment.get(PREFIX + each.name.upper(), "")
            if flags.get(each.name) is not None:
                values[each.name] = flags[each.name]
            elif written.strip():
                values[each.name] = _read(PREFIX + each.name.upper(), written.strip(), kinds[each.name])
        path = flags.get("api_key_file") or environment.get(f"{PREFIX}API_KEY_FILE")
        if path:
            values["api_key"] = _read_key(Path(path))
        return cls(**values)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _read(variable: str, text: str, kind: Any) -> Any:
    """Read a variable's text as what the setting is."""
    if isinstance(kind, types.UnionType):
        kind = next(each for each in typing.get_args(kind) if each is not types.NoneType)
    if typing.get_origin(kind) is tuple:
        return tuple(part for part in re.split(r"[,\s]+", text) if part)
    if kind is bool:
        if text.lower() not in _TRUTH:
            raise SettingsError(f"{variable}={text:.40} must be true or false")
        return _TRUTH[text.lower()]
    try:
        return kind(text)
    except ValueError as error:
        raise SettingsError(f"{variable}={text:.40} must be a {'whole ' if kind is int else ''}number") from error


def _read_key(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "it holds more than plain characters"
        raise SettingsError(f"the file of the API key, {path}, cannot be read: {said}") from error
