"""For those who run the server: is it alive, is it ready, what has it done."""

from apiflask import APIBlueprint
from flask import Response

from karyo.web import metrics as counters
from karyo.web.api import json_response
from karyo.web.documentation import fails, gives
from karyo.web.refusal import Refusal
from karyo.web.schemas import StateSchema
from karyo.web.service import the_service

operations = APIBlueprint("operations", __name__, tag="Operations")


@operations.get("/healthz")
@operations.output(StateSchema)
def healthz() -> Response:
    """Say that the process is alive."""
    return json_response({"status": "ok"})


@operations.get("/readyz")
@operations.output(StateSchema)
@operations.doc(responses=fails(503, "The server is stopping."))
def readyz() -> Response:
    """Say whether requests are welcome: the model is loaded and has run, and the server is not stopping."""
    if the_service().stopping.is_set():
        raise Refusal(503, "The server is stopping.", "stopping", {"Retry-After": "5"})
    return json_response({"status": "ready"})


@operations.get("/metrics")
@operations.doc(responses=gives("text/plain", "Prometheus's text format.") | fails(404, "Metrics are switched off."))
def metrics() -> Response:
    """Give the counters in Prometheus's text format."""
    service = the_service()
    if not service.settings.metrics:
        raise Refusal(404)
    return Response(service.metrics.text(), content_type=counters.CONTENT_TYPE)
