"""The application: routes, and what happens before and after each of them."""

import time
from typing import Any, cast

from apiflask import APIFlask
from apiflask.exceptions import HTTPError
from flask import Response, g, request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge

from karyo import __version__
from karyo.inference.predictor import Predictor
from karyo.web.access_log import log_request, log_trouble
from karyo.web.api import api
from karyo.web.documentation import complete, docs
from karyo.web.karyotype_api import karyotype_api
from karyo.web.operations import operations
from karyo.web.page import page
from karyo.web.refusal import JSON_TYPE, Refusal, error_body, known
from karyo.web.report_api import report_api
from karyo.web.request_id import HEADER, request_id
from karyo.web.schemas import ErrorSchema
from karyo.web.security import check_key, open_to_origin, secure
from karyo.web.service import EXTENSION, Service
from karyo.web.settings import ServerSettings
from karyo.web.uploads import UploadRequest

_FIELDS_BESIDE_IMAGES = 16
_FORM_MEMORY = 500_000
_NEEDS_KEY = ("/api/", "/getChromosome", "/metrics")
_OPEN = "/api/v1/ideogram/"
_DATA = (*_NEEDS_KEY, "/healthz", "/readyz", "/openapi.json")


def create_app(
    predictor: Predictor, settings: ServerSettings | None = None, crowded: Predictor | None = None
) -> APIFlask:
    """Make the application; its service with the batching thread is ready when this returns.

    Args:
        predictor: The opened model.
        settings: The server's; None for the defaults.
        crowded: The same model opened with one thread, for when there is much to do; see
            :meth:`~karyo.web.service.Service.start`.

    Returns:
        A WSGI application; ``app.extensions["karyo"]`` is its :class:`~karyo.web.service.Service`.

    Raises:
        DataError: If the network does not work.
    """
    # The page's own files belong to its blueprint; APIFlask takes no None for a folder of the application's.
    app = APIFlask("karyo.web", static_folder=cast("str", None), title="karyo", version=__version__, docs_path=None)
    app.request_class = UploadRequest
    service = Service.start(predictor, settings or ServerSettings(), crowded)
    app.extensions[EXTENSION] = service
    _configure(app, service.settings)
    for blueprint in (api, karyotype_api, report_api, operations, docs, page):
        app.register_blueprint(blueprint)
    _hook(app, service)
    _answer_errors(app, service)
    return app


def _configure(app: APIFlask, settings: ServerSettings) -> None:
    app.config.update(
        MAX_CONTENT_LENGTH=settings.max_upload_bytes,
        MAX_FORM_PARTS=settings.max_images + _FIELDS_BESIDE_IMAGES,
        # Also what werkzeug's parser holds at a time, so no less than some of its reads.
        MAX_FORM_MEMORY_SIZE=_FORM_MEMORY,
        # Swagger UI's bundled release reads OpenAPI 3.0.
        OPENAPI_VERSION="3.0.3",
        # Else the document would name whatever host the first client pretended to ask.
        AUTO_SERVERS=False,
        AUTO_OPERATION_ID=True,
        AUTO_404_RESPONSE=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        VALIDATION_ERROR_STATUS_CODE=400,
        HTTP_ERROR_SCHEMA=ErrorSchema,
        SPEC_PROCESSOR_PASS_OBJECT=True,
        TAGS=["Predictions", "Karyotypes", "Older clients", "Operations"],
    )
    app.schema_name_resolver = schema_name
    app.spec_callback = cast("Any", lambda spec: complete(spec, settings))
    app.url_map.strict_slashes = False


def _hook(app: APIFlask, service: Service) -> None:
    """Let every request be named, let in, secured, counted and logged."""

    @app.before_request
    def let_in() -> None:
        g.started = time.perf_counter()
        g.request_id = request_id(request.headers.get(HEADER))
        if request.path.startswith(_NEEDS_KEY) and not request.path.startswith(_OPEN) and request.method != "OPTIONS":
            check_key(request, service.settings)
        if (request.content_length or 0) > service.settings.max_upload_bytes:
            raise RequestEntityTooLarge

    @app.teardown_request
    def let_go(error: BaseException | None) -> None:
        # Large parts of a form are temporary files.
        request.close()

    @app.after_request
    def see_out(response: Response) -> Response:
        response.headers[HEADER] = g.request_id
        secure(response.headers, is_page=not request.path.startswith(_DATA))
        open_to_origin(request, response.headers, service.settings)
        seconds = time.perf_counter() - g.started
        route = request.url_rule.rule if request.url_rule else "unknown"
        service.metrics.count_request(route, request.method, response.status_code, seconds)
        log_request(
            method=request.method,
            path=request.path,
            status=response.status_code,
            ms=round(seconds * 1000, 2),
            bytes_in=request.content_length or 0,
            bytes_out=response.content_length,
            images=g.get("images", 0),
            request_id=g.request_id,
            client=request.remote_addr,
        )
        return response


def _answer_errors(app: APIFlask, service: Service) -> None:
    """Give every error the one shape."""
    most = service.settings
    limits = f"{most.max_upload_mb} MiB and {most.max_images} images"

    def answer(status: int, code: str, message: str) -> Response:
        service.metrics.errors.labels(code).inc()
        return Response(error_body(code, message, g.request_id), status, mimetype=JSON_TYPE)

    @app.errorhandler(Refusal)
    def refused(error: Refusal) -> Response:
        response = answer(error.status, error.code, error.message)
        response.headers.update(error.headers)
        return response

    @app.error_processor
    def invalid(error: HTTPError) -> Response:
        """Answer what APIFlask found wrong with a query or a form, and what Flask itself refuses."""
        code, message = known(error.status_code)
        if error.status_code == 413:
            message = f"The request is too large or has too many parts; this server takes {limits}."
        if error.detail:
            code, message = "invalid_request", first_message(error.detail)
        response = answer(error.status_code, code, message)
        allowed = Headers(error.headers).get("Allow")
        if allowed:
            response.headers["Allow"] = allowed
        return response

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        log_trouble(f"{request.method} {request.path} failed", g.request_id)
        return answer(500, *known(500))


def schema_name(schema: object) -> str:
    """Name a schema in the document: ``Prediction`` for ``PredictionSchema``."""
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__.removesuffix("Schema")


def first_message(detail: object) -> str:
    """Give the first sentence of a nest of validation messages."""
    while isinstance(detail, dict | list) and detail:
        detail = next(iter(detail.values())) if isinstance(detail, dict) else detail[0]
    return str(detail)
