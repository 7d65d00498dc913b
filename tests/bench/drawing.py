"""Drawing chromosomes from the ideogram: chromosomes per second of one core."""

import statistics
import time

import cv2
from comparison import Comparison

from karyo.data.synthetic import draw_cell

TARGET = 300


def measure(quick: bool) -> list[Comparison]:
    """Measure whole cells of 46."""
    cv2.setNumThreads(1)
    draw_cell(0)
    speeds = [_speed(range(start, start + (1 if quick else 6))) for start in range(1, 2 if quick else 42, 6)]
    middle = statistics.median(speeds)
    return [
        Comparison(
            what="Drawing chromosomes from the ideogram (one core)",
            ours=f"{middle:,.0f} chromosomes/s ({min(speeds):,.0f} to {max(speeds):,.0f})",
            target=f"at least {TARGET} chromosomes/s",
            met=middle >= TARGET,
        )
    ]


def _speed(seeds: range) -> float:
    start = time.process_time()
    count = sum(len(draw_cell(seed)) for seed in seeds)
    return count / (time.process_time() - start)
