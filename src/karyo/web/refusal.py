"""The one shape of every error that a client sees."""

import json
from collections.abc import Mapping

KNOWN: dict[int, tuple[str, str]] = {
    400: ("bad_request", "The request cannot be understood."),
    401: ("unauthorised", "A valid API key is needed, in the header X-API-Key or as Authorization: Bearer."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take this method; the header Allow names those it takes."),
    408: ("request_timeout", "The request did not arrive in time."),
    413: ("too_large", "The request is larger than this server takes."),
    414: ("uri_too_long", "The address is too long."),
    415: ("unsupported_media_type", "Send the images as multipart/form-data."),
    422: ("unprocessable", "The content of the request cannot be used."),
    429: ("too_many_requests", "There were too many requests; try again later."),
    431: ("headers_too_large", "The headers of the request are too large."),
    500: ("internal_error", "Something went wrong in the server; its log says what, under the request id."),
    501: ("not_implemented", "This server cannot do that."),
    503: ("unavailable", "The server is busy or stopping; try again in a moment."),
}
"""Status codes with the name and the sentence that stand for them where nothing more is known."""

JSON_TYPE = "application/json"

_LONGEST_SENTENCE = 1000


class Refusal(Exception):  # noqa: N818  a refusal is an answer, not a defect
    """A request that is answered with an error.

    Args:
        status: HTTP status, 400..599, one of :data:`KNOWN`.
        message: One sentence for the client; None for the status's own.
        code: Name for programs; None for the status's own.
        headers: Headers of the answer.
    """

    def __init__(
        self, status: int, message: str | None = None, code: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        known_code, known_message = known(status)
        super().__init__(message or known_message)
        self.status = status
        self.code = code or known_code
        self.message = message or known_message
        self.headers = dict(headers or {})


def known(status: int) -> tuple[str, str]:
    """Give the name and the sentence of a status; the nearest general one for a status that is not listed."""
    return KNOWN.get(status) or KNOWN[500 if status >= 500 else 400]


def sentence(error: Exception) -> str:
    """Give an error's text as one line for a client that may have had a hand in it."""
    text = str(error)[:_LONGEST_SENTENCE].rstrip(". ")
    return "".join(each if each.isprintable() else " " for each in text) + "."


def error_body(code: str, message: str, request_id: str) -> bytes:
    """Write an error as JSON, UTF-8."""
    content = {"error": {"code": code, "message": message, "request_id": request_id}}
    return json.dumps(content, ensure_ascii=False).encode() + b"\n"
