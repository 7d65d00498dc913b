"""The API for whole cells: images and spreads in, with and without boxes; bad ones, and many at once."""

import dataclasses
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
from asking_cells import (
    ISCN,
    KARYOGRAM,
    KARYOTYPE,
    NORMAL,
    RECORDS,
    TRAINING,
    Decider,
    check_error,
    clients,
    decided_by,
    file_of,
    post,
    unpacked,
)
from attacking import FORM, Client, form, part
from exported import tiny_model
from flask.testing import FlaskClient
from hostile import NAMES, png_of
from made_karyotypes import made_karyotype
from serving import running

from karyo.chromosomes import CLASSES
from karyo.data.synthetic import SpreadSettings, SyntheticSource, draw_spread, spread_annotation
from karyo.errors import DataError
from karyo.karyotype.cell import Karyotype
from karyo.karyotype.record import from_record, to_record
from karyo.web.batching import QueueFullError, StoppedError
from karyo.web.desk import Desk

KEY = "a-key-of-24-characters!!"
BOX = "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"
GOOD_NAMES = [each for each in NAMES if "\udc80" not in each]
"""Half a character makes the whole form unreadable."""


@pytest.fixture(scope="module")
def cell() -> Karyotype:
    return made_karyotype(doubtful=[3, 7], tray=2, name="cell 7")


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    source = SyntheticSource(cells=1)
    return [source.read(record) for record in source.records]


@pytest.fixture
def client() -> Iterator[FlaskClient]:
    yield from clients()


@pytest.fixture
def decider(client: FlaskClient, cell: Karyotype) -> Decider:
    return decided_by(client, Decider(cell))


def _annotation(*boxes: tuple[object, ...], size: tuple[int, int] = (64, 48)) -> bytes:
    declared = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>"
    return f"<annotation>{declared}{''.join(BOX.format(*each) for each in boxes)}</annotation>".encode()


def test_several_images_are_a_cell_and_one_is_a_spread(client, decider, pictures):
    response = post(client, *[file_of(each, f"{number}.png") for number, each in enumerate(pictures)])
    assert response.status_code == 200, response.text
    name, objects, boxes = decider.seen[0]
    assert (name, boxes) == ("cell", None)
    assert [each.name for each in objects] == [f"{number}.png" for number in range(46)]
    assert all(np.array_equal(each.grey, grey) for each, grey in zip(objects, pictures, strict=True))
    assert response.json["model"]["name"] == "tiny"
    assert len(response.json["objects"]) == 48
    assert response.json["objects"][0]["picture"].startswith("data:image/png;base64,")

    assert post(client, file_of(pictures[0], "metaphase 5.jpg")).status_code == 200
    name, grey, boxes = decider.seen[1]
    assert (name, boxes) == ("metaphase 5", None)
    assert np.array_equal(grey, pictures[0])


def test_the_answer_is_a_record_that_can_be_sent_back(client, decider, cell, pictures):
    answer = post(client, file_of(pictures[0])).json
    again = from_record(answer)
    assert [each.label for each in again.objects] == [each.label for each in cell.objects]
    assert np.array_equal(again.objects[5].object.grey, cell.objects[5].object.grey)
    for url in RECORDS:
        assert client.post(url, json=answer).status_code == 200


@pytest.mark.parametrize(
    ("query", "count", "seen"),
    [("?kind=cell", 1, list), ("?kind=spread", 1, np.ndarray), ("?kind=auto", 2, list), ("?kind=cell", 3, list)],
)
def test_the_kind_can_be_said(client, decider, pictures, query, count, seen):
    assert post(client, *map(file_of, pictures[:count]), query=query).status_code == 200
    assert isinstance(decider.seen[0][1], seen)


def test_a_cell_can_be_named_and_its_images_need_not_differ_in_name(client, decider, pictures):
    files = [file_of(pictures[0], name) for name in ("a.png", "a.png", "a.png (2)", "a.png", "x/../a.png")]
    assert post(client, *files, query="?name=case%2012%2Fcell%204%0a").status_code == 200
    name, objects, _ = decider.seen[0]
    assert name == "cell 4"
    names = [each.name for each in objects]
    assert len(set(names)) == len(names)
    assert names[0] == "a.png"


def test_whatever_an_image_is_called_the_record_can_be_sent_back(client, cell, pictures):
    objects = []

    class Echo(Decider):
        def decide(self, name, given, **_):
            objects[:] = given
            placed = [
                dataclasses.replace(each, object=dataclasses.replace(each.object, name=own.name))
                for each, own in zip(cell.objects, given, strict=False)
            ]
            return dataclasses.replace(cell, name=name, objects=placed)

    decided_by(client, Echo(cell))
    image = cv2.imencode(".png", pictures[0])[1].tobytes()
    body = form(*(part(image, name) for name in (*GOOD_NAMES, "a\u00a0b.png", "line\u2028separator.png")))
    answer = client.post(KARYOTYPE, data=body, content_type=FORM)
    assert answer.status_code == 200, answer.text
    assert len(answer.json["objects"]) == len(objects) > 10
    assert from_record(answer.json).objects
    with unpacked(client.post(TRAINING, json=answer.json)) as archive:
        for path in archive.namelist()[:-1]:
            label, name = path.split("/")
            assert label in CLASSES
            assert name.isprintable()
            assert not set(name) & set('<>:"\\|?*')
            assert not name.startswith(".")


def test_requests_that_make_no_cell_are_refused(client, decider, pictures):
    image = pictures[0]
    two = [file_of(image), file_of(image)]
    assert "one image" in check_error(post(client, *two, query="?kind=spread"), 400, "wrong_number_of_images")
    check_error(post(client, file_of(image), query="?kind=case"), 400, "invalid_request")
    check_error(post(client, file_of(image), query=f"?name={'x' * 201}"), 400, "invalid_request")
    check_error(post(client), 400, "invalid_request")
    check_error(client.post(KARYOTYPE, data={"image": ""}, content_type="multipart/form-data"), 400, "invalid_request")
    for arguments in ({"json": {"image": "x"}}, {"data": b"raw"}, {}):
        check_error(client.post(KARYOTYPE, **arguments), 415, "unsupported_media_type")
    for url in (KARYOTYPE, *RECORDS, ISCN):
        check_error(client.get(url), 405, "method_not_allowed")
    assert decider.seen == []


def test_an_image_that_cannot_be_read_stops_the_cell(client, decider, pictures):
    files = [file_of(pictures[0], "1.png"), file_of(b"text", "2.png"), file_of(pictures[1], "3.png")]
    assert "2.png" in check_error(post(client, *files), 422, "unreadable_image")
    assert "empty" in check_error(post(client, file_of(b"", "s.jpg")), 422, "unreadable_image")
    bomb = png_of(60_000, 60_000, 1 << 20)
    assert "60000 x 60000" in check_error(post(client, file_of(bomb)), 422, "unreadable_image")
    assert decider.seen == []


def test_the_limits_hold_for_cells(cell, pictures):
    for client in clients(max_images=3, queue=3, max_pixels=10_000, max_upload_mb=1):
        decider = decided_by(client, Decider(cell))
        small, large = np.full((50, 50), 200, np.uint8), np.full((100, 100), 200, np.uint8)
        assert post(client, *[file_of(small) for _ in range(3)]).status_code == 200
        check_error(post(client, *[file_of(small) for _ in range(4)]), 413, "too_many_images")
        check_error(post(client, *[file_of(small) for _ in range(40)]), 413, "too_large")
        large_body = b"--x\r\nContent-Disposition: form-data; name=image; filename=a\r\n\r\n" + bytes(2**20)
        response = client.post(KARYOTYPE, data=large_body, content_type="multipart/form-data; boundary=x")
        check_error(response, 413, "too_large")
        check_error(post(client, file_of(np.full((101, 100), 200, np.uint8))), 422, "unreadable_image")
        assert len(decider.seen) == 1
        assert post(client, *[file_of(large) for _ in range(3)]).status_code == 200
    for client in clients(max_pixels=10_000):
        decider = decided_by(client, Decider(cell))
        assert post(client, *[file_of(large) for _ in range(4)]).status_code == 200
        message = check_error(post(client, *[file_of(large) for _ in range(5)]), 413, "too_large")
        assert "40,000 pixels" in message
        assert len(decider.seen) == 1


def test_what_is_no_cell_is_said(client, cell, pictures):
    decided_by(client, Decider(DataError("the picture is no spread: it is blank")))
    assert "it is blank" in check_error(post(client, file_of(pictures[0])), 422, "no_cell")
    assert "it is blank" in check_error(post(client, *map(file_of, pictures[:3])), 422, "no_cell")
    decided_by(client, Decider(dataclasses.replace(cell, objects=[], remarks=("Nothing\nwas found.",))))
    assert "Nothing was found." in check_error(post(client, file_of(pictures[0])), 422, "no_cell")


def test_boxes_reach_the_karyotyper(client, decider):
    grey = np.full((48, 64), 230, np.uint8)
    xml = _annotation(("7", 1, 2, 30, 40), ("Z9", 1, 2, 3, 4), ("chrX", 31.5, 2, 70, 48))
    answer = post(client, file_of(grey), annotation=file_of(xml, "a.xml"))
    assert answer.status_code == 200, answer.text
    assert [(each.label, each.edges) for each in decider.seen[0][2]] == [(6, (1, 2, 30, 40)), (22, (31, 2, 70, 48))]
    assert "1 object of the annotation" in answer.json["remarks"][-1]
    assert "'Z9' names no human chromosome" in answer.json["remarks"][-1]


@pytest.mark.parametrize(
    ("xml", "said"),
    [
        (_annotation(("7", 1, 2, 3, 4), size=(640, 480)), "made for 640 x 480"),
        (_annotation(("7", 1, 2, 3, 4), ("8", 64, 2, 70, 40)), "Box 2"),
        (_annotation(("7", 1, -20, 3, -10)), "Box 1"),
        (_annotation(), "no usable box"),
        (_annotation(("Z", 1, 2, 3, 4)), "no usable box"),
        (_annotation(*[("7", 1, 2, 3, 4)] * 401), "401 boxes"),
        (b"", "empty"),
        (b"<annotation>", "not XML"),
        (b"<html/>", "no Pascal VOC annotation"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>', "declares a document type"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation/>', "declares a document type"),
        (b"<annotation>" + b"<a>" * 40, "nested"),
        (b"\x89PNG\r\n\x1a\n", "not XML"),
    ],
)
def test_an_annotation_that_cannot_be_meant_is_refused(client, decider, xml, said):
    answer = post(client, file_of(np.full((48, 64), 230, np.uint8)), annotation=file_of(xml, "b\u202e.xml"))
    assert said in check_error(answer, 422, "unreadable_annotation")
    assert decider.seen == []


def test_an_annotation_belongs_to_one_spread(client, decider, pictures):
    xml = _annotation(("7", 1, 2, 30, 40))
    two = post(client, *map(file_of, pictures[:2]), annotation=file_of(xml, "a.xml"))
    check_error(two, 400, "invalid_request")
    alone = post(client, file_of(pictures[0]), query="?kind=cell", annotation=file_of(xml, "a.xml"))
    check_error(alone, 400, "invalid_request")
    both = post(client, file_of(pictures[0]), annotation=[file_of(xml, "a.xml"), file_of(xml, "b.xml")])
    assert "one annotation" in check_error(both, 400, "invalid_request")
    image = cv2.imencode(".png", pictures[0])[1].tobytes()
    large = form(part(image), part(xml + b" " * 1_000_000, "a.xml", field="annotation"))
    check_error(client.post(KARYOTYPE, data=large, content_type=FORM), 413, "too_large")
    assert decider.seen == []
    left_empty = form(part(image), part(b"", b"", field="annotation"))
    assert client.post(KARYOTYPE, data=left_empty, content_type=FORM).status_code == 200
    assert decider.seen[0][2] is None


def test_few_cells_at_a_time_the_next_wait_and_the_server_stays_alive(cell, pictures):
    for client in clients(threads=16):
        decider = decided_by(client, Decider(cell))
        decider.open.clear()
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(post, client.application.test_client(), file_of(pictures[0])) for _ in range(4)]
            assert decider.entered.acquire(timeout=10)
            assert decider.entered.acquire(timeout=10)
            time.sleep(0.1)
            started = time.monotonic()
            refused = post(client, file_of(pictures[0]))
            check_error(refused, 503, "busy")
            assert time.monotonic() - started < 10, "the queue is full: nobody waits"
            assert int(refused.headers["Retry-After"]) > 0
            assert client.get("/healthz").status_code == 200
            assert client.get("/api/v1/model").status_code == 200
            assert client.post("/api/v1/predict", data={"image": file_of(pictures[0])}).status_code == 200
            assert client.post(KARYOGRAM, json=to_record(cell)).status_code == 200
            decider.open.set()
            assert [each.result(20).status_code for each in asked] == [200] * 4
        assert decider.most_at_work == 2
        assert post(client, file_of(pictures[0])).status_code == 200


def test_who_waits_too_long_is_told_to_come_back(client, cell, pictures):
    decider = decided_by(client, Decider(cell), cells=Desk(1, 1, 0.05))
    decider.open.clear()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(post, client.application.test_client(), file_of(pictures[0]))
        assert decider.entered.acquire(timeout=10)
        check_error(post(client, file_of(pictures[0])), 503, "busy")
        decider.open.set()
        assert asked.result(20).status_code == 200
    for _ in range(3):  # whoever failed has left the desk
        decider.answer = DataError("nothing there")
        check_error(post(client, file_of(pictures[0])), 422, "no_cell")
        decider.answer = RuntimeError("a defect")
        check_error(post(client, file_of(pictures[0])), 500, "internal_error")


def test_a_full_queue_of_images_is_no_defect(client, cell, pictures):
    for trouble in (QueueFullError(), StoppedError()):
        decided_by(client, Decider(trouble))
        refused = post(client, file_of(pictures[0]))
        check_error(refused, 503, "unavailable")
        assert int(refused.headers["Retry-After"]) > 0


def test_two_cells_at_once_get_their_own_answers(client, pictures):
    both = threading.Barrier(2, timeout=20)

    class Named(Decider):
        def decide(self, name, objects, **_):
            both.wait()
            return made_karyotype(name=name, copies=[len(objects)] + [0] * 23, pictures=False)

    decided_by(client, Named(DataError("")))

    def ask(number: int) -> tuple[str, int]:
        own = client.application.test_client()
        answer = post(own, *map(file_of, pictures[:number]), query=f"?name=cell%20{number}").json
        return answer["name"], len(answer["objects"])

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(ask, [2, 3])) == [("cell 2", 2), ("cell 3", 3)]


def test_the_key_is_asked_for(cell):
    for client in clients(api_key=KEY):
        for url in (KARYOTYPE, *RECORDS, ISCN):
            check_error(client.post(url), 401, "unauthorised")
            check_error(client.post(url, json={}, headers={"X-API-Key": "wrong"}), 401, "unauthorised")
        allowed = client.post(ISCN, json={"counts": NORMAL}, headers={"X-API-Key": KEY})
        assert allowed.status_code == 200


def test_cells_are_counted_and_logged(client, decider, pictures, tmp_path):
    from karyo.web.access_log import start_logging

    start_logging(str(tmp_path / "access.log"))
    post(client, *[file_of(each, "patient.png") for each in pictures[:3]], query="?name=secret")
    client.post(ISCN, json={"counts": NORMAL})
    start_logging("off")
    text = (tmp_path / "access.log").read_text(encoding="utf-8")
    first, second = map(json.loads, text.splitlines())
    assert (first["path"], first["status"], first["images"]) == (KARYOTYPE, 200, 3)
    assert (second["path"], second["images"]) == (ISCN, 0)
    assert "patient" not in text
    assert "secret" not in text
    metrics = client.get("/metrics").text
    assert 'karyo_requests_total{method="POST",route="/api/v1/karyotype",status="200"} 1.0' in metrics
    assert 'karyo_images_total{outcome="rejected"} 2.0' in metrics


def test_the_document_says_what_is_taken(client):
    document = client.get("/openapi.json").json
    paths = document["paths"]
    assert set(paths[KARYOTYPE]["post"]["requestBody"]["content"]) == {"multipart/form-data"}
    for url in (*RECORDS, ISCN):
        assert set(paths[url]["post"]["requestBody"]["content"]) == {"application/json"}
        assert paths[url]["post"]["requestBody"]["required"] is True
        assert {"400", "413", "415", "422", "500"} <= set(paths[url]["post"]["responses"])
    assert "503" in paths[KARYOTYPE]["post"]["responses"]
    assert set(paths[KARYOGRAM]["post"]["responses"]["200"]["content"]) == {
        "image/svg+xml",
        "image/png",
        "application/pdf",
    }
    counts = document["components"]["schemas"]["Counts"]["properties"]["counts"]["properties"]
    assert set(counts) == set(CLASSES)


@pytest.fixture(scope="module")
def spread() -> Any:
    return draw_spread(3, SpreadSettings(700, 700, nuclei=1, debris=4))


@pytest.mark.parametrize("count", [1, 2, 45, 46, 47])
def test_a_cell_of_any_size_is_decided(client, pictures, count):
    images = [*pictures, pictures[0]][:count]
    answer = post(client, *[file_of(each, f"{number}.png") for number, each in enumerate(images)], query="?kind=cell")
    assert answer.status_code == 200, answer.text
    record = answer.json
    assert [each["name"] for each in record["objects"]] == [f"{number}.png" for number in range(count)]
    assert record["size"] is None
    assert not any(each["reviewed"] or each["debris"] or each["turned"] for each in record["objects"])
    assert client.post(ISCN, json={"counts": record["call"]["copies"]}).json["iscn"] == record["iscn"]
    assert client.post(KARYOGRAM, json=record).mimetype == "image/svg+xml"
    if count == 47:
        assert any("same image" in remark for remark in record["remarks"])


def test_a_spread_is_taken_apart_with_boxes_and_without(client, spread):
    image = cv2.imencode(".png", spread.image)[1].tobytes()
    xml = spread_annotation(spread, "spread.png").encode()
    found = post(client, file_of(image, "spread.png"))
    given = post(client, file_of(image, "spread.png"), annotation=file_of(xml, "spread.xml"))
    for answer in (found, given):
        assert answer.status_code == 200, answer.text
        assert answer.json["size"] == [700, 700]
        assert answer.json["name"] == "spread"
        assert answer.json["objects"][0]["name"] == "spread_1"
    assert len(found.json["objects"]) > 20
    assert {each["truth"] for each in found.json["objects"]} == {None}
    truths = [CLASSES[each.label] for each in spread.chromosomes]
    assert [each["truth"] for each in given.json["objects"]] == truths


@pytest.mark.parametrize(
    "grey",
    [
        np.full((400, 500), 235, np.uint8),
        np.zeros((1, 1), np.uint8),
        np.random.default_rng(0).integers(0, 256, (300, 300)).astype(np.uint8),
        np.tile(np.linspace(0, 255, 400).astype(np.uint8), (300, 1)),
    ],
    ids=["blank", "one pixel", "noise", "a ramp"],
)
def test_a_picture_that_is_no_spread_is_refused(client, pictures, grey):
    assert len(check_error(post(client, file_of(grey)), 422, "no_cell")) > 30


def test_one_chromosome_is_no_spread(client, pictures):
    check_error(post(client, file_of(pictures[0])), 422, "no_cell")


def test_images_of_cells_go_through_the_batches_of_all(pictures):
    for client in clients(batch=8):
        assert post(client, *map(file_of, pictures[:20])).status_code == 200
        text = client.get("/metrics").text
        assert "karyo_batch_images_sum 20.0" in text
        assert 'karyo_batch_images_bucket{le="8.0"} 3.0' in text


@pytest.mark.slow
def test_a_served_model_karyotypes_and_stays_alive(tmp_path, pictures, spread):
    """A real server: two spreads at once, hostile records meanwhile, and its health is told all the time."""
    image = cv2.imencode(".png", spread.image)[1].tobytes()
    bodies = [b'{"a":[' + b"{}," * 450_000 + b"0]}", b"[" * 30_000_000, b'{"objects":"' + b"x" * 30_000_000 + b'"}']
    worst = 0.0
    with running(tiny_model(tmp_path), access_log="off", network_threads=1) as server, ThreadPoolExecutor(8) as pool:

        def send(path: str, body: bytes, kind: str) -> int:
            with Client(server.port) as own:
                return own.post(path, body, kind).status

        process = psutil.Process(server.process.pid)
        before = process.memory_info().rss
        asked = [pool.submit(send, KARYOTYPE, form(part(image, f"{number}.png")), FORM) for number in range(2)]
        hostile = [pool.submit(send, url, body, "application/json") for url in RECORDS for body in bodies]
        most = before
        while not all(each.done() for each in (*asked, *hostile)):
            started = time.monotonic()
            with Client(server.port) as own:
                assert own.get("/healthz").status == 200
            worst = max(worst, time.monotonic() - started)
            most = max(most, process.memory_info().rss)
            time.sleep(0.05)
        assert [each.result() for each in asked] == [200, 200]
        assert {each.result() for each in hostile} <= {413, 422, 503}
        assert server.stop() == 0
    assert worst < 3
    assert (most - before) / 2**20 < 400
