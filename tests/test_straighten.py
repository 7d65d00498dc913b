"""Straightening: the axis, the two ways, and what they do to drawn chromosomes whose truth is known."""

import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from karyo.commands.measure import measure_app
from karyo.data.synthetic import CellSettings, DrawnChromosome, derive_seed, draw_bent_and_unbent
from karyo.errors import SettingsError
from karyo.evaluation.straightness import Straightness, measure_straightening
from karyo.imaging.crop import object_mask
from karyo.imaging.steps.posture import Straighten
from karyo.imaging.straighten import (
    Straightened,
    find_axis,
    straighten_medial,
    straighten_two_part,
    turned_upright,
    upright,
)
from karyo.imaging.straighten.outline import joined

WAYS = [straighten_medial, straighten_two_part, turned_upright]


def arc(turn: float = 2.0, length: float = 90, half_width: float = 8, waist_at: float = 0.35) -> np.ndarray:
    """A banded chromosome bent along an arc by so many radians, bright on black, with a waist."""
    place = np.linspace(0, 1, 400)
    heading = turn * (place - 0.5)
    points = np.cumsum(np.stack([np.sin(heading), np.cos(heading)], axis=1) * length / 400, axis=0)
    points -= points.min(axis=0) - half_width - 6
    height, width = (int(value) + 1 for value in (points.max(axis=0) + half_width + 6)[::-1])
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(x[..., None] - points[:, 0], y[..., None] - points[:, 1])
    nearest = distance.argmin(axis=-1)
    reach = half_width * (1 - 0.45 * np.exp(-(((place - waist_at) * length / 5) ** 2)))
    bands = 160 + 60 * np.sin(place * 20)
    return np.where(distance.min(axis=-1) < reach[nearest], bands[nearest], 0).astype(np.uint8)


def bent_in_two(angle: float = 60) -> np.ndarray:
    """Two straight banded arms that meet at an angle, bright on black."""
    image = np.zeros((140, 140), np.uint8)
    way = np.deg2rad(angle)
    elbow = np.array([45, 70])
    for side in (-1, 1):
        tip = elbow + 55 * np.array([np.sin(way), side * np.cos(way)])
        cv2.line(image, tuple(int(v) for v in elbow), tuple(int(v) for v in tip), 200, 15)
    return image


def ragged(shape: tuple[int, int] = (60, 60)) -> np.ndarray:
    return (cv2.GaussianBlur(np.random.default_rng(1).random(shape).astype(np.float32), (0, 0), 2) * 255).astype(
        np.uint8
    )


def box_share(mask: np.ndarray) -> float:
    _, (width, height), _ = cv2.minAreaRect(np.argwhere(mask)[:, ::-1].astype(np.float32))
    return float(mask.sum() / ((width + 1) * (height + 1)))


@pytest.fixture(scope="module")
def bent() -> list[tuple[DrawnChromosome, DrawnChromosome]]:
    settings = CellSettings(0.4)
    return [draw_bent_and_unbent(label, derive_seed(5, label), "a", settings, 2.0) for label in range(12)]


@pytest.fixture(scope="module")
def measured() -> Straightness:
    return measure_straightening(48, CellSettings(0.4), seed=2, bend=2.0)


# The axis


@pytest.mark.parametrize("turn", [0.0, 1.0, 2.0, 3.0])
def test_the_axis_of_an_arc_is_the_arc(turn: float) -> None:
    axis = find_axis(arc(turn) > 0)
    assert axis is not None
    # The rod's round ends reach half a width beyond its line.
    assert axis.length == pytest.approx(90 + 2 * 8, rel=0.05)
    assert np.median(axis.widths) == pytest.approx(16, abs=1.5)
    assert len(axis.points) == len(axis.widths)
    steps = np.linalg.norm(np.diff(axis.points, axis=0), axis=1)
    assert np.abs(steps - 1).max() < 0.1
    place = min(axis.centromere, 1 - axis.centromere) * axis.length - 8
    assert place == pytest.approx(0.35 * 90, abs=2)
    assert axis.arm_ratio == pytest.approx((1 - 0.377) / 0.377, abs=0.25)
    assert axis.confidence > 0.9
    assert axis.waist > 0.9


def test_the_axis_follows_the_true_centre_line(bent: list[tuple[DrawnChromosome, DrawnChromosome]]) -> None:
    off, longer = [], []
    for drawn, _ in bent:
        axis = find_axis(drawn.mask)
        assert axis is not None
        inner = axis.points[8:-8]
        off.append(np.linalg.norm(inner[:, None] - drawn.centre_line[None], axis=2).min(axis=1).max())
        true = np.linalg.norm(np.diff(drawn.centre_line, axis=0), axis=1).sum()
        longer.append(axis.length / true)
    assert np.median(off) < 2
    assert np.abs(np.median(longer) - 1) < 0.04


@pytest.mark.parametrize("angle", [37, 90, 161, 250])
def test_turning_the_picture_turns_the_axis(angle: int) -> None:
    image = np.pad(arc(1.5), 40)
    middle = (image.shape[1] / 2 - 0.5, image.shape[0] / 2 - 0.5)
    matrix = cv2.getRotationMatrix2D(middle, angle, 1)
    turned = cv2.warpAffine(image, matrix, (200, 200))
    first, second = find_axis(image > 60), find_axis(turned > 60)
    assert first is not None
    assert second is not None
    expected = first.points @ matrix[:, :2].T + matrix[:, 2]
    distances = np.linalg.norm(expected[:, None] - second.points[None], axis=2)
    assert max(distances.min(axis=0).max(), distances.min(axis=1).max()) < 3
    assert np.median(distances.min(axis=0)) < 0.7
    assert second.length == pytest.approx(first.length, rel=0.04)


def test_a_fork_at_the_end_does_not_derail_the_axis() -> None:
    mask = np.zeros((120, 60), np.uint8)
    cv2.line(mask, (30, 15), (30, 70), 1, 15)
    cv2.line(mask, (27, 70), (20, 105), 1, 7)
    cv2.line(mask, (33, 70), (40, 105), 1, 7)
    axis = find_axis(mask > 0)
    assert axis is not None
    assert np.abs(axis.points[:, 0] - 30).max() < 3
    assert axis.length > 90


def test_large_objects_are_measured_as_small_ones() -> None:
    small = arc(1.5)
    large = cv2.resize(small, None, fx=9, fy=9, interpolation=cv2.INTER_NEAREST)
    first, second = find_axis(small > 0), find_axis(large > 0)
    assert first is not None
    assert second is not None
    assert second.length == pytest.approx(9 * first.length, rel=0.03)
    nine = np.linalg.norm((9 * first.points + 4)[:, None] - second.points[None, ::9], axis=2)
    assert np.median(nine.min(axis=1)) < 9


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (40, 40), (1, 60), (60, 1), (300, 500)])
def test_full_and_empty_masks(shape: tuple[int, int]) -> None:
    assert find_axis(np.zeros(shape, np.bool_)) is None
    axis = find_axis(np.ones(shape, np.bool_))
    if shape[0] * shape[1] < 12:
        assert axis is None
    elif axis is not None:
        assert np.isfinite(axis.points).all()
        assert 0 <= axis.confidence <= 1
        assert axis.length <= np.hypot(*shape) + 2


def test_a_hole_changes_nothing() -> None:
    whole = arc(1.0) > 0
    pierced = whole.copy()
    y, x = np.argwhere(whole).mean(axis=0).astype(int)
    pierced[y + 14 : y + 24, x - 3 : x + 3] = False
    assert whole[y + 13 : y + 25, x - 4 : x + 4].all()
    first, second = find_axis(whole), find_axis(pierced)
    assert first is not None
    assert second is not None
    assert np.array_equal(first.points, second.points)
    assert np.array_equal(first.widths, second.widths)


def test_the_axis_follows_a_hairpin() -> None:
    mask = np.zeros((140, 140), np.uint8)
    cv2.ellipse(mask, (70, 50), (10, 10), 0, 180, 360, 1, 10)
    for x in (60, 80):
        cv2.line(mask, (x, 50), (x, 120), 1, 10)
    axis = find_axis(mask > 0)
    assert axis is not None
    assert axis.length == pytest.approx(2 * 70 + np.pi * 10 + 10, rel=0.06)
    assert axis.widths.max() < 14


def test_what_perpendiculars_meet_beside_the_object_is_not_its_width() -> None:
    across = np.zeros((40, 30), np.uint8)
    across[2:38, 10:20] = 255
    across[15:30, 25:] = 255
    kept = joined(across)
    assert (kept[:, :20] == across[:, :20]).all()
    assert not kept[:, 20:].any()


def test_specks_are_no_chromosomes() -> None:
    mask = np.zeros((50, 50), np.bool_)
    mask[10, 10] = mask[30, 31] = True
    assert find_axis(mask) is None


def test_a_disc_is_nothing_to_be_sure_of() -> None:
    mask = np.zeros((60, 60), np.uint8)
    cv2.circle(mask, (30, 30), 20, 1, -1)
    axis = find_axis(mask > 0)
    assert axis is not None
    assert axis.confidence < 0.2
    rod = find_axis(arc(0.0) > 0)
    assert rod is not None
    assert rod.confidence > 0.9


def test_an_acrocentric_chromosome_has_its_centromere_at_the_shoulder() -> None:
    mask = np.zeros((100, 40), np.uint8)
    cv2.line(mask, (20, 10), (20, 24), 1, 7)
    cv2.line(mask, (20, 30), (20, 85), 1, 17)
    axis = find_axis(mask > 0)
    assert axis is not None
    if axis.points[0, 1] > axis.points[-1, 1]:
        axis = axis.reversed()
    assert float(axis.at(axis.centromere)[1]) == pytest.approx(23, abs=4)
    assert axis.arm_ratio > 3


# Both ways


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "image",
    [
        np.zeros((1, 1), np.uint8),
        np.full((9, 7), 200, np.uint8),
        np.eye(5, dtype=np.uint8) * 255,
        np.arange(256, dtype=np.uint8).reshape(16, 16),
        np.pad(np.full((2, 2), 255, np.uint8), 5),
        np.pad(np.full((1, 40), 255, np.uint8), 5),
        np.pad(np.full((5, 5), 255, np.uint8), 5),
        ragged(),
        np.pad(np.full((30, 30), 90, np.uint8), 1),
    ],
    ids=["pixel", "constant", "diagonal", "ramp", "speck", "thread", "square", "ragged", "block"],
)
def test_nothing_crashes(way, image: np.ndarray) -> None:
    for mask in (None, np.zeros(image.shape, np.bool_), np.ones(image.shape, np.bool_)):
        result = upright(way(image, mask))
        assert result.image.dtype == np.uint8
        assert result.image.shape == result.mask.shape
        assert result.changed == (not result.reason)
        if result.axis is None:
            assert np.array_equal(result.image, image)
            assert result.line.shape == (0, 2)
        else:
            assert result.line.shape == result.axis.points.shape
            assert np.isfinite(result.line).all()


@pytest.mark.parametrize("way", WAYS)
def test_the_result_stands_upright_on_black(way) -> None:
    image = np.maximum(arc(2.0), 20)
    result = way(image)
    rows, columns = np.nonzero(result.mask)
    assert np.ptp(rows) > 1.5 * np.ptp(columns)
    outside = cv2.dilate(result.mask.view(np.uint8), np.ones((3, 3), np.uint8)) == 0
    assert result.image[outside].max() == 0
    assert result.image[result.mask].mean() > 60
    if result.changed:
        x, y = np.round(result.line[3:-3]).astype(int).T
        assert result.mask[y, x].mean() > 0.9


@pytest.mark.parametrize("way", [straighten_medial, straighten_two_part])
def test_a_neighbour_outside_the_mask_stays_out(way) -> None:
    image = arc(1.2)
    mask = image > 0
    wider = np.pad(image, ((0, 0), (0, 40)))
    wider[:, -30:] = 255
    alone, crowded = way(image, mask), way(wider, np.pad(mask, ((0, 0), (0, 40))))
    assert np.array_equal(alone.mask, crowded.mask)
    assert np.abs(alone.image.astype(int) - crowded.image).mean() < 1


def test_a_mask_of_another_size_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="one size"):
        straighten_medial(arc(), np.ones((3, 3), np.bool_))


def test_an_arc_becomes_a_rod() -> None:
    image = arc(2.5)
    result = straighten_medial(image)
    assert result.changed
    assert box_share(image > 0) < 0.55
    assert box_share(result.mask) > 0.85
    assert result.mask.sum() == pytest.approx((image > 0).sum(), rel=0.03)


def test_bands_stay_in_their_places_and_as_bright() -> None:
    image = arc(2.5)
    result = straighten_medial(image)
    rows = np.flatnonzero(result.mask.any(axis=1))
    middle = result.image[rows, np.round(result.line[0, 0]).astype(int)].astype(float)[10:-10]
    place = (np.arange(len(rows)) - 8)[10:-10] / 90
    expected = 160 + 60 * np.sin(np.clip(place, 0, 1) * 20)
    first, second = np.corrcoef(middle, expected)[0, 1], np.corrcoef(middle[::-1], expected)[0, 1]
    assert max(first, second) > 0.97
    better = middle if first > second else middle[::-1]
    assert np.abs(better - expected).mean() < 15


@pytest.mark.parametrize("way", WAYS)
def test_the_level_of_the_background_is_taken_off(way) -> None:
    dark, light = way(arc(1.5)), way(arc(1.5) + np.uint8(30))
    assert np.array_equal(dark.mask, light.mask)
    assert np.abs(dark.image.astype(int) - light.image)[dark.mask].max() <= 1


def test_a_clump_is_not_torn_apart() -> None:
    image = np.zeros((120, 120), np.uint8)
    cv2.line(image, (20, 20), (100, 100), 200, 15)
    cv2.line(image, (100, 20), (20, 100), 200, 15)
    result = straighten_medial(image)
    assert not result.changed
    assert "no line through it explains its outline" in result.reason


@pytest.mark.parametrize("way", WAYS)
def test_one_of_many_in_a_large_picture(way) -> None:
    image = arc(2.0)
    height, width = image.shape
    alone = way(image, image > 0)
    large = np.zeros((height + 300, 40_000), np.uint8)
    large[200 : 200 + height, 33_000 : 33_000 + width] = image
    large[200 : 200 + height, 100 : 100 + width] = image
    mask = np.zeros(large.shape, np.bool_)
    mask[200 : 200 + height, 33_000 : 33_000 + width] = image > 0
    found = way(large, mask)
    assert np.abs(found.image.astype(int) - alone.image).max() <= 2
    assert alone.axis is not None
    assert found.axis is not None
    assert np.allclose(found.axis.points - [33_000, 200], alone.axis.points, atol=0.02)


def test_what_is_far_too_large_is_left_alone() -> None:
    image = np.zeros((8, 20_000), np.uint8)
    image[2:6, 5:-5] = 200
    for way in WAYS:
        result = way(image)
        assert np.array_equal(result.image, image)
        assert "no object of a chromosome's size" in result.reason


def test_a_chromosome_at_the_very_edge_of_its_picture() -> None:
    image = arc(1.5)
    left, top, columns, rows = cv2.boundingRect((image > 0).view(np.uint8))
    tight = image[top : top + rows, left : left + columns]
    loose, cut = straighten_medial(image, image > 0), straighten_medial(tight, tight > 0)
    assert np.array_equal(loose.mask, cut.mask)


# Two parts


@pytest.mark.parametrize("angle", [42, 50, 65])
@pytest.mark.parametrize("weights", [(0.43, 0.57), (0.67, 0.33)])
def test_two_arms_are_laid_in_line(angle: float, weights: tuple[float, float]) -> None:
    image = bent_in_two(angle)
    result = straighten_two_part(image, weights=weights)
    assert result.changed
    assert box_share(result.mask) > max(0.75, 1.2 * box_share(image > 0))
    # The wedge is filled, and nothing is lost but what overlaps on the inner side.
    assert int(cv2.connectedComponents(result.mask.view(np.uint8))[0]) == 2
    assert result.mask.sum() > 0.85 * (image > 0).sum()
    assert np.ptp(np.nonzero(result.mask)[0]) > 100
    assert result.mask.sum(axis=1)[12:-12].min() >= 12


def test_what_is_straight_already_is_left_alone() -> None:
    for turn in (0.0, 0.15):
        image = arc(turn)
        result = straighten_two_part(image)
        assert not result.changed
        assert result.reason.startswith("it is straight already")
        assert np.array_equal(result.image, turned_upright(image).image)


def test_one_bend_that_cannot_be_told_is_left_alone() -> None:
    image = np.zeros((120, 120), np.uint8)
    cv2.line(image, (20, 20), (100, 100), 200, 15)
    cv2.line(image, (100, 20), (20, 100), 200, 15)
    result = straighten_two_part(image)
    assert not result.changed
    assert result.reason
    assert "straight already" not in result.reason


@pytest.mark.parametrize("weights", [(0, 0), (-1, 2)])
def test_weights_that_cannot_be_meant_are_refused(weights: tuple[float, float]) -> None:
    with pytest.raises(SettingsError, match="weights must be two numbers"):
        straighten_two_part(arc(), weights=weights)


def test_a_bending_axis_that_meets_it_twice_is_a_contradiction() -> None:
    image = np.zeros((140, 140), np.uint8)
    cv2.line(image, (20, 70), (120, 70), 200, 12)
    cv2.line(image, (70, 20), (70, 70), 200, 12)
    result = straighten_two_part(image)
    assert not result.changed
    assert result.reason == "the bending axis meets the chromosome in more than one place"


# Upright


def flipped(result: Straightened) -> Straightened:
    assert result.axis is not None
    height, width = result.image.shape
    return replace(
        result,
        image=np.ascontiguousarray(result.image[::-1, ::-1]),
        mask=np.ascontiguousarray(result.mask[::-1, ::-1]),
        axis=result.axis.reversed(),
        line=np.array([width - 1, height - 1], np.float32) - result.line[::-1],
    )


@pytest.mark.parametrize("way", WAYS)
def test_the_short_arm_comes_up_whichever_way_it_lay(way) -> None:
    result = way(arc(0.5, waist_at=0.25))
    first, second = upright(result), upright(flipped(result))
    assert first.axis is not None
    assert first.axis.centromere < 0.5
    assert np.array_equal(first.image, second.image)
    waist = first.mask.sum(axis=1)[10:-10].argmin() + 10
    assert waist < 0.5 * len(first.mask)
    assert np.array_equal(upright(first).image, first.image)


def test_where_the_waist_is_not_seen_nothing_is_turned() -> None:
    result = straighten_medial(arc(1.0))
    assert result.axis is not None
    unsure = replace(result, axis=replace(result.axis, centromere=0.8, waist=0.05))
    assert upright(unsure) is unsure
    sure = replace(result, axis=replace(result.axis, centromere=0.8, waist=0.9))
    assert upright(sure) is not sure


# The truth


def test_bent_and_unbent_are_the_same_chromosome() -> None:
    bent, unbent = draw_bent_and_unbent(0, 3, bend=1.5)
    again, _ = draw_bent_and_unbent(0, 3, bend=1.5)
    assert np.array_equal(bent.image, again.image)
    lengths = [np.linalg.norm(np.diff(one.centre_line, axis=0), axis=1).sum() for one in (bent, unbent)]
    assert lengths[0] == pytest.approx(lengths[1], rel=1e-3)
    assert bent.mask.sum() == pytest.approx(unbent.mask.sum(), rel=0.05)
    assert np.ptp(unbent.centre_line[:, 0]) < 0.01
    with pytest.raises(SettingsError, match="bend must lie"):
        draw_bent_and_unbent(0, 3, bend=-1)


def test_straightening_brings_bands_and_centromere_nearer_the_truth(measured: Straightness) -> None:
    before, two_part, medial = measured.ways
    assert (before.name, two_part.name, medial.name) == ("before", "two-part", "medial")
    assert medial.correlation > before.correlation + 0.01
    assert two_part.length_error < before.length_error
    assert medial.alike > before.alike
    assert 0 < measured.bent < measured.count
    assert medial.bent_correlation is not None
    assert before.bent_correlation is not None
    assert medial.bent_correlation > before.bent_correlation + 0.01
    assert medial.correlation > 0.9
    assert medial.centromere_error < 1.5
    assert medial.centromere_error < before.centromere_error
    assert medial.length_error < before.length_error
    assert (before.changed, medial.changed) == (0, pytest.approx(1, abs=0.1))
    assert 0 < two_part.changed < 1


def test_measures_are_primitives_and_repeat(measured: Straightness) -> None:
    again = measure_straightening(3, CellSettings(0.4), seed=2, bend=2.0).to_dict()
    once_more = measure_straightening(3, CellSettings(0.4), seed=2, bend=2.0).to_dict()
    for record in (again, once_more):
        for way in record["ways"]:
            assert way.pop("milliseconds") > 0
    assert again == once_more
    assert measured.to_dict()["count"] == 48
    with pytest.raises(SettingsError, match="count must be 1 or more"):
        measure_straightening(0)


def test_a_chromosome_takes_milliseconds() -> None:
    grey = cv2.resize(255 - draw_bent_and_unbent(0, 1, bend=1.5)[0].image, (50, 100))
    assert object_mask(grey).any()
    for way in (straighten_medial, straighten_two_part):
        seconds = []
        for _ in range(15):
            start = time.process_time()
            way(grey)
            seconds.append(time.process_time() - start)
        # Five milliseconds on an idle core; a crowded one takes several times as long.
        assert min(seconds) < 0.02


def test_the_command_prints_a_row_for_each_way() -> None:
    result = CliRunner().invoke(measure_app, ["straightening", "--count", "3", "--bend", "1.5"])
    assert result.exit_code == 0, result.output
    for word in ("3 drawn", "bend 1.50", "before", "two-part", "medial", "px"):
        assert word in result.output
    refused = CliRunner().invoke(measure_app, ["straightening", "--count", "0"])
    assert isinstance(refused.exception, SettingsError)


# Images that stand upright already


def stand(image: np.ndarray) -> np.ndarray:
    return Straighten(standing=True)(image)


def brighter_above(image: np.ndarray) -> np.ndarray:
    """Light a chromosome from above, so that its upper end can be told from its lower one."""
    light = np.linspace(1.0, 0.4, len(image))[:, None]
    return (image * light).astype(np.uint8)


@pytest.mark.parametrize("turn", [1.0, 2.0, -2.0])
@pytest.mark.parametrize("upside_down", [False, True])
def test_the_end_that_is_up_stays_up(turn: float, upside_down: bool) -> None:
    bent = arc(abs(turn))[:, :: -1 if turn < 0 else 1]
    bent = brighter_above(bent[::-1] if upside_down else bent)
    straight = stand(bent)
    assert box_share(straight > 0) > box_share(bent > 0)
    rows = [row[row > 0].mean() for row in straight if row.any()]
    assert np.mean(rows[:20]) > 1.3 * np.mean(rows[-20:])


@pytest.mark.parametrize("image", [arc(0.0), arc(0.0, length=14), np.zeros((30, 20), np.uint8), ragged()])
def test_what_stands_straight_is_short_or_nothing_is_left_as_it_came(image: np.ndarray) -> None:
    assert np.array_equal(stand(image), image)


def test_a_leaning_chromosome_is_stood_up() -> None:
    upright_one = np.pad(arc(0.0), 20)
    turn = cv2.getRotationMatrix2D((upright_one.shape[1] / 2, upright_one.shape[0] / 2), 20, 1)
    leaning = cv2.warpAffine(upright_one, turn, upright_one.shape[::-1])
    assert stand(leaning).shape[1] < leaning.shape[1]
    assert box_share(stand(leaning) > 0) == pytest.approx(box_share(upright_one > 0), abs=0.08)
