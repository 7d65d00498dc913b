"""Thinning, ends and branches."""

import time

import cv2
import numpy as np
import pytest

from karyo.data.synthetic import CellSettings, draw_bent_and_unbent, draw_chromosome
from karyo.imaging.skeleton import thin


def parts(mask: np.ndarray) -> int:
    return int(cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0]) - 1


def holes(mask: np.ndarray) -> int:
    return int(cv2.connectedComponents(np.pad(~mask, 1, constant_values=True).view(np.uint8), connectivity=4)[0]) - 2


def neighbours(skeleton: np.ndarray) -> np.ndarray:
    """Count the eight neighbours of each pixel."""
    ones = np.ones((3, 3), np.float32)
    counts = cv2.filter2D(skeleton.astype(np.uint8), -1, ones, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(counts - skeleton.astype(np.uint8))


def end_points(skeleton: np.ndarray) -> np.ndarray:
    return np.asarray(skeleton & (neighbours(skeleton) == 1))


def branch_points(skeleton: np.ndarray) -> np.ndarray:
    return np.asarray(skeleton & (neighbours(skeleton) >= 3))


def rod(width: int = 9, length: int = 60) -> np.ndarray:
    mask = np.zeros((length + 20, width + 20), np.bool_)
    mask[10 : 10 + length, 10 : 10 + width] = True
    return mask


@pytest.mark.parametrize("mask", [np.zeros((7, 5), bool), np.zeros((1, 1), bool)])
def test_nothing_stays_nothing(mask: np.ndarray) -> None:
    assert not thin(mask).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (30, 30), (12, 70)])
def test_a_full_mask_keeps_a_part(shape: tuple[int, int]) -> None:
    skeleton = thin(np.ones(shape, np.bool_))
    assert skeleton.shape == shape
    assert parts(skeleton) == 1
    if 1 in shape:
        assert skeleton.all()


@pytest.mark.parametrize("seed", range(6))
def test_parts_and_holes_of_random_blobs_survive(seed: int) -> None:
    noise = np.random.default_rng(seed).random((60, 45)).astype(np.float32)
    mask = cv2.GaussianBlur(noise, (0, 0), 0.6 + 0.5 * seed) > 0.5
    skeleton = thin(mask)
    assert not (skeleton & ~mask).any()
    assert parts(skeleton) == parts(mask)
    assert holes(skeleton) == holes(mask)


def test_a_rod_becomes_its_middle_line() -> None:
    skeleton = thin(rod())
    rows, columns = np.nonzero(skeleton)
    assert len(rows) >= 50
    assert np.abs(columns - 14).max() <= 4
    assert np.abs(columns[(rows > 16) & (rows < 64)] - 14).max() <= 1
    assert int(end_points(skeleton).sum()) == 2
    assert not branch_points(skeleton).any()


@pytest.mark.parametrize("angle", [0, 17, 30, 45, 63, 90, 135])
def test_lines_are_one_pixel_wide_at_any_angle(angle: int) -> None:
    mask = np.zeros((101, 101), np.uint8)
    way = 40 * np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))])
    start, stop = (tuple(int(value) for value in np.round(50 + sign * way)) for sign in (-1, 1))
    cv2.line(mask, start, stop, 1, 7)
    skeleton = thin(mask > 0)
    assert int(end_points(skeleton).sum()) == 2
    assert not branch_points(skeleton).any()
    assert parts(skeleton) == 1


@pytest.mark.parametrize("seed", range(8))
def test_lines_have_no_stairs(seed: int) -> None:
    skeleton = thin(draw_bent_and_unbent(2 * seed, seed, bend=2.0)[0].mask).astype(np.uint8)
    square = np.ones((2, 2), np.float32)
    assert cv2.filter2D(skeleton, -1, square, borderType=cv2.BORDER_CONSTANT).max() <= 3
    ends, branches = end_points(skeleton > 0), branch_points(skeleton > 0)
    assert (neighbours(skeleton)[(skeleton > 0) & ~ends & ~branches] == 2).all()
    assert parts((skeleton > 0) & ~branches) >= max(int(ends.sum()) - 1, 1)


def test_a_cross_branches_once_and_ends_four_times() -> None:
    mask = np.zeros((80, 80), np.bool_)
    mask[36:44, 5:75] = True
    mask[5:75, 36:44] = True
    skeleton = thin(mask)
    assert int(end_points(skeleton).sum()) == 4
    assert parts(branch_points(skeleton)) >= 1
    assert np.abs(np.argwhere(branch_points(skeleton)) - 40).max() <= 6
    assert parts(skeleton & ~branch_points(skeleton)) == 4


def test_turning_the_picture_turns_the_line() -> None:
    mask = draw_chromosome(0, 3, settings=CellSettings("easy")).mask
    near = cv2.dilate(thin(mask).view(np.uint8), np.ones((5, 5), np.uint8)) > 0
    turned = np.rot90(thin(np.rot90(mask)), -1)
    assert near[turned].mean() > 0.95


def test_a_chromosome_is_thinned_in_a_millisecond_or_so() -> None:
    mask = cv2.resize(draw_chromosome(0, 1).mask.astype(np.uint8), (50, 100)) > 0
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        thin(mask)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.01
