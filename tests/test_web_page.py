"""The page of the server: what it is made of, and that it works in a browser, by hand, by keyboard and by ear."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from browsing import Window, assert_read_aloud, open_browser
from exported import tiny_model
from serving import running

from karyo.data.synthetic import SyntheticSource
from karyo.inference.results import COLUMNS

FOLDER = Path(__file__).parents[1] / "src" / "karyo" / "web" / "page"
FILES = sorted(path for name in ("static", "templates") for path in (FOLDER / name).rglob("*.*"))
NASTY = "<img src=x onerror=alert(1)>.png"
KEY = "a-key-of-the-laboratory"

File = dict[str, Any]


def file_of(name: str, content: bytes) -> File:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def encoded(pixels: Any, kind: str = ".png") -> bytes:
    return cv2.imencode(kind, pixels)[1].tobytes()


def chromosomes(count: int, kind: str = ".png") -> list[File]:
    source = SyntheticSource(cells=1 + count // 46, seed=7)
    drawn = [encoded(source.read(record), kind) for record in source.records[:count]]
    return [file_of(f"c{number:03}{kind}", content) for number, content in enumerate(drawn, 1)]


def empty() -> File:
    return file_of("empty.png", encoded(np.full((60, 40), 240, np.uint8)))


class Tab(Window):
    """The page in a window of its own."""

    def __init__(self, browser: Any, url: str, **settings: Any) -> None:
        super().__init__(browser, **settings)
        self.page.goto(url)

    def add(self, *files: Any, field: str = "#files") -> None:
        self.page.set_input_files(field, list(files) if field == "#files" else files[0])

    def wait(self, text: str, where: str = "#progress-text") -> None:
        self.page.locator(where, has_text=re.compile(text)).wait_for()

    def card(self, name: str) -> Any:
        return self.page.locator(".card").filter(has=self.page.get_by_role("heading", name=name, exact=True))

    def names(self) -> list[str]:
        return [name.strip() for name in self.page.locator(".card:not([hidden]) .name").all_text_contents()]

    def focused(self) -> str:
        return str(self.page.evaluate("document.activeElement.id"))

    def download(self) -> bytes:
        with self.page.expect_download() as started:
            self.page.get_by_role("button", name="Download CSV").click()
        assert re.fullmatch(r"karyo-\d{4}-\d\d-\d\d-\d{4}\.csv", started.value.suggested_filename)
        return Path(started.value.path()).read_bytes()

    def answer(self, path: str, status: int, **more: Any) -> None:
        """Let this path be answered so by the network between, instead of the server."""
        self.page.route(f"**/api/v1/{path}*", lambda route: route.fulfill(status=status, **more))


Open = Callable[..., Tab]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with open_browser() as it:
        yield it


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    selection = {"wanted_error": 0.02, "coverage": 0.8, "error": 0.015}
    training = {
        "dataset": "<b>drawn</b>",
        "images": 1368,
        "cells": 8,
        "split_by": "cell",
        "test": {"accuracy": {"value": 0.905, "low": 0.88, "high": 0.93}},
        "per_class": [{"name": "X", "recall": 0.5, "precision": 1.0, "support": 4}],
    }
    folder = tmp_path_factory.mktemp("model")
    return tiny_model(folder, training=training, selection=selection, threshold=0.05, licence="For the tests only.")


@pytest.fixture(scope="module")
def url(browser: Any, model: Path) -> Iterator[str]:
    # After the browser: without one there is no need of a server.
    with running(model) as server:
        yield server.url


@pytest.fixture
def visit(browser: Any, url: str) -> Iterator[Open]:
    tabs: list[Tab] = []

    def open_tab(address: str = url, **settings: Any) -> Tab:
        tabs.append(Tab(browser, address, **settings))
        return tabs[-1]

    yield open_tab
    for tab in tabs:
        tab.context.close()


def release(tab: Tab, held: list[Any]) -> None:
    """Let go of requests that the page has given up, and of the following ones at once."""
    for route in held:
        route.abort()
    tab.page.unroute("**/api/v1/predict*")


def serve_page() -> Any:
    from flask import Flask

    from karyo.web.page import page

    app = Flask("test", static_folder=None)
    app.register_blueprint(page)
    return app.test_client()


@pytest.mark.parametrize("address", ["/", "/karyogram"])
def test_the_page_comes_with_a_policy_that_its_files_obey(address: str) -> None:
    client = serve_page()
    answer = client.get(address)
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert answer.status_code == 200
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    for tag in re.findall(r"<[^!/][^>]*>", answer.text):
        assert not re.search(r"\s(style|on\w+)=", tag), tag
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style", answer.text)
    for link in re.findall(r'(?:src|href)="(/[^"]*)"', answer.text):
        with client.get(link) as file:
            assert file.status_code == 200, link


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_nothing_names_another_host_or_stores_anything(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|//\w+\.\w|@import|url\(", text)
    assert not re.search(
        r"localStorage|sessionStorage|indexedDB|cookie|innerHTML|outerHTML|insertAdjacent|eval\(", text
    )
    assert len(text.splitlines()) <= 300


def test_there_is_no_list_of_the_files() -> None:
    client = serve_page()
    for path in ("/page/", "/page/../blueprint.py", "/page/%2e%2e/blueprint.py", "/page/templates/page.html"):
        assert client.get(path).status_code == 404, path


def palettes() -> list[dict[str, str]]:
    style = (FOLDER / "static" / "style.css").read_text(encoding="utf-8")
    return [dict(re.findall(r"--([\w-]+): (#\w{6});", block)) for block in re.findall(r":root \{(.*?)\}", style, re.S)]


def luminance(colour: str) -> float:
    parts = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


@pytest.mark.parametrize("dark", [False, True])
def test_texts_can_be_read_on_their_grounds(dark: bool) -> None:
    light_and_dark = palettes()
    colours = light_and_dark[0] | (light_and_dark[1] if dark else {})
    texts = [(text, ground) for text in ("ink", "soft", "link", "bad", "good") for ground in ("page", "sheet", "well")]
    texts += [("ink", "bad-tint"), ("bad", "bad-tint"), ("ink", "tint"), ("soft", "tint"), ("on-blue", "blue")]
    # What is no text, but must be seen: borders of controls, bars.
    shapes = [("edge", "page"), ("edge", "sheet"), ("blue", "sheet"), ("blue", "page")]
    for pairs, least in ((texts, 4.5), (shapes, 3.0)):
        for one, other in pairs:
            brighter, darker = sorted((luminance(colours[one]), luminance(colours[other])), reverse=True)
            assert (brighter + 0.05) / (darker + 0.05) >= least, (one, other)


@pytest.mark.slow
def test_png_and_tiff_become_cards(visit: Open, url: str) -> None:
    tab = visit()
    deep = np.full((70, 40), 3000, np.uint16)
    deep[10:60, 12:28] = 800
    tab.add(*chromosomes(2), chromosomes(1, ".tiff")[0], file_of("deep.png", encoded(deep)), empty())
    tab.wait("5 images done")
    tab.wait(r"5 images done: 4 accepted, 1 rejected, 0 errors\.", "#said")
    for name in ("c001.png", "c001.tiff", "deep.png"):
        card = tab.card(name)
        photo = card.locator(".photo img")
        assert re.fullmatch(r"Predicted chromosome (\d+|X|Y), (> )?\d+ %", photo.get_attribute("alt"))
        photo.evaluate("image => image.decode()")
        shares = [float(text.strip(" >%")) for text in card.locator(".bar-share").all_text_contents()]
        assert len(shares) == 5
        assert shares == sorted(shares, reverse=True)
        widths = card.locator(".bar-track i").evaluate_all("bars => bars.map(bar => parseFloat(bar.style.width))")
        assert widths == pytest.approx(shares, abs=0.06)
        label = card.locator(".label").text_content()
        assert card.locator(".bar-label").first.text_content() == label
        card.locator(f'img[alt="Ideogram of chromosome {label}"]').evaluate("image => image.decode()")
    # The same picture as PNG and as TIFF is the same chromosome.
    assert tab.card("c001.png").locator(".bars").inner_text() == tab.card("c001.tiff").locator(".bars").inner_text()
    previews = [request for request in tab.requests if "/api/v1/preview" in request.url]
    assert len(previews) == 2
    assert {re.sub(r"^blob:", "", request.url)[: len(url)] for request in tab.requests} == {url}
    assert tab.complaints == []
    assert tab.context.cookies() == []


@pytest.mark.slow
def test_what_is_rejected_says_so_and_why(visit: Open) -> None:
    tab = visit()
    tab.add(empty(), *chromosomes(1))
    tab.wait("2 images done")
    card = tab.card("empty.png")
    assert card.locator(".state").text_content() == "Rejected"
    assert "Nothing stands out from the background" in card.locator(".reason").text_content()
    assert card.locator(".photo img").get_attribute("alt").startswith("Rejected, most likely chromosome ")
    assert tab.card("c001.png").locator(".state").text_content() == "Accepted"
    tab.page.get_by_role("radio", name="Rejected 1").check()
    assert tab.names() == ["empty.png"]
    tab.page.get_by_role("radio", name="Errors 0").check()
    assert tab.names() == []
    assert tab.text("#nothing") == "No image failed so far."


@pytest.mark.slow
@pytest.mark.parametrize("beside", [0, 1, 20])
def test_files_that_are_no_images_say_so_one_by_one(visit: Open, beside: int) -> None:
    tab = visit()
    tab.add(file_of("notes.txt", b"what I saw"), file_of("none.png", b""), *chromosomes(beside))
    tab.wait(f"{beside + 2} images done")
    assert "notes.txt is not an image" in tab.card("notes.txt").locator(".reason").text_content()
    assert "none.png is empty" in tab.card("none.png").locator(".reason").text_content()
    assert [tab.text(f"#count-{kind}") for kind in ("accepted", "rejected", "error")] == [str(beside), "0", "2"]
    assert not tab.card("notes.txt").locator(".body").is_visible()


@pytest.mark.slow
def test_many_files_travel_in_batches_and_are_not_all_decoded(visit: Open) -> None:
    tab = visit()
    tab.add(*chromosomes(230))
    tab.wait("230 images done")
    assert tab.page.locator(".card.is-accepted").count() == 230
    assert len([request for request in tab.requests if "/api/v1/predict" in request.url]) == -(-230 // 16)
    assert tab.page.evaluate("document.querySelector('#progress').value") == 230
    shown = tab.page.locator(".photo img[src]")
    assert 0 < shown.count() < 80
    tab.page.locator(".card").last.scroll_into_view_if_needed()
    tab.page.locator(".card").last.locator(".photo img[src]").wait_for()
    assert tab.page.locator(".card").first.locator(".photo img[src]").count() == 0
    assert shown.count() < 80
    assert tab.complaints == []


@pytest.mark.slow
def test_the_table_keeps_every_name_and_calculates_nothing(visit: Open) -> None:
    plain = ["a, b.png", 'say "7".png', "模型 ü.png", "semi;colon.png"]
    formulas = ["=1+1.png", "+1.png", "-2.png", "@SUM(A1).png", " =HYPERLINK(1).png", "＝1.png"]
    tab = visit()
    pixels = chromosomes(1)[0]["buffer"]
    tab.add(*(file_of(name, pixels) for name in plain + formulas), file_of("=bad,.txt", b"text"), empty())
    tab.wait("12 images done")
    content = tab.download()
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert [row["path"] for row in rows] == [*plain, *(f"'{name}" for name in formulas), "'=bad,.txt", "empty.png"]
    first = rows[0]
    assert first["label"] == tab.card("a, b.png").locator(".label").text_content()
    assert float(first["probability"]) > float(first["second_probability"]) > 0
    assert (first["rejected"], first["reasons"], first["error"]) == ("no", "", "")
    assert rows[-1]["rejected"] == "yes"
    assert "empty" in rows[-1]["reasons"].split()
    assert rows[-2]["label"] == ""
    assert "is not an image" in rows[-2]["error"]


@pytest.mark.slow
def test_names_are_shown_as_they_are(visit: Open) -> None:
    tab = visit()
    tab.add(file_of(NASTY, chromosomes(1)[0]["buffer"]), file_of("<script>.txt", b"no image"))
    tab.wait("2 images done")
    assert tab.names() == [NASTY, "<script>.txt"]
    assert tab.page.locator("img[onerror], img[src=x]").count() == 0
    assert tab.text("#model-line") == "test_resnet · trained on <b>drawn</b> · 90.5 % of its test images right"


@pytest.mark.slow
def test_order_and_filter(visit: Open) -> None:
    tab = visit()
    files = chromosomes(12)
    tab.add(file_of("c10.png", files[0]["buffer"]), file_of("z.txt", b"-"), file_of("c9.png", files[9]["buffer"]))
    tab.add(*files[1:9])
    tab.wait("11 images done")
    for order, words in (("class", "label"), ("doubt", "sure"), ("sure", "sure")):
        tab.page.get_by_label("Sort by").select_option(order)
        assert tab.names()[-1] == "z.txt"
        texts = tab.page.locator(f".card .{words}").all_text_contents()[:-1]
        values = [{"X": 23, "Y": 24}.get(text) or float(text.strip("> %")) for text in texts]
        assert values == sorted(values, reverse=order == "sure")
    tab.page.get_by_label("Sort by").select_option("name")
    assert tab.names()[-4:] == ["c9.png", "c009.png", "c10.png", "z.txt"]
    tab.page.get_by_label("Sort by").select_option("added")
    assert tab.names()[:3] == ["c10.png", "z.txt", "c9.png"]
    tab.page.get_by_role("radio", name="Accepted 10").check()
    assert len(tab.names()) == 10
    rows = tab.download().decode("utf-8-sig").splitlines()
    assert len(rows) == 12


@pytest.mark.slow
def test_dropped_pasted_and_from_a_folder(visit: Open, tmp_path: Path) -> None:
    inner = tmp_path / "case" / "cell 1"
    inner.mkdir(parents=True)
    for file in chromosomes(2):
        (inner / file["name"]).write_bytes(file["buffer"])
    (tmp_path / "case" / "notes.txt").write_text("left out")
    tab = visit()
    tab.add(tmp_path / "case", field="#folder")
    tab.wait("2 images done")
    assert tab.names() == ["case/cell 1/c001.png", "case/cell 1/c002.png"]
    carried = tab.page.evaluate_handle(
        """bytes => { const it = new DataTransfer();
        it.items.add(new File([new Uint8Array(bytes)], "image.png", {type: "image/png"})); return it; }""",
        list(chromosomes(1)[0]["buffer"]),
    )
    tab.page.locator("#drop").dispatch_event("drop", {"dataTransfer": carried})
    tab.wait("3 images done")
    # Beside the drop zone too: a browser would leave the page for the image otherwise.
    tab.page.locator("h1").dispatch_event("drop", {"dataTransfer": carried})
    tab.wait("4 images done")
    tab.page.evaluate("it => dispatchEvent(new ClipboardEvent('paste', {clipboardData: it}))", carried)
    tab.wait("5 images done")
    assert tab.names()[2:] == ["image.png", "image.png", "pasted 1.png"]


@pytest.mark.slow
def test_files_left_out_of_a_folder_are_counted(visit: Open, tmp_path: Path) -> None:
    for name in ("notes.txt", ".hidden.png", "Thumbs.db"):
        (tmp_path / name).write_text("no image")
    tab = visit()
    tab.add(tmp_path, field="#folder")
    tab.wait(r"Nothing was added\. 3 files in the folder are no image and left out\.", "#said")
    assert not tab.page.locator("#results").is_visible()


@pytest.mark.slow
def test_stopped_and_continued(visit: Open) -> None:
    tab = visit()
    held: list[Any] = []
    tab.page.route("**/api/v1/predict*", lambda route: held.append(route))
    tab.add(*chromosomes(60))
    tab.wait("0 of 60 images")
    tab.page.get_by_role("button", name="Stop").focus()
    tab.page.keyboard.press("Enter")
    tab.wait(r"Stopped\. 60 images left\.", "#said")
    assert tab.focused() == "continue"
    assert tab.page.locator(".card.is-sending").count() == 0
    assert len(held) == 2
    release(tab, held)
    tab.page.keyboard.press("Enter")
    tab.wait("60 images done")
    assert tab.page.locator(".card.is-accepted").count() == 60
    assert tab.names() == sorted(tab.names())


@pytest.mark.slow
def test_clearing_asks_first_and_leaves_nothing(visit: Open) -> None:
    tab = visit()
    tab.add(*chromosomes(3))
    tab.wait("3 images done")
    tab.page.get_by_role("button", name="Clear").click()
    assert "Clear 3 images?" in tab.text("dialog")
    tab.page.keyboard.press("Enter")
    assert len(tab.names()) == 3
    tab.page.get_by_role("button", name="Clear").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Clear").click()
    tab.page.locator("#results").wait_for(state="hidden")
    assert tab.names() == []
    assert tab.focused() == "choose"
    tab.add(*chromosomes(2))
    tab.wait("2 images done: 2 accepted", "#said")
    tab.page.reload()
    assert tab.names() == []


@pytest.mark.slow
def test_a_server_that_goes_away_and_comes_back(browser: Any, visit: Open, model: Path) -> None:
    with running(model) as server:
        tab = visit(server.url)
        tab.add(*chromosomes(3))
        tab.wait("3 images done")
        server.process.kill()
        server.process.wait()
        tab.add(*chromosomes(20))
        tab.wait(r"The server cannot be reached\. .* 20 images wait here\.", "#notice")
        assert tab.page.get_by_role("alert").is_visible()
        tab.page.get_by_role("button", name="Try again").click()
        tab.wait("20 images wait here", "#notice-text")
        assert tab.page.locator(".card.is-accepted").count() == 3
    with running(model, port=server.port):
        tab.page.get_by_role("button", name="Try again").click()
        tab.wait("23 images done")
        assert tab.page.locator(".card.is-accepted").count() == 23
        assert not tab.page.locator("#notice").is_visible()


@pytest.mark.slow
def test_a_busy_server_is_asked_again_and_then_named(visit: Open) -> None:
    tab = visit()
    tab.page.clock.install()
    error = {"error": {"code": "busy", "message": "Too many images wait.", "request_id": "1"}}
    tab.answer("predict", 503, json=error, headers={"Retry-After": "1"})
    tab.add(*chromosomes(2))
    for _ in range(40):
        tab.page.clock.run_for(1000)
        if tab.page.locator("#notice").is_visible():
            break
    assert "too much to do (status 503): Too many images wait. 2 images wait here." in tab.text("#notice-text")
    assert len([request for request in tab.requests if "/api/v1/predict" in request.url]) == 4
    tab.page.unroute("**/api/v1/predict*")
    tab.page.get_by_role("button", name="Try again").click()
    tab.wait("2 images done")


@pytest.mark.slow
def test_a_batch_that_is_too_large_is_halved(visit: Open) -> None:
    tab = visit()

    def only_three(route: Any) -> None:
        images = route.request.post_data_buffer.count(b'name="image"')
        route.continue_() if images <= 3 else route.fulfill(status=413, body="too large")

    tab.page.route("**/api/v1/predict*", only_three)
    tab.add(*chromosomes(20))
    tab.wait("20 images done")
    assert tab.page.locator(".card.is-accepted").count() == 20
    tab.page.unroute("**/api/v1/predict*")
    tab.answer("predict", 413, body="too large")
    tab.add(file_of("large.png", b"x"))
    tab.wait("21 images done")
    assert "too large for this server" in tab.card("large.png").locator(".reason").text_content()


@pytest.mark.slow
def test_a_key_is_asked_for_and_kept_nowhere(visit: Open, model: Path) -> None:
    with running(model, {"KARYO_API_KEY": KEY}, max_upload_mb=1) as server:
        tab = visit(server.url)
        field = tab.page.get_by_label("API key")
        field.wait_for()
        tab.add(*chromosomes(2))
        field.fill("wrong-but-long-enough")
        field.press("Enter")
        tab.wait("refused this key", "#key-said")
        field.fill("schlüssel mit ü")
        field.press("Enter")
        tab.wait("without spaces", "#key-said")
        field.fill(KEY)
        field.press("Enter")
        tab.wait("2 images done")
        tab.add(file_of("large.tiff", bytes(2_000_000)))
        tab.wait("3 images done")
        assert tab.page.locator(".card.is-accepted").count() == 2
        assert "this server takes 1.0 MB at most" in tab.card("large.tiff").locator(".reason").text_content()
        assert not field.is_visible()
        assert field.input_value() == ""
        tab.page.get_by_text("About the model").wait_for()
        kept = tab.page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie, location.href])")
        assert KEY not in kept
        assert KEY not in tab.page.content()


@pytest.mark.slow
def test_why(visit: Open, url: str) -> None:
    tab = visit()
    told = tab.page.request.get(f"{url}/api/v1/model").json()
    tab.page.route("**/api/v1/model", lambda route: route.fulfill(json=told | {"explains": True}))
    tab.page.reload()
    tab.add(*chromosomes(1))
    tab.wait("1 image done")
    tab.answer("explain", 501, json={"error": {"code": "not_installed", "message": "No.", "request_id": "1"}})
    button = tab.page.locator(".why button")
    button.click()
    tab.wait("Explanations are not installed on this server", ".why-said")
    assert button.get_attribute("aria-expanded") == "false"
    tab.page.unroute("**/api/v1/explain*")
    tab.answer("explain", 200, body=encoded(np.zeros((9, 9), np.uint8)), content_type="image/png")
    button.click()
    picture = tab.page.get_by_role("img", name=re.compile("What spoke for chromosome"))
    picture.wait_for()
    assert button.get_attribute("aria-expanded") == "true"
    button.click()
    assert not picture.is_visible()


@pytest.mark.slow
def test_without_explanations_there_is_no_button_for_them(visit: Open, url: str) -> None:
    tab = visit()
    told = tab.page.request.get(f"{url}/api/v1/model").json()
    tab.page.route("**/api/v1/model", lambda route: route.fulfill(json=told | {"explains": False}))
    tab.page.reload()
    tab.add(*chromosomes(1))
    tab.wait("1 image done")
    assert not tab.page.locator(".why button").is_visible()
    tab.page.get_by_text("About the model").click()
    assert "Not installed on this server." in tab.text("#facts-list")


@pytest.mark.slow
def test_the_facts_about_the_model(visit: Open) -> None:
    tab = visit()
    tab.page.get_by_text("About the model").click()
    facts = {
        line.locator("dt").inner_text(): line.locator("dd").inner_text()
        for line in tab.page.locator("#facts-list div").all()
    }
    assert facts["Trained on"] == "<b>drawn</b>, 1,368 images, 8 cells, split by cell"
    assert facts["Accuracy, test images"] == "90.5 %, 95 % interval 88.0 % to 93.0 %"
    assert facts["Rejected below"].startswith("a probability of 5.0 %, on validation images 80.0 % were accepted")
    assert facts["Weakest classes"] == "X (50 % found)"
    assert facts["Licence"] == "For the tests only."
    assert "not a medical device" in facts["Not for diagnosis"]
    assert "Accuracy, validation images" not in facts


@pytest.mark.slow
def test_with_the_keyboard_alone(visit: Open) -> None:
    tab = visit()
    # Some time before: what a dialogue is opened by is otherwise quicker than what waits for it.
    tab.page.on("filechooser", lambda _: None)
    press = tab.page.keyboard.press
    press("Tab")
    assert tab.page.evaluate("document.activeElement.className") == "skip"
    for page in ("Chromosomes", "Karyogram"):
        press("Tab")
        assert tab.page.evaluate("document.activeElement.textContent") == page
    press("Tab")
    assert tab.focused() == "choose"
    assert tab.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    with tab.page.expect_file_chooser() as chooser:
        press("Enter")
    chooser.value.set_files([*chromosomes(2), empty()])
    tab.wait("3 images done")
    press("Tab")
    assert tab.focused() == "choose-folder"
    press("Tab")
    assert tab.page.evaluate("document.activeElement.value") == "all"
    press("ArrowRight")
    press("ArrowRight")
    assert tab.names() == ["empty.png"]
    press("Tab")
    assert tab.focused() == "sort"
    press("n")
    assert tab.page.locator("#sort").input_value() == "name"
    press("Tab")
    assert tab.focused() == "download"
    with tab.page.expect_download():
        press("Enter")
    press("Tab")
    assert tab.focused() == "clear"
    press("Space")
    tab.page.get_by_role("dialog").wait_for()
    press("Escape")
    assert tab.focused() == "clear"
    press("Tab")
    assert tab.page.evaluate("document.activeElement.tagName") in ("BUTTON", "SUMMARY")


@pytest.mark.slow
def test_what_a_screen_reader_finds(visit: Open) -> None:
    tab = visit()
    start = tab.page.locator("body").aria_snapshot()
    for part in (
        "- banner",
        '- heading "Chromosome classification" [level=1]',
        '- region "Add images"',
        '- button "Choose images"',
        "- status",
        "- contentinfo",
    ):
        assert part in start, part
    tab.add(*chromosomes(1), empty(), file_of("notes.txt", b"text"))
    tab.wait("3 images done")
    tab.page.locator(".photo img[src]").nth(1).wait_for()
    patterns = (
        r'- region "Results of this visit"',
        r'- group "Show"',
        r'- radio "Rejected 1"',
        r'- progressbar "3 images done"',
        r'- combobox "Sort by"',
        r'- article "c001\.png"',
        r'- heading "c001\.png" \[level=3\]',
        r'- img "Predicted chromosome \w+, (> )?\d+ %"',
        r'- img "Ideogram of chromosome \w+"',
        r'- list "Most probable classes"',
        r"- paragraph: Rejected",
        r"- paragraph: notes\.txt is not an image",
        r'- status: "?3 images done: 1 accepted, 1 rejected, 1 error\.',
    )
    assert_read_aloud(tab.page, patterns)


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1440, 700, 390, 320])
def test_nothing_sticks_out(visit: Open, width: int, dark: bool) -> None:
    tab = visit(width=width, dark=dark)
    assert tab.overflow() <= 0
    pixels = chromosomes(1)[0]["buffer"]
    long = "a very long name that " + "neverendswithoutaplacetobreak" * 6 + ".png"
    held: list[Any] = []
    tab.page.route("**/api/v1/predict*", lambda route: held.append(route))
    tab.add(*(file_of(long, pixels) for _ in range(120)))
    tab.wait("0 of 120 images")
    assert tab.overflow() <= 0
    tab.page.get_by_role("button", name="Stop").click()
    release(tab, held)
    tab.page.get_by_role("button", name="Continue").click()
    tab.add(empty(), file_of("x" * 200 + ".txt", b"text"))
    tab.wait("122 images done")
    tab.page.get_by_text("About the model").click()
    assert tab.overflow() <= 0
    over = "cards => cards.filter(card => card.scrollWidth > card.clientWidth).length"
    assert tab.page.locator(".card .reading, .card article").evaluate_all(over) == 0
