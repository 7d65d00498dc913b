"""Straightening one chromosome of about 100 x 50 pixels on one core."""

import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
from comparison import Comparison
from numpy.typing import NDArray

from karyo.data.synthetic import SyntheticSource
from karyo.imaging.polarity import normalise_polarity
from karyo.imaging.straighten import Straightened, straighten_medial, straighten_two_part

TARGET = 5.0
_HEIGHT = (80, 120)


def measure(quick: bool) -> list[Comparison]:
    """Measure both methods on drawn chromosomes 80 to 120 pixels high."""
    cv2.setNumThreads(1)
    source = SyntheticSource(cells=2 if quick else 20)
    images = [source.read(record) for record in source.records]
    chosen = [normalise_polarity(grey) for grey in images if _HEIGHT[0] <= grey.shape[0] <= _HEIGHT[1]]
    return [
        _compared("along the centre line (the default)", straighten_medial, chosen, TARGET),
        _compared("in two parts", straighten_two_part, chosen, None),
    ]


def _compared(
    how: str,
    straighten: Callable[[NDArray[np.uint8]], Straightened],
    images: list[NDArray[np.uint8]],
    target: float | None,
) -> Comparison:
    straighten(images[0])
    spent = []
    for grey in images:
        start = time.process_time()
        straighten(grey)
        spent.append(1000 * (time.process_time() - start))
    middle = statistics.median(spent)
    sides = statistics.median(grey.shape[0] for grey in images), statistics.median(grey.shape[1] for grey in images)
    return Comparison(
        what=f"Straightening a chromosome of {sides[0]:.0f} x {sides[1]:.0f} pixels {how}, one core",
        ours=f"{middle:.2f} ms ({min(spent):.2f} to {max(spent):.2f})",
        target="–" if target is None else f"below {target:.0f} ms",
        met=None if target is None else middle < target,
    )
