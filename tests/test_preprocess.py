"""`karyo preprocess`: a folder in, the same folder cleaned out; stopped, resumed, never mixed."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from karyo.commands import main
from karyo.data.cleaning import Cleaning, clean_folder
from karyo.data.output_folder import OutputFolder
from karyo.data.synthetic import SpreadSettings, SyntheticSource, draw_spread
from karyo.errors import DataError, SettingsError
from karyo.imaging.polarity import normalise_polarity
from karyo.imaging.quality import assess
from karyo.imaging.read import read_grey
from karyo.imaging.steps import Chain
from karyo.imaging.write import write_png

CLEAN = Cleaning(Chain.from_text("denoise:strength=5,largest-object"))


def karyo(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["karyo", *map(str, arguments)])
    with pytest.raises(SystemExit) as leaving:
        main()
    return int(leaving.value.code or 0)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Twelve drawn chromosomes, one folder per class, one name that is not ASCII."""
    source = SyntheticSource(cells=1)
    folder = tmp_path / "images"
    for record in source.records[:12]:
        write_png(folder / str(record.label + 1) / f"zelle-ä {record.homolog}.png", source.read(record))
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.png")}


def test_a_folder_is_cleaned_file_by_file(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "clean"
    steps = "denoise,clahe,largest-object,straighten"
    assert karyo(monkeypatch, "preprocess", images, out, "--steps", steps, "--workers", 2) == 0
    assert sorted(files_below(out)) == sorted(files_below(images))
    printed = capsys.readouterr()
    assert "12" in printed.out
    assert "index.csv" in printed.out
    rows = rows_of(out / "index.csv")
    assert [row["path"] for row in rows] == sorted(files_below(images))
    for row in rows:
        grey = read_grey(out / row["path"])
        assert grey.shape == (int(row["height"]), int(row["width"]))
        assert row["objects"] == "1"
    assert read_grey(out / rows[0]["path"])[0, 0] > 200, "bright backgrounds stay bright"


def test_one_process_and_two_write_the_same(images: Path, tmp_path: Path) -> None:
    clean_folder(images, tmp_path / "one", CLEAN, workers=1)
    clean_folder(images, tmp_path / "two", CLEAN, workers=2)
    assert files_below(tmp_path / "one") == files_below(tmp_path / "two")


def test_the_result_is_what_the_steps_give(images: Path, tmp_path: Path) -> None:
    clean_folder(images, tmp_path / "clean", CLEAN)
    for place in files_below(images):
        expected = CLEAN.chain(normalise_polarity(read_grey(images / place)))
        np.testing.assert_array_equal(normalise_polarity(read_grey(tmp_path / "clean" / place), "bright"), expected)


def test_a_second_run_goes_on_where_the_first_was_stopped(images: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    clean_folder(images, whole, CLEAN)
    stopped = tmp_path / "stopped"
    calls = 0

    def interrupt(path: Path, image: object) -> None:
        nonlocal calls
        calls += 1
        if calls > 5:
            raise KeyboardInterrupt
        write_png(path, image)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("karyo.data.cleaning.write_png", interrupt)
        with pytest.raises(KeyboardInterrupt):
            clean_folder(images, stopped, CLEAN)
    assert len(files_below(stopped)) == 5
    totals = clean_folder(images, stopped, CLEAN)
    assert (totals.inputs, totals.resumed) == (12, 5)
    assert files_below(stopped) == files_below(whole)
    assert rows_of(stopped / "index.csv") == rows_of(whole / "index.csv")
    assert clean_folder(images, stopped, CLEAN).resumed == 12


def test_a_folder_never_holds_the_results_of_two_settings(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "clean"
    clean_folder(images, out, CLEAN)
    before = files_below(out)
    with pytest.raises(SettingsError, match="steps"):
        clean_folder(images, out, Cleaning(Chain.from_text("clahe")))
    assert files_below(out) == before


def test_unreadable_and_doubtful_images_are_listed_and_the_rest_is_done(images: Path, tmp_path: Path) -> None:
    (images / "1" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    write_png(images / "2" / "white.png", np.full((30, 20), 255, np.uint8))
    write_png(images / "3" / "dot.png", np.full((1, 1), 9, np.uint8))
    pair = np.full((60, 60), 250, np.uint8)
    pair[5:55, 5:15] = pair[5:55, 40:50] = 60
    write_png(images / "4" / "pair.png", pair)
    totals = clean_folder(images, tmp_path / "clean", CLEAN)
    assert totals.problems[("unusable input", True)] == 1
    assert totals.problems[("empty", False)] == 2
    assert totals.problems[("several", False)] == 1
    listed = {row["place"]: row for row in rows_of(tmp_path / "clean" / "problems.csv")}
    assert listed["1/torn.png"]["kind"] == "left out"
    assert listed["4/pair.png"]["reason"] == "several"
    counted = {row["path"]: row["objects"] for row in rows_of(tmp_path / "clean" / "index.csv")}
    assert counted["4/pair.png"] == "2"
    assert counted["2/white.png"] == "0"
    assert "1/torn.png" not in counted


def test_a_preset_is_that_of_training(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = "non-local-means,clahe,otsu,largest-component,extract"
    assert karyo(monkeypatch, "preprocess", images, tmp_path / "a", "--preset", "report") == 0
    assert karyo(monkeypatch, "preprocess", images, tmp_path / "b", "--steps", steps) == 0
    assert files_below(tmp_path / "a") == files_below(tmp_path / "b")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere", "out", "--steps", "clahe"), "nowhere is not a folder"),
        (("images", "out"), "no step to do"),
        (("images", "out", "--preset", "none"), "no step to do"),
        (("images", "out", "--preset", "report2"), "it can be"),
        (("images", "out", "--steps", "clahee"), "did you mean clahe"),
        (("images", "images/out", "--steps", "clahe"), "lies inside"),
        (("images", "out", "--steps", "clahe", "--polarity", "grey"), "polarity must be one of"),
        (("images", "out", "--steps", "clahe", "--workers", "0"), "workers must be"),
        (("empty", "out", "--steps", "clahe"), "holds no images"),
        ((), "say which images"),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: tuple[str, ...],
    said: str,
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    assert karyo(monkeypatch, "preprocess", *arguments) == 2
    errors = capsys.readouterr().err.strip()
    assert said in errors
    assert errors.startswith("Error: ")
    assert "\n" not in errors
    assert not (tmp_path / "out").exists()


def test_two_images_that_would_become_one_file_are_refused(images: Path, tmp_path: Path) -> None:
    (images / "1" / "a.png").write_bytes(next(images.rglob("*.png")).read_bytes())
    cv2.imwrite(str(images / "1" / "a.bmp"), np.zeros((9, 9), np.uint8))
    with pytest.raises(SettingsError, match=r"would both become 1/a\.png"):
        clean_folder(images, tmp_path / "out", CLEAN)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_target_that_cannot_be_written_is_one_sentence(images: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(SettingsError, match="cannot write"):
        clean_folder(images, locked / "out", CLEAN)


def test_a_target_below_a_file_is_one_sentence(images: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"(choose|name) another place"):
        clean_folder(images, tmp_path / "file" / "out", CLEAN)


def test_chromosomes_that_lie_together_are_flagged_and_single_ones_are_not() -> None:
    flagged: dict[str, list[bool]] = {"isolated": [], "joined": []}
    for seed in (1, 2, 3):
        spread = draw_spread(seed, SpreadSettings(touching=0.3, crossing=0.3, nuclei=0, debris=0))
        grey = normalise_polarity(spread.image, "bright")
        for item in spread.chromosomes:
            left, top, right, bottom = item.box
            crop = np.ascontiguousarray(grey[max(top - 2, 0) : bottom + 2, max(left - 2, 0) : right + 2])
            flags = assess(crop).flags
            relation = "isolated" if item.relation == "isolated" else "joined"
            flagged[relation].append("joined" in flags or "several" in flags)
    assert np.mean(flagged["isolated"]) < 0.05
    assert np.mean(flagged["joined"]) > 0.25, "tight boxes hold no more than a tip of most neighbours"


def test_two_processes_never_fill_one_folder(tmp_path: Path) -> None:
    out = tmp_path / "clean"
    holding = (
        "import sys; from karyo.data.output_folder import OutputFolder; "
        "kept = OutputFolder(sys.argv[1], 'karyo preprocess', {}); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", holding, str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(SettingsError, match="another run"):
            OutputFolder(out, "karyo preprocess", {})
        other.communicate()
    OutputFolder(out, "karyo preprocess", {})


def test_the_longest_name_is_written_and_one_too_long_is_listed(tmp_path: Path) -> None:
    source = SyntheticSource(cells=1)
    grey = source.read(source.records[0])
    write_png(tmp_path / "images" / ("n" * 251 + ".png"), grey)
    assert clean_folder(tmp_path / "images", tmp_path / "clean", CLEAN).files == 1


def test_a_name_that_the_file_system_refuses_is_that_image_s_own_problem(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too long"):
        write_png(tmp_path / ("n" * 300 + ".png"), np.zeros((4, 4), np.uint8))


def test_what_the_steps_drop_is_listed_though_the_image_looked_fine(tmp_path: Path) -> None:
    image = np.full((80, 60), 240, np.uint8)
    cv2.ellipse(image, (30, 18), (8, 14), 0, 0, 360, 60, -1)
    cv2.ellipse(image, (30, 60), (8, 14), 0, 0, 360, 60, -1)
    image[18:60, 22:39] = np.minimum(
        image[18:60, 22:39], 170
    )  # one chromosome with a pale middle; a strict threshold breaks it in two
    write_png(tmp_path / "images" / "pale.png", image)
    strict = Cleaning(Chain.from_text("fixed:level=100,largest-component,extract"))
    totals = clean_folder(tmp_path / "images", tmp_path / "clean", strict)
    row = rows_of(tmp_path / "clean" / "index.csv")[0]
    assert (row["objects"], row["counted"], row["flags"]) == ("1", "2", "dropped")
    assert totals.problems == {("dropped", False): 1}


def test_a_home_folder_means_the_same_everywhere(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert clean_folder(Path("~/images"), Path("~/clean"), CLEAN).files == 12
    assert sorted(files_below(tmp_path / "clean")) == sorted(files_below(images))


def test_a_target_behind_a_link_into_the_source_is_refused(images: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(images)
    with pytest.raises(SettingsError, match="lies inside"):
        clean_folder(images, tmp_path / "link" / "clean", CLEAN)
