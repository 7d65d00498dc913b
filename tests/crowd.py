"""Many clients at once that send good and bad requests and check every answer.

By hand, against a server that runs: `python crowd.py PORT MODEL COUNT CLIENTS`.
"""

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from attacking import Answer, Client, ask, form, part, posted, request
from hostile import encoded, refused

import karyo
from karyo.data.synthetic import SyntheticSource

CLOSE = 1e-4
"""What probabilities may differ by: batches of another size add up in another order."""


class Crowd:
    """The clients of one server.

    Args:
        port: The server's.
        predictor: The same model, to know what is right.
    """

    def __init__(self, port: int, predictor: karyo.Predictor) -> None:
        source = SyntheticSource(cells=1)
        pictures = [np.asarray(source.read(record)) for record in source.records[:24]]
        self.port = port
        self.good = [encoded(each, ("PNG", "TIFF", "BMP")[at % 3]) for at, each in enumerate(pictures)]
        self.expected = [predictor.predict(each).to_dict() for each in self.good]
        self.bad = [content for content in refused().values() if len(content) < 400_000]

    def run(self, count: int, clients: int, seed: int) -> Counter[str]:
        """Send so many requests, and give how many of each kind; the first wrong answer is raised."""
        with ThreadPoolExecutor(clients) as pool:
            return sum(pool.map(lambda at: self._one_client(count // clients, seed + at), range(clients)), Counter())

    def check(self, prediction: dict[str, Any], at: int) -> None:
        """Compare an answer with what the predictor says of that picture."""
        wanted = self.expected[at]
        assert prediction["label"] == wanted["label"], (prediction, wanted)
        assert prediction["reasons"] == wanted["reasons"]
        assert abs(prediction["probability"] - wanted["probability"]) < CLOSE

    def _one_client(self, count: int, seed: int) -> Counter[str]:
        chance, weights = random.Random(seed), [weight for weight, _ in KINDS.values()]
        kinds = chance.choices(list(KINDS), weights, k=count)
        with Client(self.port) as client:
            for kind in kinds:
                KINDS[kind][1](self, chance, client)
        return Counter(kinds)


def _predictions(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.body
    return list(json.loads(answer.body)["predictions"])


def _refused(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.error["code"]) == (status, code), answer


def _one(crowd: Crowd, chance: random.Random, client: Client) -> None:
    at = chance.randrange(len(crowd.good))
    crowd.check(client.predict(crowd.good[at], f"{at}.png"), at)


def _several(crowd: Crowd, chance: random.Random, client: Client) -> None:
    chosen = [chance.randrange(len(crowd.good)) for _ in range(chance.randint(2, 8))]
    found = _predictions(client.post("/api/v1/predict", form(*(part(crowd.good[at]) for at in chosen))))
    for prediction, at in zip(found, chosen, strict=True):
        crowd.check(prediction, at)


def _mixed(crowd: Crowd, chance: random.Random, client: Client) -> None:
    at = chance.randrange(len(crowd.good))
    body = form(part(chance.choice(crowd.bad)), part(crowd.good[at]), part(chance.choice(crowd.bad)))
    first, middle, last = _predictions(client.post("/api/v1/predict", body))
    crowd.check(middle, at)
    assert first["error"]["code"] == last["error"]["code"] == "unreadable_image"


def _older(crowd: Crowd, chance: random.Random, client: Client) -> None:
    at = chance.randrange(len(crowd.good))
    answer = client.post("/getChromosome/", form(part(crowd.good[at], field="file")))
    assert answer.status == 200
    assert json.loads(answer.body)["chromosome"] == crowd.expected[at]["label"]


def _unreadable(crowd: Crowd, chance: random.Random, client: Client) -> None:
    path = chance.choice(("/api/v1/predict", "/api/v1/preview", "/getChromosome/"))
    _refused(client.post(path, form(part(chance.choice(crowd.bad)))), 422, "unreadable_image")


def _preview(crowd: Crowd, chance: random.Random, client: Client) -> None:
    answer = client.post("/api/v1/preview?stage=prepared", form(part(chance.choice(crowd.good))))
    assert (answer.status, answer.body[:4]) == (200, b"\x89PNG")


def _read(crowd: Crowd, chance: random.Random, client: Client) -> None:
    path = chance.choice(("/", "/healthz", "/api/v1/model", "/metrics", "/openapi.json", "/api/v1/ideogram/X.svg"))
    assert client.get(path).status == 200


def _wrong(crowd: Crowd, chance: random.Random, client: Client) -> None:
    image = part(crowd.good[0])
    path, body, kind, status, code = chance.choice(
        (
            ("/api/v1/predict?top=99", form(image), None, 400, "invalid_request"),
            ("/api/v1/predict", b"{}", "application/json", 415, "unsupported_media_type"),
            ("/api/v1/predict", form(), None, 400, None),
            ("/api/v1/nothing", form(image), None, 404, "not_found"),
            ("/healthz", b"x", "text/plain", 405, "method_not_allowed"),
            ("/api/v1/predict", form(*[image] * 100), None, 413, None),
        )
    )
    answer = client.post(path, body, kind) if kind else client.post(path, body)
    _refused(answer, status, code or answer.error["code"])


def _broken(crowd: Crowd, chance: random.Random, client: Client) -> None:
    """Requests on a connection of their own that is closed after them."""
    sent, status = chance.choice(
        (
            (b"HELO\r\n\r\n", 400),
            (request("GET /healthz", headers=["X-A: " + "a" * 50_000]), 431),
            (request("POST /api/v1/predict", b"x", ["Content-Length: -1"]), 400),
            (posted(form(part(crowd.good[0]))[:-60]), 400),
        )
    )
    assert ask(crowd.port, sent).status == status


KINDS: dict[str, tuple[int, Callable[[Crowd, random.Random, Client], None]]] = {
    "one": (35, _one),
    "several": (10, _several),
    "mixed": (10, _mixed),
    "older": (5, _older),
    "preview": (5, _preview),
    "read": (10, _read),
    "unreadable": (15, _unreadable),
    "wrong": (7, _wrong),
    "broken": (3, _broken),
}
"""The kinds of requests, with how often they come."""


def main() -> None:
    port, count, clients = int(sys.argv[1]), int(sys.argv[3]), int(sys.argv[4])
    crowd, started = Crowd(port, karyo.load(sys.argv[2], threads=1)), time.monotonic()
    found = crowd.run(count, clients, seed=int(started))
    print(json.dumps(found | {"seconds": round(time.monotonic() - started, 1)}))


if __name__ == "__main__":
    main()
