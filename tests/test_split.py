"""Whole chromosomes from clusters: what touches is parted, what crosses is completed, what is one stays one."""

import cv2
import numpy as np
import pytest

from karyo.imaging.split import Part, split_objects
from karyo.imaging.split.concavity import find_cuts, find_outlines
from karyo.imaging.split.fragments import cut_up
from karyo.imaging.split.watershed import components, watershed_parts

WIDTH = 14


def rod(*points: tuple[int, int], size: tuple[int, int] = (160, 160), width: int = WIDTH) -> np.ndarray:
    """A body of even width with round ends along a line through points (x, y)."""
    image = np.zeros(size, np.uint8)
    cv2.polylines(image, [np.array(points, np.int32)], False, 1, width)
    return image > 0


def photograph(*masks: np.ndarray, noise: float = 3.0) -> np.ndarray:
    """What a microscope shows of chromosomes on one another, background dark: absorbances add."""
    absorbance = sum(0.6 * mask.astype(np.float32) for mask in masks)
    light = cv2.GaussianBlur(np.exp(-absorbance), (0, 0), 1.2)
    grain = np.random.default_rng(0).normal(0, noise, light.shape)
    return np.clip(230 * (1 - light) + grain, 0, 255).astype(np.uint8)


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / (first | second).sum())


def best(parts: list[Part], true: np.ndarray) -> float:
    return max(overlap(part.mask, true) for part in parts)


STRAIGHT = rod((20, 80), (100, 80))
BENT = rod(*[(80 + int(50 * np.cos(t)), 100 - int(50 * np.sin(t))) for t in np.linspace(0.3, 2.6, 20)])
HOOK = rod((30, 120), (90, 120), (105, 112), (112, 100), (112, 80))


@pytest.mark.parametrize("mask", [STRAIGHT, BENT, HOOK], ids=["straight", "bent", "hook"])
@pytest.mark.parametrize("with_grey", [False, True])
def test_one_chromosome_stays_one(mask: np.ndarray, with_grey: bool) -> None:
    (part,) = split_objects(mask, photograph(mask) if with_grey else None, WIDTH)
    assert part.relation == "isolated"
    assert np.array_equal(part.mask, mask)
    assert 0 <= part.confidence <= 1


@pytest.mark.parametrize("neck", [5, 7, 10])
def test_a_centromere_is_not_cut(neck: int) -> None:
    arms = rod((20, 80), (48, 80)) | rod((66, 80), (110, 80))
    mask = arms | rod((48, 80), (66, 80), width=neck)
    assert len(split_objects(mask, photograph(mask), WIDTH)) == 1
    assert len(split_objects(mask, None, WIDTH)) == 1


@pytest.mark.parametrize("with_grey", [False, True])
def test_an_end_against_a_side_is_parted(with_grey: bool) -> None:
    body, other = rod((20, 50), (130, 50)), rod((75, 62), (75, 130))
    mask = body | other
    parts = split_objects(mask, photograph(mask) if with_grey else None, WIDTH)
    assert [part.relation for part in parts] == ["touching", "touching"]
    assert min(best(parts, body), best(parts, other)) > 0.85


@pytest.mark.parametrize(("angle", "with_grey"), [(90, False), (60, False), (90, True), (60, True), (45, True)])
def test_a_crossing_gives_two_whole_chromosomes(angle: int, with_grey: bool) -> None:
    way = np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))]) * 55
    first = rod((20, 80), (140, 80))
    second = rod(tuple(np.rint(80 - way).astype(int)), tuple(np.rint(80 + way).astype(int)))
    mask = first | second
    parts = split_objects(mask, photograph(first, second) if with_grey else None, WIDTH)
    assert [part.relation for part in parts] == ["crossing", "crossing"]
    assert min(best(parts, first), best(parts, second)) > 0.85
    shared = parts[0].mask & parts[1].mask
    assert overlap(shared, first & second) > 0.5


def test_side_by_side_is_parted_along_the_valley() -> None:
    first, second = rod((60, 30), (60, 110)), rod((76, 40), (76, 120))
    grey = photograph(first, second)
    mask = grey > 30
    assert cv2.connectedComponents(mask.astype(np.uint8))[0] == 2
    parts = split_objects(mask, grey, WIDTH)
    assert len(parts) == 2
    assert min(best(parts, first), best(parts, second)) > 0.75


def test_a_crossing_that_another_one_touches() -> None:
    first, second = rod((20, 80), (140, 80)), rod((80, 20), (80, 140))
    third = rod((124, 92), (124, 150))
    mask = first | second | third
    parts = split_objects(mask, photograph(first, second) | photograph(third), WIDTH)
    assert len(parts) == 3
    assert min(best(parts, true) for true in (first, second, third)) > 0.8


def test_parts_cover_the_mask_and_nothing_else() -> None:
    mask = rod((20, 80), (140, 80)) | rod((60, 20), (90, 140)) | rod((10, 10), (40, 10))
    parts = split_objects(mask, None, WIDTH)
    assert np.array_equal(np.any([part.mask for part in parts], axis=0), mask)
    assert all(part.mask.dtype == np.bool_ and part.mask.shape == mask.shape for part in parts)


def test_same_input_same_parts_wherever_it_lies() -> None:
    mask = rod((20, 80), (140, 80)) | rod((60, 20), (90, 140))
    moved = np.zeros((300, 400), np.bool_)
    moved[100:260, 200:360] = mask
    once, again, there = (split_objects(m, None, WIDTH) for m in (mask, mask, moved))
    assert all(np.array_equal(a.mask, b.mask) for a, b in zip(once, again, strict=True))
    assert all(np.array_equal(a.mask, b.mask[100:260, 200:360]) for a, b in zip(once, there, strict=True))


def test_width_is_measured_where_it_is_not_given() -> None:
    mask = rod((20, 50), (130, 50)) | rod((75, 62), (75, 130))
    assert len(split_objects(mask)) == 2


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (1, 7), (40, 40)])
def test_nothing_gives_no_parts(shape: tuple[int, int]) -> None:
    empty = np.zeros(shape, np.bool_)
    assert split_objects(empty) == []
    assert watershed_parts(empty) == []
    assert components(empty) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (30, 30), (200, 200)])
def test_full_masks_survive(shape: tuple[int, int]) -> None:
    full = np.ones(shape, np.bool_)
    for grey in (None, np.full(shape, 255, np.uint8), np.zeros(shape, np.uint8)):
        parts = split_objects(full, grey)
        assert np.any([part.mask for part in parts], axis=0).all()


def test_noise_survives() -> None:
    random = np.random.default_rng(0)
    mask = random.random((120, 120)) > 0.5
    parts = split_objects(mask, random.integers(0, 256, mask.shape).astype(np.uint8))
    assert np.array_equal(np.any([part.mask for part in parts], axis=0), mask)


def test_cuts_run_between_dents_that_face_each_other() -> None:
    mask = rod((20, 50), (130, 50)) | rod((75, 62), (75, 130))
    outlines = find_outlines(mask, WIDTH)
    cut = find_cuts(mask, outlines, WIDTH)[0]
    assert abs(cut.start[1] - 58) < 4
    assert abs(cut.end[1] - 58) < 4
    assert {round(cut.start[0]) < 75, round(cut.end[0]) < 75} == {True, False}
    assert cut_up(mask, [cut], None, None, WIDTH).count == 2


def test_a_disc_has_no_dents() -> None:
    y, x = np.mgrid[:80, :80]
    outlines = find_outlines(np.hypot(y - 40, x - 40) < 25, WIDTH)
    assert sum(len(outline.dents) for outline in outlines) == 0


def test_watershed_parts_discs_and_keeps_thin_lines() -> None:
    y, x = np.mgrid[:80, :120]
    pair = (np.hypot(y - 40, x - 40) < 15) | (np.hypot(y - 40, x - 66) < 15)
    assert len(watershed_parts(pair, 30)) == 2
    line = np.zeros((60, 60), np.bool_)
    line[30, 10:50] = True
    (kept,) = watershed_parts(line, 14)
    assert np.array_equal(kept, line)
