"""The routes for whole cells: karyotype, karyogram, ISCN text, training data."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, g, request
from werkzeug.datastructures import FileStorage

from karyo.chromosomes import CLASSES
from karyo.errors import DataError, KaryoError
from karyo.karyotype.cell import Karyotype
from karyo.karyotype.iscn import is_normal, iscn_of
from karyo.karyotype.karyogram import karyogram_bytes
from karyo.karyotype.record import from_record, to_record
from karyo.karyotype.untrusted import read_choice, read_mapping, read_whole
from karyo.web.api import SVG, json_response
from karyo.web.documentation import NO_FORM, NO_JSON, Responses, fails, gives, takes_json
from karyo.web.json_body import check_json, read_json
from karyo.web.karyotype_schemas import (
    MOST_OF_A_CLASS,
    CellSchema,
    CountsSchema,
    DrawingSchema,
    IscnSchema,
    KindSchema,
    RecordSchema,
)
from karyo.web.karyotyping import karyotype_of
from karyo.web.pictures import PNG
from karyo.web.refusal import Refusal, sentence
from karyo.web.service import the_service
from karyo.web.training_data import is_example, training_data
from karyo.web.uploads import check_multipart

karyotype_api = APIBlueprint("karyotype_api", __name__, url_prefix="/api/v1", tag="Karyotypes")

ZIP = "application/zip"
PDF = "application/pdf"

_MEDIA = {"svg": SVG, "png": PNG, "pdf": PDF}
_CLASSES = {name: name for name in CLASSES}
_COUNTS_BYTES = 16_384
_RECORD_PIXELS = 8
"""Pixels of a record's pictures together, in largest images: a spread's chromosomes as found, and as shown."""

_BUSY = fails(503, "Too many cells wait.")
_BAD_RECORD: Responses = NO_JSON | fails(422, "The record cannot be used.") | _BUSY


@karyotype_api.before_request
def _check_body() -> None:
    if request.method == "POST":
        (check_multipart if request.endpoint == "karyotype_api.karyotype" else check_json)(request)


@karyotype_api.post("/karyotype")
@karyotype_api.input(CellSchema, location="files")
@karyotype_api.input(KindSchema, location="query")
@karyotype_api.output(RecordSchema, description="What is decided about the cell, with pictures.")
@karyotype_api.doc(responses=NO_FORM | fails(422, "An image cannot be read, or there is no cell in it.") | _BUSY)
def karyotype(files_data: dict[str, Any], query_data: dict[str, Any]) -> Response:
    """Decide about all chromosomes of a cell together.

    Send one picture of a metaphase spread, with or without boxes, or a cell's chromosomes as images of their own.
    Nothing is decided where one of several images cannot be read: the cell would seem to lack a chromosome.
    """
    service = the_service()
    # An empty text in the field passes the schema as an image that is missing.
    images = [each for each in files_data["image"] if isinstance(each, FileStorage)]
    if not images:
        raise Refusal(400, "Send the image as a file in the field image.", "invalid_request")
    g.images = len(images)
    decided = karyotype_of(service, images, _annotation(), query_data["kind"], query_data["name"])
    service.count([each.alone for each in decided.objects])
    return json_response(to_record(decided, pictures=True, model=service.predictor.passport))


@karyotype_api.post("/karyogram")
@karyotype_api.input(DrawingSchema, location="query")
@karyotype_api.doc(responses=gives(tuple(_MEDIA.values()), "The karyogram, in print quality.") | _BAD_RECORD)
@takes_json(RecordSchema)
def karyogram(query_data: dict[str, Any]) -> Response:
    """Draw the karyogram of a cell from its record, edited or not."""
    with the_service().records.place():
        try:
            cell = _record()
            _check_drawable(cell)
            picture = karyogram_bytes(cell, query_data["format"], query_data["ideograms"])
        except KaryoError as error:
            raise _unusable(error) from error
    return Response(picture, mimetype=_MEDIA[query_data["format"]])


@karyotype_api.post("/karyotype/iscn")
@karyotype_api.output(IscnSchema, description="The counts as ISCN text.")
@karyotype_api.doc(responses=NO_JSON | fails(422, "The counts cannot be used."))
@takes_json(CountsSchema)
def iscn() -> Response:
    """Write numbers of chromosomes as ISCN text."""
    content = read_json(request, _COUNTS_BYTES)
    try:
        counts = {
            read_choice(name, "a class of counts", _CLASSES): read_whole(count, f"counts[{name}]", 0, MOST_OF_A_CLASS)
            for name, count in read_mapping(content.get("counts"), "counts").items()
        }
    except DataError as error:
        raise Refusal(422, sentence(error), "invalid_counts") from error
    copies = [counts.get(name, 0) for name in CLASSES]
    return json_response({"iscn": iscn_of(copies), "abnormal": not is_normal(copies), "counted": sum(copies)})


@karyotype_api.post("/karyotype/training-data")
@karyotype_api.doc(responses=gives((ZIP,), "A folder for each class, and index.csv.") | _BAD_RECORD)
@takes_json(RecordSchema)
def learn() -> Response:
    """Pack the chromosomes of a reviewed cell as training data.

    Those that are placed are packed, unless a person should still look at them.
    """
    with the_service().records.place():
        try:
            cell = _record()
        except KaryoError as error:
            raise _unusable(error) from error
        if not any(map(is_example, cell.objects)):
            raise Refusal(
                422, "No chromosome of the cell has a sure place and an image; review it first.", "no_examples"
            )
        packed = training_data(cell)
    response = Response(packed, mimetype=ZIP)
    response.headers["Content-Disposition"] = 'attachment; filename="training-data.zip"'
    return response


def _annotation() -> FileStorage | None:
    # A form whose file input was left empty sends a file without a name.
    given = [each for each in request.files.getlist("annotation") if each.filename]
    if len(given) > 1:
        raise Refusal(400, f"Send one annotation, not {len(given)}.", "invalid_request")
    return given[0] if given else None


def _record() -> Karyotype:
    """Read the record in the body; only at a desk, for it may be large.

    Raises:
        Refusal: 400 or 413.
        DataError: If it is none.
    """
    settings = the_service().settings
    return from_record(read_json(request, settings.max_upload_bytes), _RECORD_PIXELS * settings.max_pixels)


def _check_drawable(cell: Karyotype) -> None:
    for each in cell.objects:
        if each.upright is None and not each.object.grey.size:
            raise DataError(f"{each.object.name} has neither picture nor image; send a record with its pictures")


def _unusable(error: KaryoError) -> Refusal:
    return Refusal(422, sentence(error), "invalid_record")
