"""Whole spreads without annotations: chromosomes with masks, dirt and nuclei apart, and pictures that are no spread."""

import cv2
import numpy as np
import pytest

from karyo.data.synthetic import (
    CellSettings,
    Spread,
    SpreadSettings,
    draw_chromosome,
    draw_sheet,
    draw_spread,
)
from karyo.evaluation.instances import iou_table, match_overlaps
from karyo.evaluation.strangers import draw_nucleus_alone, draw_scene
from karyo.imaging.segmentation import Segmentation, SpreadObject, segment_spread


def full(each: SpreadObject, shape: tuple[int, ...]) -> np.ndarray:
    left, top, right, bottom = each.edges
    mask = np.zeros(shape, np.bool_)
    mask[top:bottom, left:right] = each.mask
    return mask


def overlaps(found: Segmentation, spread: Spread) -> np.ndarray:
    shape = spread.image.shape
    masks = [full(each, shape) for each in found.chromosomes]
    return match_overlaps(iou_table(masks, [each.full_mask(*shape) for each in spread.chromosomes]))


@pytest.fixture(scope="module")
def apart() -> Spread:
    return draw_spread(3, SpreadSettings(width=900, height=700, touching=0, crossing=0, nuclei=0, debris=0))


@pytest.fixture(scope="module")
def crowded() -> Spread:
    return draw_spread(1, SpreadSettings(width=760, height=640, nuclei=2, debris=30))


@pytest.fixture(scope="module")
def found(crowded: Spread) -> Segmentation:
    return segment_spread(crowded.image)


def test_nearly_all_separate_chromosomes_are_found_with_their_outline(apart: Spread) -> None:
    found = segment_spread(apart.image)
    matched = overlaps(found, apart)
    assert (matched >= 0.5).sum() >= 44
    assert np.median(matched) > 0.85
    assert len(found.chromosomes) <= 47
    assert found.verdict is None
    assert found.remarks == ()
    assert found.bright


def test_most_chromosomes_of_a_crowded_spread_are_found_and_little_else(crowded: Spread, found: Segmentation) -> None:
    right = int((overlaps(found, crowded) >= 0.5).sum())
    assert right >= 38
    assert right >= 0.85 * len(found.chromosomes)
    assert {each.relation for each in found.chromosomes} >= {"isolated", "touching"}


def test_masks_fill_their_boxes_and_confidences_are_probabilities(crowded: Spread, found: Segmentation) -> None:
    for each in (*found.chromosomes, *found.debris):
        left, top, right, bottom = each.edges
        assert each.mask.shape == (bottom - top, right - left)
        assert each.mask[0].any()
        assert each.mask[-1].any()
        assert each.mask[:, 0].any()
        assert each.mask[:, -1].any()
        assert min(left, top) >= 0
        assert right <= crowded.image.shape[1]
        assert bottom <= crowded.image.shape[0]
        assert 0 <= each.confidence <= 1
        line = each.outline
        assert line.dtype == np.int32
        assert line.min(axis=0).tolist() == [left, top]
        assert line.max(axis=0).tolist() == [right - 1, bottom - 1]


def test_they_come_in_reading_order(found: Segmentation) -> None:
    tops = [each.edges[1] for each in found.chromosomes]
    assert np.corrcoef(tops, np.arange(len(tops)))[0, 1] > 0.95
    first, last = found.chromosomes[0], found.chromosomes[-1]
    assert first.edges[1] < last.edges[1]


def test_nuclei_are_no_chromosomes(crowded: Spread, found: Segmentation) -> None:
    assert crowded.nuclei.any()
    assert (found.nuclei & crowded.nuclei).sum() > 0.9 * crowded.nuclei.sum()
    for each in found.chromosomes:
        assert (full(each, crowded.nuclei.shape) & crowded.nuclei).sum() < 0.3 * each.mask.sum()


def test_a_nucleus_between_chromosomes_is_none(apart: Spread) -> None:
    shape = apart.image.shape
    taken = np.any([each.full_mask(*shape) for each in apart.chromosomes], axis=0)
    away = cv2.distanceTransform(np.pad(~taken, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    row, column = np.unravel_index(int(away.argmax()), shape)
    radius = int(away.max()) - 8
    assert radius > 25
    drawn = apart.image.copy()
    cv2.circle(drawn, (int(column), int(row)), radius, 120, -1)
    found = segment_spread(drawn)
    assert found.nuclei[row, column]
    assert not any(full(each, shape)[row, column] for each in found.chromosomes)
    assert (overlaps(found, apart) >= 0.5).sum() >= 44


def test_dirt_is_debris(apart: Spread) -> None:
    dirty = apart.image.copy()
    places = [(10 + 30 * step, 10) for step in range(25)]
    for place in places:
        cv2.circle(dirty, place, 5, 100, -1)
    found = segment_spread(dirty)
    assert len(found.chromosomes) <= 47
    specks = [each.edges for each in found.debris if each.edges[3] <= 20]
    assert len(specks) >= 20
    assert not [each for each in found.chromosomes if each.edges[3] <= 20]


def test_the_same_objects_whatever_the_polarity(crowded: Spread, found: Segmentation) -> None:
    inverted = segment_spread((255 - crowded.image).astype(np.uint8))
    assert not inverted.bright
    assert [each.edges for each in inverted.chromosomes] == [each.edges for each in found.chromosomes]
    assert all(
        np.array_equal(one.mask, other.mask) for one, other in zip(inverted.chromosomes, found.chromosomes, strict=True)
    )


def test_crossing_chromosomes_share_pixels() -> None:
    absorbance = np.zeros((400, 400), np.float32)
    for row in range(4):
        for column in range(4):
            cv2.line(absorbance, (45 + 100 * column, 30 + 100 * row), (45 + 100 * column, 80 + 100 * row), 0.6, 13)
    cross = np.zeros_like(absorbance)
    cv2.line(cross, (20, 55), (70, 55), 0.6, 13)
    light = cv2.GaussianBlur(np.exp(-absorbance - cross), (0, 0), 1.2)
    noise = np.random.default_rng(0).normal(0, 2, light.shape)
    found = segment_spread(np.clip(230 * light + noise, 0, 255).astype(np.uint8))
    crossing = [each for each in found.chromosomes if each.relation == "crossing"]
    assert len(crossing) == 2
    one, other = (full(each, absorbance.shape) for each in crossing)
    assert (one & other).sum() > 50
    assert len(found.chromosomes) == 17


@pytest.mark.slow
def test_a_picture_twice_as_large_gives_the_same_chromosomes(crowded: Spread, found: Segmentation) -> None:
    large = cv2.resize(crowded.image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    again = segment_spread(np.asarray(large, np.uint8))
    assert again.width == pytest.approx(2 * found.width, rel=0.1)
    assert abs(len(again.chromosomes) - len(found.chromosomes)) <= 4
    centres, others = (
        np.array([((e.edges[0] + e.edges[2]) / 2, (e.edges[1] + e.edges[3]) / 2) for e in each.chromosomes])
        for each in (found, again)
    )
    near = np.hypot(*(centres[:, None] - others[None] / 2).transpose(2, 0, 1)).min(axis=1)
    assert (near < 5).mean() > 0.8


@pytest.mark.parametrize(
    "shape", [(0, 0), (0, 9), (1, 1), (1, 400), (2, 3), (400, 1), (7, 2000), (300, 300), (3000, 4000)]
)
@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_picture_has_nothing_and_is_said_to(shape: tuple[int, int], level: int) -> None:
    found = segment_spread(np.full(shape, level, np.uint8))
    assert found.chromosomes == found.debris == ()
    assert found.nuclei.shape == shape
    assert not found.nuclei.any()
    assert found.verdict is not None
    assert ("blank" if min(shape) else "no pixels") in found.verdict


@pytest.mark.parametrize("shape", [(3, 3), (1, 500), (40, 2000), (300, 300), (1000, 900)])
def test_noise_is_no_spread(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    assert segment_spread(noise).verdict is not None


def test_a_karyogram_is_no_spread() -> None:
    found = segment_spread(draw_sheet(3, seed=2))
    assert found.verdict is not None
    assert "rows" in found.verdict
    assert len(found.chromosomes) > 24


def test_chromosomes_in_rows_without_names_are_no_spread() -> None:
    page = np.full((420, 900), 235, np.uint8)
    for index in range(44):
        height = 80 - index
        row, column = divmod(index, 12)
        left, bottom = 20 + 72 * column, 100 * (row + 1)
        cv2.line(page, (left, bottom), (left, bottom - height), 90, 13)
    verdict = segment_spread(cv2.GaussianBlur(page, (0, 0), 1.2)).verdict
    assert verdict is not None
    assert "rows" in verdict


@pytest.mark.parametrize("label", [0, 10, 20, 23])
def test_a_single_chromosome_is_no_spread(label: int) -> None:
    image = draw_chromosome(label, 5, "a", CellSettings()).image
    verdict = segment_spread(image).verdict
    assert verdict is not None
    assert "single" in verdict
    page = np.full((500, 500), 255, np.uint8)
    page[200 : 200 + image.shape[0], 200 : 200 + image.shape[1]] = image
    assert segment_spread(page).verdict is not None


def test_a_nucleus_is_no_spread() -> None:
    rng = np.random.default_rng(0)
    nucleus = draw_nucleus_alone(rng)
    assert segment_spread(nucleus).verdict is not None
    page = np.zeros((600, 700), np.uint8)
    page[100 : 100 + nucleus.shape[0], 50 : 50 + nucleus.shape[1]] = nucleus
    assert segment_spread(page).verdict is not None


def test_photographs_are_no_spreads() -> None:
    rng = np.random.default_rng(2)
    scenes = [draw_scene(rng) for _ in range(20)]
    assert all(segment_spread(scene).verdict for scene in scenes)


def test_two_cells_in_one_picture_are_remarked_on() -> None:
    settings = SpreadSettings(width=640, height=560, nuclei=0, debris=0, touching=0.05, crossing=0)
    found = segment_spread(np.hstack([draw_spread(seed, settings).image for seed in (1, 2)]))
    assert found.verdict is None
    assert any("two cells" in remark for remark in found.remarks)


def test_few_chromosomes_are_remarked_on(apart: Spread) -> None:
    few = segment_spread(apart.image[:330, :430])
    assert few.verdict is None
    assert any(remark.startswith("only") for remark in few.remarks)
