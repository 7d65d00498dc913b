"""Measures against torchmetrics and against what is known by hand; intervals; the table of predictions."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassAUROC,
    MulticlassCalibrationError,
    MulticlassF1Score,
    MulticlassPrecision,
    MulticlassRecall,
)

from karyo.chromosomes import CLASSES
from karyo.errors import DataError
from karyo.evaluation import metrics
from karyo.evaluation.bootstrap import bootstrap_intervals, cluster_numbers, draw_weights, percentile_interval
from karyo.evaluation.measure import MEASURES, measure
from karyo.evaluation.predictions import COLUMNS, Predictions

K = len(CLASSES)
MEASURED = [
    metrics.accuracy,
    metrics.balanced_accuracy,
    metrics.macro_f1,
    metrics.top_k_accuracy,
    metrics.macro_auroc,
    metrics.log_loss,
    metrics.calibration_error,
]


def scores(count: int, skill: float = 2.0, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(count) % K)
    logits = random.normal(size=(count, K))
    logits[np.arange(count), labels] += skill
    exponentials = np.exp(logits)
    return labels, exponentials / exponentials.sum(axis=1, keepdims=True)


def predictions(count: int = 230, cell_size: int | None = 46, skill: float = 2.0, seed: int = 0) -> Predictions:
    labels, probabilities = scores(count, skill, seed)
    cells = [None if cell_size is None else f"cell {index // cell_size}" for index in range(count)]
    return Predictions([f"images/{index}.png" for index in range(count)], cells, labels, probabilities)


def certain(predicted: list[int]) -> NDArray[np.float64]:
    return np.eye(K)[predicted]


@pytest.mark.parametrize("skill", [0.0, 1.5, 4.0])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (metrics.accuracy, MulticlassAccuracy(K, average="micro")),
        (metrics.balanced_accuracy, MulticlassAccuracy(K, average="macro")),
        (metrics.macro_f1, MulticlassF1Score(K, average="macro")),
        (metrics.top_k_accuracy, MulticlassAccuracy(K, average="micro", top_k=2)),
        (metrics.macro_auroc, MulticlassAUROC(K, average="macro")),
        (metrics.calibration_error, MulticlassCalibrationError(K, n_bins=15, norm="l1")),
    ],
)
def test_agrees_with_torchmetrics(ours, theirs, skill: float) -> None:
    labels, probabilities = scores(600, skill)
    theirs.reset()
    expected = theirs(torch.from_numpy(probabilities), torch.from_numpy(labels))
    assert float(ours(labels, probabilities)) == pytest.approx(float(expected), abs=1e-6)


def test_per_class_scores_agree_with_torchmetrics() -> None:
    labels, probabilities = scores(600)
    for ours, theirs in (
        (metrics.precision, MulticlassPrecision),
        (metrics.recall, MulticlassRecall),
        (metrics.f1, MulticlassF1Score),
    ):
        expected = theirs(K, average=None)(torch.from_numpy(probabilities), torch.from_numpy(labels))
        np.testing.assert_allclose(ours(labels, probabilities), expected.numpy(), atol=1e-6)


def test_auroc_counts_ties_half() -> None:
    labels, probabilities = scores(500)
    coarse = np.round(probabilities, 1)  # many equal scores
    expected = MulticlassAUROC(K, average="macro")(torch.from_numpy(coarse), torch.from_numpy(labels))
    assert float(metrics.macro_auroc(labels, coarse)) == pytest.approx(float(expected), abs=1e-6)
    assert float(metrics.macro_auroc(labels, np.full((500, K), 1 / K))) == pytest.approx(0.5)


def test_auroc_leaves_out_absent_classes() -> None:
    labels = np.array([0, 0, 1, 1])
    probabilities = np.zeros((4, K))
    probabilities[:, 0] = [0.9, 0.4, 0.6, 0.1]
    probabilities[:, 1] = 1 - probabilities[:, 0]
    assert float(metrics.macro_auroc(labels, probabilities)) == pytest.approx(0.75)


def test_perfect_and_all_wrong() -> None:
    labels = np.arange(K)
    right, wrong = certain(list(range(K))), certain([(index + 1) % K for index in range(K)])
    for score in (metrics.accuracy, metrics.balanced_accuracy, metrics.macro_f1, metrics.macro_auroc):
        assert float(score(labels, right)) == 1.0
    for score in (metrics.accuracy, metrics.balanced_accuracy, metrics.macro_f1):
        assert float(score(labels, wrong)) == 0.0
    assert float(metrics.log_loss(labels, right)) == 0.0
    assert float(metrics.log_loss(labels, wrong)) == pytest.approx(-np.log(1e-15))
    assert float(metrics.calibration_error(labels, right)) == 0.0
    assert float(metrics.calibration_error(labels, wrong)) == 1.0


def test_absent_classes_do_not_lower_the_mean() -> None:
    labels = np.array([0, 0, 0, 1])
    probabilities = certain([0, 0, 2, 1])
    assert float(metrics.balanced_accuracy(labels, probabilities)) == pytest.approx((2 / 3 + 1) / 2)
    # class 2 is predicted, so that its F1 of 0 counts
    assert float(metrics.macro_f1(labels, probabilities)) == pytest.approx((0.8 + 1 + 0) / 3)
    assert np.isnan(metrics.recall(labels, probabilities)[2])
    assert metrics.precision(labels, probabilities)[2] == 0.0
    assert np.isnan(metrics.precision(labels, probabilities)[3])


def test_one_image() -> None:
    labels, probabilities = np.array([5]), certain([5])
    assert float(metrics.accuracy(labels, probabilities)) == 1.0
    assert np.isnan(metrics.macro_auroc(labels, probabilities))


@pytest.mark.parametrize("score", MEASURED)
def test_weights_mean_repetition(score) -> None:
    labels, probabilities = scores(150, 1.0)
    probabilities = np.round(probabilities, 2)
    times = np.random.default_rng(1).integers(0, 4, size=(5, 150))
    together = score(labels, probabilities, weights=times.astype(float))
    apart = [float(score(np.repeat(labels, row), np.repeat(probabilities, row, axis=0))) for row in times]
    assert together.shape == (5,)
    np.testing.assert_allclose(together, apart, rtol=1e-12)


@pytest.mark.parametrize("score", MEASURED)
@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        (np.array([0]), np.full((1, K), np.nan), "finite"),
        (np.array([0]), np.full((1, K), np.inf), "finite"),
        (np.zeros(0, dtype=np.int64), np.zeros((0, K)), "no image"),
        (np.array([K]), np.full((1, K), 1 / K), "labels must be"),
        (np.array([-1]), np.full((1, K), 1 / K), "labels must be"),
        (np.array([0, 1]), np.full((1, K), 1 / K), "must be"),
    ],
)
def test_refuses_what_cannot_be_measured(score, labels, probabilities, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        score(labels, probabilities)


def test_refuses_weights_of_another_length() -> None:
    labels, probabilities = scores(10)
    with pytest.raises(ValueError, match="weights"):
        metrics.accuracy(labels, probabilities, np.ones(9))


def test_calibration_bins_hold_every_image_once() -> None:
    labels, probabilities = scores(400)
    bins = metrics.calibration_bins(labels, probabilities)
    assert bins.counts.sum() == 400
    filled = bins.counts > 0
    assert np.isnan(bins.accuracy[~filled]).all()
    error = (bins.counts * np.abs(bins.accuracy - bins.confidence))[filled].sum() / 400
    assert error == pytest.approx(float(metrics.calibration_error(labels, probabilities)))
    assert (bins.confidence[filled] <= bins.edges[1:][filled] + 1e-12).all()
    certain_bins = metrics.calibration_bins(np.array([3]), certain([3]))
    assert certain_bins.counts[-1] == 1


def test_images_without_a_cell_are_their_own_clusters() -> None:
    assert cluster_numbers(["b", None, "a", "b", None]).tolist() == [0, 1, 2, 0, 3]


def test_cells_are_drawn_whole_and_as_often_as_there_are() -> None:
    clusters = np.array([0, 0, 1, 2, 2, 2])
    weights = np.concatenate(list(draw_weights(clusters, 200, seed=3)))
    assert weights.shape == (200, 6)
    for members in ([0, 1], [3, 4, 5]):
        assert (weights[:, members] == weights[:, members[:1]]).all()
    assert (weights[:, [0, 2, 3]].sum(axis=1) == 3).all()


def test_interval_of_a_mean_is_the_textbooks() -> None:
    values = np.random.default_rng(0).normal(size=400)
    intervals = bootstrap_intervals(
        lambda weights: {"mean": weights @ values / weights.sum(axis=1)}, np.arange(400), resamples=4000
    )
    interval = intervals["mean"]
    assert interval is not None
    half = 1.96 * values.std() / 20
    assert interval.low == pytest.approx(values.mean() - half, abs=0.01)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.01)


def test_cells_that_stand_or_fall_together_widen_the_interval() -> None:
    labels = np.zeros(460, dtype=np.int64)
    cell_is_right = np.arange(460) // 46 < 8
    probabilities = certain([0 if right else 1 for right in cell_is_right])
    paths = [str(index) for index in range(460)]
    by_cell = measure(Predictions(paths, [f"{index // 46}" for index in range(460)], labels, probabilities)).accuracy
    by_image = measure(Predictions(paths, [None] * 460, labels, probabilities)).accuracy
    assert by_cell.value == by_image.value == pytest.approx(0.8)
    assert by_cell.low is not None
    assert by_cell.high is not None
    assert by_image.low is not None
    assert by_image.high is not None
    assert by_cell.high - by_cell.low > 3 * (by_image.high - by_image.low)


def test_undefined_resamples_are_left_out() -> None:
    assert percentile_interval(np.array([np.nan, np.nan])) is None
    interval = percentile_interval(np.array([np.nan, 1.0, 2.0]), level=0.5)
    assert interval is not None
    assert (interval.low, interval.high) == (1.25, 1.75)


def test_measure_knows_every_measure_with_its_interval() -> None:
    measures = measure(predictions(460), resamples=200)
    assert (measures.n_images, measures.n_cells, measures.resamples) == (460, 10, 200)
    for name in MEASURES:
        estimate = getattr(measures, name)
        assert estimate.low <= estimate.value <= estimate.high or name == "calibration_error"
        assert estimate.low < estimate.high
    assert measures.confusion.sum() == 460
    assert np.trace(measures.confusion) / 460 == pytest.approx(measures.accuracy.value)
    assert [score.name for score in measures.per_class] == list(CLASSES)
    assert sum(score.support for score in measures.per_class) == 460


def test_same_seed_same_intervals() -> None:
    first, again, other = (measure(predictions(), resamples=100, seed=seed).to_dict() for seed in (1, 1, 2))
    assert first == again
    assert first["accuracy"]["value"] == other["accuracy"]["value"]
    assert first["log_loss"] != other["log_loss"]


@pytest.mark.parametrize("resamples", [0, 50])
@pytest.mark.parametrize("count", [1, 46])
def test_one_cell_has_no_interval_and_the_record_is_plain_json(count: int, resamples: int) -> None:
    record = measure(predictions(count, cell_size=46), resamples=resamples).to_dict()
    assert record == json.loads(json.dumps(record, allow_nan=False))
    assert record["accuracy"]["low"] is None
    assert record["resamples"] == 0
    assert record["resampled"] is None
    assert (record["macro_auroc"]["value"] is None) == (count == 1)


def test_record_says_what_was_resampled() -> None:
    assert measure(predictions(), resamples=10).to_dict()["resampled"] == "cells"
    without_cells = measure(predictions(cell_size=None), resamples=10).to_dict()
    assert without_cells["resampled"] == "images"
    assert without_cells["n_cells"] == 0


def test_negative_resamples_are_refused() -> None:
    with pytest.raises(ValueError, match="resamples"):
        measure(predictions(), resamples=-1)


def test_measuring_5000_images_takes_seconds() -> None:
    many = predictions(5000)
    began = time.process_time()
    measure(many, resamples=1000)
    assert time.process_time() - began < 10


def test_predictions_survive_the_file(tmp_path: Path) -> None:
    labels, probabilities = scores(4)
    odd = ["a,b.png", 'quo"te\n.png', "染色体/é.png", "bad\udcff.png"]
    written = Predictions(odd, ["cell 1", None, "ü", "cell 1"], labels, probabilities)
    file = tmp_path / "deep" / "predictions.csv"
    written.write_csv(file)
    read = Predictions.read_csv(file)
    assert read.paths == odd
    assert read.cells == written.cells
    assert (read.labels == labels).all()
    assert (read.probabilities == probabilities).all()
    assert file.read_bytes().splitlines()[0].decode() == ",".join(COLUMNS)
    assert [path.name for path in file.parent.iterdir()] == ["predictions.csv"]


def test_predictions_name_classes_and_confidence(tmp_path: Path) -> None:
    Predictions(["x.png"], [None], np.array([22]), certain([23])).write_csv(tmp_path / "p.csv")
    row = (tmp_path / "p.csv").read_text().splitlines()[1].split(",")
    assert row[:5] == ["x.png", "", "X", "Y", "1.0"]
    assert len(row) == 5 + K


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(OSError, match=r"file"):
        predictions(3).write_csv(tmp_path / "file" / "p.csv")
    assert (tmp_path / "file").read_text() == "not a directory"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no column 'path'"),
        (b"path,cell,label\n", "no column 'p_1' and lacks 23 more"),
        (",".join(COLUMNS).encode() + b"\n", "empty"),
        (",".join(COLUMNS).encode() + b"\na,,99,1,1" + b",0" * K, "line 2: '99' names no human chromosome"),
        (",".join(COLUMNS).encode() + b"\na,,1,1,1" + b",x" * K, "line 2: could not convert"),
        (",".join(COLUMNS).encode() + b"\na,,1,1,1", "line 2: could not convert"),
        (",".join(COLUMNS).encode() + b"\na,,1,1,1" + b",nan" * K, "diverged"),
        (b"\x00\x01\xff" * 100, "not a table"),
    ],
)
def test_a_broken_table_is_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "p.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        Predictions.read_csv(tmp_path / "p.csv")


def test_a_missing_table_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read the predictions"):
        Predictions.read_csv(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("labels", "row", "message"),
    [
        ([0], np.full(K, np.nan), "diverged"),
        ([0], np.full(K, 0.9), "no probabilities"),
        ([0], np.r_[2.0, -1.0, np.zeros(K - 2)], "no probabilities"),
        ([24], np.full(K, 1 / K), "not 0..23"),
        ([0, 1], np.full(K, 1 / K), "do not fit together"),
        ([0], np.full(3, 1 / 3), "24 probabilities"),
    ],
)
def test_predictions_are_checked(labels: list[int], row: NDArray[np.float64], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Predictions(["a.png"], [None], np.array(labels), row[None])
