"""The temperature and the reject threshold: against brute force, and where there is nothing to choose."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karyo.evaluation.calibration import COLDEST, HOTTEST, fit_temperature
from karyo.evaluation.metrics import log_loss
from karyo.exporting.measured import Limits, measure_side, settle
from karyo.exporting.selection import Selected, choose_threshold, select
from karyo.inference.engines import Answer
from karyo.inference.passport import Scope
from karyo.inference.prediction import calibrated


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_a_known_temperature_is_found_again(temperature: float) -> None:
    chance = np.random.default_rng(0)
    logits = (4 * chance.standard_normal((20_000, 24))).astype(np.float32)
    # Labels drawn from what the logits mean at that temperature.
    shares = calibrated(logits, temperature).cumsum(axis=1)
    labels = (chance.random((len(logits), 1)) > shares).sum(axis=1).clip(max=23)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.03)


def test_no_other_temperature_is_better() -> None:
    chance = np.random.default_rng(1)
    logits = (5 * chance.standard_normal((300, 24))).astype(np.float32)
    labels = np.where(chance.random(300) < 0.8, logits.argmax(axis=1), chance.integers(0, 24, 300))
    found = fit_temperature(logits, labels)
    losses = [log_loss(labels, calibrated(logits, each)) for each in np.geomspace(COLDEST, HOTTEST, 200)]
    assert log_loss(labels, calibrated(logits, found)) <= min(losses) + 1e-9


def test_where_there_is_nothing_to_calibrate_by() -> None:
    logits = np.eye(24, dtype=np.float32)
    assert fit_temperature(logits, np.arange(24)) == 1.0
    assert fit_temperature(logits[:1], np.zeros(1, np.int64)) == 1.0
    assert fit_temperature(logits, np.roll(np.arange(24), 1)) == pytest.approx(HOTTEST)
    nearly = np.where(np.arange(24) == 3, 4, np.arange(24))
    assert COLDEST <= fit_temperature(100 * logits, nearly) <= HOTTEST


@given(
    st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=1, max_size=40),
    st.floats(0, 0.99),
)
def test_the_threshold_accepts_as_many_as_any_that_keeps_the_error(
    pairs: list[tuple[int, bool]], wanted: float
) -> None:
    confidence = np.array([number / 11 + 0.05 for number, _ in pairs])
    correct = np.array([right for _, right in pairs])
    threshold = choose_threshold(confidence, correct, wanted)
    chosen = select(confidence >= threshold, correct)
    possible = [select(confidence >= each, correct) for each in np.unique(confidence)]
    allowed = [each.accepted for each in possible if each.error is not None and each.error <= wanted]
    assert chosen.accepted == max(allowed, default=0)
    assert chosen.error is None or chosen.error <= wanted


def test_all_and_none() -> None:
    confidence = np.array([0.9, 0.6, 0.3])
    assert choose_threshold(confidence, np.array([True, True, True]), 0.0) == 0.0
    assert choose_threshold(confidence, np.array([False, True, True]), 0.2) == 1.0
    assert choose_threshold(confidence, np.array([True, True, False]), 0.0) == pytest.approx(0.45)
    assert choose_threshold(np.empty(0), np.empty(0, np.bool_), 0.1) == 1.0


def test_what_is_said_of_few_images_is_careful() -> None:
    assert Selected(10, 0, 0).error is None
    assert Selected(10, 0, 0).error_at_most is None
    # No mistake in 10: z^2 / (n + z^2).
    assert Selected(20, 10, 0).error_at_most == pytest.approx(0.2129, abs=1e-4)
    assert Selected(20, 10, 10).error_at_most == 1.0
    assert Selected(20, 10, 1).coverage == 0.5
    assert Selected(20, 10, 1).error == 0.1


def test_an_image_that_is_too_far_is_not_accepted_however_sure() -> None:
    logits = np.array(9 * np.eye(24), np.float32)
    distance = np.linspace(0, 1, 24, dtype=np.float32)
    records = [SimpleNamespace(path=str(number), cell=None) for number in range(24)]
    run: Any = SimpleNamespace(labels=lambda side: np.arange(24), records=lambda side: records, config={"bootstrap": 0})
    answer = Answer(logits, distance)
    clear = np.ones(24, np.bool_)
    for limit, accepted in ((None, 24), (0.5, 12), (1.0, 24)):
        limits = Limits(1.0, Scope(distance=limit), 0.5)
        assert measure_side(run, "test", answer, answer, clear, limits).selected.accepted == accepted
    # Nor is one whose pixels are doubted; it counts for coverage all the same.
    clear[:6] = False
    doubted = measure_side(run, "test", answer, answer, clear, Limits(1.0, Scope(), 0.5))
    assert (doubted.selected.accepted, doubted.selected.images, doubted.doubted) == (18, 24, 0.25)


def test_the_threshold_is_chosen_among_what_the_other_limits_leave() -> None:
    logits = np.array(9 * np.eye(24), np.float32)
    answer = Answer(logits, np.zeros(24, np.float32))
    # Every image of the first six is wrong; nothing else is, so once they are doubted all the rest can be accepted.
    labels, clear = np.arange(24), np.ones(24, np.bool_)
    labels[:6] = 23
    assert settle(answer, clear, Scope(), labels, 0.0).threshold == 1.0
    clear[:6] = False
    assert settle(answer, clear, Scope(shortest=9), labels, 0.0).threshold == 0.0
    assert settle(answer, clear, Scope(shortest=9), labels, 0.0).scope == Scope(shortest=9, distance=0.0)
