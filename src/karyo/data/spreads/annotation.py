"""Reading the boxes of a spread from Pascal VOC XML, whoever wrote it.

The parser underneath is expat with no document type declarations: an annotation needs none, and without them there are
no entities, so nothing can be expanded to gigabytes ("billion laughs") or fetched from elsewhere.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from karyo.chromosomes import parse_label
from karyo.errors import DataError

MAX_BYTES = 10_000_000
"""A larger file is no annotation: a box takes some 300 bytes, a spread has some 46."""

_EDGES = ("xmin", "ymin", "xmax", "ymax")
_DEEPEST = 32
_FARTHEST = 1e6


@dataclass(frozen=True, slots=True)
class Box:
    """One chromosome of a spread.

    Attributes:
        number: Its place among the objects of the XML, from 1.
        label: The class, 0..23.
        edges: (left, top, right, bottom) in pixels from 0, right and bottom exclusive, as annotated: it may reach
            beyond the image.
    """

    number: int
    label: int
    edges: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class BoxProblem:
    """Why an object of an annotation cannot be used.

    Attributes:
        number: Its place among the objects of the XML, from 1.
        reason: A few words that many problems share.
        detail: One sentence.
    """

    number: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Annotation:
    """What an XML file says of a spread.

    Attributes:
        filename: Name of the image as written there; empty where there is none.
        size: (width, height) in pixels as declared there; None where it says nothing or nothing usable.
        boxes: The usable objects, in the file's order.
        problems: The others.
    """

    filename: str
    size: tuple[int, int] | None
    boxes: tuple[Box, ...]
    problems: tuple[BoxProblem, ...]


class _BadXmlError(Exception):
    """Why a file is no usable XML; becomes a DataError that names the file."""


def read_annotation(path: str | Path) -> Annotation:
    """Read a Pascal VOC file.

    Class names are read in any usual spelling (``C7``, ``7``, ``X``, ``23``). Coordinates may have decimals; the box is
    then the smallest of whole pixels around them.

    Args:
        path: The file; any characters are allowed in its name.

    Returns:
        The boxes. What is wrong with single objects is listed beside them.

    Raises:
        DataError: If the file is missing, larger than :data:`MAX_BYTES`, not XML, declares a document type or entities,
            or is no annotation.
    """
    try:
        size = Path(path).stat().st_size
        if size > MAX_BYTES:
            raise DataError(f"{path} is too large for an annotation: {size:,} bytes, at most {MAX_BYTES:,} are read")
        data = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    return parse_annotation(data, str(path))


def parse_annotation(data: bytes, name: str) -> Annotation:
    """Read the bytes of a Pascal VOC file as :func:`read_annotation` does.

    Args:
        data: The whole file, of a size that the caller has limited.
        name: What to call it in an error.

    Raises:
        DataError: See :func:`read_annotation`; the message begins with ``name``.
    """
    try:
        root = _parsed(data)
    except _BadXmlError as error:
        raise DataError(f"{name} {error}") from None
    boxes, problems = _read_objects(root)
    return Annotation((root.findtext("filename") or "").strip(), _declared_size(root), boxes, problems)


def _parsed(data: bytes) -> Element:
    """Parse XML that declares nothing."""
    if not data.strip():
        raise _BadXmlError("is empty, not a Pascal VOC annotation")
    builder = TreeBuilder()
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise _BadXmlError(f"is no annotation: its elements are nested more than {_DEEPEST} deep")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = _refuse_declarations
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise _BadXmlError(f"is not XML: {error}") from None
    root = builder.close()
    if root.tag != "annotation":
        raise _BadXmlError(f"is no Pascal VOC annotation: its outermost element is <{root.tag[:60]}>, not <annotation>")
    return root


def _refuse_declarations(*_: object) -> None:
    raise _BadXmlError("declares a document type or entities, which no annotation needs; take the declaration out")


def _declared_size(root: Element) -> tuple[int, int] | None:
    try:
        width, height = (int(float(root.findtext(f"size/{side}") or "")) for side in ("width", "height"))
    except (ValueError, OverflowError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _read_objects(root: Element) -> tuple[tuple[Box, ...], tuple[BoxProblem, ...]]:
    boxes, problems = [], []
    for number, item in enumerate(root.findall("object"), start=1):
        read = _read_object(number, item)
        if isinstance(read, Box):
            boxes.append(read)
        else:
            problems.append(read)
    return tuple(boxes), tuple(problems)


def _read_object(number: int, item: Element) -> Box | BoxProblem:
    """Read one object, or say what is wrong with it."""
    name = (item.findtext("name") or "").strip()
    try:
        label = parse_label(name)
    except ValueError:
        return BoxProblem(number, "unknown class name", f"{name[:60]!r} names no human chromosome (A1..G22, X, Y)")
    texts = [(item.findtext(f"bndbox/{edge}") or "").strip() for edge in _EDGES]
    missing = [edge for edge, text in zip(_EDGES, texts, strict=True) if not text]
    if missing:
        return BoxProblem(number, "missing coordinate", f"its box has no {' and no '.join(missing)}")
    values = [_number(text) for text in texts]
    for edge, text, value in zip(_EDGES, texts, values, strict=True):
        if value is None:
            return BoxProblem(number, "not a coordinate", f"its {edge} is {text[:60]!r}, not a number of pixels")
    left, top, right, bottom = (value for value in values if value is not None)
    edges = (math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom))
    if right < left or bottom < top:
        return BoxProblem(number, "reversed box", f"its box {edges} ends before it begins")
    if edges[0] == edges[2] or edges[1] == edges[3]:
        return BoxProblem(number, "empty box", f"its box {edges} has no pixels")
    return Box(number, label, edges)


def _number(text: str) -> float | None:
    """Read a coordinate; None for what cannot be one, infinity and numbers far beyond any image among it."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) <= _FARTHEST else None
