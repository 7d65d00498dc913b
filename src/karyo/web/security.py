"""Who may ask, and what every answer says to a browser."""

import hmac
from collections.abc import MutableMapping

from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request

from karyo.web.refusal import Refusal
from karyo.web.settings import ServerSettings

_PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_DATA = "default-src 'none'; frame-ancestors 'none'"
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_OPEN_TO_ORIGINS = "Content-Type, X-API-Key, Authorization, X-Request-ID"


def secure(headers: MutableMapping[str, str] | Headers, is_page: bool) -> None:
    """Add the headers that every answer carries; what is set already stays.

    Args:
        headers: Of the answer.
        is_page: Whether it is a page or what a page loads, not data.
    """
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)
    headers.setdefault("Content-Security-Policy", _PAGE if is_page else _DATA)
    headers.setdefault("Cache-Control", "no-store")


def open_to_origin(request: Request, headers: Headers, settings: ServerSettings) -> None:
    """Let the pages of the configured origins read the answer, and nobody else's."""
    if not settings.cors_origins:
        return
    headers.add("Vary", "Origin")
    origin = request.headers.get("Origin")
    if origin not in settings.cors_origins:
        return
    headers["Access-Control-Allow-Origin"] = origin
    headers["Access-Control-Expose-Headers"] = "X-Request-ID, Retry-After"
    if request.method == "OPTIONS":
        headers["Access-Control-Allow-Methods"] = "GET, POST"
        headers["Access-Control-Allow-Headers"] = _OPEN_TO_ORIGINS
        headers["Access-Control-Max-Age"] = "600"


def check_key(request: Request, settings: ServerSettings) -> None:
    """Refuse a request without the key, where one is set.

    Raises:
        Refusal: 401.
    """
    if settings.api_key is None:
        return
    offered = request.headers.get("X-API-Key") or request.headers.get("Authorization", "").removeprefix("Bearer ")
    # Compared in a time that does not tell how much of it is right.
    if not hmac.compare_digest(offered.encode("utf-8", "surrogateescape"), settings.api_key.encode()):
        raise Refusal(401, headers={"WWW-Authenticate": 'Bearer realm="karyo"'})
