"""`karyo karyotype`: folders of chromosomes and whole spreads to karyograms, records and ISCN text."""

import csv
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from exported import tiny_model
from typer.testing import CliRunner

from karyo.chromosomes import CLASSES
from karyo.commands import app
from karyo.data.synthetic import CellSettings, SpreadSettings, write_cells, write_spreads
from karyo.imaging.write import write_png
from karyo.karyotype.cell import Karyotype
from karyo.karyotype.inputs.pairing import in_cases
from karyo.karyotype.inputs.search import find_cells
from karyo.karyotype.karyotyper import Karyotyper
from karyo.karyotype.record import from_record

_PATTERN = r"(?P<cell>.+)/(?P<label>\d+|X|Y)(?P<homolog>[ab]?)\.png"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def drawn_cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two male cells as the small model knows them: cell-0000/1a.png and so on."""
    folder = tmp_path_factory.mktemp("drawn") / "cells"
    write_cells(folder, 2, settings=CellSettings(sex="XY"))
    (folder / "truth.json").unlink()
    return folder


@pytest.fixture
def cells(drawn_cells: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(drawn_cells, tmp_path / "cells"))


@pytest.fixture(scope="module")
def drawn_spreads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two spreads: images/spread-0000.png and annotations/spread-0000.xml."""
    folder = tmp_path_factory.mktemp("drawn") / "spreads"
    write_spreads(folder, 2, settings=SpreadSettings(800, 640, touching=0, crossing=0, nuclei=0, debris=2))
    return folder


@pytest.fixture
def spreads(drawn_spreads: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(drawn_spreads, tmp_path / "spreads"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def karyotype(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["karyotype", *map(str, arguments)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def refused(*arguments: object) -> str:
    """The sentence with which the command refuses what was typed or read, and that it is one."""
    from karyo.errors import KaryoError

    with pytest.raises(KaryoError) as caught:
        karyotype(*arguments)
    message = str(caught.value)
    assert message.isprintable()
    return f"{caught.value.exit_code}: {message}"


def record_of(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


def test_one_cell_becomes_iscn_text_a_record_and_a_karyogram(model: Path, cells: Path, out: Path) -> None:
    code, screen, aside = karyotype(model, cells / "cell-0000", "-o", out)
    assert (code, screen) == (0, "46,XY\n")
    assert "46 objects" in aside
    assert "structural aberrations" in aside
    assert sorted(path.name for path in out.iterdir()) == ["cell-0000.json", "cell-0000.karyogram.png"]
    picture = cv2.imread(str(out / "cell-0000.karyogram.png"), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    assert picture.min() < 100
    record = record_of(out / "cell-0000.json")
    assert record["iscn"] == "46,XY"
    assert record["model"]["name"] == "test_resnet"
    assert [each["name"] for each in record["objects"]] == sorted(path.name for path in cells.glob("cell-0000/*.png"))
    cell = from_record(record)
    assert np.array_equal(cell.objects[0].object.grey, cv2.imread(str(cells / "cell-0000/10a.png"), 0))
    # Most of what is decided is right: images and answers have not changed places.
    assert np.mean([each.place == each.object.name.rstrip("abpng.") for each in cell.objects]) > 0.7


@pytest.mark.slow
def test_formats_are_those_asked_for(model: Path, cells: Path, out: Path) -> None:
    code, _, aside = karyotype(model, cells / "cell-0000", "-o", out, "--format", "svg", "--format", "pdf")
    assert code == 0
    assert sorted(path.suffix for path in out.iterdir()) == [".json", ".pdf", ".svg"]
    assert (out / "cell-0000.karyogram.svg").read_bytes().lstrip().startswith(b"<")
    assert (out / "cell-0000.karyogram.pdf").read_bytes().startswith(b"%PDF")
    assert all(str(out / path.name) in aside for path in out.iterdir())
    assert "must be one of png, svg, pdf, not 'gif'" in refused(
        model, cells / "cell-0000", "-o", out, "--format", "gif"
    )


def test_several_cells_become_a_table(model: Path, cells: Path, out: Path) -> None:
    code, screen, aside = karyotype(model, cells, "-o", out, "--no-pictures")
    assert code == 0
    assert "2 cells: 2 decided" in aside
    rows = rows_of(out / "cells.csv")
    assert [row["cell"] for row in rows] == ["cell-0000", "cell-0001"]
    assert {path.name for path in out.iterdir()} == {"cell-0000.json", "cell-0001.json", "cells.csv"}
    for row in rows:
        record = record_of(out / f"{row['cell']}.json")
        assert row["iscn"] in screen
        assert (row["objects"], row["iscn"], row["kind"], row["named"]) == ("46", record["iscn"], "cell", "")
        assert int(row["placed"]) == sum(each["place"] is not None for each in record["objects"])
        assert int(row["doubtful"]) == sum(each["doubtful"] for each in record["objects"])
        assert float(row["probability"]) == record["call"]["probability"]
        assert all(each["picture"] is None and each["image"] is None for each in record["objects"])


def test_names_that_are_known_are_compared(model: Path, cells: Path, out: Path) -> None:
    code, screen, _ = karyotype(model, cells, "-o", out, "--no-pictures", "--pattern", _PATTERN)
    assert code == 0
    score = record_of(out / "accuracy.json")
    rows = rows_of(out / "cells.csv")
    objects = [each for row in rows for each in record_of(out / f"{row['cell']}.json")["objects"]]
    assert [each["truth"] for each in objects] == [each["name"].rstrip("abpng.") for each in objects]
    right = [sum(each["alone"]["label"] == each["truth"] for each in objects)]
    right += [sum(each["place"] == each["truth"] for each in objects)]
    assert (score["chromosomes"], score["cells"]) == (92, 2)
    assert [score[name]["value"] for name in ("alone", "together")] == pytest.approx([each / 92 for each in right])
    assert score["gain"]["value"] == pytest.approx((right[1] - right[0]) / 92)
    assert score["gain"]["value"] > 0
    assert [score[name]["low"] for name in ("alone", "together", "gain")] == [None] * 3
    assert "(no interval: fewer than 5 cells)" in screen
    whole = sum(int(row["right_together"]) == 46 for row in rows)
    assert score["cells_right"] == whole
    assert f"cells fully right: {whole} of 2, " in screen
    assert [sum(int(row[name]) for row in rows) for name in ("right_alone", "right_together")] == right


def test_a_karyogram_of_an_earlier_run_is_named(model: Path, cells: Path, out: Path) -> None:
    assert "not drawn anew" not in karyotype(model, cells / "cell-0000", "-o", out)[2]
    code, _, aside = karyotype(model, cells / "cell-0000", "-o", out, "--no-pictures")
    assert code == 0
    assert f"not drawn anew: {out / 'cell-0000.karyogram.png'}, of an earlier run" in aside
    assert (out / "cell-0000.karyogram.png").exists()
    assert "not drawn anew" not in karyotype(model, cells / "cell-0001", "-o", out, "--no-pictures")[2]


def test_what_is_done_is_not_done_again(
    model: Path, cells: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided: list[str] = []
    decide = Karyotyper.decide

    def spy(self: Karyotyper, name: str, *rest: Any) -> Karyotype:
        decided.append(name)
        return decide(self, name, *rest)

    monkeypatch.setattr(Karyotyper, "decide", spy)
    arguments = (cells, "-o", out, "--no-pictures")
    karyotype(model, *arguments)
    first = rows_of(out / "cells.csv")
    assert decided == ["cell-0000", "cell-0001"]
    code, _, aside = karyotype(model, *arguments)
    assert (code, len(decided)) == (0, 2)
    assert "2 of them by an earlier run" in aside
    assert rows_of(out / "cells.csv") == first
    # A file that has changed, another model, other settings: what they touch is decided anew.
    write_png(cells / "cell-0001/1a.png", cv2.imread(str(cells / "cell-0001/2a.png"), 0))
    karyotype(model, *arguments)
    assert decided[2:] == ["cell-0001"]
    other = tiny_model(tmp_path, temperature=2.0)
    karyotype(other, *arguments)
    assert decided[3:] == ["cell-0000", "cell-0001"]
    karyotype(other, *arguments, "--pattern", _PATTERN)
    assert decided[5:] == ["cell-0000", "cell-0001"]


@pytest.mark.slow
def test_what_a_person_has_reviewed_stays(model: Path, cells: Path, out: Path, tmp_path: Path) -> None:
    arguments = (cells / "cell-0000", "-o", out, "--format", "svg")
    karyotype(model, *arguments)
    place, picture = out / "cell-0000.json", out / "cell-0000.karyogram.svg"
    record = record_of(place)
    next(each for each in record["objects"] if each["place"] == "21").update(place=None, debris=True, reviewed=True)
    place.write_text(json.dumps(record), encoding="utf-8")
    edited, before = place.read_bytes(), picture.read_bytes()
    os.utime(picture, ns=(0, 0))
    code, screen, aside = karyotype(tiny_model(tmp_path, temperature=2.0), *arguments)
    assert (code, screen) == (0, "45,XY,-21\n")
    assert "reviewed by a person" in aside
    assert place.read_bytes() == edited
    # Its karyogram shows the edit.
    assert picture.read_bytes() != before


def test_stopping_leaves_whole_files(model: Path, cells: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decide = Karyotyper.decide

    def stop_at_second(self: Karyotyper, name: str, *rest: Any) -> Karyotype:
        if name == "cell-0001":
            raise KeyboardInterrupt
        return decide(self, name, *rest)

    monkeypatch.setattr(Karyotyper, "decide", stop_at_second)
    code, _, aside = karyotype(model, cells, "-o", out, "--no-pictures")
    assert (code, [path.name for path in out.iterdir()]) == (130, ["cell-0000.json"])
    assert "The same command goes on from here" in aside
    from_record(record_of(out / "cell-0000.json"))
    monkeypatch.undo()
    code, _, aside = karyotype(model, cells, "-o", out, "--no-pictures")
    assert (code, len(rows_of(out / "cells.csv"))) == (0, 2)
    assert "1 of them by an earlier run" in aside


def test_boxes_are_cut_and_their_names_compared(model: Path, spreads: Path, out: Path) -> None:
    code, screen, _ = karyotype(
        *(model, spreads / "images", "--annotations", spreads / "annotations", "-o", out, "--no-pictures")
    )
    assert code == 0
    assert "92 chromosomes of 2 cells have names" in screen
    record = record_of(out / "spread-0000.json")
    assert record["size"] == [800, 640]
    truth = json.loads((spreads / "truth/spread-0000.json").read_text())["chromosomes"]
    assert [each["truth"] for each in record["objects"]] == [each["label"] for each in truth]
    assert all(each["edges"] is not None for each in record["objects"])


def test_a_single_spread_with_its_own_annotation(model: Path, spreads: Path, out: Path) -> None:
    other = spreads / "named otherwise.xml"
    shutil.move(spreads / "annotations/spread-0000.xml", other)
    code, screen, _ = karyotype(
        *(model, spreads / "images/spread-0000.png", "--annotations", other, "-o", out, "--no-pictures")
    )
    assert code == 0
    assert "46 chromosomes of 1 cell have names" in screen
    assert record_of(out / "accuracy.json")["alone"]["low"] is None
    assert "is one file for 2 spreads" in refused(model, spreads / "images", "--annotations", other, "-o", out)


def test_spreads_without_or_with_bad_annotations_are_named(model: Path, spreads: Path, out: Path) -> None:
    shutil.copy(spreads / "images/spread-0000.png", spreads / "images/more.png")
    (spreads / "annotations/spread-0001.xml").write_text("<annotation>", encoding="utf-8")
    arguments = (model, spreads / "images", "--annotations", spreads / "annotations", "-o", out, "--no-pictures")
    code, _, aside = karyotype(*arguments)
    assert code == 0
    assert "more.png is left out: no XML file in" in aside
    assert "spread-0001.xml is not XML" in aside
    assert "3 cells: 1 decided, 2 left out" in aside
    problems = {row["cell"]: row["problem"] for row in rows_of(out / "cells.csv")}
    assert problems["spread-0000"] == ""
    assert problems["spread-0001"]
    assert problems["more"]
    # Where nothing is left, the code says so.
    (spreads / "images/spread-0000.png").unlink()
    assert karyotype(*arguments)[0] == 1
    shutil.rmtree(spreads / "annotations")
    (spreads / "annotations").mkdir()
    assert refused(*arguments).startswith("2: no image has an annotation")


def test_images_that_cannot_be_read_are_named_and_the_cell_goes_on(model: Path, cells: Path, out: Path) -> None:
    cell = cells / "cell-0000"
    (cell / "1a.png").write_bytes((cell / "1a.png").read_bytes()[:100])
    (cell / "2a.png").write_bytes(b"")
    code, screen, aside = karyotype(model, cell, "-o", out, "--no-pictures")
    assert (code, screen.count("\n")) == (0, 1)
    assert "1a.png is truncated" in aside
    assert "2a.png is empty" in aside
    assert "44 objects" in aside
    for path in cell.iterdir():
        path.write_bytes(b"")
    code, screen, aside = karyotype(model, cell, "-o", out, "--no-pictures")
    assert (code, screen) == (1, "")
    assert "none of the 46 images of cell-0000 can be read" in aside


def test_the_same_image_twice_is_said(model: Path, cells: Path, out: Path) -> None:
    shutil.copy(cells / "cell-0000/7a.png", cells / "cell-0000/7 copy.png")
    _, _, aside = karyotype(model, cells / "cell-0000", "-o", out, "--no-pictures")
    assert "47 objects" in aside
    assert "7 copy.png and 7a.png are the same" in aside


@pytest.mark.parametrize("count", [1, 45, 92])
def test_cells_that_are_not_of_46(model: Path, cells: Path, out: Path, count: int) -> None:
    paths = sorted(cells.glob("*/*.png"))[:count]
    together = cells.parent / "together"
    together.mkdir()
    for path in paths:
        shutil.copy(path, together / f"{path.parent.name} {path.name}")
    code, screen, aside = karyotype(model, together, "-o", out, "--no-pictures")
    assert code == 0
    assert screen.count("\n") == 1
    assert f"{count} objects" in aside
    if count == 92:
        assert "two cells" in aside


def test_a_long_remark_leaves_room_for_the_rest(model: Path, cells: Path, out: Path) -> None:
    for path in sorted(cells.glob("*/1*.png")):
        path.write_bytes(b"")
    _, screen, _ = karyotype(model, cells, "-o", out, "--no-pictures")
    lines = [line for line in screen.splitlines() if line.startswith(" cell-")]
    assert [line.split()[0] for line in lines] == ["cell-0000", "cell-0001"]
    assert all("left out: " in line and "…" in line for line in lines)
    assert all(row["remarks"].count("is empty") > 10 for row in rows_of(out / "cells.csv"))


def test_a_spread_without_boxes(model: Path, spreads: Path, out: Path) -> None:
    code, screen, _ = karyotype(model, spreads / "images/spread-0000.png", "-o", out, "--no-pictures")
    assert code == 0
    assert screen.count("\n") == 1
    record = record_of(out / "spread-0000.json")
    assert 40 <= len(record["objects"]) <= 52
    assert all(each["outline"] for each in record["objects"])


def test_an_image_that_is_no_spread(model: Path, spreads: Path, out: Path) -> None:
    write_png(spreads / "images/blank.png", np.full((400, 500), 200, np.uint8))
    code, screen, aside = karyotype(model, spreads / "images/blank.png", "-o", out, "--no-pictures")
    assert (code, screen) == (1, "")
    assert "blank is no metaphase spread" in aside
    # Among others it is named, and they go on.
    code, _, aside = karyotype(model, spreads / "images", "-o", out, "--no-pictures")
    assert code == 0
    assert "blank is no metaphase spread" in aside
    assert "3 cells: 2 decided, 1 left out" in aside


def test_cells_of_a_case_vote(model: Path, cells: Path, out: Path) -> None:
    patients = cells.parent / "patients"
    for number, name in enumerate(("anna", "bea")):
        shutil.copytree(cells / f"cell-000{number}", patients / name / "cell 1")
        shutil.copytree(cells / f"cell-000{1 - number}", patients / name / "cell 2")
    code, screen, _ = karyotype(model, patients, "-o", out, "--no-pictures", "--cases-by", "folder")
    assert code == 0
    rows = rows_of(out / "cases.csv")
    assert "cell 1" in screen
    assert [(row["case"], row["cells"]) for row in rows] == [("anna", "2"), ("bea", "2")]
    assert rows[0]["iscn"] == "46,XY[2]"
    assert "case bea, 2 cells: 46,XY[2]" in screen
    assert [row["case"] for row in rows_of(out / "cells.csv")] == ["anna", "anna", "bea", "bea"]
    assert record_of(out / "anna/cell 1.json")["case"] == "anna"
    rules = {r"^(\w)": ["a", "a", "b", "b"], r"cell (?P<case>\d)": ["1", "2", "1", "2"], "x": [None] * 4}
    for rule, named in rules.items():
        found = in_cases(find_cells([patients]), None, rule)
        assert [cell.case for cell in found.cells] == named
    assert {cell.case for cell in in_cases(find_cells([patients]), "one", None).cells} == {"one"}


def test_what_images_show_is_seen(cells: Path, spreads: Path) -> None:
    assert [(cell.name, cell.kind) for cell in find_cells([cells]).cells] == [
        ("cell-0000", "cell"),
        ("cell-0001", "cell"),
    ]
    found = find_cells([spreads / "images"]).cells
    assert [(cell.name, cell.kind) for cell in found] == [("spread-0000", "spread"), ("spread-0001", "spread")]
    # Files named one by one: chromosomes are one cell, a file alone is a spread.
    chromosomes = sorted(cells.glob("cell-0000/*.png"))
    (cell,) = find_cells(chromosomes).cells
    assert (cell.name, cell.kind, list(cell.images)) == ("cell-0000", "cell", chromosomes)
    assert [cell.kind for cell in find_cells(sorted(spreads.glob("images/*.png"))).cells] == ["spread", "spread"]
    assert [cell.kind for cell in find_cells([spreads / "images/spread-0000.png"]).cells] == ["spread"]
    # Saying it counts for more.
    assert [cell.kind for cell in find_cells([spreads / "images"], kind="cell").cells] == ["cell"]
    # Both kinds below one folder.
    shutil.copytree(spreads / "images", cells / "spreads")
    kinds = {cell.name: cell.kind for cell in find_cells([cells]).cells}
    spread = {"spreads/spread-0000": "spread", "spreads/spread-0001": "spread"}
    assert kinds == {"cell-0000": "cell", "cell-0001": "cell"} | spread


def test_cells_of_the_same_name_stay_apart(cells: Path) -> None:
    other = shutil.copytree(cells, cells.parent / "other")
    names = [cell.name for cell in find_cells([cells, other]).cells]
    assert names == ["cell-0000", "cell-0001", "cell-0000-2", "cell-0001-2"]
    shutil.copy(cells / "cell-0000/1a.png", cells / "cell-0000/1a.PNG")
    assert len({image for cell in find_cells([cells]).cells for image in cell.images}) == 93
    names = [cell.name for cell in find_cells([cells / "cell-0000"], kind="spread").cells]
    assert {"1a.png", "1a.PNG-2"} <= set(names) or {"1a.PNG", "1a.png-2"} <= set(names)


def test_cells_in_the_names_of_files(cells: Path) -> None:
    """A data set in folders named like classes: the pattern says the cell, and cells of several cases stay apart."""
    root = cells.parent / "set"
    for cell, case in (("cell-0000", "p1"), ("cell-0001", "p2")):
        for path in (cells / cell).iterdir():
            label = path.stem.rstrip("ab")
            (root / label).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, root / label / f"{case}_7_{path.stem[len(label) :]}.png")
    pattern = r"(?P<label>\w+)/(?P<case>p\d)_(?P<cell>\d)_(?P<homolog>[ab]?)\.png"
    found = find_cells([root], pattern=pattern).cells
    assert [(cell.name, cell.case, len(cell.images)) for cell in found] == [("p1/7", "p1", 46), ("p2/7", "p2", 46)]
    assert [CLASSES[truth or 0] for truth in found[0].truths] == [path.parent.name for path in found[0].images]


def test_the_outcome_is_never_an_input(model: Path, cells: Path) -> None:
    """Written into the folder that is read, below it and above it; what lies there is no chromosome."""
    cell = cells / "cell-0000"
    shutil.copy(cell / "1a.png", cell / "cell-0000.karyogram.png")
    (cell / "karyotypes").mkdir()
    shutil.copy(cell / "1a.png", cell / "karyotypes/other.png")
    for target in (cell / "karyotypes", cell, cells):
        code, _, aside = karyotype(model, cell, "-o", target, "--no-pictures")
        assert code == 0
        assert "46 objects" in aside
        shutil.rmtree(cell / "karyotypes", ignore_errors=True)


def test_inputs_are_never_written_over(model: Path, cells: Path) -> None:
    odd = cells / "x.json"
    shutil.copy(cells / "cell-0000/1a.png", odd)
    before = odd.read_bytes()
    assert refused(model, odd, "-o", cells).startswith("2: ")
    assert odd.read_bytes() == before


@pytest.mark.parametrize("content", [b"{}", b"[1]", b"\xff\xfe", b"", b'{"format": 1, "iscn": "46,XX"}'])
def test_other_files_are_never_written_over(model: Path, cells: Path, out: Path, content: bytes) -> None:
    out.mkdir()
    (out / "cell-0000.json").write_bytes(content)
    assert refused(model, cells / "cell-0000", "-o", out, "--no-pictures").startswith("2: ")
    assert (out / "cell-0000.json").read_bytes() == content


@pytest.mark.slow
def test_names_of_any_kind(model: Path, cells: Path, out: Path) -> None:
    odd = Path(os.fsdecode(b"zelle \xe9\n[bold]"))
    (cells / "cell-0000").rename(cells / odd)
    code, screen, aside = karyotype(model, cells, "-o", out, "--format", "svg")
    assert code == 0
    assert "2 cells: 2 decided" in aside
    assert screen.isprintable() or "\n" in screen
    assert (out / f"{odd}.json").exists()
    assert from_record(record_of(out / f"{odd}.json")).name.isprintable()
    assert [row["iscn"] for row in rows_of(out / "cells.csv")] == ["46,XY", "46,XY"]


def test_what_was_typed_wrong_is_said(model: Path, cells: Path, spreads: Path, out: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    classes = tmp_path / "classes"
    for name in CLASSES:
        (classes / name).mkdir(parents=True)
        shutil.copy(cells / "cell-0000/1a.png", classes / name)
    wrong = {
        (tmp_path / "nothing",): "does not exist",
        (empty,): "holds no image",
        (classes,): "named after the classes",
        (cells, "--kind", "metaphase"): "--kind must be one of auto, cell, spread",
        (cells, "--pattern", "("): "is not a regular expression",
        (cells, "--pattern", "(?P<Label>.*)"): "unknown group 'Label'",
        (cells, "--pattern", "none"): "matches no image",
        (cells, "--pattern", ".*", "--kind", "spread"): "--kind spread",
        (cells, "--pattern", r"(?P<cell>)\.?.*", "--annotations", cells): "leave --kind cell and --pattern out",
        (cells / "cell-0000/1a.png", "--pattern", ".*"): "name its folder",
        (cells, "--cases-by", "["): "is not a regular expression",
        (cells, "--cases-by", "folder", "--case", "x"): "give one of the two",
        (spreads / "images", "--annotations", tmp_path / "no"): "does not exist",
        (cells, "-o", model): "is no folder",
    }
    for arguments, sentence in wrong.items():
        message = refused(model, *arguments, *(() if "-o" in arguments else ("-o", out)))
        assert message.startswith("2: ")
        assert sentence in message
    assert not out.exists()
    # What names no chromosome is wrong content.
    bad = refused(model, cells, "-o", out, "--pattern", r"(?P<label>cell)-(?P<cell>\d+)/.*")
    assert bad.startswith("1: ")
    assert "'cell' names no human chromosome" in bad
    assert "cannot be the name of a cell" in refused(model, cells, "--pattern", r".*(?P<cell>\.\.|\.).*")


def test_a_place_that_cannot_be_written(model: Path, cells: Path) -> None:
    assert "cannot be" in refused(model, cells / "cell-0000", "-o", model / "below", "--no-pictures")


def test_a_cell_larger_than_any(model: Path, cells: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("karyo.karyotype.inputs.read.MOST_OBJECTS", 45)
    code, _, aside = karyotype(model, cells / "cell-0000", "-o", out, "--no-pictures")
    assert code == 1
    assert "has 46 images, and no cell has more than 45" in aside


def test_help_has_examples_that_are_true(cells: Path) -> None:
    done = CliRunner().invoke(app, ["karyotype", "--help"], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    assert "--cases-by folder" in done.stdout
    # The pattern stands there as it is to be typed, and works.
    start = done.stdout.index("--pattern '") + len("--pattern '")
    pattern = done.stdout[start : done.stdout.index("'", start)]
    found = find_cells([cells], pattern=pattern).cells
    assert [len(cell.images) for cell in found] == [46, 46]
    assert all(truth is not None for cell in found for truth in cell.truths)


def test_score_of_cells() -> None:
    from karyo.evaluation.cells import FEWEST_CELLS, score_cells

    named, alone, together = [46, 40, 46, 46, 46], [40, 40, 40, 40, 40], [46, 39, 45, 44, 45]
    score = score_cells(named, alone, together)
    assert score["alone"]["value"] == pytest.approx(200 / 224)
    assert score["together"]["value"] == pytest.approx(219 / 224)
    assert score["gain"]["value"] == pytest.approx(19 / 224)
    assert (score["cells"], score["cells_right"]) == (FEWEST_CELLS, 1)
    # Whole cells are drawn: the gain is between that of the worst and that of the best.
    assert -1 / 40 < score["gain"]["low"] < 19 / 224 < score["gain"]["high"] < 6 / 46
    assert score["cells_right_share"]["low"] < 0.2 < score["cells_right_share"]["high"]


def test_score_of_cells_without_an_interval() -> None:
    from karyo.commands.karyotyped import describe_score
    from karyo.evaluation.cells import score_cells

    few = score_cells([46, 40, 46, 46], [40, 40, 40, 40], [46, 39, 45, 44])
    assert [few[name]["low"] for name in ("alone", "together", "gain")] == [None] * 3
    assert few["cells_right_share"]["low"] < 0.25 < few["cells_right_share"]["high"]
    assert any("(no interval: fewer than 5 cells)" in line for line in describe_score(few))
    # Of many that are all right, resamples do not say how rare a mistake is.
    right = score_cells([46] * 9, [40, *[44] * 8], [46] * 9)
    assert right["together"] == {"value": 1.0, "low": None, "high": None}
    assert right["alone"]["low"] < right["alone"]["value"] < right["alone"]["high"]
    assert "together 100.0 %; gain" in describe_score(right)[0]
    assert "no interval" not in describe_score(right)[0]


def test_a_reviewed_object_counts_as_reviewed(model: Path, cells: Path, out: Path) -> None:
    karyotype(model, cells, "-o", out, "--no-pictures", "--pattern", _PATTERN)
    before = rows_of(out / "cells.csv")[0]
    place = out / "cell-0000.json"
    record = record_of(place)
    for each in record["objects"]:
        each.update(place=each["truth"], reviewed=True)
    place.write_text(json.dumps(record), encoding="utf-8")
    karyotype(model, cells, "-o", out, "--no-pictures", "--pattern", _PATTERN)
    row = rows_of(out / "cells.csv")[0]
    assert (row["reviewed"], row["doubtful"], row["right_together"], row["iscn"]) == ("46", "0", "46", "46,XY")
    assert row["right_alone"] == before["right_alone"]
    assert float(row["probability"]) == 1
    assert replace(from_record(record), name="x").call.probability == 1
