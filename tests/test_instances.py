"""Predicted masks against true ones."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from karyo.commands.measure import measure_app
from karyo.data.synthetic import SpreadSettings
from karyo.errors import SettingsError
from karyo.evaluation.instances import SplittingMeasures, iou_table, known_splitters, match_instances, measure_splitting

SMALL = SpreadSettings(width=640, height=560, touching=0.3, crossing=0.1, nuclei=1, debris=5)


@pytest.fixture(scope="module")
def measures() -> dict[str, SplittingMeasures]:
    return measure_splitting(1, SMALL, 3)


def box(left: int, right: int) -> np.ndarray:
    mask = np.zeros((10, 40), np.bool_)
    mask[:, left:right] = True
    return mask


def test_iou_of_masks() -> None:
    table = iou_table([box(0, 10), box(5, 15), box(0, 0)], [box(0, 10), box(20, 30)])
    assert table == pytest.approx(np.array([[1, 0], [1 / 3, 0], [0, 0]]))


def test_a_mask_that_holds_two_counts_for_one_at_most() -> None:
    assert match_instances([box(0, 20)], [box(0, 11), box(11, 20)]) == pytest.approx([0.55, 0])
    assert match_instances([box(0, 11), box(0, 20)], [box(0, 11), box(11, 20)]) == pytest.approx([1, 0.45])


def test_the_order_of_predictions_does_not_matter() -> None:
    true = [box(0, 10), box(10, 20), box(20, 30)]
    predicted = [box(1, 10), box(10, 22), box(22, 31)]
    assert match_instances(predicted, true) == pytest.approx(match_instances(predicted[::-1], true))


@pytest.mark.parametrize("true", [[], [box(0, 5)]])
def test_no_predictions(true: list[np.ndarray]) -> None:
    assert match_instances([], true).tolist() == [0.0] * len(true)
    assert match_instances([box(0, 5)], []).tolist() == []


def test_perfect_and_useless_ways_score_as_such() -> None:
    ways = {"nothing": lambda mask, grey, width: [], "components": known_splitters()["components"]}
    apart = SpreadSettings(width=1000, height=800, touching=0, crossing=0, nuclei=0, debris=0)
    measures = measure_splitting(1, apart, 1, ways)
    nothing, parts = measures["nothing"], measures["components"]
    assert nothing.by_relation["all"].right_50 == 0
    assert nothing.predictions == nothing.spurious == 0
    assert parts.by_relation["isolated"].objects >= 40
    assert parts.by_relation["isolated"].right_75 >= 0.9
    assert parts.by_relation["crossing"].right_75 is None


def test_splitting_finds_more_than_components(measures: dict[str, SplittingMeasures]) -> None:
    ours, parts = measures["split"].by_relation, measures["components"].by_relation
    assert ours["all"].objects == parts["all"].objects == 46
    assert ours["touching"].right_75 > parts["touching"].right_75 + 0.2
    assert ours["isolated"].right_75 >= parts["isolated"].right_75 - 0.05
    assert ours["all"].mean_iou > measures["watershed"].by_relation["all"].mean_iou


def test_measures_are_primitives(measures: dict[str, SplittingMeasures]) -> None:
    record = json.loads(json.dumps({name: measured.to_dict() for name, measured in measures.items()}))
    assert record["split"]["by_relation"]["all"]["objects"] == 46
    assert record["split"]["spreads"] == 1


@pytest.mark.parametrize(("count", "seed"), [(0, 0), (1, -1)])
def test_numbers_out_of_range_are_refused(count: int, seed: int) -> None:
    with pytest.raises(SettingsError, match="count must be 1 or more"):
        measure_splitting(count, SMALL, seed)


def test_command_prints_a_table() -> None:
    result = CliRunner().invoke(measure_app, ["splitting", "--count", "1"], env={"COLUMNS": "120"})
    assert result.exit_code == 0
    assert "crossing" in result.stdout
    assert "watershed" in result.stdout


def test_command_refuses_shares_above_one() -> None:
    result = CliRunner().invoke(measure_app, ["splitting", "--touching", "0.8", "--crossing", "0.5"])
    assert isinstance(result.exception, SettingsError)
