"""The real server process: start, limits, slow clients, stopping, addresses that cannot be used."""

import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
from exported import tiny_model
from serving import Serving, command, running

from karyo.data.synthetic import SyntheticSource
from karyo.errors import SettingsError
from karyo.web.server import serve
from karyo.web.settings import ServerSettings

MIB = 2**20


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[Serving]:
    with running(model, max_upload_mb=4, request_timeout=2, access_log="-") as started:
        yield started


def _form(*files: bytes) -> bytes:
    parts = [b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + each for each in files]
    return b"\r\n".join(parts) + b"\r\n--x--\r\n"


def _image() -> bytes:
    source = SyntheticSource(cells=1)
    return cv2.imencode(".png", source.read(source.records[0]))[1].tobytes()


def _predict(server: Serving, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    """Post a form; give the status and the JSON of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    with closing(connection):
        given = {"Content-Type": "multipart/form-data; boundary=x"} | headers
        connection.request("POST", "/api/v1/predict", body, given)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def _read(stream: socket.socket) -> bytes:
    """Read until the server closes."""
    received = b""
    while part := stream.recv(65_536):
        received += part
    return received


def _check_error(answer: bytes, status: int, code: str) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().splitlines()
    assert lines[0].split()[1] == str(status), answer
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
    assert headers["content-type"] == "application/json"
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers
    error = json.loads(body)["error"]
    assert error["code"] == code
    assert error["request_id"] == headers["x-request-id"]


def test_it_answers_over_the_wire(server):
    status, content = _predict(server, _form(_image(), b"no image"))
    assert status == 200
    first, second = content["predictions"]
    assert first["name"] == second["name"] == "a.png"
    assert second["error"]["code"] == "unreadable_image"


def test_an_upload_that_is_too_large_is_refused_before_it_arrives(server):
    head = b"POST /api/v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n"
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    for expects in (b"", b"Expect: 100-continue\r\n"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as stream:
            stream.sendall(head + expects + b"\r\n")
            _check_error(_read(stream), 413, "too_large")
    # A client that sends all of it sees the answer too, and no reset.
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as stream:
        stream.sendall(head + b"\r\n")
        for _ in range(100):
            stream.sendall(bytes(MIB))
        _check_error(_read(stream), 413, "too_large")
    assert process.memory_info().rss - before < 20 * MIB


def test_a_chunked_upload_is_refused_where_it_passes_the_limit(server):
    head = b"POST /api/v1/predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as stream:
        stream.sendall(head)
        for _ in range(5):
            stream.sendall(b"100000\r\n" + bytes(MIB) + b"\r\n")
        _check_error(_read(stream), 413, "too_large")
    # A chunk's length that never ends.
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as stream:
        stream.sendall(head + b"0" * 5000)
        _check_error(_read(stream), 400, "bad_request")


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", 431, "headers_too_large"),
        (b"GET /healthz HTTP/1.1\r\n" + b"A: b\r\n" * 5000 + b"\r\n", 431, "headers_too_large"),
        (b"\x16\x03\x01\x02\r\n\r\n", 400, "bad_request"),
        (b"get /healthz HTTP/1.1\r\n\r\n", 400, "bad_request"),
        (b"POST /healthz HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, "bad_request"),
        (b"POST /x HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "bad_request"),
        (b"POST /x HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "not_implemented"),
        (b"GET /page/../../settings.py HTTP/1.1\r\nConnection: close\r\n\r\n", 404, "not_found"),
        (b"GET /page/%2e%2e/%2e%2e/settings.py HTTP/1.1\r\nConnection: close\r\n\r\n", 404, "not_found"),
        (b"GET /page/ HTTP/1.1\r\nConnection: close\r\n\r\n", 404, "not_found"),
        (b"DELETE /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", 405, "method_not_allowed"),
    ],
)
def test_what_is_no_good_request_gets_the_one_shape(server, request_bytes, status, code):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as stream:
        stream.sendall(request_bytes)
        _check_error(_read(stream), status, code)


def test_slow_clients_are_refused_and_hold_nobody_up(server):
    """One sends a header byte by byte, one stops in its body: both have sent something a moment ago."""
    started = time.monotonic()
    beginnings = (b"GET /healthz HTTP/1.1\r\nX-Slow: ", b"POST /healthz HTTP/1.1\r\nContent-Length: 1000\r\n\r\nab")
    slow = [socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in beginnings]
    for stream, beginning in zip(slow, beginnings, strict=True):
        stream.sendall(beginning)
    while time.monotonic() - started < 1.5:
        for stream in slow:
            stream.sendall(b"a")
        time.sleep(0.1)
    assert _predict(server, _form(_image()))[0] == 200
    for stream in slow:
        _check_error(_read(stream), 408, "request_timeout")
        stream.close()
    assert 2 <= time.monotonic() - started < 10


def test_the_log_names_what_was_refused(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as stream:
        stream.sendall(
            b"POST /api/v1/predict?key=secret HTTP/1.1\r\nX-Request-ID: mine\r\nContent-Length: 999999999\r\n\r\n"
        )
        assert b"mine" in _read(stream)
    end = time.monotonic() + 10
    while not (lines := [line for line in list(server.log) if '"mine"' in line]):
        assert time.monotonic() < end
        time.sleep(0.01)
    entry = json.loads(lines[0])
    assert (entry["method"], entry["path"], entry["status"]) == ("POST", "/api/v1/predict", 413)
    assert "secret" not in lines[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopping_finishes_what_is_arriving_and_running(model, number):
    with running(model, grace=20, access_log="off") as server:
        body = _form(*[_image()] * 8)
        waiting = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        waiting.request("GET", "/readyz")
        assert json.loads(waiting.getresponse().read()) == {"status": "ready"}
        arriving = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        head = b"POST /api/v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        arriving.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body[:100])
        time.sleep(0.3)

        server.process.send_signal(number)
        _wait_until_closed(server.port)
        waiting.request("GET", "/readyz")
        answer = waiting.getresponse()
        assert (answer.status, json.loads(answer.read())["error"]["code"]) == (503, "stopping")
        assert answer.getheader("Connection") == "close"
        arriving.sendall(body[100:])
        received = _read(arriving)
        assert received.startswith(b"HTTP/1.1 200")
        assert received.count(b'"label": ') == 8 * 6
        assert server.process.wait(20) == 0
        assert not [line for line in server.log if "Traceback" in line or "traceback" in line]
        arriving.close()
        waiting.close()


def test_a_request_that_never_arrives_does_not_keep_a_stopping_server(model):
    with (
        running(model, grace=1, access_log="off") as server,
        socket.create_connection(("127.0.0.1", server.port)) as stream,
    ):
        stream.sendall(b"POST /api/v1/predict HTTP/1.1\r\nContent-Length: 1000\r\n\r\n")
        time.sleep(0.2)
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 8


def _wait_until_closed(port: int) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return
        time.sleep(0.02)
    raise AssertionError("the server still takes connections")


def _fail(*line: str, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, env=os.environ | (environment or {}))
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


def test_what_cannot_be_served_is_one_sentence(model, server, tmp_path):
    assert "another program listens there" in _fail(*command(model, port=server.port))
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"not a model")
    assert "bad.onnx" in _fail(*command(bad))
    assert "API key must have" in _fail(*command(model), environment={"KARYO_API_KEY": "x"})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"host": "192.0.2.1"}, "this machine has no such address"),
        ({"host": "no such host"}, "there is no such host"),
        ({"access_log": "no/such/folder/log"}, "the access log no/such/folder/log cannot be written"),
    ],
)
def test_addresses_and_logs_that_cannot_be_used(model, settings, said):
    with pytest.raises(SettingsError, match=said):
        serve(model, ServerSettings(port=0, **({"access_log": "off"} | settings)), announce=pytest.fail)


def test_settings_from_the_environment_reach_the_server(model, tmp_path):
    log = tmp_path / "access.log"
    environment = {"KARYO_API_KEY": "0123456789abcdef", "KARYO_MAX_IMAGES": "1", "KARYO_ACCESS_LOG": str(log)}
    with running(model, environment=environment) as server:
        assert _predict(server, _form(_image()))[0] == 401
        key = {"X-API-Key": "0123456789abcdef"}
        assert _predict(server, _form(_image(), _image()), **key)[0] == 413
        assert server.stop() == 0
    assert [json.loads(line)["status"] for line in log.read_text(encoding="utf-8").splitlines()] == [401, 413]


def test_many_clients_over_the_wire_get_their_own_answers(model):
    import karyo

    source = SyntheticSource(cells=1)
    pictures = [source.read(record) for record in source.records[:16]]
    expected = [each.label for each in karyo.load(model, 1).predict(list(pictures))]
    wrong: list[str] = []

    def ask(number: int) -> None:
        body = _form(cv2.imencode(".png", pictures[number])[1].tobytes())
        for _ in range(5):
            (prediction,) = _predict(server, body)[1]["predictions"]
            if prediction["label"] != expected[number]:
                wrong.append(f"{number}: {prediction['label']} for {expected[number]}")

    with running(model, access_log="off") as server:
        clients = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
        for each in clients:
            each.start()
        for each in clients:
            each.join(60)
    assert wrong == []


def test_memory_and_imports_stay_small(server):
    process = psutil.Process(server.process.pid)
    large = np.full((2000, 2000), 230, np.uint8)
    large[800:1200, 950:1050] = 60
    body = _form(cv2.imencode(".png", large)[1].tobytes())
    assert _predict(server, body)[0] == 200
    assert process.memory_info().rss < 400 * MIB
    assert not [each.path for each in process.memory_maps() if "torch" in each.path]
