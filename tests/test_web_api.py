"""Every route of the API through Flask's test client: good requests, bad ones, and what every answer carries."""

import io
import json
import re
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from exported import tiny_model
from flask.testing import FlaskClient
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

import karyo
from karyo.chromosomes import CLASSES
from karyo.data.synthetic import SyntheticSource
from karyo.web.app import create_app
from karyo.web.settings import ServerSettings

KEY = "a-key-of-24-characters!!"


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> karyo.Predictor:
    return karyo.load(tiny_model(tmp_path_factory.mktemp("model")), threads=1)


@pytest.fixture(scope="module")
def drawn() -> list[np.ndarray]:
    source = SyntheticSource(cells=1)
    return [source.read(record) for record in source.records[:24]]


@pytest.fixture
def client(predictor: karyo.Predictor) -> Iterator[FlaskClient]:
    yield from _client(predictor)


def _client(predictor: karyo.Predictor, **settings: Any) -> Iterator[FlaskClient]:
    app = create_app(predictor, ServerSettings(**settings))
    yield app.test_client()
    app.extensions["karyo"].batcher.stop()


def _file(pixels: np.ndarray | bytes, name: str = "a.png") -> FileStorage:
    content = pixels if isinstance(pixels, bytes) else cv2.imencode(Path(name).suffix, pixels)[1].tobytes()
    return FileStorage(io.BytesIO(content), name)


def _post(client: FlaskClient, url: str, *files: FileStorage, field: str = "image", **arguments: Any) -> TestResponse:
    return client.post(url, data={field: list(files)}, content_type="multipart/form-data", **arguments)


def _check_error(response: TestResponse, status: int, code: str) -> str:
    """Check the one shape of all errors, and give its message."""
    assert response.status_code == status, response.text
    assert response.mimetype == "application/json"
    error = response.json["error"]
    assert set(response.json) == {"error"}
    assert set(error) == {"code", "message", "request_id"}
    assert error["code"] == code
    assert error["request_id"] == response.headers["X-Request-ID"]
    assert "Traceback" not in response.text
    return str(error["message"])


def test_predict_gives_what_the_predictor_gives(client, predictor, drawn):
    files = [_file(pixels, f"{number}.tiff") for number, pixels in enumerate(drawn[:5])]

    response = _post(client, "/api/v1/predict?top=3", *files)

    assert response.status_code == 200
    assert response.json["model"] == {
        "name": "test_resnet",
        "precision": "float32",
        "checkpoint": "",
        "karyo": karyo.__version__,
    }
    expected = predictor.predict(list(drawn[:5]))
    assert [each["name"] for each in response.json["predictions"]] == [f"{number}.tiff" for number in range(5)]
    for got, wanted in zip(response.json["predictions"], expected, strict=True):
        content = wanted.to_dict(3) | {"reason": wanted.reason, "name": got["name"]}
        assert {key: got[key] for key in ("label", "rejected", "reasons", "reason")} == {
            key: content[key] for key in ("label", "rejected", "reasons", "reason")
        }
        assert got["probability"] == pytest.approx(content["probability"], abs=1e-5)
        assert len(got["top"]) == 3
        assert set(got) == set(content)


def test_unreadable_images_are_named_among_readable_ones(client, drawn):
    response = _post(client, "/api/v1/predict", _file(b"text", "b.tiff"), _file(drawn[0]), _file(b"", "c.png"))

    assert response.status_code == 200
    first, second, third = response.json["predictions"]
    assert first["error"]["code"] == third["error"]["code"] == "unreadable_image"
    assert "b.tiff" in first["error"]["message"]
    assert "empty" in third["error"]["message"]
    assert second["label"] in CLASSES


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
        (b"PK\x03\x04" + bytes(100), "not an image"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
    ],
)
def test_nothing_readable_refuses_the_request(client, content, said):
    assert said in _check_error(_post(client, "/api/v1/predict", _file(content, "x.tiff")), 422, "unreadable_image")


def test_a_large_picture_is_refused_by_its_header(client):
    bomb = cv2.imencode(".png", np.zeros((3000, 3000), np.uint8))[1].tobytes()
    assert "3000 x 3000" in _check_error(_post(client, "/api/v1/predict", _file(bomb)), 422, "unreadable_image")


@pytest.mark.parametrize(
    ("offered", "spoken"),
    [
        ("../../etc/passwd.png", "passwd.png"),
        ("C:\\\\Users\\\\me\\\\x.png", "x.png"),
        ("\x1b[31mred\x07\u202e.png", "[31mred.png"),
        ("x" * 500, "x" * 200),
        ("染色体.png", "染色体.png"),
        ("..", "image 1"),
        ("a/", "image 1"),
    ],
)
def test_names_are_only_spoken_and_clean(client, drawn, offered, spoken):
    file = _file(drawn[0])
    file.filename = offered
    assert _post(client, "/api/v1/predict", file).json["predictions"][0]["name"] == spoken


def test_too_many_images_or_fields_are_refused(predictor, drawn):
    for client in _client(predictor, max_images=2, queue=2):
        files = [_file(drawn[0]) for _ in range(3)]
        _check_error(_post(client, "/api/v1/predict", *files), 413, "too_many_images")
        many = {f"field{number}": "x" for number in range(500)}
        _check_error(client.post("/api/v1/predict", data=many | {"image": _file(drawn[0])}), 413, "too_large")
        assert _post(client, "/api/v1/predict", *[_file(drawn[0]) for _ in range(2)]).status_code == 200


def test_a_large_body_is_refused(predictor):
    for client in _client(predictor, max_upload_mb=1):
        body = (
            b"--x\r\nContent-Disposition: form-data; name=image; filename=a\r\n\r\n" + bytes(2**20) + b"\r\n--x--\r\n"
        )
        response = client.post("/api/v1/predict", data=body, content_type="multipart/form-data; boundary=x")
        message = _check_error(response, 413, "too_large")
        assert "1 MiB" in message


@pytest.mark.parametrize("top", ["0", "25", "-1", "many", "1.5", ""])
def test_a_wrong_top_is_refused(client, drawn, top):
    message = _check_error(_post(client, f"/api/v1/predict?top={top}", _file(drawn[0])), 400, "invalid_request")
    assert message == "top must be a whole number from 1 to 24."


@pytest.mark.parametrize("url", ["/api/v1/predict", "/api/v1/preview", "/getChromosome/"])
def test_bodies_without_an_image_are_refused(client, url):
    for arguments in ({"json": {"image": "x"}}, {"data": b"raw"}, {}):
        _check_error(client.post(url, **arguments), 415, "unsupported_media_type")
    empty = client.post(url, data={"nothing": "x"}, content_type="multipart/form-data")
    assert empty.status_code == 400
    _check_error(empty, 400, empty.json["error"]["code"])
    _check_error(client.get(url), 405, "method_not_allowed")


def test_the_older_endpoint_takes_any_field(client, predictor, drawn):
    wanted = predictor.predict(drawn[3])
    for field in ("image", "file", "chromosome"):
        for url in ("/getChromosome/", "/getChromosome"):
            response = _post(client, url, _file(drawn[3]), field=field)
            assert set(response.json) == {"chromosome", "probability", "rejected"}
            assert response.json["chromosome"] == wanted.label
            assert response.json["probability"] == pytest.approx(wanted.probability, abs=1e-5)
    _check_error(_post(client, "/getChromosome/", _file(b"no")), 422, "unreadable_image")
    _check_error(_post(client, "/getChromosome/", _file(drawn[0]), _file(drawn[1])), 400, "wrong_number_of_images")


def test_preview_shows_what_browsers_cannot(client, predictor, drawn):
    deep = (drawn[0].astype(np.uint16) << 8) | 255
    response = _post(client, "/api/v1/preview", _file(deep, "deep.tiff"))
    assert response.mimetype == "image/png"
    shown = cv2.imdecode(np.frombuffer(response.data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert shown.dtype == np.uint8
    assert np.abs(shown.astype(int) - drawn[0]).max() <= 1

    prepared = _post(client, "/api/v1/preview?stage=prepared", _file(drawn[0]))
    seen = cv2.imdecode(np.frombuffer(prepared.data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(seen, predictor.passport.preparation(drawn[0]))

    wide = _post(client, "/api/v1/preview", _file(np.full((10, 2000), 200, np.uint8)))
    assert cv2.imdecode(np.frombuffer(wide.data, np.uint8), cv2.IMREAD_UNCHANGED).shape == (3, 512)
    _check_error(_post(client, "/api/v1/preview?stage=all", _file(drawn[0])), 400, "invalid_request")
    _check_error(_post(client, "/api/v1/preview", _file(b"text")), 422, "unreadable_image")
    _check_error(_post(client, "/api/v1/preview", _file(drawn[0]), _file(drawn[0])), 400, "wrong_number_of_images")


def test_the_model_tells_about_itself(client, predictor):
    content = client.get("/api/v1/model").json
    assert content["classes"] == list(CLASSES)
    assert content["training"] == dict(predictor.passport.training)
    assert content["limits"] == {"max_upload_bytes": 32 * 2**20, "max_images": 128, "max_pixels": 2048 * 2048}
    assert content["preparation"]["size"] == 32


def test_ideograms_are_drawn(client):
    for label in CLASSES:
        response = client.get(f"/api/v1/ideogram/{label}.svg")
        assert response.mimetype == "image/svg+xml"
        assert f"chromosome {label}<" in response.text
        assert "script" not in response.text
        assert "style" not in response.text
    assert "q11.23" in client.get("/api/v1/ideogram/Y.svg").text
    heights = [
        int(re.search(r'height="(\d+)"', client.get(f"/api/v1/ideogram/{label}.svg").text)[1]) for label in ("1", "21")
    ]
    assert heights[0] > 3 * heights[1] / 2
    for label in ("23", "0", "x", "..%2f1", "1.svg"):
        _check_error(
            client.get(f"/api/v1/ideogram/{label}.svg"), 404, "unknown_chromosome" if "%" not in label else "not_found"
        )


def test_operations(client, drawn):
    assert client.get("/healthz").json == {"status": "ok"}
    assert client.get("/readyz").json == {"status": "ready"}
    _post(client, "/api/v1/predict", _file(drawn[0]), _file(b"no"))
    client.get("/invented/1")
    client.get("/invented/2")
    text = client.get("/metrics").text
    assert 'karyo_requests_total{method="POST",route="/api/v1/predict",status="200"} 1.0' in text
    assert 'karyo_requests_total{method="GET",route="unknown",status="404"} 2.0' in text
    assert 'karyo_images_total{outcome="unreadable"} 1.0' in text
    assert "karyo_batch_images_count 1.0" in text
    assert 'karyo_errors_total{code="not_found"} 2.0' in text
    assert "karyo_waiting_images 0.0" in text
    assert "invented" not in text
    assert "process_resident_memory_bytes" in text
    client.application.extensions["karyo"].stopping.set()
    assert _check_error(client.get("/readyz"), 503, "stopping")
    assert client.get("/healthz").status_code == 200


def test_metrics_can_be_switched_off(predictor):
    for client in _client(predictor, metrics=False):
        _check_error(client.get("/metrics"), 404, "not_found")


def test_the_key_is_asked_for(predictor, drawn):
    for client in _client(predictor, api_key=KEY):
        for method, url in (
            ("post", "/api/v1/predict"),
            ("get", "/api/v1/model"),
            ("get", "/metrics"),
            ("post", "/getChromosome/"),
            ("post", "/getChromosome"),
            ("get", "/api/v1/nothing"),
        ):
            for headers in (
                {},
                {"X-API-Key": "wrong"},
                {"Authorization": "Bearer wrong"},
                {"X-API-Key": "schlüssel"},
                {"Authorization": f"Basic {KEY}"},
            ):
                refused = getattr(client, method)(url, headers=headers)
                _check_error(refused, 401, "unauthorised")
                assert refused.headers["WWW-Authenticate"].startswith("Bearer")
        for headers in ({"X-API-Key": KEY}, {"Authorization": f"Bearer {KEY}"}):
            assert _post(client, "/api/v1/predict", _file(drawn[0]), headers=headers).status_code == 200
        for url in ("/", "/healthz", "/readyz", "/docs", "/openapi.json", "/api/v1/ideogram/1.svg"):
            assert client.get(url).status_code == 200
        assert KEY not in client.get("/openapi.json").text
        assert client.get("/openapi.json").json["paths"]["/api/v1/predict"]["post"]["security"] == [
            {"key": []},
            {"bearer": []},
        ]


def test_every_answer_is_secured(client, drawn):
    answers = [
        client.get(url) for url in ("/", "/docs", "/docs/start.js", "/healthz", "/nothing", "/metrics", "/openapi.json")
    ]
    answers.append(_post(client, "/api/v1/predict", _file(drawn[0])))
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Server" not in answer.headers
    assert answers[-1].headers["Cache-Control"] == "no-store"


def test_other_origins_only_where_they_were_named(predictor):
    for client in _client(predictor, cors_origins=("https://lab.example",), api_key=KEY):
        preflight = {"Origin": "https://lab.example", "Access-Control-Request-Method": "POST"}
        allowed = client.options("/api/v1/predict", headers=preflight)
        assert allowed.status_code == 200
        assert allowed.headers["Access-Control-Allow-Origin"] == "https://lab.example"
        assert "X-API-Key" in allowed.headers["Access-Control-Allow-Headers"]
        for origin in ("https://evil.example", "https://lab.example.evil.example", "null", "http://lab.example"):
            refused = client.options("/api/v1/predict", headers=preflight | {"Origin": origin})
            assert "Access-Control-Allow-Origin" not in refused.headers
            assert refused.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    ("offered", "taken"), [("ab-1.2_C", True), ("a" * 65, False), ("a b", False), ("ä", False), ("", False)]
)
def test_request_ids(client, offered, taken):
    given = client.get("/healthz", headers={"X-Request-ID": offered}).headers["X-Request-ID"]
    assert (given == offered) is taken
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", given)


def test_a_defect_is_answered_without_its_traceback_and_logged_with_it(client, drawn, monkeypatch, capsys):
    from karyo.web.access_log import start_logging

    start_logging("-")

    def fail(images):
        raise ValueError("secret detail")

    monkeypatch.setattr(client.application.extensions["karyo"].batcher, "_classify", fail)
    response = _post(client, "/api/v1/predict", _file(drawn[0]))
    _check_error(response, 500, "internal_error")
    assert "secret" not in response.text
    trouble, access = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert "secret detail" in trouble["traceback"]
    assert trouble["request_id"] == access["request_id"] == response.headers["X-Request-ID"]
    assert access["status"] == 500


def test_the_access_log_holds_no_secrets(predictor, drawn, tmp_path):
    from karyo.web.access_log import start_logging

    log = tmp_path / "access.log"
    start_logging(str(log))
    for client in _client(predictor, api_key=KEY):
        file = _file(drawn[0], "patient-name.png")
        _post(client, "/api/v1/predict?top=2&secret=1", file, headers={"X-API-Key": KEY})
        client.get("/nothing\n{}".replace("\n", "%0a"))
    start_logging("off")
    first, second = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())
    assert set(first) == {
        "time",
        "level",
        "method",
        "path",
        "status",
        "ms",
        "bytes_in",
        "bytes_out",
        "images",
        "request_id",
        "client",
    }
    assert (first["path"], first["status"], first["images"]) == ("/api/v1/predict", 200, 1)
    assert first["bytes_in"] > 100
    assert second["status"] == 404
    for secret in ("patient", "secret", KEY):
        assert secret not in log.read_text(encoding="utf-8")


def test_the_document_is_whole(client):
    document = client.get("/openapi.json").json
    assert document["openapi"].startswith("3.0")
    assert "servers" not in document
    referred = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))
    assert referred <= set(document["components"]["schemas"])
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            for status, response in operation["responses"].items():
                assert response["description"], (path, status)
                assert "X-Request-ID" in response["headers"]
                assert response["content"], (path, status)


def test_swagger_ui_comes_from_here(client):
    page = client.get("/docs").text
    assert "http" not in page
    assert "<script>" not in page
    for name in re.findall(r'(?:src|href)="([^"]+)"', page):
        with client.get(f"/{name}") as response:
            assert response.status_code == 200, name
    _check_error(client.get("/docs/index.html"), 404, "not_found")
    _check_error(client.get("/docs/..%2fapp.py"), 404, "not_found")


def test_sixteen_clients_get_their_own_answers(client, predictor, drawn):
    expected = [each.to_dict(1)["top"] for each in predictor.predict(list(drawn))]
    assert len({str(each) for each in expected}) > 10
    together = threading.Barrier(16)

    def ask(number: int) -> None:
        together.wait()
        own = client.application.test_client()
        for turn in range(6):
            chosen = (number + turn) % len(drawn)
            answer = _post(own, "/api/v1/predict?top=1", _file(drawn[chosen], f"{number}-{turn}.png"))
            (prediction,) = answer.json["predictions"]
            assert prediction["name"] == f"{number}-{turn}.png"
            assert prediction["top"][0]["label"] == expected[chosen][0]["label"]
            assert prediction["top"][0]["probability"] == pytest.approx(expected[chosen][0]["probability"], abs=1e-5)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(16)))
    text = client.get("/metrics").text
    batches = float(re.search(r"karyo_batch_images_count (\S+)", text)[1])
    assert batches < 96, "requests that arrive together share batches"


def test_explanations_are_given_where_they_can_be(client, drawn):
    pytest.importorskip("captum")
    assert client.get("/api/v1/model").json["explains"] is True
    pictures = []
    for query in ("", "?label=1", "?label=Y"):
        response = _post(client, f"/api/v1/explain{query}", _file(drawn[0]))
        assert response.mimetype == "image/png", response.text
        pictures.append(cv2.imdecode(np.frombuffer(response.data, np.uint8), cv2.IMREAD_UNCHANGED))
    assert pictures[0].ndim == 3
    assert not np.array_equal(pictures[1], pictures[2])
    _check_error(_post(client, "/api/v1/explain?label=23", _file(drawn[0])), 400, "invalid_request")
    _check_error(_post(client, "/api/v1/explain", _file(b"text")), 422, "unreadable_image")
    _check_error(client.post("/api/v1/explain"), 415, "unsupported_media_type")


def test_explanations_are_refused_where_they_cannot_be(predictor, drawn, monkeypatch):
    for client in _client(predictor, explanations=False):
        assert client.get("/api/v1/model").json["explains"] is False
        _check_error(_post(client, "/api/v1/explain", _file(drawn[0])), 501, "cannot_explain")
    monkeypatch.setattr("karyo.web.explaining.find_spec", lambda name: None)
    for client in _client(predictor):
        assert client.get("/api/v1/model").json["explains"] is False
        _check_error(_post(client, "/api/v1/explain", _file(drawn[0])), 501, "cannot_explain")


def test_no_temporary_file_of_a_refused_form_stays_open(predictor, drawn, monkeypatch: pytest.MonkeyPatch):
    import werkzeug.formparser

    opened: list[Any] = []

    class Kept(tempfile.SpooledTemporaryFile):
        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, **more)
            opened.append(self)

    monkeypatch.setattr(werkzeug.formparser, "SpooledTemporaryFile", Kept)
    for client in _client(predictor, max_images=2, queue=2):
        assert _post(client, "/api/v1/predict", *[_file(drawn[0]) for _ in range(40)]).status_code == 413
        assert _post(client, "/api/v1/predict", _file(drawn[0]), _file(b"no image")).status_code == 200
        _, body = encode_multipart({"image": [_file(drawn[0]), _file(drawn[1])]}, boundary="cut")
        cut = client.post("/api/v1/predict", data=body[:-40], content_type="multipart/form-data; boundary=cut")
        assert cut.status_code == 400
    assert len(opened) > 18
    assert [each for each in opened if not each.closed] == []
