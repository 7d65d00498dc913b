"""Strangers to learn from: what an exported model is taught to refuse, made of its own training images and drawn."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.evaluation import misfits, strangers
from karyo.imaging.preparation import Preparation

Picture = NDArray[np.uint8]
"""Array (H, W), uint8, the ground dark where there is a ground."""

_TAUGHT = ("nuclei", "noise", "text", "scenes like photographs")
_PIECES = 4


def draw_exposure(greys: Sequence[Picture], preparation: Preparation, count: int, seed: int) -> NDArray[np.uint8]:
    """Draw strangers and prepare them as if they were chromosomes.

    Args:
        greys: Chromosomes as stored, at least one; pairs, halves and the like are made of them.
        preparation: What every image goes through.
        count: Pictures of each kind, 1 or more; twice as many of those that look most like a chromosome.
        seed: Same seed, same pictures.

    Returns:
        uint8 (N, size, size); what the preparation's steps count as several objects, or as none, is left out.
    """
    rng = np.random.default_rng(seed)
    lifted = [misfits.lift_chromosome(grey, preparation.polarity) for grey in greys]
    pictures: list[Picture] = []

    def some() -> Picture:
        return lifted[int(rng.integers(len(lifted)))]

    for _ in range(max(count, 1)):
        pictures += [strangers.DRAWN[name](rng) for name in _TAUGHT]
        pictures += [make(some(), some(), rng) for make in misfits.PAIRED.values()]
        pictures += [misfits.half(some(), rng), misfits.blurred(some(), rng), shuffled(some(), rng), draw_shapes(rng)]
        # Those that are nearest to a chromosome once more.
        pictures += [strangers.draw_nucleus_alone(rng), misfits.touching(some(), some(), rng)]
        pictures += [misfits.crossing(some(), some(), rng), misfits.half(some(), rng)]
    stored = [255 - each if preparation.polarity == "bright" else each for each in pictures]
    prepared = [preparation.follow(each) for each in stored]
    # Where the preparation itself picks one of several objects, what is left is a chromosome like any other.
    return np.stack([pixels for pixels, state in prepared if (state.objects or 0) <= 1 and pixels.any()])


def shuffled(one: Picture, rng: np.random.Generator) -> Picture:
    """Cut a chromosome into a grid of pieces and put them together in another order."""
    side = _PIECES * 12
    square = np.asarray(cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    pieces = square.reshape(_PIECES, 12, _PIECES, 12).transpose(0, 2, 1, 3).reshape(-1, 12, 12)
    mixed = rng.permutation(pieces).reshape(_PIECES, _PIECES, 12, 12).transpose(0, 2, 1, 3).reshape(side, side)
    return np.asarray(cv2.resize(np.pad(mixed, 4), one.shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def draw_shapes(rng: np.random.Generator) -> Picture:
    """Draw one to five filled or hollow shapes: discs, boxes, polygons, lines."""
    height, width = rng.integers(24, 160, 2).tolist()
    page = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(1, 6))):
        points = np.stack([rng.integers(0, width, 5), rng.integers(0, height, 5)], axis=1).astype(np.int32)
        level, thickness = int(rng.integers(80, 256)), int(rng.choice([-1, 1, 3]))
        kind = rng.integers(4)
        if kind == 0:
            cv2.circle(page, points[0].tolist(), int(rng.integers(3, 40)), level, thickness)
        elif kind == 1:
            cv2.rectangle(page, points[0].tolist(), points[1].tolist(), level, thickness)
        elif kind == 2:
            cv2.polylines(page, [points], True, level, max(thickness, 1))
        else:
            cv2.fillPoly(page, [points], level)
    return np.asarray(cv2.GaussianBlur(np.pad(page, 4), (0, 0), float(rng.uniform(0.5, 1.5))), np.uint8)
