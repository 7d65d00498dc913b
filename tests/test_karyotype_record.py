"""The JSON record of a karyotype: it comes back as it went, edited ones follow the edit, damaged ones are refused."""

import base64
import copy
import json
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from exported import SIZE
from hypothesis import given, settings
from hypothesis import strategies as st

from karyo.chromosomes import CLASSES
from karyo.errors import DataError
from karyo.imaging.preparation import Preparation
from karyo.inference.passport import Passport
from karyo.inference.prediction import Prediction
from karyo.karyotype.cell import MOST_COPIES, MOST_OBJECTS, Call, CellObject, Finding, Karyotype, Placed, Upright
from karyo.karyotype.record import from_record, to_record

_MALE = (*[2] * 22, 1, 1)


def object_of(label: int | None, name: str, **changes: Any) -> Placed:
    """An object whose picture is not the same upside down."""
    random = np.random.default_rng(len(name) + (label or 0))
    mask = np.zeros((12, 7), bool)
    mask[1:11, 2:6] = mask[1:4, 1] = True
    picture = np.where(mask, random.integers(1, 255, mask.shape), 0).astype(np.uint8)
    # Black inside the chromosome is the chromosome's, not background.
    picture[5, 3] = 0
    shares = np.full(24, 0.01 / 23)
    shares[label or 0] = 0.99 if label is not None else 0.3
    alone = Prediction(name, np.eye(24)[label or 0] * 0.9 + 0.1 / 24, ("too_small",) if label is None else ())
    fields: dict[str, Any] = {
        "object": CellObject(
            name,
            random.integers(0, 255, (9, 5), dtype=np.uint8),
            (3, -2, 8, 7),
            np.array([[3, 0], [8, 1], [5, 7]], np.int32),
            "touching",
            label,
        ),
        "alone": alone,
        "probabilities": shares,
        "label": label,
        "doubtful": label is None,
        "upright": Upright(picture, mask, 4.25, True, 0.75),
    }
    return Placed(**(fields | changes))


def male(extra: list[Placed] | None = None) -> Karyotype:
    """46,XY as objects that are all in their places."""
    labels = [label for label, copies in enumerate(_MALE) for _ in range(copies)]
    objects = [object_of(label, f"é {number}") for number, label in enumerate(labels)] + (extra or [])
    copies = np.full((24, MOST_COPIES + 1), 0.01)
    copies[np.arange(24), _MALE] = 1 - 0.01 * MOST_COPIES
    call = Call(_MALE, "46,XY", 0.97, False, (Finding(20, 3, 0.25),))
    return Karyotype("cell 7", objects, copies, call, ("one is faint",), (640, 480))


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(json.dumps(to_record(male([object_of(None, "dirt")])), allow_nan=False))
    return content


def edited(record: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The record with something done to it."""
    content = copy.deepcopy(record)
    change(content)
    return content


def place(record: dict[str, Any], number: int, label: str | None, **more: bool) -> dict[str, Any]:
    """The record after a person has moved an object."""
    return edited(record, lambda each: each["objects"][number].update(place=label, reviewed=True, **more))


def test_what_went_in_comes_out(record: dict[str, Any]) -> None:
    before, after = male([object_of(None, "dirt")]), from_record(record)
    assert (after.name, after.call, after.remarks, after.size) == (
        before.name,
        before.call,
        before.remarks,
        before.size,
    )
    assert after.copies == pytest.approx(before.copies)
    for old, new in zip(before.objects, after.objects, strict=True):
        assert (new.object.name, new.object.edges, new.object.relation, new.object.truth) == (
            old.object.name,
            old.object.edges,
            old.object.relation,
            old.object.truth,
        )
        assert np.array_equal(new.object.grey, old.object.grey)
        assert old.object.outline is not None
        assert np.array_equal(new.object.outline, old.object.outline)
        assert (new.label, new.doubtful, new.reviewed, new.debris, new.turned) == (
            old.label,
            old.doubtful,
            False,
            False,
            False,
        )
        assert (new.alone.label, new.alone.reasons) == (old.alone.label, old.alone.reasons)
        assert new.alone.probability == pytest.approx(old.alone.probability)
        assert new.alone.probabilities.sum() == pytest.approx(1)
        # What is below a thousandth is left out.
        assert new.probabilities == pytest.approx(old.probabilities, abs=1e-3)
        assert new.upright is not None
        assert old.upright is not None
        assert np.array_equal(new.upright.picture, old.upright.picture)
        assert np.array_equal(new.upright.mask, old.upright.mask)
        assert (new.upright.centromere, new.upright.flipped, new.upright.certainty) == (4.25, True, 0.75)


def test_a_record_of_a_record_is_the_same(record: dict[str, Any]) -> None:
    again = to_record(from_record(record))
    assert again.keys() == record.keys()
    for name in ("name", "iscn", "call", "remarks", "size", "model"):
        assert again[name] == record[name]
    for old, new in zip(record["objects"], again["objects"], strict=True):
        assert {key for key in old if old[key] != new[key]} <= {"probability", "probabilities", "alone"}


def test_the_model_is_named() -> None:
    passport = Passport("resnet18", Preparation(SIZE), created="2026-01-01", checkpoint="ab12")
    record = to_record(male(), model=passport)
    assert record["model"] == {
        "name": "resnet18",
        "precision": "float32",
        "created": "2026-01-01",
        "checkpoint": "ab12",
    }
    assert to_record(male())["model"] is None


def test_without_pictures_it_is_small_and_still_read(record: dict[str, Any]) -> None:
    content = to_record(male(), pictures=False)
    assert "data:image" not in json.dumps(content)
    karyotype = from_record(content)
    assert all(each.upright is None and each.object.grey.size == 0 for each in karyotype.objects)
    # And once more: what has no picture stays without one.
    assert to_record(karyotype)["objects"][0]["picture"] is None
    assert to_record(karyotype)["objects"][0]["image"] is None


def test_names_become_printable_and_stay_unique() -> None:
    cell = replace(male(), name="a\nb", objects=[object_of(0, name) for name in ("x\t", "x\\t", "", "y" * 1000)])
    content = to_record(cell)
    names = [each["name"] for each in content["objects"]]
    assert len(set(names)) == 4
    assert all(name.isprintable() and name for name in [content["name"], *names])
    assert [each.object.name for each in from_record(content).objects] == names


def test_counts_follow_a_person(record: dict[str, Any]) -> None:
    assert from_record(record).call.iscn == "46,XY"
    # The dirt is the last object; a person says that it is a third chromosome 21.
    after = from_record(place(record, -1, "21"))
    assert (after.call.iscn, after.call.abnormal, after.call.copies[20]) == ("47,XY,+21", True, 3)
    assert [(each.label, each.copies) for each in after.call.findings] == [(20, 3)]
    assert after.objects[-1].reviewed
    assert not after.objects[-1].doubtful
    # All other places have 0.99 each; the reviewed one is certain.
    assert after.call.probability == pytest.approx(0.99**46)
    assert after.copies[20] == pytest.approx([*[(1 - 0.99**2) / 4] * 3, 0.99**2, (1 - 0.99**2) / 4])
    assert after.copies.sum(axis=1) == pytest.approx(1)
    # A reviewed one that was left where it was counts the same as before.
    assert from_record(place(record, 0, "1")).call.iscn == "46,XY"


def test_debris_and_the_tray_count_for_nothing(record: dict[str, Any]) -> None:
    assert from_record(place(record, 0, None)).call.iscn == "45,XY,-1"
    marked = from_record(place(record, 44, None, debris=True))
    assert marked.call.iscn == "45,Y"
    assert marked.objects[44].debris


def test_a_person_turned_one(record: dict[str, Any]) -> None:
    before = from_record(record).objects[3].upright
    content = place(record, 3, "2", turned=True)
    after = from_record(content).objects[3]
    assert before is not None
    assert after.upright is not None
    assert np.array_equal(after.upright.picture, np.rot90(before.picture, 2))
    assert np.array_equal(after.upright.mask, np.rot90(before.mask, 2))
    assert after.upright.centromere == 12 - before.centromere
    assert after.upright.flipped != before.flipped
    # In the record the picture stays as the program stood it, and is not turned twice.
    assert to_record(from_record(content))["objects"][3]["picture"] == record["objects"][3]["picture"]


def png(width: int, height: int) -> str:
    """A PNG of zeros that is far larger than its file."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = zlib.compress(bytes((width + 1) * height), 9)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(content).decode()


def test_pictures_have_a_limit_together(record: dict[str, Any]) -> None:
    large = png(4000, 4000)

    def fill(content: dict[str, Any]) -> None:
        for each in content["objects"]:
            each["image"] = large

    with pytest.raises(DataError, match=r"^objects\[2\]\.image .*pixels"):
        from_record(edited(record, fill), max_pixels=40_000_000)


def put(*path: Any, value: Any) -> Callable[[dict[str, Any]], object]:
    """A change: what stands at a path becomes something else."""

    def change(content: Any) -> None:
        for step in path[:-1]:
            content = content[step]
        content[path[-1]] = value

    return change


_TEXT = "data:image/png;base64,"
_BAD = {
    "format": (put("format", value=2), "format 1"),
    "format true": (put("format", value=True), "format 1"),
    "no name": (put("name", value=""), "name must"),
    "two lines": (put("name", value="a\nb"), "name must"),
    "long name": (put("name", value="a" * 401), "name must"),
    "size": (put("size", value=[1]), "size must have 2 items"),
    "size zero": (put("size", value=[0, 4]), r"size\[0\] must be from 1"),
    "half a pixel": (put("size", value=[1.5, 4]), r"size\[0\] must be a whole"),
    "remarks": (put("remarks", value="none"), "remarks must be a list"),
    "remark": (put("remarks", value=[3]), r"remarks\[0\] must be a text"),
    "iscn": (put("iscn", value=None), "iscn must be a text"),
    "call": (put("call", value=[]), "call must be a mapping"),
    "call's copies": (put("call", "copies", "X", value=-1), r"call\.copies\[X\] must be from 0"),
    "call's probability": (put("call", "probability", value=float("nan")), r"call\.probability must be"),
    "true as a number": (put("call", "probability", value=True), r"call\.probability must be a number"),
    "finding": (put("call", "findings", 0, "label", value="M"), r"call\.findings\[0\]\.label must be one of"),
    "abnormal": (put("call", "abnormal", value=1), r"call\.abnormal must be true or false"),
    "copies": (put("copies", "7", value=[1, 0]), r"copies\[7\] must have 5"),
    "copies' sum": (put("copies", "7", value=[1, 1, 0, 0, 0]), r"copies\[7\] must add up to 1"),
    "copies that are lists": (put("copies", value=[]), "copies must be a mapping"),
    "objects": (put("objects", value={}), "objects must be a list"),
    "an object": (put("objects", 0, value=None), r"objects\[0\] must be a mapping"),
    "two of a name": (put("objects", 1, "name", value="é 0"), r"objects\[1\]\.name must be unique"),
    "place": (put("objects", 0, "place", value="23"), r"objects\[0\]\.place must be one of 1, 2"),
    "place as number": (put("objects", 0, "place", value=7), r"objects\[0\]\.place must be one of"),
    "debris in a place": (put("objects", 0, "debris", value=True), r"objects\[0\]\.place must be null"),
    "reviewed": (put("objects", 0, "reviewed", value="yes"), r"objects\[0\]\.reviewed must be true"),
    "class": (put("objects", 0, "probabilities", value={"Z": 1}), r"a class of objects\[0\]\.probabilities"),
    "share": (put("objects", 0, "probabilities", value={"1": 2}), r"objects\[0\]\.probabilities\[1\] must be from 0"),
    "sum": (put("objects", 0, "probabilities", value={"1": 0.9, "2": 0.9}), "must not add up to more than 1"),
    "alone": (put("objects", 0, "alone", value=None), r"objects\[0\]\.alone must be a mapping"),
    "alone's probability": (put("objects", 0, "alone", "probability", value=0.01), r"alone\.probability must be from"),
    "reason": (put("objects", 0, "alone", "reasons", value=["<b>"]), r"alone\.reasons\[0\] must be one of"),
    "relation": (put("objects", 0, "relation", value=["given"]), r"relation must be one of isolated"),
    "edges": (put("objects", 0, "edges", value=[4, 0, 4, 9]), r"edges must be left, top"),
    "endless edge": (put("objects", 0, "edges", value=[0, 0, float("inf"), 9]), r"edges\[2\] must be from"),
    "outline": (put("objects", 0, "outline", value=[[0, 1, 2]]), r"outline\[0\] must have 2 items"),
    "long outline": (put("objects", 0, "outline", value=[[0, 1]] * 20_001), r"outline must have 0 to 20,000"),
    "picture": (put("objects", 0, "picture", value="https://example.org/a.png"), "must be a PNG as a data URL"),
    "picture of another kind": (put("objects", 0, "picture", value="data:image/svg+xml;base64,"), "must be a PNG"),
    "no base64": (put("objects", 0, "image", value=_TEXT + "é!"), "is not base64"),
    "base64 with a gap": (put("objects", 0, "image", value=png(1, 1)[:40] + "\n" + png(1, 1)[40:]), "is not base64"),
    "no PNG": (put("objects", 0, "image", value=_TEXT + "AAAA"), r"objects\[0\]\.image is not an image"),
    "large": (put("objects", 0, "image", value=png(20_000, 5_001)), r"objects\[0\]\.image .*pixels"),
    "centromere": (put("objects", 0, "centromere", value=12.5), r"centromere must be from 0 to 12"),
    "no centromere": (put("objects", 0, "centromere", value=None), "centromere must be a number"),
    "huge number": (put("objects", 0, "certainty", value=10**5000), "certainty must be from 0 to 1"),
}


@pytest.mark.parametrize("name", _BAD)
def test_what_is_wrong_is_said_with_its_place(record: dict[str, Any], name: str) -> None:
    change, message = _BAD[name]
    with pytest.raises(DataError, match=message) as caught:
        from_record(edited(record, change))
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("content", [None, [], "record", 3, {}, {"format": 1}])
def test_what_is_no_record_at_all(content: Any) -> None:
    with pytest.raises(DataError):
        from_record(content)


def test_too_many_objects(record: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="objects must have 0 to 400 items, not 401"):
        from_record(record | {"objects": [record["objects"][0]] * (MOST_OBJECTS + 1)})


def test_a_cell_of_nothing() -> None:
    empty = replace(male(), objects=[], call=Call((0,) * 24, "0,?", 1, True))
    assert from_record(to_record(empty)).objects == []


def test_places_that_are_missing_one_by_one(record: dict[str, Any]) -> None:
    """Whatever is taken away, nothing but a sentence comes of it."""
    for name in record:
        content = {key: value for key, value in record.items() if key != name}
        if name in ("karyo", "model", "size"):
            from_record(content)
        else:
            with pytest.raises(DataError):
                from_record(content)


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(CLASSES),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=10,
)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_nothing_else_than_a_sentence_comes_of_nonsense(data: st.DataObject) -> None:
    content = to_record(replace(male(), objects=[object_of(3, "a"), object_of(None, "b")]))
    where: Any = content
    while True:
        key = data.draw(st.sampled_from(sorted(where) if isinstance(where, dict) else range(len(where))))
        if not isinstance(where[key], dict | list) or not where[key] or data.draw(st.booleans()):
            break
        where = where[key]
    where[key] = data.draw(_ANYTHING)
    with suppress(DataError):
        json.dumps(to_record(from_record(content)), allow_nan=False)
