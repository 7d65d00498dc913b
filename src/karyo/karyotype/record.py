"""The JSON record of a karyotype: what a page shows and edits, and what comes back from it.

A record holds primitives only (RFC 8259). Beside what is decided it holds, where pictures are asked for, what a
karyogram shows of each object and the image of the object as it was cut out, so that a picture and training data can be
made from the record alone. One that comes back may have been edited, or written by anybody: every value is checked.

The layout::

    {"format": 1, "name": "cell 7", "karyo": "0.9.0", "model": {"name", "precision", "created", "checkpoint"} | null,
     "size": [width, height] | null,                         pixels of the spread
     "iscn": "47,XY,+21",
     "call": {"probability", "abnormal", "copies": {"1": 2, ..., "Y": 1},
              "findings": [{"label": "21", "copies": 3, "probability": 0.99}]},
     "copies": {"1": [p0, p1, p2, p3, p4], ...},             probability of each number of copies
     "remarks": ["..."],
     "objects": [{
        "name": unique, "place": "7" or null for the tray, "probability": of this place, "probabilities": {"7": 0.98},
        "alone": {"label", "probability", "reasons": [names of karyo.inference.REASONS]},
        "doubtful", "reviewed": a person has looked at it, "debris": a person says that it is no chromosome,
        "turned": a person turned the picture by half a circle: ``picture`` is as it was before that,
        "edges": [left, top, right, bottom] | null, "outline": [[x, y], ...] | null, "relation", "truth": "7" | null,
        "picture": PNG as a data URL: upright, dark ground, what is beside the chromosome transparent; or null,
        "centromere": row of it in ``picture`` | null, "flipped", "certainty": 0..1 | null,
        "image": PNG as a data URL: the object as it was cut out, polarity as stored; or null}]}

Whoever edits one sets ``place``, ``debris`` and ``turned``, and ``reviewed`` with each of them; the rest stays.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyo import __version__
from karyo.chromosomes import CLASSES
from karyo.errors import DataError, printable
from karyo.imaging.read import MAX_PIXELS
from karyo.inference.passport import Passport
from karyo.karyotype.cell import MOST_COPIES, MOST_OBJECTS, Call, Finding, Karyotype, Placed
from karyo.karyotype.counting import call_of_places, copies_of_places
from karyo.karyotype.data_url import to_data_url
from karyo.karyotype.iscn import iscn_of
from karyo.karyotype.lines import one_line
from karyo.karyotype.record_objects import LABELS, LONGEST_NAME, ROUNDING, read_objects, turned
from karyo.karyotype.untrusted import (
    optional,
    read_choice,
    read_flag,
    read_list,
    read_mapping,
    read_number,
    read_text,
    read_whole,
)

FORMAT = 1
"""Raised whenever an older program could no longer read a record rightly."""

_LEAST_SHOWN = 0.001
"""Probabilities below this are left out."""

_LONGEST_TEXT = 2_000
_MOST_REMARKS = 1_000
_LARGEST_SIDE = 100_000


def to_record(karyotype: Karyotype, pictures: bool = True, model: Passport | None = None) -> dict[str, Any]:
    """Give a karyotype as primitives, ready for ``json.dumps``.

    Args:
        karyotype: The cell.
        pictures: Whether to put ``picture`` and ``image`` in; without them no karyogram can be drawn from the record.
        model: Of the model that answered; None where it is not known.

    Returns:
        See the head of this module. Names are made printable, and unique where that made them equal.
    """
    call = karyotype.call
    names = _unique([_line(each.object.name) for each in karyotype.objects])
    return {
        "format": FORMAT,
        "name": _line(karyotype.name),
        "karyo": __version__,
        "model": None if model is None else _model(model),
        "size": None if karyotype.size is None else [int(side) for side in karyotype.size],
        "iscn": call.iscn,
        "call": {
            "probability": float(call.probability),
            "abnormal": bool(call.abnormal),
            "copies": {name: int(copies) for name, copies in zip(CLASSES, call.copies, strict=True)},
            "findings": [
                {"label": CLASSES[each.label], "copies": int(each.copies), "probability": float(each.probability)}
                for each in call.findings
            ],
        },
        "copies": {name: [float(share) for share in row] for name, row in zip(CLASSES, karyotype.copies, strict=True)},
        "remarks": [_line(remark, _LONGEST_TEXT) for remark in karyotype.remarks],
        "objects": [_object(each, name, pictures) for each, name in zip(karyotype.objects, names, strict=True)],
    }


def from_record(content: Any, max_pixels: int = MAX_PIXELS) -> Karyotype:
    """Read a record, believing nothing.

    Where a person has reviewed at least one object, the call and the probabilities of copies follow from where the
    objects are now, not from what the program had decided. An object that a person has reviewed is not doubtful any
    more. What the classifier said alone keeps its class and probability; how the rest was shared among the other
    classes is not in a record, and is given back as equal shares. An object whose image is not in the record has one of
    0 x 0 pixels.

    Args:
        content: Anything that JSON can hold.
        max_pixels: What all its pictures may have together.

    Returns:
        The karyotype; pictures that a person turned are turned.

    Raises:
        DataError: If it is no record, of another format, or anything in it is not what it should be: one sentence that
            begins with the place.
    """
    record = read_mapping(content, "the record")
    form = record.get("format")
    if isinstance(form, bool) or form != FORMAT:
        raise DataError(f"the record must have format {FORMAT}, which this karyo reads; make it anew")
    objects = read_objects(record.get("objects"), max_pixels)
    call, copies = _call(read_mapping(record.get("call"), "call"), record.get("iscn")), _copies(record.get("copies"))
    if any(each.reviewed for each in objects):
        call = call_of_places(objects)
        copies = copies_of_places(call, objects)
    remarks = read_list(record.get("remarks"), "remarks", _MOST_REMARKS)
    return Karyotype(
        read_text(record.get("name"), "name", LONGEST_NAME),
        objects,
        copies,
        call,
        tuple(read_text(each, f"remarks[{at}]", _LONGEST_TEXT) for at, each in enumerate(remarks)),
        optional(record.get("size"), _size),
    )


def _model(passport: Passport) -> dict[str, str]:
    return {
        "name": passport.model,
        "precision": passport.precision,
        "created": passport.created,
        "checkpoint": passport.checkpoint,
    }


def _line(text: str, longest: int = LONGEST_NAME) -> str:
    """Give a text as the reader accepts it: one line, printable, not empty."""
    # Of a name the end tells most, of a sentence the beginning.
    kept = printable(text)[:longest] if longest == LONGEST_NAME else one_line(text)[:longest]
    return kept.strip() or "?"


def _unique(names: Sequence[str]) -> list[str]:
    taken: dict[str, None] = {}
    for name in names:
        known, number = name, 2
        while known in taken:
            known, number = f"{name} ({number})", number + 1
        taken[known] = None
    return list(taken)


def _object(placed: Placed, name: str, pictures: bool) -> dict[str, Any]:
    item, alone = placed.object, placed.alone
    shares = zip(CLASSES, placed.probabilities.tolist(), strict=True)
    return {
        "name": name,
        "place": placed.place,
        "probability": placed.probability,
        "probabilities": {label: share for label, share in shares if share >= _LEAST_SHOWN},
        "alone": {"label": alone.label, "probability": alone.probability, "reasons": list(alone.reasons)},
        "doubtful": bool(placed.doubtful),
        "reviewed": placed.reviewed,
        "debris": placed.debris,
        "turned": placed.turned,
        "edges": None if item.edges is None else [int(edge) for edge in item.edges],
        "outline": None if item.outline is None else item.outline.tolist(),
        "relation": item.relation,
        "truth": None if item.truth is None else CLASSES[item.truth],
        **_picture(placed, pictures),
        "image": to_data_url(item.grey) if pictures and item.grey.size else None,
    }


def _picture(placed: Placed, pictures: bool) -> dict[str, Any]:
    """Give what a karyogram shows, turned back where a person has turned it."""
    upright = placed.upright
    if upright is None or not pictures:
        return {"picture": None, "centromere": None, "flipped": False, "certainty": None}
    shown = turned(upright) if placed.turned else upright
    return {
        "picture": to_data_url(shown.picture, shown.mask),
        "centromere": float(shown.centromere),
        "flipped": bool(shown.flipped),
        "certainty": float(shown.certainty),
    }


def _copies(content: Any) -> NDArray[np.float64]:
    rows = read_mapping(content, "copies")
    table = np.zeros((len(CLASSES), MOST_COPIES + 1))
    for index, name in enumerate(CLASSES):
        row = read_list(rows.get(name), f"copies[{name}]", MOST_COPIES + 1, MOST_COPIES + 1)
        table[index] = [read_number(each, f"copies[{name}][{at}]", 0, 1) for at, each in enumerate(row)]
        if abs(table[index].sum() - 1) > ROUNDING:
            raise DataError(f"copies[{name}] must add up to 1, not to {table[index].sum():.3f}")
    shares: NDArray[np.float64] = table / table.sum(axis=1, keepdims=True)
    return shares


def _call(content: Mapping[str, Any], iscn: Any) -> Call:
    copies = read_mapping(content.get("copies"), "call.copies")
    findings = read_list(content.get("findings"), "call.findings", len(CLASSES))
    numbers = tuple(read_whole(copies.get(name), f"call.copies[{name}]", 0, MOST_OBJECTS) for name in CLASSES)
    read_text(iscn, "iscn", _LONGEST_TEXT)
    return Call(
        numbers,
        # Not the text that came with them: a karyogram must not be headed by what its numbers do not say.
        iscn_of(numbers),
        read_number(content.get("probability"), "call.probability", 0, 1),
        read_flag(content.get("abnormal"), "call.abnormal"),
        tuple(_finding(each, f"call.findings[{at}]") for at, each in enumerate(findings)),
    )


def _finding(content: Any, place: str) -> Finding:
    finding = read_mapping(content, place)
    return Finding(
        read_choice(finding.get("label"), f"{place}.label", LABELS),
        read_whole(finding.get("copies"), f"{place}.copies", 0, MOST_OBJECTS),
        read_number(finding.get("probability"), f"{place}.probability", 0, 1),
    )


def _size(content: Any) -> tuple[int, int]:
    width, height = (
        read_whole(side, f"size[{at}]", 1, _LARGEST_SIDE) for at, side in enumerate(read_list(content, "size", 2, 2))
    )
    return width, height
