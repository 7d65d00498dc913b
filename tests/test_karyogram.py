"""The karyogram: where everything stands on its page, and the files that are written."""

import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_karyotypes import made_karyotype, normal_copies

from karyo.chromosomes import CLASSES
from karyo.errors import SettingsError
from karyo.karyotype.cell import CellObject, Karyotype, Placed, Upright
from karyo.karyotype.iscn import SCOPE
from karyo.karyotype.karyogram import FORMATS, draw_karyogram, karyogram_bytes
from karyo.karyotype.karyogram.extents import shown
from karyo.karyotype.karyogram.layout import MARGIN, PAGE_HEIGHT, PAGE_WIDTH, Page, Slot, lay_out_page
from karyo.karyotype.karyogram.rows import ROWS

SVG = "{http://www.w3.org/2000/svg}"
TOP, BOTTOM = 0.8, 7.4
FRAME = "#d55e00"


@pytest.fixture(scope="module")
def svg(cell: Karyotype) -> bytes:
    """The cell's karyogram."""
    return karyogram_bytes(cell, "svg")


@pytest.fixture(scope="module")
def cell() -> Karyotype:
    """A cell with a trisomy, three doubtful objects and a tray."""
    return made_karyotype([2] * 20 + [3, 2, 1, 1], doubtful=(1, 5, 44), tray=3, name="case 12, cell 3")


@cache
def model() -> Placed:
    """An object to make others from."""
    return made_karyotype([1] + [0] * 23, pictures=False).objects[0]


def blank(
    label: int | None, height: int = 40, width: int = 12, centromere: float = 0.4, doubtful: bool = False
) -> Placed:
    """Make an object of a size, without drawing one."""
    mask = np.ones((height, width), np.bool_)
    upright = Upright(mask * np.uint8(200), mask, centromere * height, False, 0.9)
    return replace(model(), object=CellObject("a", upright.picture), label=label, upright=upright, doubtful=doubtful)


def cell_of(objects: list[Placed]) -> Karyotype:
    return replace(made_karyotype([0] * 24), objects=objects)


def texts(svg: bytes) -> list[str]:
    return ["".join(each.itertext()) for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def slots_of(page: Page) -> list[Slot]:
    return [slot for place in page.classes for slot in place.slots] + list(page.tray)


def check_page(page: Page, karyotype: Karyotype) -> None:
    """Check what holds for every karyogram."""
    slots = slots_of(page)
    assert sorted(id(slot.placed) for slot in slots if slot.placed) == sorted(id(each) for each in karyotype.objects)
    for slot in slots:
        assert slot.left >= MARGIN - 1e-9
        assert slot.left + slot.width <= PAGE_WIDTH - MARGIN + 1e-9
        assert slot.top >= TOP - 1e-9
        assert slot.top + slot.height <= BOTTOM + 1e-9
        if slot.placed is not None:
            height, width = shown(slot.placed).picture.shape
            assert (slot.height, slot.width) == pytest.approx((height * page.scale, width * page.scale))
    boxes = [*slots, *(place.ideogram for place in page.classes if place.ideogram is not None)]
    for index, first in enumerate(boxes):
        assert not any(overlap(first, second) for second in boxes[index + 1 :])


def overlap(first: Slot, second: Slot) -> bool:
    beside = first.left + first.width <= second.left + 1e-9 or second.left + second.width <= first.left + 1e-9
    above = first.top + first.height <= second.top + 1e-9 or second.top + second.height <= first.top + 1e-9
    return not beside and not above


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=24, max_size=24),
    st.integers(0, 60),
    st.integers(4, 300),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_any_cell_fits_on_the_page(copies: list[int], tray: int, longest: int, ideograms: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = [label for label, count in enumerate(copies) for _ in range(count)] + [None] * tray
    sizes = rng.integers(2, longest, (len(labels), 2)) if labels else np.zeros((0, 2), np.int64)
    objects = [
        blank(label, int(height), int(width), float(rng.random()), bool(rng.random() < 0.3))
        for label, (height, width) in zip(labels, sizes, strict=True)
    ]
    check_page(lay_out_page(cell_of(objects), TOP, BOTTOM, ideograms), cell_of(objects))


@pytest.mark.parametrize("count", [0, 1, 46, 400])
def test_many_of_one_class_and_a_full_tray_fit(count: int) -> None:
    for label in (0, 11, None):
        karyotype = cell_of([blank(label) for _ in range(count)])
        check_page(lay_out_page(karyotype, TOP, BOTTOM, True), karyotype)


def test_rows_are_those_of_a_lab(cell: Karyotype) -> None:
    page = lay_out_page(cell, TOP, BOTTOM, False)
    assert [place.label for place in page.classes] == list(range(24))
    lines = [[CLASSES[label] for _, labels in row for label in labels] for row in ROWS]
    assert lines[0] == ["1", "2", "3", "4", "5"]
    assert lines[1] == [str(number) for number in range(6, 13)]
    assert lines[3] == ["19", "20", "21", "22", "X", "Y"]
    places = {CLASSES[place.label]: place for place in page.classes}
    bottoms = [{places[name].bottom for name in line} for line in lines]
    assert all(len(each) == 1 for each in bottoms)
    assert all(max(above) < min(below) for above, below in pairwise(bottoms))
    for line in lines:
        assert all(places[a].right < places[b].left for a, b in pairwise(line))
    assert [group.letter for group in page.groups] == ["A", "B", "C", "D", "E", "F", "G", ""]
    group = page.groups[2]
    assert (group.left, group.right) == (places["6"].left, places["12"].right)


def test_centromeres_of_a_row_are_on_one_line(cell: Karyotype) -> None:
    page = lay_out_page(cell, TOP, BOTTOM, True)
    places = {place.label: place for place in page.classes}
    for row in ROWS:
        heights = [
            slot.top + shown(slot.placed).centromere * page.scale
            for _, labels in row
            for label in labels
            for slot in places[label].slots
            if slot.placed is not None
        ]
        assert np.ptp(heights) < 1e-9


def test_the_most_probable_homolog_stands_first(cell: Karyotype) -> None:
    page = lay_out_page(cell, TOP, BOTTOM, False)
    first = page.classes[0].slots
    assert [slot.placed.probability for slot in first if slot.placed] == sorted(
        (each.probability for each in cell.placed(0)), reverse=True
    )


@pytest.mark.parametrize(
    ("x", "y", "missing"),
    [(2, 0, (0, 0)), (1, 1, (0, 0)), (1, 0, (1, 0)), (0, 1, (1, 0)), (3, 0, (0, 0)), (0, 0, (2, 0))],
)
def test_places_of_missing_copies(x: int, y: int, missing: tuple[int, int]) -> None:
    objects = [blank(label) for label in range(22) for _ in range(2)][1:] + [blank(22)] * 0
    objects += [blank(22) for _ in range(x)] + [blank(23) for _ in range(y)]
    page = lay_out_page(cell_of(objects), TOP, BOTTOM, False)
    empty = {place.label: sum(slot.placed is None for slot in place.slots) for place in page.classes}
    assert empty[0] == 1
    assert (empty[22], empty[23]) == missing
    assert sum(empty.values()) == 1 + sum(missing)


def test_a_cell_with_one_object_has_the_scale_of_a_whole_one() -> None:
    objects = [blank(label, 20 + 2 * (24 - label)) for label in range(24) for _ in range(2)]
    whole = lay_out_page(cell_of(objects), TOP, BOTTOM, False).scale
    for alone in (objects[0], objects[30]):
        assert lay_out_page(cell_of([alone]), TOP, BOTTOM, False).scale == pytest.approx(whole, rel=0.8)
    assert lay_out_page(cell_of([objects[40]]), TOP, BOTTOM, False).classes[20].slots[0].height < 1


def test_png_is_a4_at_300_dots_and_shows_dark_chromosomes_on_white(cell: Karyotype, tmp_path: Path) -> None:
    path = tmp_path / "new" / "cell.png"
    draw_karyogram(cell, path)
    picture = cv2.imread(str(path))
    assert picture is not None
    assert picture.shape == (2481, 3507, 3)
    assert (picture[0] == 255).all()
    assert (picture[-1] == 255).all()
    page = lay_out_page(cell, 0.78, PAGE_HEIGHT - MARGIN - 0.16 * 2 - 0.1, False)
    slot = page.classes[6].slots[0]
    left, top, width, height = (round(300 * value) for value in (slot.left, slot.top, slot.width, slot.height))
    part = picture[top : top + height, left : left + width].mean(axis=2)
    assert part[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3].mean() < 160
    assert np.concatenate([part[0], part[:, 0], part[:, -1]]).mean() > 225
    assert np.ptp(picture.astype(int), axis=2).max() > 100, "the frames of doubtful ones have a colour"
    seen = page.classes[6].slots[0].placed
    assert seen is not None
    stored = shown(seen).picture
    ink = cv2.resize(255 - part.astype(np.float32), stored.shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.corrcoef(ink.ravel(), stored.ravel())[0, 1] > 0.98, "it stands where the layout says, the right way round"


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_cell_gives_the_same_bytes(kind: str, tmp_path: Path) -> None:
    cell = made_karyotype([1, 3] + [0] * 22, doubtful=[0])
    first = karyogram_bytes(cell, kind, ideograms=True)
    draw_karyogram(cell, tmp_path / f"again.{kind.upper()}", ideograms=True)
    assert (tmp_path / f"again.{kind.upper()}").read_bytes() == first
    assert first.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind])
    assert b"CreationDate" not in first
    assert b"<dc:date>" not in first


def test_svg_says_everything(cell: Karyotype, svg: bytes) -> None:
    said = texts(svg)
    assert set(CLASSES) | set("ABCDEFG") <= set(said)
    assert {"47,XY,+21", "case 12, cell 3", "not placed: 3", SCOPE} <= set(said)
    assert "50 objects; 3 framed, wait for review." in said
    percents = [f"{cell.objects[index].probability:.0%}" for index in (1, 5, 44)]
    assert sorted(each for each in said if each.endswith("%")) == sorted(percents)
    assert svg.count(b"<image") == 50
    assert svg.count(f"stroke: {FRAME}".encode()) == 3


def test_what_a_person_reviewed_has_no_frame_and_debris_is_not_shown(cell: Karyotype) -> None:
    objects = list(cell.objects)
    objects[1] = replace(objects[1], reviewed=True)
    objects[-1] = replace(objects[-1], debris=True, doubtful=True)
    svg = karyogram_bytes(replace(cell, objects=objects), "svg")
    assert svg.count(f"stroke: {FRAME}".encode()) == 2
    assert svg.count(b"<image") == 49
    assert "50 objects, 1 of them marked as debris and not shown; 2 framed, wait for review." in texts(svg)
    assert "not placed: 2" in texts(svg)


def test_ideograms_stand_beside_when_asked(cell: Karyotype, svg: bytes) -> None:
    beside = karyogram_bytes(cell, "svg", ideograms=True)
    assert beside.count(b"<path") > svg.count(b"<path") + 400
    page = lay_out_page(cell, TOP, BOTTOM, True)
    for place in page.classes:
        assert place.ideogram is not None
        assert all(place.ideogram.left + place.ideogram.width < slot.left for slot in place.slots)


def test_missing_copies_are_dashed() -> None:
    svg = karyogram_bytes(made_karyotype([2] * 22 + [1, 0]), "svg")
    assert svg.count(b"stroke-dasharray") == 1
    assert b"stroke-dasharray" not in karyogram_bytes(made_karyotype(normal_copies("XY")), "svg")


@pytest.mark.parametrize(
    "name",
    [
        'a & b <script>alert("1")</script> ]]>',
        "$x_1$ cell $2$",
        "\\frac{1}{2} $",
        "细胞 клетка خلية \U0001f9ec e\u0301 \ud800",
        "line\nbreak\ttab \x00\x07\x1b",
        "a very long name " * 300,
        "",
        "%s {0}",
    ],
)
def test_any_name_is_written(name: str) -> None:
    cell = made_karyotype([0] * 24, name=name, iscn=name, remarks=[name, name])
    said = texts(karyogram_bytes(cell, "svg"))
    assert not any("\n" in each for each in said)
    if name.isascii() and len(name) < 60 and name.isprintable() and name:
        assert " ".join(name.split()) in said
    if len(name) > 1000:
        assert any("…" in each and each.startswith("a very") for each in said)
        assert all(len(each) < 200 for each in said)
    assert karyogram_bytes(cell, "pdf").startswith(b"%PDF")


def test_a_title_takes_the_place_of_the_name() -> None:
    said = texts(karyogram_bytes(made_karyotype([0] * 24, name="cell 1"), "svg", title="Case 5"))
    assert "Case 5" in said
    assert "cell 1" not in said


def test_many_remarks_are_cut_with_a_word_about_it() -> None:
    said = texts(karyogram_bytes(made_karyotype([0] * 24, remarks=["word " * 200, SCOPE]), "svg"))
    assert any(re.fullmatch(r"… and \d+ more lines of remarks", each) for each in said)
    assert said.count(SCOPE) == 1
    assert "0 objects; none waits for review." in said


def test_objects_without_a_picture_are_stood_upright() -> None:
    cell = made_karyotype([1] + [0] * 23, pictures=False, tray=1)
    assert karyogram_bytes(cell, "svg").count(b"<image") == 2
    with pytest.raises(ValueError, match="no picture"):
        lay_out_page(cell, TOP, BOTTOM, False)


def test_the_darkest_of_the_cell_sets_the_grey_of_all() -> None:
    pale, dark = blank(0), blank(1)
    assert pale.upright is not None
    faint = replace(pale.upright, picture=(pale.upright.picture // 4).astype(np.uint8))
    picture = cv2.imdecode(
        np.frombuffer(karyogram_bytes(cell_of([replace(pale, upright=faint), dark]), "png"), np.uint8),
        cv2.IMREAD_GRAYSCALE,
    )
    assert picture is not None
    page = lay_out_page(cell_of([blank(0), dark]), 0.78, PAGE_HEIGHT - MARGIN - 0.16 * 2 - 0.1, False)
    greys = []
    for place in page.classes[:2]:
        slot = place.slots[0]
        greys.append(picture[round(300 * (slot.top + slot.height / 2)), round(300 * (slot.left + slot.width / 2))])
    assert greys[0] > 180
    assert greys[1] < 40


def test_another_ending_is_refused_in_a_sentence(tmp_path: Path) -> None:
    cell = made_karyotype([0] * 24)
    for name in ("cell.jpg", "cell", "cell.png.txt"):
        with pytest.raises(SettingsError, match=r"\.png, \.svg or \.pdf"):
            draw_karyogram(cell, tmp_path / name)
    with pytest.raises(SettingsError, match="png, svg, pdf"):
        karyogram_bytes(cell, "SVG")
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cell.svg"
    path.write_text("before")

    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        draw_karyogram(made_karyotype([0] * 24), path)
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["cell.svg"]
    assert stat.S_ISREG(path.stat().st_mode)


def test_pages_drawn_at_once_do_not_disturb_each_other() -> None:
    cells = [made_karyotype([1, 1] + [0] * 22, name=f"cell {index}") for index in range(4)]
    alone = [karyogram_bytes(each, "svg") for each in cells]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda each: karyogram_bytes(each, "svg"), cells)) == alone


def test_importing_it_does_not_import_matplotlib_or_torch() -> None:
    code = "import sys, karyo.karyotype.karyogram, karyo.karyotype.upright\n"
    code += "print(sorted({'matplotlib', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
