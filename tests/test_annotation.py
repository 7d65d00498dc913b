"""Pascal VOC files as others write them, and as nobody should."""

from pathlib import Path

import pytest

from karyo.data.spreads import Annotation, find_pairs, read_annotation
from karyo.data.synthetic import SpreadSettings, draw_spread, spread_annotation
from karyo.errors import DataError, SettingsError

OBJECT = """<object><name>{name}</name><bndbox><xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox>
</object>"""
SIZE = "<size><width>64</width><height>48</height><depth>1</depth></size>"
LAUGHS = '<!DOCTYPE lolz [<!ENTITY a "lol">' + "".join(
    f'<!ENTITY {name} "{10 * f"&{before};"}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def box(*edges: object, name: str = "A1") -> str:
    return OBJECT.format(*edges, name=name)


def read(tmp_path: Path, text: str | bytes) -> Annotation:
    path = tmp_path / "größe 1.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_annotation(path)


def test_what_the_synthetic_writer_wrote_is_read_back(tmp_path: Path) -> None:
    drawn = draw_spread(3, SpreadSettings(600, 520, nuclei=0, debris=0))
    annotation = read(tmp_path, spread_annotation(drawn, "a.png"))
    assert (annotation.filename, annotation.size, annotation.problems) == ("a.png", (600, 520), ())
    assert [item.edges for item in annotation.boxes] == [item.box for item in drawn.chromosomes]
    assert [item.label for item in annotation.boxes] == [item.label for item in drawn.chromosomes]
    assert [item.number for item in annotation.boxes] == list(range(1, 47))


def test_class_names_in_any_usual_spelling(tmp_path: Path) -> None:
    names = ["A1", "22", "X", "24", " C12 ", "chr7", "Y", "23"]
    annotation = read(tmp_path, f"<annotation>{''.join(box(1, 2, 3, 4, name=name) for name in names)}</annotation>")
    assert [item.label for item in annotation.boxes] == [0, 21, 22, 23, 11, 6, 23, 22]


def test_decimals_become_whole_pixels_around_them(tmp_path: Path) -> None:
    annotation = read(tmp_path, f"<annotation>{box('1.2', '2.0', ' 3.4 ', '5e0')}</annotation>")
    assert annotation.boxes[0].edges == (1, 2, 4, 5)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (box(1, 2, 3, 4, name="Z9"), "unknown class name"),
        (box(1, 2, 3, 4, name="A22"), "unknown class name"),
        (box(1, 2, 3, 4, name=""), "unknown class name"),
        ("<object/>", "unknown class name"),
        ("<object><name>X</name></object>", "missing coordinate"),
        (box(1, "", 3, 4), "missing coordinate"),
        (box(1, "two", 3, 4), "not a coordinate"),
        (box(1, "nan", 3, 4), "not a coordinate"),
        (box(1, "inf", 3, 4), "not a coordinate"),
        (box(1, 2, "9" * 400, 4), "not a coordinate"),
        (box(3, 2, 1, 4), "reversed box"),
        (box(1, 4, 3, 2), "reversed box"),
        (box(1, 2, 1, 4), "empty box"),
        (box(0, 0, 0, 0), "empty box"),
    ],
)
def test_one_bad_object_spoils_no_other(tmp_path: Path, item: str, reason: str) -> None:
    annotation = read(tmp_path, f"<annotation>{SIZE}{box(1, 2, 3, 4)}{item}{box(5, 6, 7, 8)}</annotation>")
    assert [found.number for found in annotation.boxes] == [1, 3]
    assert [(problem.number, problem.reason) for problem in annotation.problems] == [(2, reason)]
    assert len(annotation.problems[0].detail) < 200


@pytest.mark.parametrize(
    "size",
    ["", "<size/>", "<size><width>64</width></size>", SIZE.replace("48", "0"), SIZE.replace("64", "wide")],
)
def test_a_missing_size_is_tolerated(tmp_path: Path, size: str) -> None:
    annotation = read(tmp_path, f"<annotation>{size}{box(1, 2, 3, 4)}</annotation>")
    assert annotation.size is None
    assert len(annotation.boxes) == 1


def test_no_object_is_no_error(tmp_path: Path) -> None:
    assert read(tmp_path, "<annotation/>") == Annotation("", None, (), ())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("{'boxes': []}", "is not XML"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is not XML"),
        ("<annotation><object></annotation>", "is not XML"),
        ("<annotation>", "is not XML"),
        ('<?xml version="1.0" encoding="no-such"?><annotation/>', "is not XML"),
        ("<html/>", "<html>, not <annotation>"),
        ("<annotation>" + "<a>" * 5000 + "</a>" * 5000 + "</annotation>", "nested"),
        ("<!DOCTYPE annotation><annotation/>", "declares"),
        (f"{LAUGHS}]><annotation><filename>&i;</filename></annotation>", "declares"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;</annotation>', "declares"),
    ],
)
def test_what_is_no_annotation_is_one_sentence(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path, content)
    assert "größe 1.xml" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_huge_file_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    with path.open("wb") as file:
        file.truncate(10_000_001)
    with pytest.raises(DataError, match="too large"):
        read_annotation(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_annotation(tmp_path / "none.xml")


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_pairs_are_found_anywhere_below_and_in_any_case(tmp_path: Path) -> None:
    touch(
        tmp_path, "JEPG/2.JPG", "JEPG/1.jpg", "annotations/1.xml", "annotations/deep/2.XML", ".git/3.jpg", "notes.txt"
    )
    found = find_pairs(tmp_path, tmp_path)
    assert [pair.name for pair in found.pairs] == ["1", "2"]
    assert found.pairs[1].annotation == tmp_path / "annotations" / "deep" / "2.XML"
    assert (found.images_alone, found.annotations_alone, found.duplicates) == ((), (), ())


def test_an_accent_written_in_two_ways_is_one_name(tmp_path: Path) -> None:
    touch(tmp_path, "i/f\u00fcnf \u67d3.png", "x/fu\u0308nf \u67d3.xml")
    assert [pair.name for pair in find_pairs(tmp_path / "i", tmp_path / "x").pairs] == ["f\u00fcnf \u67d3"]


def test_what_has_no_partner_or_two_is_listed(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "a.xml", "b.png", "c.xml", "d.png", "d.tif", "d.xml", "out/1/a_1.png")
    found = find_pairs(tmp_path, tmp_path, without=tmp_path / "out")
    assert [pair.name for pair in found.pairs] == ["a"]
    assert found.images_alone == (tmp_path / "b.png",)
    assert found.annotations_alone == (tmp_path / "c.xml",)
    assert [[path.name for path in files] for files in found.duplicates] == [["d.png", "d.tif", "d.xml"]]


def test_a_folder_without_pairs_says_what_was_looked_for(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b.png", "c.xml")
    with pytest.raises(SettingsError, match=r"\.jpg.*2 images and 1 XML files"):
        find_pairs(tmp_path, tmp_path)
