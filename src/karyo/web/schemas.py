"""What goes in and what comes out, typed: these make the API's documentation, and check queries and forms."""

from typing import Any

from apiflask import Schema
from apiflask.fields import Boolean, Dict, Float, Integer, List, Nested, Raw, String
from apiflask.fields import File as _UntypedFile
from apiflask.validators import OneOf, Range
from marshmallow import EXCLUDE

from karyo.chromosomes import CLASSES
from karyo.inference.passport import PRECISIONS
from karyo.inference.prediction import REASONS

_TOP_WANTED = f"top must be a whole number from 1 to {len(CLASSES)}."

# apiflask's own field ships without types.
File: Any = _UntypedFile

STAGES: tuple[str, ...] = ("original", "prepared")
"""What a preview can show: the image as it came, or what the network sees."""

_PROBABILITY = {"minimum": 0, "maximum": 1}
_FILE_WANTED: dict[str, Any] = {"required": "Send the image as a file in the field image."}


class ErrorContentSchema(Schema):
    """What went wrong."""

    code = String(required=True, metadata={"description": "Name for programs, snake_case.", "pattern": "^[a-z_]+$"})
    message = String(required=True, metadata={"description": "One sentence for people."})
    request_id = String(required=True, metadata={"description": "Also in the header X-Request-ID and in the log."})


class ErrorSchema(Schema):
    """Every error has this shape."""

    error = Nested(ErrorContentSchema, required=True)


class FormSchema(Schema):
    """A form whose other fields are ignored."""

    class Meta:
        """What else a client sends does no harm."""

        unknown = EXCLUDE


class ImagesSchema(FormSchema):
    """One image or several."""

    image = List(
        File(error_messages=_FILE_WANTED),
        required=True,
        error_messages=_FILE_WANTED,
        metadata={"description": "TIFF, PNG, JPEG or BMP; the field may be repeated.", "minItems": 1},
    )


class ImageSchema(FormSchema):
    """One image."""

    image = File(required=True, error_messages=_FILE_WANTED, metadata={"description": "TIFF, PNG, JPEG or BMP."})


class AnyFieldSchema(FormSchema):
    """One image in a field of any name."""

    image = File(metadata={"description": "TIFF, PNG, JPEG or BMP; the field may have any name."})


class TopSchema(Schema):
    """How much of an answer is wanted."""

    top = Integer(
        load_default=5,
        validate=Range(1, len(CLASSES), error=_TOP_WANTED),
        error_messages={"invalid": _TOP_WANTED},
        metadata={"description": "How many of the most probable classes to name."},
    )


class StageSchema(Schema):
    """Which stage of an image is wanted."""

    stage = String(
        load_default=STAGES[0],
        validate=OneOf(STAGES, error=f"stage must be one of {', '.join(STAGES)}."),
        metadata={"description": "The image as it came, or what the network sees."},
    )


class LabelSchema(Schema):
    """Which class is asked about."""

    label = String(
        validate=OneOf(CLASSES, error=f"label must be one of {', '.join(CLASSES)}."),
        metadata={"description": "The class to explain; the one that the model names if it is not given."},
    )


class ClassSchema(Schema):
    """A class and its probability."""

    label = String(required=True, metadata={"enum": list(CLASSES)})
    probability = Float(required=True, metadata=_PROBABILITY)


class PredictionSchema(Schema):
    """What the model says about one image."""

    name = String(required=True, metadata={"description": "The file's name, without folders."})
    label = String(required=True, metadata={"enum": list(CLASSES), "description": "The most probable class."})
    probability = Float(required=True, metadata=_PROBABILITY)
    rejected = Boolean(required=True, metadata={"description": "Whether a person should look at the image."})
    reasons = List(String(metadata={"enum": list(REASONS)}), required=True)
    reason = String(required=True, allow_none=True, metadata={"description": "The reasons as a sentence."})
    top = List(Nested(ClassSchema), required=True, metadata={"minItems": 1, "maxItems": len(CLASSES)})


class UnreadableContentSchema(Schema):
    """Why an image could not be read."""

    code = String(required=True, metadata={"enum": ["unreadable_image"]})
    message = String(required=True)


class UnreadableSchema(Schema):
    """An image that could not be read, among others that could."""

    name = String(required=True)
    error = Nested(UnreadableContentSchema, required=True)


class ModelNameSchema(Schema):
    """Which model answered."""

    name = String(required=True)
    precision = String(required=True, metadata={"enum": list(PRECISIONS)})
    checkpoint = String(required=True, metadata={"description": "SHA-256 of the checkpoint that was exported."})
    karyo = String(required=True, metadata={"description": "The version that exported it."})


class PredictionsSchema(Schema):
    """An answer for each image, in the order in which they were sent."""

    model = Nested(ModelNameSchema, required=True)
    predictions = List(
        Raw(metadata={"anyOf": [{"$ref": f"#/components/schemas/{each}"} for each in ("Prediction", "Unreadable")]}),
        required=True,
        metadata={"minItems": 1},
    )


class LimitsSchema(Schema):
    """What this server takes."""

    max_upload_bytes = Integer(required=True)
    max_images = Integer(required=True)
    max_pixels = Integer(required=True)


class ModelSchema(ModelNameSchema):
    """What travels inside the model file, and what this server takes."""

    classes = List(String(), required=True)
    reasons = Dict(keys=String(), values=String(), required=True)
    preparation = Dict(required=True)
    temperature = Float(required=True)
    threshold = Float(required=True, metadata=_PROBABILITY)
    selection = Dict(required=True)
    scope = Dict(required=True)
    training = Dict(required=True)
    data_fingerprint = String(required=True)
    created = String(required=True)
    licence = String(required=True)
    limits = Nested(LimitsSchema, required=True)
    explains = Boolean(required=True, metadata={"description": "Whether /api/v1/explain works on this server."})


class ChromosomeSchema(Schema):
    """The short answer."""

    chromosome = String(required=True, metadata={"enum": list(CLASSES)})
    probability = Float(required=True, metadata=_PROBABILITY)
    rejected = Boolean(required=True)


class StateSchema(Schema):
    """How the server is."""

    status = String(required=True, metadata={"enum": ["ok", "ready"]})
