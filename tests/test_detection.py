"""Measuring what is found in whole spreads: recall, precision and counts, with intervals."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from karyo.commands.measure import measure_app
from karyo.data.spreads import find_pairs
from karyo.data.synthetic import SpreadSettings, draw_spread
from karyo.data.synthetic.voc import spread_annotation
from karyo.errors import SettingsError
from karyo.evaluation.detection import SpreadScore, box_overlaps, measure_annotated, measure_drawn, summarise
from karyo.imaging.segmentation import Segmentation, SpreadObject, segment_spread

SMALL = SpreadSettings(width=640, height=560, touching=0.1, crossing=0, nuclei=1, debris=10)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spreads")
    for seed in (1, 2):
        spread = draw_spread(seed, SMALL)
        cv2.imwrite(str(folder / f"cell {seed}.png"), spread.image)
        (folder / f"cell {seed}.xml").write_text(spread_annotation(spread, f"cell {seed}.png"), encoding="utf-8")
    return folder


def nothing(grey: np.ndarray) -> Segmentation:
    return Segmentation((), (), np.zeros(grey.shape, np.bool_), 0.0, True, "The picture is blank.")


def test_boxes_overlap_as_they_should() -> None:
    table = box_overlaps(np.array([[0.0, 0, 10, 10], [20, 20, 20, 20]]), np.array([[5.0, 0, 15, 10], [0, 0, 10, 10]]))
    assert table == pytest.approx(np.array([[1 / 3, 1], [0, 0]]))


def test_shares_come_from_all_chromosomes_and_errors_from_cells() -> None:
    scores = [SpreadScore("a", 40, 50, 30, 36, None, 1.0), SpreadScore("b", 60, 75, 50, 54, "no spread", 3.0)]
    found = summarise(scores)
    values = {name: measure.value for name, measure in found.measures.items()}
    assert values == pytest.approx(
        {
            "recall": 0.8,
            "precision": 0.64,
            "recall widened": 0.9,
            "precision widened": 0.72,
            "count error": 12.5,
            "count bias": 12.5,
            "refused": 0.5,
        }
    )
    assert found.seconds == 2
    recall = found.measures["recall"]
    assert recall.low == pytest.approx(30 / 40)
    assert recall.high == pytest.approx(50 / 60)


def test_one_spread_has_no_interval_and_none_is_refused() -> None:
    measures = summarise([SpreadScore("a", 40, 0, 0, 0, None, 1.0)]).measures
    assert measures["recall"].value == 0
    assert measures["recall"].low is None
    assert measures["precision"].value is None
    with pytest.raises(SettingsError, match="no spread"):
        summarise([])


def test_annotated_spreads_are_measured_by_their_boxes(folder: Path) -> None:
    pairs = find_pairs(folder, folder).pairs
    found = measure_annotated(pairs)
    assert [each.name for each in found.spreads] == ["cell 1", "cell 2"]
    assert all(each.true == 46 for each in found.spreads)
    assert found.measures["recall"].value > 0.85
    assert found.measures["precision"].value > 0.85
    assert found.measures["refused"].value == 0
    useless = measure_annotated(pairs, segment=nothing).measures
    assert useless["recall"].value == 0
    assert useless["refused"].value == 1
    assert useless["count error"].value == 46
    assert useless["count bias"].value == -46


def test_widening_matters_where_boxes_keep_a_distance(folder: Path) -> None:
    def shrunk(grey: np.ndarray) -> Segmentation:
        found = segment_spread(grey)
        less = [
            SpreadObject(
                each.mask, (e[0] + 5, e[1] + 5, max(e[2] - 5, e[0] + 6), max(e[3] - 5, e[1] + 6)), "isolated", 1
            )
            for each in found.chromosomes
            for e in [each.edges]
        ]
        return Segmentation(tuple(less), (), found.nuclei, found.width, found.bright)

    (pair, _) = find_pairs(folder, folder).pairs
    measures = measure_annotated([pair], margin=5, segment=shrunk).measures
    assert measures["recall"].value < 0.5 < 0.8 < measures["recall widened"].value


def test_drawn_spreads_are_measured_by_their_outlines() -> None:
    found = measure_drawn(1, SMALL, 1)
    assert found.measures["recall"].value > 0.85
    assert found.measures["precision"].value > 0.85
    assert found.spreads[0].right == found.spreads[0].right_widened


@pytest.mark.parametrize(("count", "seed"), [(0, 0), (1, -1)])
def test_impossible_settings_are_refused(count: int, seed: int) -> None:
    with pytest.raises(SettingsError):
        measure_drawn(count, SMALL, seed)


def test_negative_margins_are_refused(folder: Path) -> None:
    with pytest.raises(SettingsError, match="margin"):
        measure_annotated(find_pairs(folder, folder).pairs, margin=-1)


def test_the_command_measures_real_spreads(folder: Path) -> None:
    result = CliRunner().invoke(measure_app, ["segmentation", "--spreads", str(folder), "--json"])
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert len(content["spreads"]) == 2
    assert 0.8 < content["measures"]["recall"]["value"] <= 1


@pytest.mark.slow
def test_the_command_prints_a_table() -> None:
    result = CliRunner().invoke(measure_app, ["segmentation", "--synthetic", "1", "--seed", "3"])
    assert result.exit_code == 0, result.output
    assert "recall" in result.output
    assert "count error" in result.output
    assert "widened" not in result.output


@pytest.mark.parametrize("arguments", [[], ["--spreads", "here", "--synthetic", "2"], ["--spreads", "not there"]])
def test_the_command_says_what_is_wrong(arguments: list[str]) -> None:
    result = CliRunner().invoke(measure_app, ["segmentation", *arguments])
    assert isinstance(result.exception, SettingsError)
    assert "\n" not in str(result.exception)
