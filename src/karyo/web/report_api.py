"""The first endpoint of all, ``POST /getChromosome/``, for clients that exist."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, g, request

from karyo.inference.prediction import Prediction
from karyo.web.api import json_response, refuse_unreadable
from karyo.web.documentation import NO_FORM, fails
from karyo.web.schemas import AnyFieldSchema, ChromosomeSchema
from karyo.web.service import the_service
from karyo.web.uploads import check_multipart, only_file

report_api = APIBlueprint("report_api", __name__, tag="Older clients")
report_api.before_request(lambda: check_multipart(request))


@report_api.post("/getChromosome/", strict_slashes=False)
@report_api.input(AnyFieldSchema, location="files")
@report_api.output(ChromosomeSchema)
@report_api.doc(responses=NO_FORM | fails(422, "The image cannot be read.") | fails(503, "Too many images wait."))
def get_chromosome(files_data: dict[str, Any]) -> Response:
    """Name the chromosome of one image, sent in a field of any name."""
    g.images = 1
    outcomes = the_service().classify([only_file([file for _, file in request.files.items(multi=True)])])
    refuse_unreadable(outcomes)
    prediction = outcomes[0]
    assert isinstance(prediction, Prediction)
    return json_response(
        {"chromosome": prediction.label, "probability": prediction.probability, "rejected": prediction.rejected}
    )
