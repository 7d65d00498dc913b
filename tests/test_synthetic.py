import json
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from karyo.chromosomes import CLASSES, parse_label
from karyo.commands.draw import draw_app
from karyo.data.ideogram import load_ideogram, relative_lengths
from karyo.data.sources import Source
from karyo.data.synthetic import (
    CellSettings,
    DrawnChromosome,
    SyntheticSource,
    cell_members,
    cell_sex,
    draw_cell,
    draw_chromosome,
    draw_sheet,
    write_cells,
)
from karyo.data.synthetic.cell import settled_members
from karyo.errors import SettingsError
from karyo.karyotype.iscn import parse_iscn


def arc_length(line: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())


def same(first: list[DrawnChromosome], second: list[DrawnChromosome]) -> bool:
    return all(np.array_equal(a.image, b.image) for a, b in zip(first, second, strict=True))


def test_same_seed_same_pixels_other_seed_others() -> None:
    assert same(draw_cell(3), draw_cell(3))
    assert not any(np.array_equal(a.image, b.image) for a, b in zip(draw_cell(3)[:40], draw_cell(4)[:40], strict=True))


def test_pixels_do_not_depend_on_what_is_drawn_before() -> None:
    cell = {(drawn.label, drawn.homolog): drawn for drawn in draw_cell(5)}
    for label, homolog in ((20, "b"), (0, "a"), (7, "b")):
        alone = draw_chromosome(label, 5, homolog)
        assert np.array_equal(alone.image, cell[label, homolog].image)
        assert np.array_equal(alone.mask, cell[label, homolog].mask)


def test_homologs_differ() -> None:
    first, second = (draw_chromosome(4, 1, homolog) for homolog in ("a", "b"))
    assert first.image.shape != second.image.shape or not np.array_equal(first.image, second.image)


@pytest.mark.parametrize(("sex", "x", "y"), [("XX", 2, 0), ("XY", 1, 1)])
def test_a_cell_has_46_chromosomes_of_its_sex(sex: str, x: int, y: int) -> None:
    labels = [drawn.label for drawn in draw_cell(2, CellSettings(sex=sex))]
    assert len(labels) == 46
    assert [labels.count(label) for label in range(24)] == [2] * 22 + [x, y]


def test_mixed_sex_draws_both() -> None:
    assert {cell_sex(seed, CellSettings()) for seed in range(20)} == {"XX", "XY"}
    assert len(set(cell_members("XY"))) == 46


def test_relative_lengths_follow_the_ideogram() -> None:
    lengths = np.array(
        [[arc_length(draw_chromosome(label, seed).centre_line) for label in range(24)] for seed in range(12)]
    )
    relative = np.median(lengths / lengths[:, :1], axis=0)
    assert relative == pytest.approx(np.array(relative_lengths()), rel=0.1)


@pytest.mark.parametrize("difficulty", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("polarity", ["bright", "dark"])
def test_truth_agrees_with_the_pixels(difficulty: float, polarity: str) -> None:
    for drawn in draw_cell(11, CellSettings(difficulty, polarity)):
        image, mask = drawn.image, drawn.mask
        assert image.dtype == np.uint8
        assert image.shape == mask.shape
        left, top, right, bottom = drawn.box
        assert mask[top:bottom, left:right].sum() == mask.sum()
        assert mask[top].any()
        assert mask[bottom - 1].any()
        assert mask[:, left].any()
        assert mask[:, right - 1].any()
        sign = 1 if polarity == "bright" else -1
        outside = ~cv2.dilate(mask.view(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
        assert sign * (np.median(image[outside]) - image[mask].mean()) > 50
        number, _ = cv2.connectedComponents(mask.view(np.uint8))
        assert number == 2


def test_the_centre_line_runs_inside_from_tip_to_tip() -> None:
    for drawn in draw_cell(12):
        columns, rows = np.round(drawn.centre_line[2:-2]).astype(int).T
        assert drawn.mask[rows, columns].mean() > 0.95
        assert drawn.centre_line.dtype == np.float32
        # Short arm up: the line starts near the top of the box and ends near its bottom.
        assert drawn.centre_line[0, 1] < drawn.box[1] + 6
        assert drawn.centre_line[-1, 1] > drawn.box[3] - 6


def test_the_centromere_is_where_the_ideogram_has_it_and_where_the_body_is_thin() -> None:
    thinner = []
    for drawn in draw_cell(13, CellSettings("easy", scale=2.0)):
        along = np.linalg.norm(np.diff(drawn.centre_line, axis=0), axis=1).cumsum()
        nearest = np.linalg.norm(drawn.centre_line - drawn.centromere, axis=1).argmin()
        expected = load_ideogram(550)[drawn.label].centromere
        assert along[max(nearest - 1, 0)] / along[-1] == pytest.approx(expected, abs=0.08)
        widths = drawn.mask.sum(axis=1)
        if 0.3 < expected < 0.7:
            thinner.append(widths[round(float(drawn.centromere[1]))] < 0.9 * np.percentile(widths, 80))
    assert np.mean(thinner) > 0.9


def test_dark_bands_are_darker_than_light_ones() -> None:
    light, dark = [], []
    for seed in range(4):
        drawn = draw_chromosome(0, seed, "a", CellSettings("easy", scale=2.0))
        places = (np.arange(len(drawn.centre_line)) + 0.5) / len(drawn.centre_line)
        for band in load_ideogram(550)[0].bands:
            middle = (band.start + band.stop) / 2 / load_ideogram(550)[0].length
            x, y = np.round(drawn.centre_line[np.abs(places - middle).argmin()]).astype(int)
            grey = drawn.image[max(y - 1, 0) : y + 2, max(x - 6, 0) : x + 7].min()
            if band.stain == "gneg":
                light.append(grey)
            elif band.density == 100:
                dark.append(grey)
    assert np.median(light) > np.median(dark) + 25


def test_difficulty_hides_the_bands() -> None:
    def contrast(difficulty: float) -> float:
        cells = (draw_cell(seed, CellSettings(difficulty)) for seed in range(4))
        return float(np.mean([drawn.image[drawn.mask].std() for cell in cells for drawn in cell]))

    easy, normal, hard = (contrast(difficulty) for difficulty in (0.0, 0.5, 1.0))
    assert easy > normal > hard


def test_dark_is_the_negative_of_bright() -> None:
    bright, dark = (draw_chromosome(2, 6, "a", CellSettings(polarity=polarity)) for polarity in ("bright", "dark"))
    assert np.array_equal(255 - bright.image, dark.image)


def test_mixed_polarity_draws_whole_cells_of_either() -> None:
    corners = [
        {bool(drawn.image[0, 0] > 127) for drawn in draw_cell(seed, CellSettings(polarity="mixed"))[:5]}
        for seed in range(12)
    ]
    assert {len(seen) for seen in corners} == {1}
    assert set.union(*corners) == {True, False}


def test_the_source_names_cells_and_reads_the_same_in_any_order() -> None:
    source = SyntheticSource(cells=3, seed=8)
    assert isinstance(source, Source)
    assert len(source.records) == len({record.path for record in source.records}) == 3 * 46
    assert {record.cell for record in source.records} == {"cell-0000", "cell-0001", "cell-0002"}
    assert {record.case for record in source.records} == {None}
    some = [source.records[index] for index in (100, 3, 50)]
    forward = [source.read(record) for record in some]
    again = [pickle.loads(pickle.dumps(source)).read(record) for record in reversed(some)]
    assert all(np.array_equal(a, b) for a, b in zip(forward, reversed(again), strict=True))
    record = some[1]
    assert source.locate(record).endswith(record.path)
    assert record.path == f"{record.cell}/{CLASSES[record.label]}{record.homolog}"


def test_cases_group_cells_of_one_sex() -> None:
    source = SyntheticSource(cells=20, cells_per_case=4)
    cases = {record.cell: record.case for record in source.records}
    assert sorted(set(cases.values())) == [f"case-{case:03d}" for case in range(5)]
    with_y = {record.cell for record in source.records if record.label == 23}
    males = {case: {cell in with_y for cell, of in cases.items() if of == case} for case in set(cases.values())}
    assert all(len(sexes) == 1 for sexes in males.values())


def test_the_fingerprint_changes_with_every_setting() -> None:
    sources = [
        SyntheticSource(),
        SyntheticSource(cells=41),
        SyntheticSource(seed=1),
        SyntheticSource(difficulty=0.51),
        SyntheticSource(difficulty=[0.51, 0.6]),
        SyntheticSource(polarity="dark"),
        SyntheticSource(sex="XX"),
        SyntheticSource(cells_per_case=2),
        SyntheticSource(scale=1.5),
    ]
    assert len({source.fingerprint() for source in sources}) == len(sources)
    assert SyntheticSource().fingerprint() == SyntheticSource(difficulty="normal").fingerprint()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cells": 0}, "cells must be 1 or more"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"difficulty": 1.2}, "between 0 and 1"),
        ({"difficulty": float("nan")}, "between 0 and 1"),
        ({"difficulty": "brutal"}, "easy, normal, hard"),
        ({"polarity": "grey"}, "bright, dark, mixed"),
        ({"sex": "YY"}, "mixed, XX, XY"),
        ({"scale": 0.0}, "scale must lie"),
        ({"cells_per_case": 0}, "cells_per_case must be"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        SyntheticSource(**settings)


@pytest.mark.parametrize(("label", "seed", "homolog"), [(24, 0, "a"), (-1, 0, "a"), (0, -1, "a"), (0, 0, "e")])
def test_chromosomes_that_do_not_exist_are_refused(label: int, seed: int, homolog: str) -> None:
    with pytest.raises(SettingsError):
        draw_chromosome(label, seed, homolog)


def test_a_record_of_another_source_is_refused() -> None:
    record = SyntheticSource(cells=3).records[-1]
    with pytest.raises(SettingsError, match="not one of the 2 drawn cells"):
        SyntheticSource(cells=2).read(record)


def test_the_written_tree_holds_the_images_of_the_source(tmp_path: Path) -> None:
    folder = tmp_path / "mit Leerzeichen und ü"
    write_cells(folder, 2, seed=4)
    source = SyntheticSource(cells=2, seed=4)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    assert files == sorted(f"{record.path}.png" for record in source.records)
    for record in source.records[::9]:
        written = cv2.imdecode(np.fromfile(folder / f"{record.path}.png", np.uint8), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(written, source.read(record))
    truth = json.loads((folder / "truth.json").read_text())["chromosomes"]
    assert set(truth) == set(files)
    for path, known in truth.items():
        assert parse_label(known["label"]) == parse_label(path.split("/")[1].rstrip("ab.png"))


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(SettingsError, match="not an empty folder"):
        write_cells(tmp_path, 1)
    with pytest.raises(SettingsError, match="not an empty folder"):
        write_cells(tmp_path / "mine.txt", 1)
    with pytest.raises(SettingsError, match="cannot write"):
        write_cells(tmp_path / "mine.txt" / "below", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_nothing_is_left_after_an_interruption(tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_cells(tmp_path / "cells", 2, advance=stop)
    assert list(tmp_path.iterdir()) == []


def test_the_sheet_shows_24_columns(tmp_path: Path) -> None:
    one, two = draw_sheet(1), draw_sheet(2)
    assert one.dtype == np.uint8
    assert two.shape[0] > one.shape[0]
    result = CliRunner().invoke(draw_app, ["sheet", str(tmp_path / "sheet.png"), "--cells", "2"])
    assert result.exit_code == 0, result.output
    assert np.array_equal(cv2.imread(str(tmp_path / "sheet.png"), cv2.IMREAD_UNCHANGED), two)


def test_the_commands_draw_and_refuse(tmp_path: Path) -> None:
    runner = CliRunner()
    out = tmp_path / "cells"
    arguments = ["cells", str(out), "--cells", "1", "--difficulty", "0.2", "--polarity", "dark", "--sex", "XX"]
    assert runner.invoke(draw_app, arguments).exit_code == 0
    assert len(list(out.rglob("*.png"))) == 46
    assert isinstance(runner.invoke(draw_app, arguments).exception, SettingsError)
    for wrong in (["--cells", "0"], ["--difficulty", "x"], ["--seed", "-1"], ["--polarity", "x"]):
        result = runner.invoke(draw_app, ["cells", str(tmp_path / "other"), *wrong])
        assert isinstance(result.exception, SettingsError)
    assert isinstance(runner.invoke(draw_app, ["sheet", str(tmp_path / "sheet.jpg")]).exception, SettingsError)
    assert [path.name for path in tmp_path.iterdir()] == ["cells"]


def labels_of(cell: list[DrawnChromosome]) -> list[int]:
    return [sum(drawn.label == label for drawn in cell) for label in range(24)]


def test_a_planted_complement_is_drawn_beside_the_same_pixels() -> None:
    normal = draw_cell(6, CellSettings(sex="XY"))
    copies = parse_iscn("48,XXY,+21")
    planted = draw_cell(6, CellSettings(copies=copies))
    assert labels_of(planted) == list(copies)
    added = [drawn for drawn in planted if (drawn.label, drawn.homolog) in ((20, "c"), (22, "b"))]
    assert len(added) == 2
    assert same(normal, [drawn for drawn in planted if not any(drawn is each for each in added)])
    others = [drawn.image for drawn in planted if drawn.label == 20 and drawn.homolog != "c"]
    assert not any(np.array_equal(added[0].image, other) for other in others)


def test_losses_and_tetraploid_cells() -> None:
    assert labels_of(draw_cell(1, CellSettings(copies=parse_iscn("45,X")))) == [2] * 22 + [1, 0]
    everything = draw_cell(1, CellSettings(copies=(4,) * 24))
    assert labels_of(everything) == [4] * 24
    assert {drawn.homolog for drawn in everything} == {"a", "b", "c", "d"}


def test_chromosomes_get_lost_at_random_and_the_others_stay_the_same() -> None:
    whole, broken = (draw_cell(3, CellSettings(sex="XX", lost=lost)) for lost in (0.0, 0.3))
    assert 20 <= len(broken) <= 44
    kept = {(drawn.label, drawn.homolog) for drawn in broken}
    assert same(broken, [drawn for drawn in whole if (drawn.label, drawn.homolog) in kept])
    assert len(draw_cell(3, CellSettings(lost=0.9999999))) == 1
    lost = [46 - len(settled_members(seed, CellSettings(lost=0.1))) for seed in range(100)]
    assert 3.5 < np.mean(lost) < 5.7
    assert len(set(lost)) > 3


@pytest.mark.parametrize(
    "settings",
    [
        {"copies": (2,) * 23},
        {"copies": (0,) * 24},
        {"copies": (5,) + (2,) * 23},
        {"copies": (-1,) + (2,) * 23},
        {"lost": 1.0},
        {"lost": -0.1},
        {"lost": float("nan")},
    ],
)
def test_numbers_that_cannot_be_drawn_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        CellSettings(**settings)


def test_the_command_draws_a_complement(tmp_path: Path) -> None:
    arguments = ["cells", str(tmp_path / "out"), "--cells", "1", "--complement", "47,XY,+21", "--seed", "3"]
    assert CliRunner().invoke(draw_app, arguments, catch_exceptions=False).exit_code == 0
    assert len(list((tmp_path / "out" / "cell-0000").iterdir())) == 47
    assert (tmp_path / "out" / "cell-0000" / "21c.png").is_file()
    truth = json.loads((tmp_path / "out" / "truth.json").read_text())
    assert truth["copies"]["21"] == 3
    assert len(truth["chromosomes"]) == 47


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--complement", "47,XX"], "lists 46"),
        (["--complement", "46,XX", "--sex", "XY"], "leave --sex XY out"),
        (["--complement", "50,XX,+1,+1,+1,+1"], "not 6 of 1"),
    ],
)
def test_the_command_says_what_is_wrong_with_a_complement(tmp_path: Path, options: list[str], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        CliRunner().invoke(draw_app, ["cells", str(tmp_path / "out"), *options], catch_exceptions=False)
    assert not (tmp_path / "out").exists()


def test_a_range_of_difficulties_gives_each_cell_its_own() -> None:
    assert SyntheticSource(difficulty=["normal", 0.7]).fingerprint() == SyntheticSource().fingerprint()
    source, turned = SyntheticSource(cells=30, difficulty=[0, 1]), SyntheticSource(cells=30, difficulty=[1, 0])
    first = [record for record in source.records if record.label == 0 and record.homolog == "a"]
    assert all(np.array_equal(source.read(record), turned.read(record)) for record in first[:3])
    # Neither all as easy as the one end, nor all as hard as the other, nor all alike between them.
    for level in (0.0, 0.5, 1.0):
        alike = SyntheticSource(cells=30, difficulty=level)
        assert not any(np.array_equal(source.read(record), alike.read(record)) for record in first)


@pytest.mark.parametrize("difficulty", [[0.1], [0.1, 0.2, 0.3], [0.1, 1.5], [], ["easy", "awful"]])
def test_ranges_of_difficulty_that_cannot_be_meant(difficulty: list[float | str]) -> None:
    with pytest.raises(SettingsError, match="difficulty"):
        SyntheticSource(difficulty=difficulty)
