"""The page of a comparison: what it says, that it needs nothing else, and that it works in a browser."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from browsing import Visit, open_browser
from made_runs import make_run

from karyo.imaging.read import read_grey
from karyo.reports.comparison import Comparison, RunResult, compare
from karyo.reports.page import write_page
from karyo.reports.page.grid_curves import mean_points
from karyo.reports.page.hardest import confusion_of, hardest_classes
from karyo.reports.page.pareto import pareto_front
from karyo.reports.page.places import rate_text
from karyo.reports.page.settings import settings_data
from karyo.reports.page.words import sentences

NASTY = '<script>alert("1")</script>'


class Reader(HTMLParser):
    """Takes a page apart: elements with their attributes, visible text, and the content of scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.texts: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside != "style":
            (self.scripts if self._inside == "script" else self.texts).append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def make_sweep(directory: Path) -> None:
    """Two models x two optimizers x three rates, of which one failed, one was pruned and one interrupted."""
    fates = {
        ("vgg16", "sgd", "1e-2"): "failed",
        ("vgg16", "sgd", "1e-4"): "pruned",
        ("vgg16", "adam", "1e-2"): "interrupted",
    }
    accuracy = {"resnet18": 0.9, "vgg16": 0.8, "adam": 0.08, "sgd": 0.0, "1e-4": -0.02, "1e-3": 0.0, "1e-2": -0.1}
    for model in ("resnet18", "vgg16"):
        for optimizer in ("adam", "sgd"):
            for lr in ("1e-4", "1e-3", "1e-2"):
                make_run(
                    directory / f"{model}-{optimizer}-{lr}",
                    model=model,
                    optimizer=optimizer,
                    lr=lr,
                    accuracy=accuracy[model] + accuracy[optimizer] + accuracy[lr],
                    status=fates.get((model, optimizer, lr), "finished"),
                    error="Traceback\nFloatingPointError: the loss is NaN",
                )


def page_of(tmp_path: Path, comparison: Comparison) -> Reader:
    return Reader(write_page(comparison, tmp_path / "page").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def sweep_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sweep")
    make_sweep(directory / "runs")
    return write_page(compare([directory / "runs"]), directory / "page")


@pytest.fixture(scope="module")
def sweep_html(sweep_page: Path) -> str:
    return sweep_page.read_text(encoding="utf-8")


def test_the_page_needs_nothing_beside_it(sweep_html: str) -> None:
    reader = Reader(sweep_html)
    assert not {"link", "img", "iframe", "object", "embed", "base", "form"} & {name for name, _ in reader.elements}
    assert all("src" not in attributes for _, attributes in reader.elements)
    links = {attributes["href"] for attributes in reader.all("a")}
    assert all(re.fullmatch(r"#[\w-]+|figures/[\w.-]+\.(png|svg)", str(link)) for link in links)
    pictures = [attributes.get("xlink:href") or "" for attributes in reader.all("image")]
    assert all(picture.startswith("data:image/png;base64,") for picture in pictures)
    assert not re.search(r"@import|url\((?!#)", sweep_html)


def test_only_the_script_of_the_page_may_run(sweep_html: str) -> None:
    reader = Reader(sweep_html)
    (policy,) = [str(meta["content"]) for meta in reader.all("meta") if "http-equiv" in meta]
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in reader.scripts]
    assert re.findall(r"script-src '(\S+)'", policy) == [f"sha256-{digests[-1]}"]
    assert "default-src 'none'" in policy
    assert not [name for _, attributes in reader.elements for name in attributes if name.startswith("on")]


def test_the_sections_of_a_sweep(sweep_html: str) -> None:
    text = Reader(sweep_html).text
    for part in (
        "12 runs of 12 settings: 9 finished, 1 interrupted, 1 pruned, 1 failed.",
        "resnet18 · adam · 1e-3 is best on the validation side with 98.0 %, 2.0 percentage points ahead of",
        "Leaderboard",
        "Is the difference real?",
        "Learning curves",
        "What the best run still confuses",
        "Failed runs 1",
        "Runs that did not finish 2",
        "In what do two runs differ?",
        "All runs 12",
    ):
        assert part in text, part


def test_failed_runs_stand_with_their_last_line_and_directory(sweep_page: Path, sweep_html: str) -> None:
    text = Reader(sweep_html).text
    place = sweep_page.parents[1] / "runs" / "vgg16-sgd-1e-2"
    assert f"vgg16-sgd-1e-2 FloatingPointError: the loss is NaN {place}" in text
    assert "Traceback" not in text


def test_every_figure_lies_beside_the_page_as_png_and_svg(sweep_page: Path, sweep_html: str) -> None:
    folder = sweep_page.parent / "figures"
    names = {path.stem for path in folder.iterdir()}
    assert {
        "heat-maps",
        "accuracy-against-cost",
        "curves-resnet18",
        "curves-vgg16",
        "differences",
        "confusion",
    } <= names
    for name in names:
        assert read_grey(folder / f"{name}.png").std() > 5
        root = ElementTree.parse(folder / f"{name}.svg").getroot()
        assert root.tag.endswith("svg")
        assert f"figures/{name}.png" in sweep_html
        assert f"figures/{name}.svg" in sweep_html
    assert len(Reader(sweep_html).all("svg")) == len(names)


def test_names_inside_figures_are_used_once(sweep_html: str) -> None:
    names = [str(attributes["id"]) for _, attributes in Reader(sweep_html).elements if "id" in attributes]
    assert len(names) == len(set(names))
    used = set(re.findall(r'url\(#([^)]+)\)|xlink:href="#([^"]+)"', sweep_html))
    assert {one or other for one, other in used} <= set(names)


def test_figures_take_the_colours_of_the_page(sweep_html: str) -> None:
    curves = re.findall(r"<svg.*?</svg>", sweep_html, re.DOTALL)
    plain = [svg for svg in curves if "var(--ink)" in svg]
    # The confusion matrix alone keeps its own colours, on a white card.
    assert len(plain) == len(curves) - 1
    assert all("#222222" not in svg and "#ffffff" not in svg for svg in plain)


def test_numbers_in_figures_keep_their_digits(tmp_path: Path) -> None:
    for number, lr in enumerate(("0.00043", "0.00087")):
        make_run(tmp_path / "runs" / str(number), lr=lr, settings={"optimizer.weight_decay": 0.000125 + number})
    reader = page_of(tmp_path, compare([tmp_path / "runs"]))
    assert "4.3e-4" in (tmp_path / "page" / "figures" / "heat-maps.svg").read_text(encoding="utf-8")
    assert "0.000125" in (tmp_path / "page" / "figures" / "differences.svg").read_text(encoding="utf-8")
    assert "0.000125" in reader.text


def test_the_same_runs_give_the_same_files(tmp_path: Path) -> None:
    for lr in ("1e-3", "1e-2"):
        make_run(tmp_path / "runs" / lr, lr=lr)
    one, other = (write_page(compare([tmp_path / "runs"]), tmp_path / name) for name in ("one", "other"))
    made = re.compile(rb'<p id="made">.*?</p>')
    assert made.sub(b"", one.read_bytes()) == made.sub(b"", other.read_bytes())
    for path in (one.parent / "figures").iterdir():
        assert (other.parent / "figures" / path.name).read_bytes() == path.read_bytes()


def test_whatever_a_run_is_called_stays_text(tmp_path: Path) -> None:
    names = ['"><img src=x onerror=alert(1)>', "模型 ü $x_1$ {{ 7*7 }}", "a\x1b[31mb & ]]>"]
    for number, name in enumerate(names):
        make_run(
            tmp_path / "runs" / f"{number} <b>&amp;'\"",
            model=name,
            optimizer=NASTY,
            settings={"note": f"</script>{NASTY}"},
            epochs=1,
        )
    make_run(tmp_path / "runs" / "bad", status="failed", error=f"ValueError: {NASTY}</code>", epochs=0)
    reader = page_of(tmp_path, compare([tmp_path / "runs"]))
    assert len(reader.scripts) == 2
    assert not reader.all("img")
    assert all(set(attributes) == {"style"} for attributes in reader.all("b"))
    assert "<b>" in reader.text
    assert f"ValueError: {NASTY}</code>" in reader.text
    assert '"><img src=x onerror=alert(1)>' in reader.text
    assert "模型 ü $x_1$ {{ 7*7 }}" in reader.text
    data = json.loads(reader.scripts[0])
    assert f"</script>{NASTY}" in data["runs"][0]["values"]
    for path in (tmp_path / "page" / "figures").glob("*.svg"):
        ElementTree.parse(path)


def test_names_that_are_no_utf8_do_not_stop_the_page(tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "one")
    comparison = compare([tmp_path / "runs"])
    reader = page_of(tmp_path, replace(comparison, sources=("runs\udcff",), problems=("b\udce4d",)))
    assert "runs?" in reader.text
    assert "Problems 1 b?d" in reader.text


def test_nothing_at_all(tmp_path: Path) -> None:
    reader = page_of(tmp_path, Comparison((), (), (), (), ()))
    assert "No run was found." in reader.text
    assert not reader.all("table")
    assert not (tmp_path / "page" / "figures").exists()


def test_no_run_finished(tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "a", status="failed", epochs=0)
    make_run(tmp_path / "runs" / "b", status="running", lr="1e-2", epochs=2)
    reader = page_of(tmp_path, compare([tmp_path / "runs"]))
    assert "No run has finished yet" in reader.text
    assert "0 of 2" in reader.text
    assert "Is the difference real?" not in reader.text
    assert "it left no message" not in reader.text


def test_a_single_run_has_nobody_to_beat(tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "only", epochs=1)
    reader = page_of(tmp_path, compare([tmp_path / "runs"]))
    assert "it is the only setting that finished" in reader.text
    assert "test lead" not in reader.text
    assert "In what do two runs differ?" not in reader.text
    assert "% over cells" in reader.text


def test_repetitions_are_one_line_with_their_mean(tmp_path: Path) -> None:
    for seed, accuracy in enumerate((0.9, 0.92, 0.94)):
        make_run(tmp_path / "runs" / f"s{seed}", seed=seed, accuracy=accuracy, epochs=2)
    make_run(tmp_path / "runs" / "other", lr="1e-2", accuracy=0.5, epochs=2)
    html = write_page(compare([tmp_path / "runs"]), tmp_path).read_text(encoding="utf-8")
    board = html[html.index('class="leaderboard"') : html.index("</table>")]
    assert board.count("<tr") == 3
    # Mean 0.92, standard error 0.02 / sqrt(3), Student's t with two degrees of freedom 4.30.
    assert 'data-order="0.92">92.0 <small>87.0–97.0</small>' in board
    assert "over 3 repetitions" in Reader(html).text
    assert "1 of 3" in board


def test_different_images_are_not_ranked_together(tmp_path: Path) -> None:
    for data in ("gband", "qband"):
        make_run(tmp_path / "runs" / data, data=data, epochs=0)
    html = write_page(compare([tmp_path / "runs"]), tmp_path).read_text(encoding="utf-8")
    assert html.count('class="leaderboard"') == 2
    assert "are not ranked together" in Reader(html).text
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {"board1-confusion", "board2-confusion"}


def test_damaged_records_are_reported_and_the_rest_is_shown(tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "good")
    make_run(
        tmp_path / "runs" / "odd",
        lr="1e-2",
        record={"test": {"confusion": [[1, 2], "x"], "accuracy": {"value": "high"}}},
    )
    make_run(tmp_path / "runs" / "torn", lr="1e-4")
    (tmp_path / "runs" / "torn" / "summary.json").write_text('{"status": "fin', encoding="utf-8")
    (tmp_path / "runs" / "odd" / "epochs.csv").write_bytes(b"\x00\xff")
    reader = page_of(tmp_path, compare([tmp_path / "runs"]))
    assert "torn" in reader.text[reader.text.index("Problems") :]
    assert "2 runs of 2 settings: 2 finished." in reader.text


def test_a_search_shows_its_rates_as_points(tmp_path: Path) -> None:
    for number in range(15):
        make_run(
            tmp_path / "runs" / str(number), lr=f"{1.3**number * 1e-4:.5g}", accuracy=0.5 + 0.02 * number, epochs=1
        )
    page_of(tmp_path, compare([tmp_path / "runs"]))
    names = {path.stem for path in (tmp_path / "page" / "figures").iterdir()}
    assert "rates" in names
    assert "heat-maps" not in names


@pytest.mark.parametrize(("accuracy", "is_named"), [(0.895, True), (0.88, False)])
def test_what_does_nearly_as_well_for_less_is_named(tmp_path: Path, accuracy: float, is_named: bool) -> None:
    make_run(tmp_path / "large", model="vgg16", accuracy=0.9)
    make_run(tmp_path / "small", model="resnet18", accuracy=accuracy)
    (board,) = compare([tmp_path]).boards
    text = " ".join(sentences(board))
    assert "vgg16 is best" in text
    assert ("resnet18 reaches 89.5 % with 11.2 M instead of 134.4 M" in text) == is_named


def test_where_only_something_else_varies_there_is_neither_map_nor_choice_of_cost(tmp_path: Path) -> None:
    for number in range(3):
        cost = {"latency_ms": 5 + 0.1 * number, "seconds_per_epoch": 12.5}
        make_run(tmp_path / "runs" / str(number), settings={"smoothing": number}, record={"cost": cost}, epochs=1)
    page_of(tmp_path, compare([tmp_path / "runs"]))
    names = {path.stem for path in (tmp_path / "page" / "figures").iterdir()}
    assert not names & {"rates", "heat-maps", "accuracy-against-cost"}


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ([], []),
        ([(1, 0.5)], [0]),
        ([(2, 0.9), (1, 0.8), (3, 0.85)], [1, 0]),
        ([(1, 0.5), (1, 0.6)], [1]),
        ([(1, 0.5), (1, 0.5), (2, 0.5)], [0]),
    ],
)
def test_pareto_front(points: list[tuple[float, float]], front: list[int]) -> None:
    assert pareto_front(points) == front


@pytest.mark.parametrize(
    ("recorded", "read"),
    [
        ("0.0001", "1e-4"),
        ("1e-04", "1e-4"),
        ("0.0025", "2.5e-3"),
        ("1", "1"),
        ("", "–"),
        ("auto", "auto"),
        ("nan", "nan"),
    ],
)
def test_rates_are_written_as_they_are_typed(recorded: str, read: str) -> None:
    assert rate_text(recorded) == read


def test_hardest_classes() -> None:
    confusion = np.diag(np.full(24, 10))
    confusion[0, 0], confusion[0, 1] = 7, 3
    confusion[22, 22], confusion[22, 5], confusion[22, 7] = 2, 5, 3
    confusion[23] = 0
    hardest = hardest_classes(confusion)
    assert [(it.name, it.recall, it.images, it.taken_for) for it in hardest] == [
        ("X", 0.2, 10, "6 (5), 8 (3)"),
        ("1", 0.7, 10, "2 (3)"),
    ]
    assert hardest[0].precision == 1


@pytest.mark.parametrize("matrix", [None, [], [[1]] * 24, [[-1] * 24] * 24, [[0.5] * 24] * 24, [[True] * 24] * 24])
def test_what_is_no_confusion_matrix(matrix: Any) -> None:
    run = RunResult({"test": {"confusion": matrix}}, Path("run"), "run", "finished", {})
    assert confusion_of(run) is None


def test_curves_are_means_of_those_that_came_that_far() -> None:
    def run(*losses: float) -> RunResult:
        rows = tuple({"epoch": float(epoch), "train_loss": loss} for epoch, loss in enumerate(losses, start=1))
        return RunResult({}, Path("run"), "run", "finished", {}, rows)

    assert mean_points([run(3.0, 2.0), run(1.0), run(float("nan"))], "train_loss") == ([1.0, 2.0], [2.0, 2.0])
    epochs, _ = mean_points([run(*range(1000))], "train_loss")
    assert len(epochs) <= 202
    assert epochs[-1] == 1000


def test_settings_that_all_share_are_only_counted(tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "a", seed=0)
    make_run(tmp_path / "runs" / "b", seed=1, settings={"extra": [1, 2]})
    data = settings_data(compare([tmp_path / "runs"]))
    assert data["names"] == ["data.seed", "extra", "seed"]
    assert sorted(run["values"] for run in data["runs"]) == [["0", None, "0"], ["1", "[1, 2]", "1"]]
    assert data["shared"] > 10


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with open_browser() as it:
        yield it


@pytest.mark.slow
def test_opened_from_disk_it_asks_for_nothing_and_complains_of_nothing(browser: Any, sweep_page: Path) -> None:
    visit = Visit(browser, sweep_page.as_uri())
    assert visit.page.title() == "Comparison of runs"
    assert visit.asked == []
    assert visit.complaints == []


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1440, 700, 390, 320])
def test_nothing_sticks_out_of_the_page(browser: Any, sweep_page: Path, width: int, dark: bool) -> None:
    visit = Visit(browser, sweep_page.as_uri(), width, dark)
    visit.page.locator("details summary").click()
    assert visit.overflow() <= 0


@pytest.mark.slow
def test_columns_are_sorted_by_a_click(browser: Any, sweep_page: Path) -> None:
    visit = Visit(browser, sweep_page.as_uri())
    table = visit.page.locator(".leaderboard")
    rates = table.get_by_role("columnheader", name="lr")
    rates.get_by_role("button").click()
    assert rates.get_attribute("aria-sort") == "ascending"
    assert visit.column(".leaderboard", 4) == ["1e-4"] * 4 + ["1e-3"] * 4 + ["1e-2"] * 4
    rates.get_by_role("button").click()
    assert rates.get_attribute("aria-sort") == "descending"
    assert visit.column(".leaderboard", 4) == ["1e-2"] * 4 + ["1e-3"] * 4 + ["1e-4"] * 4
    assert table.locator("[aria-sort]").count() == 1


@pytest.mark.slow
def test_columns_are_sorted_by_the_keyboard(browser: Any, sweep_page: Path) -> None:
    visit = Visit(browser, sweep_page.as_uri())
    button = visit.page.locator(".leaderboard").get_by_role("columnheader", name="test").get_by_role("button")
    button.focus()
    visit.page.keyboard.press("Enter")
    known = [float(text.split()[0]) for text in visit.column(".leaderboard", 6) if text != "–"]
    assert known == sorted(known, reverse=True)
    visit.page.keyboard.press("Space")
    column = visit.column(".leaderboard", 6)
    known = [float(text.split()[0]) for text in column if text != "–"]
    assert known == sorted(known)
    # What is not known stays at the end both ways.
    assert column[-3:] == ["–"] * 3


@pytest.mark.slow
def test_every_column_can_be_sorted(browser: Any, sweep_page: Path) -> None:
    visit = Visit(browser, sweep_page.as_uri())
    for button in visit.page.locator(".leaderboard th button").all():
        button.click()
        assert len(visit.column(".leaderboard", 1)) == 12
    assert visit.complaints == []


@pytest.mark.slow
def test_the_filter_keeps_lines_with_every_word(browser: Any, sweep_page: Path) -> None:
    visit = Visit(browser, sweep_page.as_uri())
    field = visit.page.get_by_role("searchbox")
    field.fill("VGG16 adam")
    assert visit.column(".leaderboard", 2) == ["vgg16"] * 3
    assert "3 of 12" in visit.page.locator("output").inner_text()
    field.fill("")
    assert len(visit.column(".leaderboard", 2)) == 12


@pytest.mark.slow
def test_two_runs_show_the_settings_in_which_they_differ(browser: Any, sweep_page: Path) -> None:
    visit = Visit(browser, sweep_page.as_uri())
    first, second = visit.page.locator("#first-run"), visit.page.locator("#second-run")
    first.select_option(label="resnet18 · adam · 1e-3")
    second.select_option(label="vgg16 · adam · 1e-2")
    assert visit.column("#differences", 1) == ["lr", "model.spec.name", "optimizer.lr"]
    assert visit.column("#differences", 2) == ["0.001", "resnet18", "0.001"]
    assert visit.column("#differences", 3) == ["0.01", "vgg16", "0.01"]
    visit.page.locator("#swap").click()
    assert visit.column("#differences", 2) == ["0.01", "vgg16", "0.01"]
    assert visit.page.locator("#first-directory").inner_text().endswith("vgg16-adam-1e-2")
    second.select_option(label="vgg16 · adam · 1e-2")
    assert visit.page.locator("#differences").is_hidden()
    assert "the same run" in visit.page.locator("#differences-said").inner_text()


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_light_and_dark_can_be_chosen(browser: Any, sweep_page: Path, dark: bool) -> None:
    visit = Visit(browser, sweep_page.as_uri(), dark=dark)

    def brightness() -> float:
        colour = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
        return float(np.mean([int(part) for part in re.findall(r"\d+", colour)[:3]]))

    def ink_of_figures() -> str:
        return str(visit.page.evaluate("getComputedStyle(document.querySelector('figure svg text')).fill"))

    before, ink = brightness(), ink_of_figures()
    assert (before < 128) == dark
    visit.page.locator("#theme").click()
    assert (brightness() < 128) != dark
    assert ink_of_figures() != ink
    visit.page.locator("#theme").click()
    assert brightness() == before


@pytest.mark.slow
def test_paper_is_white(browser: Any, sweep_page: Path) -> None:
    visit = Visit(browser, sweep_page.as_uri(), 1040, dark=True)
    visit.page.emulate_media(media="print")
    assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert visit.page.locator("#theme").is_hidden()
    assert visit.overflow() <= 0


@pytest.mark.slow
def test_nasty_names_run_nothing_in_the_browser(browser: Any, tmp_path: Path) -> None:
    for number in range(2):
        make_run(tmp_path / "runs" / str(number), model=f"<img src=x onerror=alert(1)>{NASTY}", lr=f"1e-{number + 2}")
    visit = Visit(browser, write_page(compare([tmp_path / "runs"]), tmp_path).as_uri(), 390)
    assert visit.complaints == []
    assert visit.asked == []
    assert visit.overflow() <= 0
