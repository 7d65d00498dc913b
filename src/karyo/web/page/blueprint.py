"""The page as a Flask blueprint: ``/`` and its files below ``/page/``."""

from flask import Blueprint, Response, render_template

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        # Previews are blobs: an image of the visitor's disk, or one that the server rendered.
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""The page's Content-Security-Policy: nothing inline, nothing from elsewhere, in nobody's frame."""

page = Blueprint("page", __name__, static_folder="static", static_url_path="/page", template_folder="templates")


@page.get("/")
def show() -> Response:
    """Give the page. It holds no data: the script asks the API for what it shows."""
    response = Response(render_template("page.html"), mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    return response
