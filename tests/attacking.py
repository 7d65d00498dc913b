"""Speaking HTTP as no honest client does: bytes on a socket, and answers taken apart."""

import http.client
import json
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

BOUNDARY = "----boundary7"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


@dataclass(frozen=True)
class Answer:
    """An answer's status and body."""

    status: int
    body: bytes

    @property
    def error(self) -> dict[str, str]:
        """The error that it carries, after checking that it has the one shape of all errors."""
        content = json.loads(self.body)
        assert set(content) == {"error"}
        assert set(content["error"]) == {"code", "message", "request_id"}
        assert content["error"]["message"].isprintable()
        assert "Traceback" not in content["error"]["message"]
        return dict(content["error"])


def part(content: bytes, name: str | bytes = b"a.png", field: str = "image") -> bytes:
    """A file of a form; quotes and backslashes of its name are escaped as browsers do, nothing else is."""
    raw = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
    shown = raw.replace(b'"', b"%22").replace(b"\r", b"%0D").replace(b"\n", b"%0A")
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="'.encode()
    return head + shown + b'"\r\nContent-Type: application/octet-stream\r\n\r\n' + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def request(line: str, body: bytes = b"", headers: Sequence[str] = ()) -> bytes:
    """A whole request: `POST /path`, its body, and headers beside Host, Connection and Content-Length."""
    own = [] if any(each.lower().startswith(("content-length", "transfer-encoding")) for each in headers) else None
    length = [f"Content-Length: {len(body)}"] if body and own is None else []
    lines = [f"{line} HTTP/1.1", "Host: karyo.example", "Connection: close", *length, *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def posted(body: bytes, path: str = "/api/v1/predict", headers: Sequence[str] = ()) -> bytes:
    return request(f"POST {path}", body, [f"Content-Type: {FORM}", *headers])


def raw(port: int, sent: bytes, patience: float = 20.0) -> bytes:
    """Send bytes, and give everything that comes back until the server hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        received = b""
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(sent)
        with suppress(ConnectionResetError):
            while more := connection.recv(65_536):
                received += more
    return received


def answers(received: bytes) -> list[Answer]:
    """Take apart what came back on one connection; every answer must say how long it is."""
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers["content-length"])
        found.append(Answer(int(lines[0].split()[1]), rest[:length]))
        received = rest[length:]
    return found


def ask(port: int, sent: bytes, patience: float = 20.0) -> Answer:
    """Send a request, and give its one answer."""
    (answer,) = answers(raw(port, sent, patience))
    return answer


class Client:
    """A connection that stays open until the end of its `with`."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *trouble: object) -> None:
        self._connection.close()

    def post(self, path: str, body: bytes, content_type: str = FORM) -> Answer:
        self._connection.request("POST", path, body, {"Content-Type": content_type})
        response = self._connection.getresponse()
        return Answer(response.status, response.read())

    def get(self, path: str) -> Answer:
        self._connection.request("GET", path)
        response = self._connection.getresponse()
        return Answer(response.status, response.read())

    def predict(self, content: bytes, name: str = "a.png") -> dict[str, Any]:
        """The prediction for one image that can be read."""
        answer = self.post("/api/v1/predict", form(part(content, name)))
        assert answer.status == 200, answer.body
        (prediction,) = json.loads(answer.body)["predictions"]
        return dict(prediction)
