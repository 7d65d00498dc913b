"""Asking about whole cells through Flask's test client, and what stands for the karyotyper meanwhile."""

import dataclasses
import io
import threading
import zipfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from flask.testing import FlaskClient
from hostile_models import whole
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse

import karyo
from karyo.chromosomes import CLASSES
from karyo.data.spreads import Box
from karyo.karyotype.cell import CellObject, Karyotype
from karyo.web.app import create_app
from karyo.web.settings import ServerSettings

KARYOTYPE, KARYOGRAM = "/api/v1/karyotype", "/api/v1/karyogram"
ISCN, TRAINING = "/api/v1/karyotype/iscn", "/api/v1/karyotype/training-data"
RECORDS = (KARYOGRAM, TRAINING)
NORMAL = dict.fromkeys(CLASSES[:22], 2) | {"X": 2}


class Decider:
    """Stands for the karyotyper where a test asks what the server does around it."""

    def __init__(self, answer: Karyotype | Exception) -> None:
        self.answer = answer
        self.seen: list[tuple[str, Any, Any]] = []
        self.at_work = self.most_at_work = 0
        self.entered, self.open = threading.Semaphore(0), threading.Event()
        self.open.set()
        self._lock = threading.Lock()

    def decide(self, name: str, objects: Sequence[CellObject], **_: Any) -> Karyotype:
        return self._answer(name, list(objects), None)

    def spread(self, name: str, grey: np.ndarray, boxes: Sequence[Box] | None = None, **_: Any) -> Karyotype:
        return self._answer(name, grey, boxes)

    def _answer(self, *seen: Any) -> Karyotype:
        with self._lock:
            self.seen.append(seen)
            self.at_work += 1
            self.most_at_work = max(self.most_at_work, self.at_work)
        self.entered.release()
        assert self.open.wait(20)
        with self._lock:
            self.at_work -= 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def clients(**settings: Any) -> Iterator[FlaskClient]:
    """Give one client of a server with these settings, and stop its threads afterwards."""
    app = create_app(_small_predictor(), ServerSettings(**settings))
    service = app.extensions["karyo"]
    yield app.test_client()
    service.batcher.stop()


@cache
def _small_predictor() -> karyo.Predictor:
    """Open a model that answers at once."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "whole.onnx")
        path.write_bytes(whole())
        return karyo.load(path, threads=1)


def decided_by(client: FlaskClient, decider: Decider, **changed: Any) -> Decider:
    service = client.application.extensions["karyo"]
    client.application.extensions["karyo"] = dataclasses.replace(service, karyotyper=decider, **changed)
    return decider


def file_of(content: np.ndarray | bytes, name: str = "a.png") -> FileStorage:
    data = content if isinstance(content, bytes) else cv2.imencode(".png", content)[1].tobytes()
    return FileStorage(io.BytesIO(data), name)


def post(client: FlaskClient, *images: FileStorage, query: str = "", **fields: Any) -> TestResponse:
    return client.post(KARYOTYPE + query, data={"image": list(images)} | fields, content_type="multipart/form-data")


def send(client: FlaskClient, url: str, body: bytes | str) -> TestResponse:
    return client.post(url, data=body, content_type="application/json")


def check_error(response: TestResponse, status: int, code: str) -> str:
    assert response.status_code == status, response.text
    assert response.mimetype == "application/json"
    error = response.json["error"]
    assert set(error) == {"code", "message", "request_id"}
    assert error["code"] == code
    assert error["message"].isprintable()
    assert error["message"].endswith(".")
    assert not error["message"].endswith("..")
    return str(error["message"])


def unpacked(response: TestResponse) -> zipfile.ZipFile:
    assert response.status_code == 200, response.text
    assert response.mimetype == "application/zip"
    return zipfile.ZipFile(io.BytesIO(response.data))
