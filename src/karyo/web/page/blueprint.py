"""The pages as a Flask blueprint: ``/``, ``/karyogram``, and their files below ``/page/``."""

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

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
"""The pages' Content-Security-Policy: nothing inline, nothing from elsewhere, in nobody's frame."""

page = Blueprint("page", __name__, static_folder="static", static_url_path="/page", template_folder="templates")


@page.get("/")
def show() -> Response:
    """Give the page for single chromosomes. It holds no data: the script asks the API for what it shows."""
    return _page("page.html")


@page.get("/karyogram")
def show_karyogram() -> Answer:
    """Give the page on which the karyogram of a cell is reviewed."""
    if request.path.endswith("/"):
        # The scripts find the API beside the page; one step further down they would look in the wrong place.
        return redirect(url_for("page.show_karyogram"), 308)
    return _page("karyogram.html")


def _page(template: str) -> Response:
    response = Response(render_template(template), mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    return response
