"""Along the chromosome: how dark its bands are and how wide its body is, as functions of the position."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import ACROCENTRIC, CLASSES
from karyo.data.ideogram import Band, ChromosomeBands, load_ideogram

SAMPLES = 1024
"""Samples of a profile, tip to tip."""

Profile = NDArray[np.float32]

_STAIN_LEVEL = {"gneg": 0.0, "acen": 0.5, "gvar": 0.75, "stalk": 0.0}
# Heterochromatin of 9q12 stays light with Giemsa though it varies in size like that of 1, 16 and Y, which is dark.
_LIGHT_HETEROCHROMATIN = CLASSES.index("9")


@cache
def band_profile(label: int, resolution: int) -> Profile:
    """Give the darkness of a chromosome's bands along its length.

    Args:
        label: The class, 0..23.
        resolution: 550 or 850.

    Returns:
        float32 ``(SAMPLES,)`` of 0 (lightest) to 1 (darkest), tip of the short arm first; read-only.
    """
    chromosome = load_ideogram(resolution)[label]
    levels = np.array([_level(band, label) for band in chromosome.bands], np.float32)
    return _sample(chromosome, levels)


@cache
def body_profile(label: int) -> Profile:
    """Give the width of a chromosome along its length, without the waist of the centromere.

    Only the short arms of the acrocentrics differ from 1: a thin stalk that carries a small ball, the satellite.

    Args:
        label: The class, 0..23.

    Returns:
        float32 ``(SAMPLES,)`` relative to the full width; read-only.
    """
    chromosome = load_ideogram(550)[label]
    widths = np.array([_width(band, label) for band in chromosome.bands], np.float32)
    return _smooth(_sample(chromosome, widths), 0.012 * SAMPLES)


def cell_profile(label: int, detail: float, fusion: float) -> Profile:
    """Mix the two resolutions and let neighbouring bands run together.

    Args:
        label: The class, 0..23.
        detail: Share of the 850-band ideogram, 0..1.
        fusion: Standard deviation of the blur along the chromosome, as a fraction of its length.

    Returns:
        float32 ``(SAMPLES,)`` of 0..1.
    """
    mixed = detail * band_profile(label, 850) + (1 - detail) * band_profile(label, 550)
    return _smooth(mixed, fusion * SAMPLES)


def _level(band: Band, label: int) -> float:
    """Give the darkness 0..1 of one band."""
    if band.stain == "gpos":
        return band.density / 100
    if band.stain == "gvar" and label == _LIGHT_HETEROCHROMATIN:
        return 0.2
    return _STAIN_LEVEL[band.stain]


def _width(band: Band, label: int) -> float:
    """Give the relative width of one band."""
    if label not in ACROCENTRIC or band.arm != "p":
        return 1.0
    return {"stalk": 0.48, "gvar": 0.74, "acen": 0.85}[band.stain]


def _sample(chromosome: ChromosomeBands, values: Profile) -> Profile:
    """Spread one value per band over the samples."""
    stops = np.array([band.stop for band in chromosome.bands]) / chromosome.length
    centres = (np.arange(SAMPLES) + 0.5) / SAMPLES
    sampled = values[np.searchsorted(stops, centres)]
    sampled.setflags(write=False)
    return sampled


def _smooth(profile: Profile, sigma: float) -> Profile:
    """Blur a profile; the tips are repeated outwards."""
    if sigma < 0.3:
        return profile
    row = profile[None, :].copy()
    blurred = cv2.GaussianBlur(row, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32).ravel()
