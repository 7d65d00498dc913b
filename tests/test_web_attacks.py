"""A real server under attack: what is wrong is refused with the right code, and good requests go on."""

import json
import os
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from attacking import BOUNDARY, FORM, Client, answers, ask, form, part, posted, raw, request
from crowd import KINDS, Crowd
from hostile import NAMES, encoded, picture, rare, refused
from hostile_models import whole
from serving import Serving, running

import karyo

PATIENCE = 3
MEGABYTE = 2**20
COUNT = int(os.environ.get("KARYO_SOAK_REQUESTS", "2000"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    path.write_bytes(whole())
    return path


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[Serving]:
    settings = {"max_upload_mb": 8, "max_images": 16, "request_timeout": PATIENCE, "threads": 8, "access_log": "off"}
    with running(model, **settings) as server:
        yield server
    assert [line for line in server.log if "Traceback" in line] == []


@pytest.fixture(autouse=True)
def still_serving(server: Serving) -> Iterator[None]:
    """After every attack the server must be alive, and right."""
    yield
    assert server.process.poll() is None
    assert ask(server.port, request("GET /readyz")).status == 200
    assert ask(server.port, posted(form(part(encoded(picture(), "PNG"))))).status == 200


def resident(server: Serving) -> float:
    """MiB of the server's process."""
    return psutil.Process(server.process.pid).memory_info().rss / MEGABYTE


def test_a_hundred_megabytes_are_refused_while_they_arrive(server: Serving) -> None:
    before = resident(server)
    for header, block in (
        (f"Content-Length: {100 * MEGABYTE}", bytes(65_536)),
        ("Transfer-Encoding: chunked", b"10000\r\n" + bytes(65_536) + b"\r\n"),
    ):
        sent, most = 0, before
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(request("POST /api/v1/predict", headers=[f"Content-Type: {FORM}", header]))
            while sent < 100 * MEGABYTE and not select.select([connection], [], [], 0)[0]:
                connection.sendall(block)
                sent += len(block)
                most = max(most, resident(server))
            received = b""
            while more := connection.recv(65_536):
                received += more
        (answer,) = answers(received)
        assert (answer.status, answer.error["code"]) == (413, "too_large")
        assert sent < 12 * MEGABYTE
        assert most < before + 20


@pytest.mark.parametrize("path", ["/api/v1/predict", "/api/v1/preview", "/getChromosome/"])
def test_bad_images_are_unreadable_and_take_no_memory(server: Serving, path: str) -> None:
    bad, odd = refused(), rare()  # made before the connection, which waits three seconds and no longer
    with Client(server.port) as client:
        client.post(path, form(part(encoded(picture(1000, 1000), "PNG"))))
        before = resident(server)
        for name, content in bad.items():
            answer = client.post(path, form(part(content, f"{name}.tiff")))
            assert (answer.status, answer.error["code"]) == (422, "unreadable_image"), name
            assert answer.error["message"].startswith(name)
        for name, content in odd.items():
            assert client.post(path, form(part(content))).status == 200, name
    assert resident(server) < before * 1.05 + 10


def test_bad_images_among_good_ones_change_no_answer(server: Serving, model: Path) -> None:
    expected = karyo.load(model, threads=1).predict(picture())
    bad = list(refused().values())
    for start in range(0, len(bad), 15):
        files = [*bad[start : start + 15], encoded(picture(), "TIFF")]
        answer = ask(server.port, posted(form(*(part(each, f"{at}.png") for at, each in enumerate(files)))))
        *first, last = json.loads(answer.body)["predictions"]
        assert {each["error"]["code"] for each in first} == {"unreadable_image"}
        assert last["label"] == expected.label
        assert last["probability"] == pytest.approx(expected.probability, abs=1e-6)


@pytest.mark.parametrize("name", [name for name in NAMES if "\udc80" not in name])
def test_names_of_files_are_cleaned(server: Serving, name: str) -> None:
    spoken = json.loads(ask(server.port, posted(form(part(encoded(picture(), "PNG"), name)))).body)
    (prediction,) = spoken["predictions"]
    assert prediction["name"].isprintable()
    assert "/" not in prediction["name"]
    assert "\\" not in prediction["name"]
    assert 0 < len(prediction["name"]) <= 200
    assert ask(server.port, posted(form(part(b"nothing", name)))).error["code"] == "unreadable_image"


def test_a_name_that_is_no_utf8_is_refused(server: Serving) -> None:
    answer = ask(server.port, posted(form(part(encoded(picture(), "PNG"), b"half\x80.png"))))
    assert (answer.status, answer.error["code"]) == (400, "invalid_request")


GOOD = form(part(encoded(picture(), "PNG")))
CHUNKED = f"{len(GOOD):x}\r\n".encode() + GOOD + b"\r\n0\r\n\r\n"
TYPE = f"Content-Type: {FORM}"

REFUSED_REQUESTS: dict[str, tuple[bytes, set[int]]] = {
    "an empty text in place of the image": (
        posted(form(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"\r\n\r\n\r\n'.encode())),
        {400},
    ),
    "no body": (posted(b""), {400}),
    "a form that ends early": (posted(GOOD[:-60]), {400}),
    "a form of another boundary": (posted(GOOD.replace(BOUNDARY.encode(), b"other")), {400}),
    "a form without a boundary": (request("POST /api/v1/predict", GOOD, ["Content-Type: multipart/form-data"]), {400}),
    "a boundary of 10,000 letters": (
        request("POST /api/v1/predict", GOOD, [f"Content-Type: multipart/form-data; boundary={'x' * 10_000}"]),
        {400},
    ),
    "parts without a name": (posted(GOOD.replace(b'name="image"; ', b"")), {400}),
    "part headers of a megabyte": (
        posted(GOOD.replace(b"Content-Type", b"X: " + b"y" * MEGABYTE + b"\r\nC")),
        {400, 413},
    ),
    "five thousand fields": (posted(form(*(part(b"x", field=f"f{each}") for each in range(5000)))), {413}),
    "five thousand images": (posted(form(*(part(b"x") for _ in range(5000)))), {413}),
    "seventeen images": (posted(form(*(part(b"x") for _ in range(17)))), {413}),
    "a text of a megabyte in a field": (
        posted(
            form(
                f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="a"\r\n\r\n'.encode() + b"x" * MEGABYTE + b"\r\n"
            )
        ),
        {413},
    ),
    "JSON": (request("POST /api/v1/predict", b'{"image": 1}', ["Content-Type: application/json"]), {415}),
    "no type": (request("POST /api/v1/predict", GOOD), {415}),
    "two types": (request("POST /api/v1/predict", GOOD, ["Content-Type: text/plain", TYPE]), {400, 415}),
    "a query of nonsense": (posted(GOOD, "/api/v1/predict?top=%00"), {400}),
    "top of 10^30": (posted(GOOD, "/api/v1/predict?top=" + "9" * 30), {400}),
    "top twice": (posted(GOOD, "/api/v1/predict?top=x&top=5"), {400}),
    "GET where POST belongs": (request("GET /api/v1/predict"), {405}),
    "POST where GET belongs": (request("POST /healthz", b"x"), {405}),
    "DELETE": (request("DELETE /api/v1/model"), {405}),
    "a method of its own": (request("BREW /api/v1/model"), {405}),
    "CONNECT": (request("CONNECT evil.example:443"), {400, 404, 405}),
    "TRACE": (request("TRACE /api/v1/model"), {405}),
    "a path upwards": (request("GET /../../../../etc/passwd"), {404}),
    "a path upwards, escaped": (request("GET /docs/%2e%2e%2f%2e%2e%2fetc%2fpasswd"), {404}),
    "a path upwards, twice escaped": (request("GET /static/%252e%252e/%252e%252e/etc/passwd"), {404}),
    "a path upwards, backslashes": (request("GET /docs/..\\..\\windows\\win.ini"), {404}),
    "an ideogram upwards": (request("GET /api/v1/ideogram/..%2f..%2f7.svg"), {404}),
    "NUL in the path": (request("GET /docs/a%00.js"), {404}),
    "bytes that are no UTF-8 in the path": (request("GET /docs/%ff%fe"), {404}),
    "raw bytes in the path": (request("GET /docs/\xff\xfe"), {400, 404}),
    "NUL in a header": (request("GET /healthz", headers=["X-A: a\x00b"]), {400}),
    "a header without a colon": (request("GET /healthz", headers=["nonsense"]), {400}),
    "a space before the colon": (request("POST /api/v1/predict", GOOD, [TYPE, f"Content-Length : {len(GOOD)}"]), {400}),
    "a header of 100 KB": (request("GET /healthz", headers=["X-A: " + "a" * 100_000]), {431}),
    "ten thousand headers": (request("GET /healthz", headers=[f"X-{each}: a" for each in range(10_000)]), {431}),
    "a path of 100 KB": (request("GET /" + "a" * 100_000), {400, 414, 431}),
    "negative length": (request("POST /api/v1/predict", GOOD, [TYPE, "Content-Length: -1"]), {400}),
    "a length in words": (request("POST /api/v1/predict", GOOD, [TYPE, "Content-Length: many"]), {400}),
    "a length with a sign": (request("POST /api/v1/predict", GOOD, [TYPE, f"Content-Length: +{len(GOOD)}"]), {400}),
    "a length of 10^30": (request("POST /api/v1/predict", GOOD, [TYPE, "Content-Length: 1" + "0" * 30]), {400, 413}),
    "two lengths": (
        request("POST /api/v1/predict", GOOD, [TYPE, "Content-Length: 5", f"Content-Length: {len(GOOD)}"]),
        {400},
    ),
    "an unknown transfer coding": (
        request("POST /api/v1/predict", CHUNKED, [TYPE, "Transfer-Encoding: xchunked"]),
        {400, 501},
    ),
    "chunks of nonsense": (
        request("POST /api/v1/predict", b"zz\r\nhello", [TYPE, "Transfer-Encoding: chunked"]),
        {400},
    ),
    "a chunk of negative length": (
        request("POST /api/v1/predict", b"-5\r\nhello\r\n0\r\n\r\n", [TYPE, "Transfer-Encoding: chunked"]),
        {400},
    ),
    "a chunk of 2^64": (
        request("POST /api/v1/predict", b"10000000000000000\r\nhello", [TYPE, "Transfer-Encoding: chunked"]),
        {400, 408, 413},
    ),
    "a chunk's note of 100 KB": (
        request("POST /api/v1/predict", b"5;" + b"a" * 100_000, [TYPE, "Transfer-Encoding: chunked"]),
        {400},
    ),
    "no HTTP": (b"HELO karyo.example\r\n\r\n", {400, 404}),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n\r\n", {400}),
    "bytes": (bytes(range(1, 256)) * 20 + b"\r\n\r\n", {400}),
}


@pytest.mark.parametrize("name", REFUSED_REQUESTS)
def test_a_bad_request_is_refused_in_the_one_shape(server: Serving, name: str) -> None:
    sent, statuses = REFUSED_REQUESTS[name]
    received = raw(server.port, sent)
    found = answers(received)
    assert {answer.status for answer in found} <= statuses, received[:500]
    assert len(found) == 1
    assert found[0].error["code"]
    assert b"root:" not in received


def test_two_lengths_of_a_request_smuggle_nothing(server: Serving) -> None:
    """CL.TE, TE.CL and obfuscated forms: the hidden request must never be answered as one of its own."""
    hidden = b"GET /api/v1/model HTTP/1.1\r\nHost: a\r\n\r\n"
    for coding in ("Transfer-Encoding: chunked", "Transfer-Encoding: \tchunked", "transfer-encoding: CHUNKED"):
        for length in (4, len(b"0\r\n\r\n" + hidden)):
            head = ["POST /healthz HTTP/1.1", "Host: a", f"Content-Length: {length}", coding]
            received = raw(
                server.port, "\r\n".join(head).encode() + b"\r\n\r\n0\r\n\r\n" + hidden, patience=PATIENCE + 10
            )
            assert b'"classes"' not in received
            assert received.count(b"HTTP/1.1 200") == 0


def test_requests_on_one_connection_are_answered_in_order(server: Serving) -> None:
    paths = ("/healthz", "/nowhere", "/api/v1/model", "/readyz")
    lines = [f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode() for path in paths]
    found = answers(raw(server.port, b"".join(lines) + request("GET /healthz")))
    assert [each.status for each in found] == [200, 404, 200, 200, 200]


def test_an_old_client_is_answered(server: Serving) -> None:
    assert answers(raw(server.port, b"GET /healthz HTTP/1.0\r\n\r\n"))[0].status == 200
    body = f"POST /api/v1/predict HTTP/1.0\r\n{TYPE}\r\nContent-Length: {len(GOOD)}\r\n\r\n".encode() + GOOD
    assert answers(raw(server.port, body))[0].status == 200
    assert (
        ask(server.port, request("POST /api/v1/predict", CHUNKED, [TYPE, "Transfer-Encoding: chunked"])).status == 200
    )


def _dawdle(port: int, sent: bytes, stop: threading.Event) -> tuple[float, bytes]:
    """Send a byte now and then; give when the server had enough of it, in seconds, and what it said."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=0.2) as connection:
        for byte in sent:
            if stop.is_set():
                break
            try:
                connection.sendall(bytes([byte]))
                received = connection.recv(65_536)
                return time.monotonic() - started, received
            except TimeoutError:
                continue
            except OSError:
                return time.monotonic() - started, b""
    return float("inf"), b""


def test_slow_clients_are_let_go_and_hold_nobody_up(server: Serving) -> None:
    stop = threading.Event()
    head = f"POST /api/v1/predict HTTP/1.1\r\nHost: a\r\n{TYPE}\r\n".encode()
    slow = [
        head + b"X-A: a\r\n" * 1000,
        head + b"Content-Length: 5000\r\n\r\n" + GOOD,
        head + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED,
    ]
    with ThreadPoolExecutor(60) as clients:
        dawdlers = [clients.submit(_dawdle, server.port, slow[each % 3], stop) for each in range(60)]
        waited, ends = [], time.monotonic() + PATIENCE + 1
        with Client(server.port) as client:
            while time.monotonic() < ends:
                started = time.monotonic()
                client.predict(encoded(picture(), "PNG"))
                waited.append(time.monotonic() - started)
                time.sleep(0.02)
        time.sleep(1.5)
        stop.set()
        found = [each.result() for each in dawdlers]
    assert np.median(waited) < 0.5
    assert max(seconds for seconds, _ in found) < PATIENCE + 4
    statuses = Counter(answers(received)[0].status for _, received in found if received)
    assert set(statuses) == {408}
    assert statuses[408] >= 50


def test_connections_that_say_nothing_hold_nobody_up(server: Serving) -> None:
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
    try:
        with Client(server.port) as client:
            for _ in range(20):
                client.predict(encoded(picture(), "PNG"))
    finally:
        for connection in idle:
            connection.close()


def test_clients_that_leave_in_the_middle_break_nothing(server: Serving) -> None:
    for cut in (1, 40, 300, len(posted(GOOD)) - 5, len(posted(GOOD))):
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                connection.sendall(posted(GOOD)[:cut])


@pytest.mark.slow
def test_thousands_of_requests_leave_no_trace(server: Serving, model: Path) -> None:
    """Good and bad requests of twelve clients: every answer right, and resident memory flat within 5 %."""
    crowd = Crowd(server.port, karyo.load(model, threads=1))
    crowd.run(COUNT // 4, clients=12, seed=1)
    before = resident(server)
    found = crowd.run(COUNT, clients=12, seed=1000)
    assert found.total() == COUNT // 12 * 12
    assert set(found) == set(KINDS)
    assert resident(server) < before * 1.05
