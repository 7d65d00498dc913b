"""The page on which a person reviews the karyogram of a cell, in a browser: by mouse, by keyboard and by ear."""

import contextlib
import io
import json
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from browsing import Window, assert_read_aloud, open_browser
from exported import tiny_model
from made_karyotypes import made_karyotype, normal_copies
from serving import running

from karyo.data.synthetic import SyntheticSource
from karyo.karyotype.record import from_record, to_record

SPREAD = {"name": "slide 4.png", "mimeType": "image/png"}
WAITING = "3 of 48 wait for review"
FIRST = "spread_4"
"""The first object in doubt, a chromosome 2."""

Record = dict[str, Any]


def spread_picture(kind: str = ".png") -> bytes:
    ground = np.full((800, 1000), 235, np.uint8)
    cv2.circle(ground, (300, 300), 40, 60, -1)
    return bytes(cv2.imencode(kind, ground)[1])


@pytest.fixture(scope="module")
def record() -> Record:
    copies = normal_copies("XY")
    copies[20] = 3
    cell = made_karyotype(
        copies, doubtful=[3, 17, 30], tray=1, name="slide 4/cell: 12", spread=True, remarks=["A remark."]
    )
    return to_record(cell)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The page with the routes that need no model, in this process."""
    from apiflask import APIFlask
    from werkzeug.serving import make_server

    from karyo.web.desk import Desk
    from karyo.web.karyotype_api import karyotype_api
    from karyo.web.page import page
    from karyo.web.service import EXTENSION
    from karyo.web.settings import ServerSettings

    app = APIFlask("test", static_folder=None)
    app.extensions[EXTENSION] = SimpleNamespace(settings=ServerSettings(), records=Desk(2, 2, 10.0))
    app.register_blueprint(page)
    app.register_blueprint(karyotype_api)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class Tab(Window):
    """The page in a window of its own, where the server's answer to a new cell is `record`."""

    def __init__(self, browser: Any, url: str, record: Record | None, height: int = 1500, **settings: Any) -> None:
        super().__init__(browser, height=height, **settings)
        if record is not None:
            self.answer("model", json={"name": "made", "reasons": {"low_confidence": "no class is probable enough"}})
            self.answer("karyotype?*", json=record)
        self.page.goto(f"{url}/karyogram")

    def answer(self, path: str, status: int = 200, **more: Any) -> None:
        self.page.route(f"**/api/v1/{path}", lambda route: route.fulfill(status=status, **more))

    def refuse(self, path: str, status: int, message: str) -> None:
        self.answer(path, status, json={"error": {"code": "no_cell", "message": message, "request_id": "1"}})

    def add(self, *files: Any) -> None:
        self.page.set_input_files("#files", list(files))

    def open(self) -> "Tab":
        self.add({**SPREAD, "buffer": spread_picture()})
        self.wait(WAITING, "#waiting")
        return self

    def wait(self, text: str, where: str) -> None:
        self.page.locator(where, has_text=text).wait_for()

    def chromosome(self, name: str) -> Any:
        return self.page.get_by_role("option", name=re.compile(rf", {name}$"))

    def slot(self, place: str) -> Any:
        return self.page.locator(f'.slot[data-place="{place}"]')

    def names(self, place: str) -> list[str]:
        """The objects of a slot, from the left."""
        labels = self.slot(place).get_by_role("option").evaluate_all("all => all.map(each => each.ariaLabel)")
        return [label.rpartition(", ")[2] for label in labels]

    def focused(self) -> str:
        return str(self.page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.id"))

    def drag(self, name: str, place: str) -> None:
        self.chromosome(name).hover()
        self.page.mouse.down()
        box = self.slot(place).bounding_box()
        self.page.mouse.move(box["x"] + 8, box["y"] + box["height"] - 8, steps=5)
        self.page.mouse.up()

    def save(self, kind: str) -> tuple[str, bytes]:
        with self.page.expect_download() as started:
            self.page.locator(f'[data-kind="{kind}"]').click()
        return started.value.suggested_filename, Path(started.value.path()).read_bytes()


def until(tab: Tab, is_so: Callable[[], bool]) -> None:
    """Wait for what a locator cannot wait for; the page's policy lets no test evaluate texts in it."""
    for _ in range(200):
        if is_so():
            return
        tab.page.wait_for_timeout(50)
    raise AssertionError("it did not happen in ten seconds")


Visit = Callable[..., Tab]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with open_browser() as it:
        yield it


@pytest.fixture
def visit(browser: Any, url: str, record: Record) -> Iterator[Visit]:
    tabs: list[Tab] = []

    def open_tab(address: str = url, answer: Record | None = record, **settings: Any) -> Tab:
        tabs.append(Tab(browser, address, answer, **settings))
        return tabs[-1]

    yield open_tab
    for tab in tabs:
        tab.context.close()


def test_a_spread_becomes_a_karyogram(visit: Visit, record: Record) -> None:
    tab = visit().open()
    assert tab.text("#cell-name") == "slide 4/cell: 12"
    assert tab.text("#iscn") == "47,XY,+21"
    for label, count in record["call"]["copies"].items():
        assert len(tab.names(label)) == count
    assert len(tab.names("tray")) == 1
    assert tab.names("debris") == []
    assert tab.slot("21").get_attribute("aria-label") == "Chromosome 21, 3 of 2"
    assert tab.text("#counts .is-odd") == "213 instead of 2"
    assert [tab.text(f"#said-of-cell li:nth-child({place})") for place in (2, 3)] == [
        "Chromosome 21: 3 copies, 99.0 % sure.",
        "A remark.",
    ]
    sent = next(each for each in tab.requests if each.method == "POST")
    assert sent.url.endswith("/api/v1/karyotype?name=slide%204")
    assert tab.focused() == f"Chromosome 2, 58 %, waits for review, {FIRST}"
    assert "Waits for review" in tab.text("#detail-state")
    assert "No class is probable enough." in tab.text("#detail-notes")
    assert tab.page.locator("#spread-overlay polygon").count() == 48
    assert tab.complaints == []
    assert tab.context.cookies() == []


@pytest.mark.slow
def test_centromeres_of_a_row_are_on_one_line_at_one_scale(visit: Visit, record: Record) -> None:
    tab = visit().open()
    read = """all => all.map(each => {
        const image = each.querySelector("img");
        const { top, height } = image.getBoundingClientRect();
        return [Number(each.dataset.index), top, height, image.naturalHeight];
    })"""
    scales = []
    for row in (["1", "2", "3", "4", "5"], ["6", "9", "12"], ["13", "15", "16", "18"], ["19", "21", "X", "Y"]):
        found = [each for label in row for each in tab.slot(label).locator(".chromosome").evaluate_all(read)]
        scales += [height / natural for _, _, height, natural in found]
        lines = [
            top + record["objects"][index]["centromere"] * height / natural for index, top, height, natural in found
        ]
        assert max(lines) - min(lines) < 0.6
    assert max(scales) - min(scales) < 0.001


def test_dragged_to_another_slot_counts_and_iscn_follow(visit: Visit) -> None:
    tab = visit().open()
    tab.drag(FIRST, "3")
    tab.wait("47,XY,-2,+3,+21", "#iscn")
    assert tab.names("3")[-1] == FIRST
    assert tab.slot("2").get_attribute("aria-label") == "Chromosome 2, 1 of 2"
    assert tab.slot("2").locator(".empty").count() == 1
    assert tab.text("#waiting") == "2 of 48 wait for review"
    assert tab.focused() == f"Chromosome 3, reviewed, {FIRST}"
    tab.drag(FIRST, "tray")
    tab.wait("46,XY,-2,+21", "#iscn")
    assert FIRST in tab.names("tray")
    # Let go where it came from, or nowhere: nothing happens.
    tab.drag("spread_1", "1")
    tab.chromosome("spread_1").hover()
    tab.page.mouse.down()
    tab.page.mouse.move(5, 5, steps=3)
    tab.page.mouse.up()
    assert "spread_1" in tab.names("1")
    assert tab.page.locator(".ghost").count() == 0
    assert tab.text("#waiting") == "2 of 48 wait for review"


@pytest.mark.slow
def test_escape_ends_a_drag(visit: Visit) -> None:
    tab = visit().open()
    tab.chromosome(FIRST).hover()
    tab.page.mouse.down()
    box = tab.slot("5").bounding_box()
    tab.page.mouse.move(box["x"] + 8, box["y"] + 8, steps=4)
    assert tab.page.locator(".slot.is-over").get_attribute("data-place") == "5"
    tab.page.keyboard.press("Escape")
    tab.page.mouse.up()
    assert FIRST in tab.names("2")
    assert tab.text("#waiting") == WAITING


def test_with_the_keyboard_alone(visit: Visit) -> None:
    tab = visit().open()
    press = tab.page.keyboard.press
    press("m")
    tab.page.get_by_role("dialog").wait_for()
    tab.page.keyboard.type("23")
    press("Enter")
    assert "There is no such place" in tab.text("#move-said")
    tab.page.keyboard.type("x")
    press("Enter")
    tab.wait("47,XXY,-2,+21", "#iscn")
    assert tab.focused() == f"Chromosome X, reviewed, {FIRST}"
    assert tab.text("#said") in ("Counted: 47,XXY,-2,+21.", "Moved to chromosome X. 2 of 48 wait for review.")
    press("n")
    assert ", waits for review, spread_18" in tab.focused()
    press("Enter")
    assert ", reviewed, spread_18" in tab.focused()
    press("n")
    press("Space")
    assert tab.text("#waiting") == "None waits for review"
    assert tab.page.locator("#next").is_disabled()
    press("Home")
    assert tab.focused().endswith(", spread_1")
    press("ArrowRight")
    assert tab.focused().endswith(", spread_2")
    press("ArrowDown")
    assert tab.focused().startswith("Chromosome 6,")
    press("ArrowUp")
    press("ArrowLeft")
    assert tab.focused().startswith("Chromosome 1,")
    press("1")
    tab.page.keyboard.type("2")
    press("Enter")
    assert tab.focused() == "Chromosome 12, reviewed, spread_1"
    press("m")
    press("Escape")
    assert tab.focused() == "Chromosome 12, reviewed, spread_1"
    assert tab.page.evaluate("getComputedStyle(document.activeElement.querySelector('.frame')).outlineStyle") == "solid"
    # One stop of the tabulator for all chromosomes, and letters mean nothing elsewhere.
    press("Tab")
    assert "Chromosome" not in tab.focused()
    press("d")
    assert tab.names("debris") == []


def test_flip_debris_and_the_way_back(visit: Visit, record: Record) -> None:
    tab = visit().open()
    press = tab.page.keyboard.press
    press("f")
    tab.wait("counted as placed", "#iscn-note")
    asked = [each for each in tab.requests if each.url.endswith("/iscn")]
    press("f")
    press("f")
    assert tab.focused() == f"Chromosome 2, reviewed, flipped, {FIRST}"
    rotated = tab.page.evaluate("getComputedStyle(document.activeElement.querySelector('img')).rotate")
    assert rotated == "180deg"
    assert [each for each in tab.requests if each.url.endswith("/iscn")] == asked
    press("d")
    tab.wait("46,XY,-2,+21", "#iscn")
    assert tab.names("debris") == [FIRST]
    press("d")
    tab.wait("47,XY,+21", "#iscn")
    assert FIRST in tab.names("2")
    for _ in range(2):
        press("Control+z")
    assert tab.focused() == f"Chromosome 2, reviewed, flipped, {FIRST}"
    for _ in range(3):
        press("Control+z")
    assert tab.text("#waiting") == WAITING
    assert tab.text("#iscn-note") == "as called by the program"
    assert tab.page.locator("#undo").is_disabled()
    for _ in range(3):
        press("Control+y")
    press("Control+Shift+z")
    assert tab.names("debris") == [FIRST]
    tab.page.locator("#undo").click()
    assert FIRST in tab.names("2")
    assert tab.page.locator("#redo").is_enabled()


def test_nothing_in_doubt_is_reviewed_before_it_is_touched(visit: Visit) -> None:
    tab = visit().open()
    # Looked at, pointed at and focused is not touched.
    for name in (FIRST, "spread_18", "spread_31"):
        tab.chromosome(name).click()
    saved = json.loads(tab.save("json")[1])
    assert [each["reviewed"] for each in saved["objects"]] == [False] * 48
    assert "3 of 48 wait for review" in tab.text("#export-warning")
    tab.page.locator("#confirm").click()
    saved = json.loads(tab.save("json")[1])
    assert [each["name"] for each in saved["objects"] if each["reviewed"]] == ["spread_31"]


def test_an_older_answer_never_takes_the_place_of_a_newer(visit: Visit) -> None:
    tab = visit().open()
    held: list[Any] = []
    tab.page.route("**/karyotype/iscn", lambda route: held.append(route))
    tab.drag(FIRST, "3")
    tab.wait("being brought up to date", "#iscn-note")
    assert "is-old" in str(tab.page.locator("#iscn-line").get_attribute("class"))
    tab.drag(FIRST, "4")
    until(tab, lambda: len(held) == 2)
    held[1].fulfill(json={"iscn": "newer", "abnormal": True, "counted": 47})
    # The page has given the older one up already; a server may answer it all the same.
    with contextlib.suppress(Exception):
        held[0].fulfill(json={"iscn": "older", "abnormal": True, "counted": 47})
    tab.wait("newer", "#iscn")
    tab.page.wait_for_timeout(200)
    assert tab.text("#iscn") == "newer"


@pytest.mark.slow
def test_when_the_server_is_gone_edits_are_kept(visit: Visit) -> None:
    tab = visit().open()
    tab.page.route("**/karyotype/iscn", lambda route: route.abort())
    tab.drag(FIRST, "3")
    tab.wait("cannot be reached", "#notice-text")
    assert "Your edit is kept" in tab.text("#notice-text")
    assert FIRST in tab.names("3")
    assert "is-old" in str(tab.page.locator("#iscn-line").get_attribute("class"))
    tab.page.unroute("**/karyotype/iscn")
    tab.page.get_by_role("button", name="Try again").click()
    tab.wait("47,XY,-2,+3,+21", "#iscn")
    assert not tab.page.locator("#notice").is_visible()


def test_what_is_exported(visit: Visit, record: Record) -> None:
    tab = visit().open()
    tab.drag(FIRST, "3")
    tab.wait("47,XY,-2,+3,+21", "#iscn")
    tab.chromosome("spread_1").click()
    tab.page.locator("#debris").click()
    tab.wait("46,XY,-1,-2,+3,+21", "#iscn")
    name, content = tab.save("json")
    assert name == "slide 4-cell- 12-karyotype.json"
    saved = json.loads(content)
    assert saved["iscn"] == "46,XY,-1,-2,+3,+21"
    changed = {each["name"]: each for each in saved["objects"] if each["reviewed"]}
    assert {name: (each["place"], each["debris"]) for name, each in changed.items()} == {
        FIRST: ("3", False),
        "spread_1": (None, True),
    }
    assert from_record(saved).call.iscn == saved["iscn"]
    name, content = tab.save("zip")
    assert name == "slide 4-cell- 12-training-data.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        packed = set(archive.namelist())
    assert {"index.csv", "3/spread_4.png", "1/spread_2.png"} <= packed
    assert not [path for path in packed if re.search("spread_(1|18|31|48).png$", path)]
    assert len(packed) == 1 + 48 - 4
    assert tab.complaints == []


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_the_picture_is_exported(visit: Visit, kind: str, start: bytes) -> None:
    tab = visit().open()
    tab.page.locator("#ideograms").check()
    name, content = tab.save(kind)
    assert name == f"slide 4-cell- 12-karyogram.{kind}"
    assert content.startswith(start)
    assert tab.requests[-1].url.endswith(f"format={kind}&ideograms=true")


@pytest.mark.slow
def test_a_saved_review_is_opened_again(visit: Visit, url: str) -> None:
    tab = visit().open()
    tab.drag(FIRST, "3")
    tab.page.keyboard.press("f")
    tab.wait("47,XY,-2,+3,+21", "#iscn")
    saved = {"name": "review.json", "mimeType": "application/json", "buffer": tab.save("json")[1]}
    other = visit()
    other.add(saved, {**SPREAD, "buffer": spread_picture()})
    other.wait("2 of 48 wait for review", "#waiting")
    assert other.text("#iscn") == "47,XY,-2,+3,+21"
    assert "is-turned" in str(other.chromosome(FIRST).get_attribute("class"))
    assert FIRST in other.names("3")
    other.page.locator("#spread-image").evaluate("image => image.decode()")
    assert [each.url for each in other.requests if each.method == "POST"] == [f"{url}/api/v1/karyotype/iscn"]
    # It has been saved: another cell may take its place without a question.
    tab.add(saved)
    tab.wait("not in the file", "#spread-said")


@pytest.mark.slow
def test_unsaved_edits_are_not_left_without_a_question(visit: Visit) -> None:
    tab = visit().open()
    tab.page.keyboard.press("f")
    tab.add({**SPREAD, "buffer": spread_picture()})
    tab.page.get_by_role("dialog").wait_for()
    assert "Open slide 4/cell: 12 and leave slide 4/cell: 12?" in tab.text("#sure-text")
    tab.page.keyboard.press("Enter")
    assert "is-turned" in str(tab.chromosome(FIRST).get_attribute("class"))
    tab.add({**SPREAD, "buffer": spread_picture()})
    tab.page.get_by_role("button", name="Leave it").click()
    tab.wait(WAITING, "#waiting")
    tab.page.keyboard.press("f")
    asked: list[str] = []
    tab.page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    tab.page.reload()
    assert asked == ["beforeunload"]


def test_files_that_do_not_go_together(visit: Visit) -> None:
    tab = visit()
    for names, said in (
        (["a.json", "b.json"], "one cell at a time"),
        (["a.xml"], "There is no image among these files"),
        (["a.png", "b.png", "c.xml"], "belongs to one spread. Choose it"),
        (["a.png", "b.xml", "c.xml"], "belongs to one spread: choose both"),
        (["a.json"], "a.json is no karyotype"),
    ):
        tab.add(*({"name": name, "mimeType": "application/octet-stream", "buffer": b"{}"} for name in names))
        tab.wait(said, "#notice-text")
    assert not tab.page.locator("#work").is_visible()
    assert not [each for each in tab.requests if each.method == "POST"]


def spoilt(record: Record, change: Callable[[Record], Any]) -> dict[str, Any]:
    copy = json.loads(json.dumps(record))
    change(copy)
    return {"name": "saved.json", "mimeType": "application/json", "buffer": json.dumps(copy).encode()}


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.update(format=2),
        lambda record: record.update(objects=None),
        lambda record: record["objects"][3].update(place="23"),
        lambda record: record["objects"][3].update(picture="https://example.org/a.png"),
        lambda record: record["objects"][3].update(outline=[[1]]),
        lambda record: record["objects"][3].update(probability="much"),
        lambda record: record["objects"].clear(),
    ],
    ids=["format", "no list", "place", "picture", "outline", "probability", "empty"],
)
@pytest.mark.slow
def test_a_file_that_is_no_record_changes_nothing(
    visit: Visit, record: Record, change: Callable[[Record], Any]
) -> None:
    tab = visit().open()
    tab.add(spoilt(record, change))
    tab.wait("saved.json", "#notice-text")
    assert tab.text("#iscn") == "47,XY,+21"
    assert len(tab.names("2")) == 2


@pytest.mark.slow
def test_names_are_shown_as_they_are_and_pictures_may_be_missing(visit: Visit, record: Record) -> None:
    nasty = "<img src=x onerror=alert(1)>.png"

    def change(copy: Record) -> None:
        copy["name"] = copy["objects"][0]["name"] = nasty
        copy["remarks"] = [nasty]
        for each in copy["objects"]:
            each.update(picture=None, centromere=None, image=None)

    tab = visit()
    tab.add(spoilt(record, change))
    tab.wait(WAITING, "#waiting")
    tab.chromosome(re.escape(nasty)).click()
    assert tab.text("#cell-name") == tab.text("#detail-name") == tab.text("#said-of-cell li:last-child") == nasty
    assert tab.page.locator("img[src=x]").count() == 0
    tab.page.keyboard.press("d")
    tab.wait("46,XY,-1,+21", "#iscn")
    assert tab.complaints == []


@pytest.mark.slow
def test_the_page_scrolls_under_a_drag(visit: Visit) -> None:
    tab = visit(height=600).open()
    tab.chromosome(FIRST).hover()
    tab.page.mouse.down()
    tab.page.mouse.move(500, 590, steps=5)
    until(tab, lambda: tab.slot("debris").bounding_box()["y"] < 420)
    box = tab.slot("debris").bounding_box()
    # Not near the edge any more, so the page stays where it is.
    tab.page.mouse.move(box["x"] + 30, max(box["y"] + 20, 100), steps=3)
    tab.page.mouse.up()
    assert tab.names("debris") == [FIRST]


@pytest.mark.slow
def test_a_key_is_asked_for_and_the_cell_is_sent_again(visit: Visit, record: Record) -> None:
    tab = visit()

    def answer(route: Any) -> None:
        known = route.request.headers.get("x-api-key") == "a-key"
        route.fulfill(json=record) if known else route.fulfill(status=401, json={})

    tab.page.route("**/api/v1/karyotype?*", answer)
    tab.add({**SPREAD, "buffer": spread_picture()})
    tab.page.locator("#key").fill("a-key")
    tab.page.keyboard.press("Enter")
    tab.wait(WAITING, "#waiting")
    assert not tab.page.locator("#key-form").is_visible()


def test_what_the_server_refuses_is_said(visit: Visit) -> None:
    tab = visit()
    tab.refuse("karyotype?*", 422, "The picture is no metaphase spread: nothing stands out.")
    tab.add({**SPREAD, "buffer": spread_picture()})
    tab.wait("The picture is no metaphase spread: nothing stands out. Choose another picture", "#notice-text")
    assert not tab.page.get_by_role("button", name="Try again").is_visible()
    assert not tab.page.locator("#reading").is_visible()
    tab.page.unroute_all()
    tab.page.route("**/karyotype?*", lambda route: route.abort())
    tab.add({**SPREAD, "buffer": spread_picture()})
    tab.wait("The server cannot be reached.", "#notice-text")
    assert tab.page.get_by_role("button", name="Try again").is_visible()


@pytest.mark.slow
def test_waiting_can_be_given_up(visit: Visit) -> None:
    tab = visit()
    tab.page.route("**/karyotype?*", lambda _: None)
    tab.add({**SPREAD, "buffer": spread_picture()})
    tab.wait("The spread is being read", "#reading-text")
    tab.page.get_by_role("button", name="Cancel").click()
    tab.page.locator("#reading").wait_for(state="hidden")
    assert not tab.page.locator("#notice").is_visible()


@pytest.mark.slow
def test_spread_and_karyogram_point_at_each_other(visit: Visit) -> None:
    tab = visit().open()
    shape = tab.page.locator('#spread-overlay [data-index="20"]')
    tab.chromosome("spread_21").hover()
    assert "is-pointed" in shape.get_attribute("class")
    shape.hover()
    assert tab.page.locator(".chromosome.is-pointed").get_attribute("data-index") == "20"
    shape.click()
    assert tab.focused().endswith(", spread_21")
    assert "is-selected" in shape.get_attribute("class")


@pytest.mark.slow
def test_the_server_draws_what_a_browser_cannot_show(visit: Visit) -> None:
    tab = visit()
    tab.answer("preview", body=spread_picture(), content_type="image/png")
    tab.add({"name": "a.tif", "mimeType": "image/tiff", "buffer": spread_picture(".tif")})
    tab.wait(WAITING, "#waiting")
    tab.page.locator("#spread-image[src]").evaluate("image => image.decode()")
    assert [each for each in tab.requests if each.url.endswith("/preview")]


@pytest.mark.slow
def test_a_finger_drags_after_it_has_rested(visit: Visit) -> None:
    tab = visit(width=390, has_touch=True, is_mobile=True).open()
    tab.chromosome(FIRST).scroll_into_view_if_needed()
    session = tab.context.new_cdp_session(tab.page)

    def touch(kind: str, box: Any = None) -> None:
        points = [{"x": box["x"] + box["width"] / 2, "y": box["y"] + 30}] if box else []
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", tab.chromosome(FIRST).bounding_box())
    tab.page.locator(".ghost").wait_for()
    touch("touchMove", tab.slot("1").bounding_box())
    touch("touchEnd")
    assert FIRST in tab.names("1")
    tab.page.locator("#flip").tap()
    assert "flipped" in str(tab.chromosome(FIRST).get_attribute("aria-label"))


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1440, 720, 390, 320])
def test_nothing_sticks_out(visit: Visit, width: int, dark: bool) -> None:
    tab = visit(width=width, dark=dark)
    assert tab.overflow() <= 0
    tab.open()
    assert tab.overflow() <= 0
    for name in ("spread_1", "spread_2", "spread_3", "spread_5"):
        tab.chromosome(name).click()
        tab.page.locator("#move").click()
        tab.page.keyboard.type("21")
        tab.page.keyboard.press("Enter")
    assert len(tab.names("21")) == 7
    assert tab.overflow() <= 0
    small = """all => all.filter(each => {
        const { width, height } = each.getBoundingClientRect();
        return Math.min(width, height) < 24;
    }).length"""
    assert tab.page.locator(".chromosome").evaluate_all(small) == 0


@pytest.mark.slow
def test_what_a_screen_reader_finds(visit: Visit) -> None:
    tab = visit().open()
    patterns = (
        r"- banner",
        r'- navigation "Pages"',
        r'- region "Add a cell"',
        r'- listbox "Karyogram"',
        r'- group "Chromosome 21, 3 of 2"',
        r'- option "Chromosome 2, 58 %, waits for review, spread_4" \[selected\]',
        r'- group "Unplaced, 1"',
        r'- status: "?48 objects of slide 4/cell: 12: 47,XY,\+21\. 3 of 48 wait for review\.',
        r'- list "Probabilities, given the whole cell"',
    )
    assert_read_aloud(tab.page, patterns)


def test_a_slash_at_the_end_leads_to_the_page(url: str) -> None:
    from flask import Flask

    from karyo.web.page import page

    app = Flask("test", static_folder=None)
    app.url_map.strict_slashes = False
    app.register_blueprint(page)
    answer = app.test_client().get("/karyogram/")
    assert answer.status_code == 308
    assert answer.headers["Location"] == "/karyogram"


@pytest.mark.slow
def test_a_cell_on_the_real_server(browser: Any, visit: Visit, tmp_path: Path) -> None:
    source = SyntheticSource(cells=1, seed=7)
    files = [
        {
            "name": f"c{number:02}.png",
            "mimeType": "image/png",
            "buffer": cv2.imencode(".png", source.read(each))[1].tobytes(),
        }
        for number, each in enumerate(source.records[:46], 1)
    ]
    with running(tiny_model(tmp_path)) as server:
        tab = visit(server.url, answer=None)
        tab.add(*files)
        tab.page.locator(".chromosome").nth(45).wait_for()
        assert tab.page.locator(".chromosome").count() == 46
        assert tab.text("#cell-name") == "cell"
        tab.page.keyboard.press("d")
        tab.wait("counted as placed", "#iscn-note")
        assert tab.save("zip")[1].startswith(b"PK")
        tab.add({**SPREAD, "buffer": cv2.imencode(".png", np.full((300, 300), 230, np.uint8))[1].tobytes()})
        tab.wait("Choose another picture", "#notice-text")
        # What was being reviewed is still there.
        assert len(tab.names("debris")) == 1
        assert [each for each in tab.complaints if "422" not in each] == []
