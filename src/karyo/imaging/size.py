"""How large a chromosome is: its area, its length and its absorbance, in the pixels of the image that it came in."""

from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from karyo.imaging.crop import object_mask
from karyo.imaging.polarity import background_level, normalise_polarity
from karyo.imaging.straighten.axis import find_axis


@dataclass(frozen=True, slots=True)
class Size:
    """What can be said about a chromosome's size.

    Only the sizes of one cell can be compared: chromosomes contract more in one cell than in another, and every
    microscope has its own scale.

    Attributes:
        area: Pixels.
        length: Along its axis, pixels.
        mass: Sum of the grey levels above the background, which follows its amount of DNA better than its outline does
            (Mendelsohn et al., "DNA content and DNA-based centromeric index of the 24 human chromosomes", Science 179,
            1973).
    """

    area: float
    length: float
    mass: float

    @property
    def logarithms(self) -> NDArray[np.float64]:
        """Natural logarithms of area, length and mass, float64 (3,): differences of these do not depend on scale."""
        return np.log(np.maximum(astuple(self), 1.0))


def measure_size(grey: NDArray[np.uint8], polarity: str = "auto") -> Size | None:
    """Measure the object of an image.

    Args:
        grey: Array (H, W), uint8, as stored.
        polarity: ``auto``, ``bright`` or ``dark``: its background.

    Returns:
        Its size; None where nothing stands out from the background.
    """
    dark = normalise_polarity(grey, polarity)
    mask = object_mask(dark)
    axis = find_axis(mask)
    if axis is None:
        return None
    absorbed = dark[mask].astype(np.float64) - background_level(dark)
    return Size(float(np.count_nonzero(mask)), axis.length, float(absorbed.sum()))


def size_logarithms(grey: NDArray[np.uint8], polarity: str = "auto") -> NDArray[np.float64]:
    """Measure the object of an image, as a row of a table.

    Args:
        grey: Array (H, W), uint8, as stored.
        polarity: As in :func:`measure_size`.

    Returns:
        float64 (3,), :attr:`Size.logarithms`; NaN where nothing stands out from the background.
    """
    size = measure_size(grey, polarity)
    return np.full(len(fields(Size)), np.nan) if size is None else size.logarithms
