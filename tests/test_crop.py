"""`karyo crop` and the machinery behind it: what is written, what is listed, stopping and going on."""

import csv
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from karyo.chromosomes import CLASSES
from karyo.commands.crop import crop
from karyo.data.folder_job import count_totals, run_job, write_index, write_problems
from karyo.data.layouts import FolderSource
from karyo.data.output_folder import Outcome, OutputFolder, Problem, Task
from karyo.data.parallel import check_workers, map_ordered
from karyo.data.spreads import export
from karyo.data.synthetic import SpreadSettings, derive_seed, draw_spread, write_spreads
from karyo.errors import DataError, KaryoError, SettingsError

SMALL = SpreadSettings(width=560, height=480, touching=0.1, crossing=0, nuclei=0, debris=5)
app = typer.Typer(pretty_exceptions_enable=False)
app.command()(crop)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("spreads") / "drawn"
    write_spreads(root, 3, seed=4, settings=SMALL)
    return root


def invoke(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, (KaryoError, SystemExit)):
        raise result.exception
    return result


def crop_all(root: Path, out: Path, *options: object) -> Result:
    # Later options win: the boxes of most tests have no object in them that masking could keep.
    return invoke(root / "images", root / "annotations", out, "--workers", 1, "--mask", "none", *options)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def content(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def spread(root: Path, name: str, *objects: str, size: str = "40 30") -> None:
    """Write an empty picture of 40 x 30 pixels and an annotation of these objects."""
    for folder in ("images", "annotations"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "images" / f"{name}.png").write_bytes(cv2.imencode(".png", np.full((30, 40), 200, np.uint8))[1].tobytes())
    declared = "<size><width>{}</width><height>{}</height></size>".format(*size.split())
    text = f"<annotation>{declared}{''.join(objects)}</annotation>"
    (root / "annotations" / f"{name}.xml").write_text(text, encoding="utf-8")


def item(left: int, top: int, right: int, bottom: int, name: str = "C7") -> str:
    edges = zip(("xmin", "ymin", "xmax", "ymax"), (left, top, right, bottom), strict=True)
    coordinates = "".join(f"<{key}>{value}</{key}>" for key, value in edges)
    return f"<object><name>{name}</name><bndbox>{coordinates}</bndbox></object>"


def test_every_box_becomes_a_png_and_a_row(drawn: Path, tmp_path: Path) -> None:
    result = crop_all(drawn, tmp_path / "out", "--margin", 0)
    assert result.exit_code == 0, result.output
    assert [line.split() for line in result.output.splitlines()[:3]] == [
        ["spreads", "3"],
        ["boxes", "138"],
        ["written", "138"],
    ]
    rows = table(tmp_path / "out" / "index.csv")
    assert len(rows) == len(list((tmp_path / "out").glob("*/*.png"))) == 138
    truth = draw_spread(derive_seed(4, 2), SMALL)
    for number, chromosome in enumerate(truth.chromosomes, start=1):
        row = rows[92 + number - 1]
        label = CLASSES[chromosome.label]
        assert row["path"] == f"{label}/spread-0002_{number}.png"
        assert (row["image"], row["cell"], row["n"], row["label"]) == (
            "spread-0002.png",
            "spread-0002",
            str(number),
            label,
        )
        left, top, right, bottom = (int(row[edge]) for edge in ("left", "top", "right", "bottom"))
        assert (left, top, right, bottom) == chromosome.box
        assert (int(row["crop_left"]), int(row["crop_top"])) == (left, top)
        image = cv2.imread(str(tmp_path / "out" / row["path"]), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(image, truth.image[top:bottom, left:right])


def test_the_folder_is_a_data_set_that_knows_its_cells(drawn: Path, tmp_path: Path) -> None:
    crop_all(drawn, tmp_path / "out")
    text = (Path(__file__).parents[1] / "conf" / "data" / "crops.yaml").read_text(encoding="utf-8")
    pattern = next(line.split(": ", 1)[1].strip("'") for line in text.splitlines() if "pattern" in line)
    records = FolderSource(tmp_path / "out", pattern).records
    assert len(records) == 138
    assert {record.cell for record in records} == {"spread-0000", "spread-0001", "spread-0002"}
    assert {CLASSES[record.label] for record in records} >= {"1", "22", "X"}


def test_several_processes_write_the_same(drawn: Path, tmp_path: Path) -> None:
    for name, workers in (("one", 1), ("two", 2)):
        result = invoke(
            drawn / "images", drawn / "annotations", tmp_path / name, "--workers", workers, "--mask", "object"
        )
        assert result.exit_code == 0
    assert content(tmp_path / "one") == content(tmp_path / "two")
    masked = table(tmp_path / "one" / "index.csv")
    assert np.mean([float(row["fit"]) >= 0.7 for row in masked]) > 0.9


def test_what_is_wrong_is_listed_and_the_rest_is_written(tmp_path: Path) -> None:
    root, out = tmp_path / "s", tmp_path / "out"
    spread(root, "fünf", item(1, 2, 20, 22), item(5, 5, 4, 9), item(1, 1, 1, 9), item(1, 2, 9, 9, "Q"))
    spread(root, "off", item(-4, 2, 20, 22, "X"), item(50, 2, 60, 22))
    spread(root, "size", item(1, 2, 20, 22), size="640 640")
    spread(root, "broken", item(1, 2, 20, 22))
    (root / "annotations" / "broken.xml").write_text("<annotation>")
    spread(root, "no-image", item(1, 2, 20, 22))
    (root / "images" / "no-image.png").write_bytes(b"\x89PNG")
    spread(root, "lonely", item(1, 2, 20, 22))
    (root / "annotations" / "lonely.xml").rename(root / "annotations" / "lone.xml")
    result = crop_all(root, out)
    assert result.exit_code == 0
    assert sorted(str(path.relative_to(out)) for path in out.glob("*/*.png")) == ["7/fünf_1.png", "X/off_1.png"]
    found = {(Path(row["place"]).name, row["reason"], row["kind"]) for row in table(out / "problems.csv")}
    assert found == {
        ("fünf_2", "reversed box", "left out"),
        ("fünf_3", "empty box", "left out"),
        ("fünf_4", "unknown class name", "left out"),
        ("off_1", "box leaves the image", "flagged"),
        ("off_2", "box outside the image", "left out"),
        ("size", "image does not match its annotation", "left out"),
        ("broken", "unusable annotation", "left out"),
        ("no-image", "unusable image", "left out"),
        ("lonely.png", "image without annotation", "left out"),
        ("lone.xml", "annotation without image", "left out"),
    }
    numbers = {line[:8].strip(): line.split()[1] for line in result.output.splitlines()[:3]}
    assert numbers == {"spreads": "5", "boxes": "8", "written": "2"}
    assert "problems.csv" in result.output
    details = {row["reason"]: row["detail"] for row in table(out / "problems.csv")}
    assert "40 x 30" in details["image does not match its annotation"]
    assert "640 x 640" in details["image does not match its annotation"]


def test_nothing_written_is_an_error(tmp_path: Path) -> None:
    spread(tmp_path / "s", "a", item(1, 2, 1, 22))
    result = crop_all(tmp_path / "s", tmp_path / "out")
    assert isinstance(result.exception, DataError)
    assert table(tmp_path / "out" / "problems.csv")[0]["reason"] == "empty box"


def test_no_pair_and_no_folder(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    assert "no spread found" in str(invoke(tmp_path / "s", tmp_path / "s", tmp_path / "out").exception)
    assert "does not exist" in str(invoke(tmp_path / "x", tmp_path / "s", tmp_path / "out").exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [("--margin", -1), ("--mask", "some"), ("--workers", 0)])
def test_options_that_cannot_be_meant(tmp_path: Path, options: tuple[object, ...]) -> None:
    spread(tmp_path / "s", "a", item(1, 2, 9, 22))
    assert isinstance(crop_all(tmp_path / "s", tmp_path / "out", *options).exception, SettingsError)
    assert not (tmp_path / "out").exists()


def test_a_second_run_does_only_what_is_missing(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    crop_all(drawn, out)
    whole = content(out)
    next((out / "1").glob("spread-0001_*.png")).unlink()
    journal = (out / ".done.jsonl").read_bytes()
    lines = journal.splitlines(keepends=True)
    (out / ".done.jsonl").write_bytes(lines[0] + lines[1] + lines[2][:40])
    done = []
    original = export.load_spread
    monkeypatch.setattr(
        export, "load_spread", lambda pair, annotation: done.append(pair.name) or original(pair, annotation)
    )
    result = crop_all(drawn, out)
    assert done == ["spread-0001", "spread-0002"]
    assert "1 of them by an earlier run" in result.output
    assert content(out) == whole
    crop_all(drawn, out)
    assert len(done) == 2


def test_results_are_never_mixed(drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    spread(tmp_path / "s", "a", item(1, 2, 9, 22))
    spread(tmp_path / "s", "b", item(1, 2, 9, 22))
    crop_all(tmp_path / "s", out)
    before = content(out)
    assert "margin = 2, not 5" in str(crop_all(tmp_path / "s", out, "--margin", 5).exception)
    assert "mask = none, not object" in str(crop_all(tmp_path / "s", out, "--mask", "object").exception)
    assert "images =" in str(crop_all(drawn, out).exception)
    os.utime(tmp_path / "s" / "images" / "a.png", (1, 1))
    assert "changed" in str(crop_all(tmp_path / "s", out).exception)
    (tmp_path / "s" / "images" / "a.png").unlink()
    assert "no longer among the inputs" in str(crop_all(tmp_path / "s", out).exception)
    assert content(out) == before


def test_a_repaired_input_is_done_and_a_new_one_joins(tmp_path: Path) -> None:
    root, out = tmp_path / "s", tmp_path / "out"
    spread(root, "a", item(1, 2, 9, 22))
    spread(root, "b", item(1, 2, 9, 22))
    (root / "annotations" / "b.xml").write_text("not yet")
    crop_all(root, out)
    assert [row["path"] for row in table(out / "index.csv")] == ["7/a_1.png"]
    spread(root, "b", item(1, 2, 9, 22))
    spread(root, "0", item(1, 2, 9, 22))
    os.utime(root / "images" / "a.png", ns=(0, (root / "images" / "a.png").stat().st_mtime_ns))
    crop_all(root, out)
    assert [row["path"] for row in table(out / "index.csv")] == ["7/0_1.png", "7/a_1.png", "7/b_1.png"]
    assert table(out / "problems.csv") == []


def test_a_folder_with_other_things_is_not_touched(tmp_path: Path) -> None:
    root, out = tmp_path / "s", tmp_path / "out"
    spread(root, "a", item(1, 2, 9, 22))
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    assert "did not write" in str(crop_all(root, out).exception)
    (out / "settings.json").write_text("[]")
    assert "was not written by karyo crop" in str(crop_all(root, out).exception)
    (out / "settings.json").write_text(json.dumps({"command": "karyo preprocess", "settings": {}}))
    assert "was filled by karyo preprocess" in str(crop_all(root, out).exception)
    assert "not a folder" in str(crop_all(root, out / "thesis.txt").exception)
    assert (out / "thesis.txt").read_text() == "years of work"


def test_a_target_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spread(tmp_path / "s", "a", item(1, 2, 9, 22))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    message = str(crop_all(tmp_path / "s", tmp_path / "out").exception)
    assert message == f"cannot write to {tmp_path / 'out'}: Permission denied; choose another place"


def test_an_interrupted_run_goes_on(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    original = export.load_spread

    def interrupted(pair: export.Pair, annotation: object) -> object:
        if pair.name == "spread-0001":
            raise KeyboardInterrupt
        return original(pair, annotation)

    monkeypatch.setattr(export, "load_spread", interrupted)
    result = crop_all(drawn, out)
    assert result.exit_code == 130
    assert "goes on from here" in result.stderr
    assert len(list(out.glob("*/*.png"))) == 46
    monkeypatch.undo()
    assert "1 of them by an earlier run" in crop_all(drawn, out).output
    assert len(table(out / "index.csv")) == 138


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_at_a_terminal_stops_all_processes(tmp_path: Path, presses: int) -> None:
    code = (
        "import sys\nfrom functools import partial\nfrom karyo.data.folder_job import *\n"
        "from karyo.data.output_folder import *\nsys.path.insert(0, sys.argv[1])\nfrom test_crop import touch\n"
        "folder = OutputFolder(sys.argv[2], 'test', {})\n"
        "run_job(folder, [Task(str(n), ()) for n in range(500)], partial(touch, folder.path, 0.02), 2)\n"
    )
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(Path(__file__).parent), str(out)],
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while len(list(out.glob("*.txt"))) < 8 and time.monotonic() < deadline:
        time.sleep(0.02)
    for _ in range(presses):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.01)
    errors = process.communicate(timeout=30)[1]
    assert errors.strip().splitlines()[-1] == "KeyboardInterrupt"
    folder = OutputFolder(out, "test", {})
    tasks = [Task(str(number), ()) for number in range(500)]
    before = len(list(out.glob("*.txt")))
    missing = folder.pending(tasks)
    assert 500 - before <= len(missing) < 500
    assert run_job(folder, tasks, partial(touch, out, 0), 1) == 500 - len(missing)
    assert len(list(out.glob("*.txt"))) == 500


def touch(out: Path, seconds: float, task: Task) -> Outcome:
    time.sleep(seconds)
    (out / f"{task.key}.txt").write_text("done")
    return Outcome(
        (f"{task.key}.txt",), ({"name": task.key},), (Problem(task.key, "odd", "so it is", False),), {"n": 2}
    )


def square(number: int) -> int:
    if number < 0:
        raise DataError("negative")
    return number * number


def leave(number: int) -> int:
    os._exit(number)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_map_keeps_its_order_and_takes_items_only_as_needed(workers: int) -> None:
    taken = []

    def numbers() -> object:
        for number in range(1000):
            taken.append(number)
            yield number

    results = map_ordered(square, numbers(), workers, chunk=3)
    assert [next(results) for _ in range(10)] == [number * number for number in range(10)]
    results.close()
    assert len(taken) <= 10 + 3 * (4 * workers + 1)
    assert list(map_ordered(square, range(50), workers, 7)) == [number * number for number in range(50)]
    assert list(map_ordered(square, [], workers)) == []
    with pytest.raises(DataError, match="negative"):
        list(map_ordered(square, [1, -1, 2], workers))
    assert cv2.getNumThreads() > 0
    assert not multiprocessing.active_children()


def test_a_dying_process_is_one_sentence() -> None:
    with pytest.raises(DataError, match="a worker process died"):
        list(map_ordered(leave, [7, 7, 7], 2))


def test_workers_by_default_are_the_cores() -> None:
    assert check_workers(None) >= 1
    assert check_workers(3) == 3
    with pytest.raises(SettingsError):
        check_workers(1000)


def test_a_job_counts_and_lists_what_it_did(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path / "o", "test", {"a": 1})
    tasks = [Task(key, ()) for key in ("b", "a", "surrogate-\udc80")]
    assert run_job(folder, tasks[:2], partial(touch, folder.path, 0)) == 0
    assert run_job(folder, tasks, partial(touch, folder.path, 0)) == 2
    again = OutputFolder(tmp_path / "o", "test", {"a": 1})
    totals = count_totals(again, tasks, 2, [Problem("x", "odd", "too", True)])
    assert (totals.files, totals.counts, totals.problems) == (3, {"n": 6}, {("odd", False): 3, ("odd", True): 1})
    write_index(again, tasks, ["name"])
    write_problems(again, tasks)
    assert (tmp_path / "o" / "index.csv").read_bytes() == b"name\nb\na\nsurrogate-\x80\n"
    assert len((tmp_path / "o" / "problems.csv").read_bytes().splitlines()) == 4


def test_an_output_folder_that_holds_the_inputs_is_refused(tmp_path: Path) -> None:
    for folder in ("images", "annotations"):
        (tmp_path / "spreads" / folder).mkdir(parents=True)
    images, annotations = tmp_path / "spreads" / "images", tmp_path / "spreads" / "annotations"
    for out in (tmp_path / "spreads", images):
        with pytest.raises(SettingsError, match="inputs"):
            export.export_crops(images, annotations, out, 2, "object", 1)
