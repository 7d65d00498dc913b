"""The API for records of cells that come back: karyogram, ISCN text and training data; good ones and hostile ones."""

import base64
import csv
import io
import json
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from asking_cells import (
    ISCN,
    KARYOGRAM,
    NORMAL,
    RECORDS,
    TRAINING,
    check_error,
    clients,
    send,
    unpacked,
)
from flask.testing import FlaskClient
from hostile import png_of
from made_karyotypes import made_karyotype

from karyo.chromosomes import CLASSES
from karyo.data.layouts import FolderSource
from karyo.karyotype.cell import Karyotype
from karyo.karyotype.record import to_record


@pytest.fixture(scope="module")
def cell() -> Karyotype:
    return made_karyotype(doubtful=[3, 7], tray=2, name="cell 7")


@pytest.fixture(scope="module")
def few() -> Karyotype:
    """Drawn faster than a whole cell."""
    return made_karyotype(copies=[2, 1, 0, *[0] * 17, 3, 0, 1, 1], doubtful=[3], tray=1)


@pytest.fixture
def client() -> Iterator[FlaskClient]:
    yield from clients()


def _rows(archive: zipfile.ZipFile) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(archive.read("index.csv").decode(), newline="")))


def _as_png(grey: np.ndarray) -> str:
    return _as_url(cv2.imencode(".png", grey)[1].tobytes())


def _as_url(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()


@pytest.mark.parametrize(
    ("query", "media", "start"),
    [
        ("", "image/svg+xml", b"<?xml"),
        ("?format=svg&ideograms=true", "image/svg+xml", b"<?xml"),
        ("?format=png", "image/png", b"\x89PNG"),
        ("?format=pdf&ideograms=false", "application/pdf", b"%PDF"),
    ],
)
def test_a_record_is_drawn(client, few, query, media, start):
    response = client.post(KARYOGRAM + query, json=to_record(few))
    assert response.status_code == 200, response.text
    assert response.mimetype == media
    assert response.data.startswith(start)
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def test_an_edited_record_is_drawn_as_it_is_now(client, few):
    record = to_record(few)
    before = client.post(KARYOGRAM, json=record).data
    assert client.post(KARYOGRAM, json=record).data == before
    record["objects"][0] |= {"place": "22", "reviewed": True}
    moved = client.post(KARYOGRAM, json=record).data
    record["objects"][1] |= {"turned": True, "reviewed": True}
    turned = client.post(KARYOGRAM, json=record).data
    assert len({before, moved, turned}) == 3


@pytest.mark.parametrize("query", ["format=gif", "format=", "format=../x", "ideograms=1", "ideograms=perhaps"])
def test_a_drawing_is_asked_for_rightly(client, few, query):
    check_error(client.post(f"{KARYOGRAM}?{query}", json=to_record(few)), 400, "invalid_request")


def test_texts_of_a_record_do_nothing_in_a_picture(client, few):
    record = to_record(few)
    record["name"] = "<script>alert(1)</script> $\\frac{1}{0}$ {0} %s & 染色体"
    record["objects"][3]["name"] = '"><image href="https://evil.example/x"/>'
    record["remarks"] = ["$x^{$", "</svg><script>"]
    response = client.post(KARYOGRAM, json=record)
    assert response.status_code == 200, response.text
    assert "<script" not in response.text
    assert 'evil.example/x"/>' not in response.text


def _hostile_bodies() -> dict[str, bytes]:
    return {
        "nothing": b"",
        "no JSON": b"{format: 1}",
        "half": b'{"format": 1',
        "a list": b"[]",
        "a number": b"1",
        "null": b"null",
        "deep lists": b"[" * 100_000,
        "deep objects": b'{"a":' * 100_000,
        "deep and closed": b'{"objects":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        "NaN": b'{"format": NaN}',
        "infinity": b'{"format": -Infinity}',
        "a number beyond floats": b'{"format": 1e999}',
        "a number of a million digits": b'{"format": ' + b"9" * 1_000_000 + b"}",
        "no UTF-8": b'{"format": "\xff"}',
        "UTF-16": '{"format": 1}'.encode("utf-16"),
        "a mark before": b'\xef\xbb\xbf{"format": 1}',
    }


@pytest.mark.parametrize("url", [*RECORDS, ISCN])
@pytest.mark.parametrize("kind", _hostile_bodies())
def test_what_is_no_json_is_refused(client, url, kind):
    body = _hostile_bodies()[kind]
    started = time.monotonic()
    response = send(client, url, body)
    assert time.monotonic() - started < 2
    if url == ISCN and len(body) > 16_384:
        check_error(response, 413, "too_large")
    else:
        check_error(response, 400, "invalid_json")


@pytest.mark.parametrize("url", [*RECORDS, ISCN])
def test_json_must_be_called_json(client, few, url):
    body = json.dumps({"counts": NORMAL} if url == ISCN else to_record(few))
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml", None):
        check_error(client.post(url, data=body, content_type=kind), 415, "unsupported_media_type")
    with_charset = client.post(url, data=body, content_type="application/json; charset=utf-8")
    assert with_charset.status_code == 200


@pytest.mark.parametrize(
    "body", [b'{"objects":[' + b"{}," * 1_000_000 + b"{}]}", b'{"a":[' + b"[]," * 2_000_000 + b"0]}"]
)
@pytest.mark.parametrize("url", RECORDS)
def test_a_million_objects_are_not_even_read(client, monkeypatch, url, body):
    read: list[bytes] = []
    monkeypatch.setattr("karyo.web.json_body._parsed", read.append)
    assert "1,000,000 values" in check_error(send(client, url, body), 413, "too_large")
    assert read == []


def _edited(cell: Karyotype, **changes: Any) -> dict[str, Any]:
    """A record with one thing changed: of the record, of its first object, or of its call."""
    record = to_record(cell)
    for place, value in changes.items():
        *where, last = place.split("__")
        target: Any = record
        for step in where:
            target = target[int(step) if step.isdigit() else step]
        target[last] = value
    return record


WRONG: dict[str, dict[str, Any]] = {
    "another format": {"format": 2},
    "a format of text": {"format": "1"},
    "no objects": {"objects": None},
    "objects of numbers": {"objects": [1, 2]},
    "a list of lists": {"objects": [[[[]]]]},
    "too many objects": {"objects": [{}] * 401},
    "an unknown place": {"objects__0__place": "23"},
    "a place of a list": {"objects__0__place": ["1"]},
    "a path as place": {"objects__0__place": "../../1"},
    "debris with a place": {"objects__0__debris": True},
    "a flag of a number": {"objects__0__reviewed": 1},
    "a name of a number": {"objects__0__name": 7},
    "a long name": {"objects__0__name": "x" * 100_000},
    "half a character": {"objects__0__name": "\ud800"},
    "no mapping of probabilities": {"objects__0__probabilities": [0.5]},
    "a probability of two": {"objects__0__probabilities": {"1": 2}},
    "a huge whole number": {"objects__0__probabilities": {"1": 10**39}},
    "copies of text": {"copies": "2"},
    "a picture of a file": {"objects__0__picture": "file:///etc/passwd"},
    "a picture elsewhere": {"objects__0__picture": "https://evil.example/a.png"},
    "an SVG": {"objects__0__picture": "data:image/svg+xml;base64,PHN2Zy8+"},
    "no base64": {"objects__0__picture": "data:image/png;base64,????"},
    "a picture of megabytes of nothing": {"objects__0__picture": _as_url(bytes(5_000_000))},
    "half a picture": {"objects__0__image": _as_png(np.zeros((50, 50), np.uint8))[:80]},
    "a picture that is no PNG": {"objects__0__image": _as_url(b"GIF89a" + bytes(100))},
    "a bomb": {"objects__0__image": _as_url(png_of(60_000, 60_000, 1 << 22))},
    "a bomb behind the last row": {"objects__0__image": _as_url(png_of(100, 100, 1 << 24))},
    "a centromere beside it": {"objects__0__centromere": 1e9},
    "a size of nothing": {"size": [0, 5]},
    "remarks of objects": {"remarks": [{}]},
}


@pytest.mark.parametrize("url", RECORDS)
@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_record_is_refused(client, cell, url, what):
    started = time.monotonic()
    message = check_error(client.post(url, json=_edited(cell, **WRONG[what])), 422, "invalid_record")
    assert time.monotonic() - started < 5
    assert len(message) < 1_100


def test_two_objects_of_one_name_are_refused(client, cell):
    record = to_record(cell)
    record["objects"][1]["name"] = record["objects"][0]["name"]
    for url in RECORDS:
        assert "unique" in check_error(client.post(url, json=record), 422, "invalid_record")


def test_pictures_of_a_record_are_bounded_together(cell):
    for client in clients(max_pixels=20_000):
        record = _edited(cell, objects=to_record(cell)["objects"][:4])
        assert client.post(TRAINING, json=record).status_code == 200
        for each in record["objects"]:
            each["image"] = _as_png(np.zeros((300, 200), np.uint8))
        check_error(client.post(TRAINING, json=record), 422, "invalid_record")


def test_the_body_of_a_record_is_bounded():
    for client in clients(max_upload_mb=1):
        for url in RECORDS:
            check_error(send(client, url, b'{"a":"' + b"x" * 2**20 + b'"}'), 413, "too_large")


@pytest.mark.parametrize(
    ("changed", "text", "abnormal", "counted"),
    [
        ({}, "46,XX", False, 46),
        ({"X": 1, "Y": 1, "21": 3}, "47,XY,+21", True, 47),
        ({"X": 1}, "45,X", True, 45),
        ({"7": 2.0}, "46,XX", False, 46),
    ],
)
def test_counts_become_text(client, changed, text, abnormal, counted):
    response = client.post(ISCN, json={"counts": NORMAL | changed})
    assert response.json == {"iscn": text, "abnormal": abnormal, "counted": counted}


def test_all_counts_and_none_are_answered(client):
    assert client.post(ISCN, json={"counts": {}}).json["counted"] == 0
    assert client.post(ISCN, json={"counts": dict.fromkeys(CLASSES, 99)}).json["counted"] == 24 * 99


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"counts": None},
        {"counts": [2] * 24},
        {"counts": {"23": 1}},
        {"counts": {"x": 1}},
        {"counts": {"": 1}},
        {"counts": {"1": -1}},
        {"counts": {"1": 100}},
        {"counts": {"1": 1.5}},
        {"counts": {"1": "2"}},
        {"counts": {"1": True}},
        {"counts": {"1": None}},
        {"counts": {"1": [2]}},
        {"counts": {"\u202e\n": 2}},
    ],
)
def test_wrong_counts_are_refused(client, content):
    check_error(client.post(ISCN, json=content), 422, "invalid_counts")


def test_a_reviewed_cell_is_a_data_set(client, cell, tmp_path):
    record = to_record(cell)
    record["objects"][3] |= {"place": "9", "reviewed": True}  # was doubtful, now moved
    record["objects"][10] |= {"place": None, "debris": True, "reviewed": True}
    response = client.post(TRAINING, json=record)
    assert client.post(TRAINING, json=record).data == response.data
    with unpacked(response) as archive:
        archive.extractall(tmp_path)
        rows = _rows(archive)
        assert archive.namelist() == [*[row["file"] for row in rows], "index.csv"]
    # 46 placed, one doubtful and not looked at, one debris; two lie in the tray
    assert len(rows) == 44
    by_name = {row["name"]: row for row in rows}
    assert record["objects"][7]["name"] not in by_name
    assert record["objects"][10]["name"] not in by_name
    moved = by_name[record["objects"][3]["name"]]
    assert (moved["label"], moved["reviewed"], moved["cell"]) == ("9", "yes", "cell 7")
    assert by_name[record["objects"][0]["name"]]["reviewed"] == "no"

    source = FolderSource(tmp_path, r"(?:.*/)?(?P<label>[^/]+)/[^/]+")
    assert {each.path: CLASSES[each.label] for each in source.records} == {row["file"]: row["label"] for row in rows}
    stored = {row["file"]: row["name"] for row in rows}
    images = {each.object.name: each.object.grey for each in cell.objects}
    for each in source.records:
        assert np.array_equal(source.read(each), images[stored[each.path]])


def test_names_in_a_zip_are_harmless_and_differ(client, cell, tmp_path):
    names = [
        "../../etc/passwd",
        "..\\..\\win.ini",
        "/absolute.png",
        "CON",
        "con.png",
        ".hidden",
        "...",
        'a<b>:"|?*',
        "染色体 ü.tif",
        "A.png",
        "a.png",
        "a.tiff",
        "x" * 400,
        "=1+1",
        " - dash",
        "\u0301",
    ]
    record = to_record(cell)
    record["objects"] = record["objects"][: len(names)]
    for each, name in zip(record["objects"], names, strict=True):
        each |= {"name": name, "place": "1", "reviewed": True}
    with unpacked(client.post(TRAINING, json=record)) as archive:
        paths = archive.namelist()
        assert len({each.casefold() for each in paths}) == len(paths) == len(names) + 1
        for path in paths[:-1]:
            label, name = path.split("/")
            assert label == "1"
            assert name.endswith(".png")
            assert not name.startswith((".", " "))
            assert len(name.encode()) < 200
            assert not set(name) & set('<>:"\\|?*')
            assert name.partition(".")[0].lower() != "con"
        assert {"1/passwd.png", "1/absolute.png", "1/染色体 ü.png", "1/A.png", "1/a 2.png", "1/a 3.png"} <= set(paths)
        archive.extractall(tmp_path / "here")
        cells = [row["name"] for row in _rows(archive)]
    assert cells[13:15] == ["'=1+1", "' - dash"]
    assert len(list((tmp_path / "here").rglob("*.png"))) == len(names)
    assert not list(tmp_path.glob("*.*"))


def test_nothing_to_learn_is_said(client):
    unsure = made_karyotype(doubtful=range(46))
    check_error(client.post(TRAINING, json=to_record(unsure)), 422, "no_examples")
    check_error(client.post(TRAINING, json=to_record(made_karyotype(), pictures=False)), 422, "no_examples")
    tray = made_karyotype(copies=[0] * 24, tray=3)
    check_error(client.post(TRAINING, json=to_record(tray)), 422, "no_examples")
