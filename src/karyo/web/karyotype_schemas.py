"""What goes in and what comes out where whole cells are asked about; :mod:`karyo.karyotype.record` has the rules."""

from typing import Any

from apiflask import Schema
from apiflask.fields import Boolean, Dict, Float, Integer, List, Nested, String
from apiflask.validators import Length, OneOf
from marshmallow import EXCLUDE

from karyo.chromosomes import CLASSES
from karyo.inference.passport import PRECISIONS
from karyo.inference.prediction import REASONS
from karyo.karyotype.cell import MOST_COPIES, MOST_OBJECTS
from karyo.web.karyotyping import KINDS
from karyo.web.schemas import File, ImagesSchema

FORMATS: tuple[str, ...] = ("svg", "png", "pdf")
"""What a karyogram can be drawn as."""

MOST_OF_A_CLASS = 99
"""Chromosomes of one class that are counted at most."""

_LONGEST_NAME = 200
_PROBABILITY = {"minimum": 0, "maximum": 1}
_CLASS: dict[str, Any] = {"enum": list(CLASSES)}
_CLASS_OR_NONE: dict[str, Any] = {"enum": [*CLASSES, None]}
_YES_OR_NO: dict[str, Any] = {"invalid": "ideograms must be true or false."}


class _OpenSchema(Schema):
    """What comes back from clients may hold more; that is ignored."""

    class Meta:
        """What else a client sends does no harm."""

        unknown = EXCLUDE


class CellSchema(ImagesSchema):
    """A spread, or a cell's chromosomes one by one; fields beside these are ignored."""

    annotation = File(metadata={"description": "Pascal VOC XML with a box for each chromosome of the spread."})


class KindSchema(Schema):
    """What is sent."""

    kind = String(
        load_default=KINDS[0],
        validate=OneOf(KINDS, error=f"kind must be one of {', '.join(KINDS)}."),
        metadata={"description": "One picture of a spread, or a cell's images; auto takes one image for a spread."},
    )
    name = String(
        load_default="",
        validate=Length(max=_LONGEST_NAME, error=f"name must have at most {_LONGEST_NAME} characters."),
        metadata={"description": "What to call the cell; the name of the spread's file if it is not given."},
    )


class DrawingSchema(Schema):
    """How a karyogram is wanted."""

    format = String(
        load_default=FORMATS[0], validate=OneOf(FORMATS, error=f"format must be one of {', '.join(FORMATS)}.")
    )
    ideograms = Boolean(
        load_default=False,
        truthy={"true"},
        falsy={"false"},
        error_messages=_YES_OR_NO,
        metadata={"description": "Whether an ideogram stands beside each class."},
    )


class RecordModelSchema(_OpenSchema):
    """The model that answered."""

    name = String(required=True)
    precision = String(required=True, metadata={"enum": list(PRECISIONS)})
    created = String(required=True)
    checkpoint = String(required=True)


class FindingSchema(_OpenSchema):
    """A chromosome whose number is not the usual."""

    label = String(required=True, metadata=_CLASS)
    copies = Integer(required=True, metadata={"minimum": 0, "maximum": MOST_OBJECTS})
    probability = Float(required=True, metadata=_PROBABILITY)


class CallSchema(_OpenSchema):
    """Which chromosomes the cell has."""

    probability = Float(required=True, metadata=_PROBABILITY)
    abnormal = Boolean(required=True)
    copies = Dict(
        keys=String(), values=Integer(metadata={"minimum": 0}), required=True, metadata={"description": "By class."}
    )
    findings = List(Nested(FindingSchema), required=True, metadata={"maxItems": len(CLASSES)})


class AloneSchema(_OpenSchema):
    """What the model says of an object without the cell."""

    label = String(required=True, metadata=_CLASS)
    probability = Float(required=True, metadata=_PROBABILITY)
    reasons = List(String(metadata={"enum": list(REASONS)}), required=True)


class RecordObjectSchema(_OpenSchema):
    """An object of the cell; whoever edits it sets place, debris, turned, and reviewed with each of them."""

    name = String(required=True, metadata={"minLength": 1, "description": "Unique within the cell."})
    place = String(required=True, allow_none=True, metadata=_CLASS_OR_NONE | {"description": "null: in the tray."})
    probability = Float(required=True, metadata=_PROBABILITY | {"description": "Of its place, given the cell."})
    probabilities = Dict(
        keys=String(), values=Float(metadata=_PROBABILITY), required=True, metadata={"description": "By class."}
    )
    alone = Nested(AloneSchema, required=True)
    doubtful = Boolean(required=True, metadata={"description": "Whether a person should look first."})
    reviewed = Boolean(required=True, metadata={"description": "Whether a person has looked."})
    debris = Boolean(required=True, metadata={"description": "Marked by a person as no chromosome."})
    turned = Boolean(required=True, metadata={"description": "Whether a person turned the picture by half a circle."})
    edges = List(
        Integer(),
        required=True,
        allow_none=True,
        metadata={"minItems": 4, "maxItems": 4, "description": "Left, top, right, bottom in the spread, pixels."},
    )
    outline = List(
        List(Integer(), metadata={"minItems": 2, "maxItems": 2}),
        required=True,
        allow_none=True,
        metadata={"description": "x and y of its outline in the spread, pixels."},
    )
    relation = String(required=True, metadata={"enum": ["isolated", "touching", "crossing", "given"]})
    truth = String(required=True, allow_none=True, metadata=_CLASS_OR_NONE)
    picture = String(required=True, allow_none=True, metadata={"description": "PNG as a data URL: upright, cut out."})
    centromere = Float(required=True, allow_none=True, metadata={"description": "Row in the picture, pixels."})
    flipped = Boolean(required=True, metadata={"description": "Whether its upper end in the image is down now."})
    certainty = Float(required=True, allow_none=True, metadata=_PROBABILITY)
    image = String(required=True, allow_none=True, metadata={"description": "PNG as a data URL, as the model got it."})


class RecordSchema(_OpenSchema):
    """A cell: what is decided about it, with pictures."""

    format = Integer(required=True, metadata={"enum": [1]})
    name = String(required=True, metadata={"minLength": 1})
    karyo = String(required=True, metadata={"description": "The version that made the record."})
    model = Nested(RecordModelSchema, required=True, allow_none=True)
    size = List(
        Integer(metadata={"minimum": 1}),
        required=True,
        allow_none=True,
        metadata={"minItems": 2, "maxItems": 2, "description": "Width and height of the spread, pixels."},
    )
    iscn = String(required=True, metadata={"example": "47,XY,+21"})
    call = Nested(CallSchema, required=True)
    copies = Dict(
        keys=String(),
        values=List(Float(metadata=_PROBABILITY), metadata={"minItems": MOST_COPIES + 1, "maxItems": MOST_COPIES + 1}),
        required=True,
        metadata={"description": "By class: the probability of each number of copies, from none."},
    )
    remarks = List(String(), required=True)
    objects = List(Nested(RecordObjectSchema), required=True, metadata={"maxItems": MOST_OBJECTS})


class CountsSchema(_OpenSchema):
    """How many there are of each class."""

    counts = Dict(
        required=True,
        metadata={
            "properties": {
                name: {"type": "integer", "minimum": 0, "maximum": MOST_OF_A_CLASS, "example": 2} for name in CLASSES
            },
            "additionalProperties": False,
            "description": "By class; a class that is not named is not there.",
        },
    )


class IscnSchema(Schema):
    """Counts as text."""

    iscn = String(required=True, metadata={"example": "47,XY,+21"})
    abnormal = Boolean(required=True, metadata={"description": "Whether they are not those of a normal cell."})
    counted = Integer(required=True, metadata={"minimum": 0})
