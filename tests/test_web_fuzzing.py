"""The API against its own description: schemathesis makes requests from the OpenAPI document and checks the answers."""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from exported import tiny_model
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS

import karyo
from karyo.web.app import create_app
from karyo.web.settings import ServerSettings

KEY = "a-key-of-24-characters!!"


OPERATIONS = (
    "GET /api/v1/ideogram/{label}.svg",
    "GET /api/v1/model",
    "GET /healthz",
    "GET /metrics",
    "GET /readyz",
    "POST /api/v1/explain",
    "POST /api/v1/karyogram",
    "POST /api/v1/karyotype",
    "POST /api/v1/karyotype/iscn",
    "POST /api/v1/karyotype/training-data",
    "POST /api/v1/predict",
    "POST /api/v1/preview",
    "POST /getChromosome/",
)
EXAMPLES = int(os.environ.get("KARYO_FUZZ_EXAMPLES", "40"))

# No document can say which bytes are an image, nor that probabilities add up to 1: what fits it may be refused.
IMAGES = ["positive_data_acceptance"]
EXCLUDED = {label: IMAGES for label in OPERATIONS if label.startswith("POST") and "iscn" not in label} | {
    # Old clients may send texts beside their image; they are ignored.
    "POST /getChromosome/": [*IMAGES, "negative_data_rejection"]
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> karyo.Predictor:
    return karyo.load(tiny_model(tmp_path_factory.mktemp("model")), threads=1)


@pytest.fixture(scope="module", params=[None, KEY], ids=["open", "locked"])
def schema(request: pytest.FixtureRequest, predictor: karyo.Predictor) -> Iterator[Any]:
    app = create_app(predictor, ServerSettings(max_images=16, api_key=request.param))
    headers = {"X-API-Key": request.param} if request.param else {}
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app, headers=headers)
    yield schema, headers
    app.extensions["karyo"].batcher.stop()


def check(case: Case, headers: dict[str, str]) -> int:
    excluded = EXCLUDED.get(case.operation.label, [])
    answer = case.call_and_validate(excluded_checks=CHECKS.get_by_names(excluded), headers=headers)
    assert b"Traceback" not in answer.content
    return answer.status_code


def test_the_operations_are_those_of_the_document(schema: Any) -> None:
    assert tuple(sorted(each.ok().label for each in schema[0].get_all_operations())) == OPERATIONS


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "unfitting"])
@pytest.mark.parametrize("label", OPERATIONS)
def test_every_answer_is_as_described(schema: Any, label: str, mode: GenerationMode) -> None:
    described, headers = schema
    operation = described.find_operation_by_label(label)
    statuses = Counter[int]()
    if mode.is_negative and not operation.body and not list(operation.path_parameters):
        pytest.skip("nothing of it can be wrong")

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def fuzz(case: Case) -> None:
        statuses[check(case, headers)] += 1

    fuzz()
    assert statuses.total() > 0
    assert max(statuses) < 500
