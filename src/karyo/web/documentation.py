"""What the OpenAPI document says beyond the routes, and Swagger UI from this server's own files."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import swagger_ui_bundle
from apiflask import Schema
from apispec import APISpec
from flask import Blueprint, Response, send_from_directory

from karyo.chromosomes import CLASSES
from karyo.web.refusal import JSON_TYPE, Refusal
from karyo.web.request_id import HEADER
from karyo.web.schemas import ErrorSchema, PredictionSchema, UnreadableSchema
from karyo.web.settings import ServerSettings

docs = Blueprint("docs", __name__)

PUBLIC = ("/healthz", "/readyz", "/api/v1/ideogram/{label}.svg")
"""Paths of the document that need no key."""

_EVERYWHERE = {
    "400": "The request is malformed, or a value is out of its range.",
    "408": "The request did not arrive in time.",
    "413": "The request is larger than this server takes.",
    "431": "The headers of the request are too large.",
    "500": "Something went wrong in the server.",
}
_ERROR = {JSON_TYPE: {"schema": {"$ref": "#/components/schemas/Error"}}}
_ID = {"description": "The request's id, for finding it in the log.", "schema": {"type": "string"}}
_RETRY = {"description": "Seconds after which to try again.", "schema": {"type": "integer"}}
_FILE = {"type": "string", "format": "binary"}
_WAYS = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}
_SWAGGER = Path(swagger_ui_bundle.swagger_ui_path)
_FILES = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>karyo API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="docs/swagger-ui.css"><link rel="icon" href="docs/favicon-32x32.png"></head>
<body><div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script><script src="docs/start.js"></script></body>
</html>
"""
_START = """window.onload = () => {
  SwaggerUIBundle({url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null});
};
"""


View = TypeVar("View", bound=Callable[..., Response])

Responses = dict[int | str, dict[str, Any]]
"""Answers of a route by status."""


def fails(status: int, description: str) -> Responses:
    """Describe an error of a route; its shape is added by :func:`complete`."""
    return {status: {"description": description}}


def gives(media_types: str | Sequence[str], description: str) -> Responses:
    """Describe an answer that is no JSON, of one media type or one of several."""
    kinds = (media_types,) if isinstance(media_types, str) else media_types
    content = {kind: {"schema": {"type": "string"} if kind.startswith("text/") else _FILE} for kind in kinds}
    return {200: {"description": description, "content": content}}


NO_FORM = fails(415, "The body is no multipart/form-data.")
"""What every route that takes images says to another body."""

NO_JSON = fails(415, "The body is no application/json.")
"""What every route that takes JSON says to another body."""


def takes_json(schema: type[Schema]) -> Callable[[View], View]:
    """Describe the body of a route that reads it itself: APIFlask's own ``input`` would parse it without limits."""

    def describe(view: View) -> View:
        # Where APIFlask's decorators put what they know of a route; those further out add to it.
        view._spec = {"body": schema(), "content_type": JSON_TYPE}  # type: ignore[attr-defined]
        return view

    return describe


def complete(spec: APISpec, settings: ServerSettings) -> APISpec:
    """Add to the document what holds for every route: errors, the request id, the key.

    Args:
        spec: As APIFlask made it from the routes.
        settings: The server's.
    """
    spec.components.schema("Error", schema=ErrorSchema)
    spec.components.schema("Prediction", schema=PredictionSchema)
    spec.components.schema("Unreadable", schema=UnreadableSchema)
    # What no schema of marshmallow can say: a file under any name.
    spec.components.schemas["AnyField"] |= {"minProperties": 1, "additionalProperties": _FILE}
    if settings.api_key:
        for name, way in _WAYS.items():
            spec.components.security_scheme(name, way)
    for path, operations in spec._paths.items():
        for operation in operations.values():
            _complete_operation(path, operation, settings)
    return spec


def _complete_operation(path: str, operation: dict[str, Any], settings: ServerSettings) -> None:
    responses = operation["responses"]
    errors = dict(_EVERYWHERE)
    if settings.api_key and path not in PUBLIC:
        errors["401"] = "The API key is missing or wrong."
        operation["security"] = [{name: []} for name in _WAYS]
    for status, description in errors.items():
        responses.setdefault(status, {"description": description})
    for status, response in responses.items():
        if int(status) >= 400:
            response["content"] = _ERROR
        response["headers"] = {HEADER: _ID} | ({"Retry-After": _RETRY} if status == "503" else {})
    for parameter in operation.get("parameters", []):
        if parameter.get("in") == "path" and parameter["name"] == "label":
            parameter["schema"] = {"type": "string", "enum": list(CLASSES)}
    if "requestBody" in operation:
        operation["requestBody"]["required"] = True


@docs.get("/docs")
def swagger_ui() -> Response:
    """Show the API in Swagger UI."""
    return Response(_PAGE, mimetype="text/html")


@docs.get("/docs/start.js")
def start_script() -> Response:
    """Give the script that starts Swagger UI: the page itself holds none, for its security policy."""
    return Response(_START, mimetype="text/javascript")


@docs.get("/docs/<name>")
def swagger_file(name: str) -> Response:
    """Give one of Swagger UI's own files."""
    if name not in _FILES:
        raise Refusal(404)
    return send_from_directory(_SWAGGER, name)
