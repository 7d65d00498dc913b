"""The routes below /api/v1: predict, preview, explain, model, ideogram."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from apiflask import APIBlueprint
from flask import Response, g, request
from werkzeug.datastructures import FileStorage

from karyo.chromosomes import CLASSES
from karyo.errors import DataError
from karyo.inference.many import Unreadable
from karyo.inference.passport import Passport
from karyo.inference.prediction import REASONS, Prediction
from karyo.web.documentation import NO_FORM, fails, gives
from karyo.web.explaining import can_explain, explanation
from karyo.web.ideogram_svg import ideogram_svg
from karyo.web.pictures import PNG, encode_png, preview_of
from karyo.web.refusal import JSON_TYPE, Refusal
from karyo.web.schemas import (
    ImageSchema,
    ImagesSchema,
    LabelSchema,
    ModelSchema,
    PredictionsSchema,
    StageSchema,
    TopSchema,
)
from karyo.web.service import Service, the_service
from karyo.web.uploads import check_multipart, decode, only_file, workplace

api = APIBlueprint("api", __name__, url_prefix="/api/v1", tag="Predictions")

SVG = "image/svg+xml"
_NO_IMAGE = "The image cannot be read."
UNREADABLE = "unreadable_image"


@api.before_request
def _check_body() -> None:
    if request.method == "POST":
        check_multipart(request)


@api.post("/predict")
@api.input(ImagesSchema, location="files")
@api.input(TopSchema, location="query")
@api.output(PredictionsSchema, description="An answer for each image, in the order in which they were sent.")
@api.doc(responses=NO_FORM | fails(422, "None of the images can be read.") | fails(503, "Too many images wait."))
def predict(files_data: dict[str, Any], query_data: dict[str, Any]) -> Response:
    """Classify one image or several.

    Images that cannot be read are named among the answers; only if none can be read is the whole request refused.
    """
    service = the_service()
    # An empty text in the field passes the schema as an image that is missing.
    files = [each for each in files_data["image"] if isinstance(each, FileStorage)]
    if not files:
        raise Refusal(400, "Send the image as a file in the field image.", "invalid_request")
    g.images = len(files)
    outcomes = service.classify(files)
    refuse_unreadable(outcomes)
    count = query_data["top"]
    content = {
        "model": model_name(service.predictor.passport),
        "predictions": [describe(each, count) for each in outcomes],
    }
    return json_response(content)


@api.post("/preview")
@api.input(ImageSchema, location="files")
@api.input(StageSchema, location="query")
@api.doc(responses=gives(PNG, "8-bit grey, the longest side at most 512 pixels.") | NO_FORM | fails(422, _NO_IMAGE))
def preview(files_data: dict[str, Any], query_data: dict[str, Any]) -> Response:
    """Show an image as PNG: browsers cannot show TIFF and 16-bit images."""
    service = the_service()
    g.images = 1
    file = only_file(request.files.getlist("image"))
    with workplace:
        grey = _decoded(file, service)
        if query_data["stage"] == "prepared":
            grey = service.predictor.passport.preparation(grey)
        return Response(encode_png(preview_of(grey)), mimetype=PNG)


@api.post("/explain")
@api.input(ImageSchema, location="files")
@api.input(LabelSchema, location="query")
@api.doc(
    responses=gives(PNG, "Orange speaks for the class, violet against it.")
    | NO_FORM
    | fails(422, _NO_IMAGE)
    | fails(501, "Explanations are switched off, or torch and captum are not installed.")
    | fails(503, "Too many wait for explanations.")
)
def explain(files_data: dict[str, Any], query_data: dict[str, Any]) -> Response:
    """Colour the chromosome of one image by what the prediction rests on, as PNG."""
    service = the_service()
    g.images = 1
    grey = _decoded(only_file(request.files.getlist("image")), service)
    picture = explanation(service, grey, "the image", query_data.get("label"))
    return Response(encode_png(picture), mimetype=PNG)


@api.get("/model")
@api.output(ModelSchema)
def model() -> Response:
    """Tell which model answers here, what it was trained on, and what this server takes."""
    return json_response(describe_model(the_service()))


@api.get("/ideogram/<label>.svg")
@api.doc(responses=gives(SVG, "Arms and bands at 550 bands per haploid set.") | fails(404, "No such chromosome."))
def ideogram(label: str) -> Response:
    """Draw the G-band ideogram of a chromosome as SVG."""
    if label not in CLASSES:
        raise Refusal(
            404, f"There is no chromosome of this name; there are {', '.join(CLASSES)}.", "unknown_chromosome"
        )
    response = Response(ideogram_svg(label), mimetype=SVG)
    response.headers["Cache-Control"] = "public, max-age=86400"
    return response


def json_response(content: Any) -> Response:
    """Answer with JSON."""
    return Response(json.dumps(content, ensure_ascii=False, allow_nan=False), mimetype=JSON_TYPE)


def describe(outcome: Prediction | Unreadable, count: int) -> dict[str, Any]:
    """Give an image's part of the answer as primitives, with the ``count`` most probable classes."""
    if isinstance(outcome, Unreadable):
        return {"name": outcome.name, "error": {"code": UNREADABLE, "message": outcome.message}}
    return outcome.to_dict(count) | {"reason": outcome.reason}


def refuse_unreadable(outcomes: Sequence[Prediction | Unreadable]) -> None:
    """Refuse a request in which no image can be read.

    Raises:
        Refusal: 422.
    """
    bad = [each for each in outcomes if isinstance(each, Unreadable)]
    if len(bad) == len(outcomes):
        others = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        raise Refusal(422, f"{bad[0].message}{others}.", UNREADABLE)


def model_name(passport: Passport) -> dict[str, str]:
    """Give what every answer says about the model."""
    return {
        "name": passport.model,
        "precision": passport.precision,
        "checkpoint": passport.checkpoint,
        "karyo": passport.karyo,
    }


def describe_model(service: Service) -> dict[str, Any]:
    """Give everything a client may know about the model and the server."""
    passport, settings = service.predictor.passport, service.settings
    return model_name(passport) | {
        "classes": list(CLASSES),
        "reasons": REASONS,
        "preparation": passport.preparation.to_dict(),
        "temperature": passport.temperature,
        "threshold": passport.threshold,
        "selection": dict(passport.selection),
        "scope": asdict(passport.scope),
        "training": dict(passport.training),
        "data_fingerprint": passport.data_fingerprint,
        "created": passport.created,
        "licence": passport.licence,
        "limits": {name: getattr(settings, name) for name in ("max_upload_bytes", "max_images", "max_pixels")},
        "explains": can_explain(service),
    }


def _decoded(file: FileStorage, service: Service) -> Any:
    try:
        return decode(file, 1, service.settings.max_pixels)[1]
    except DataError as error:
        raise Refusal(422, f"{error}.", UNREADABLE) from error
