"""One chromosome as the light meets it: absorbance of two chromatids, first straight, then laid along a bent line."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import ACROCENTRIC
from karyo.data.ideogram import load_ideogram, relative_lengths
from karyo.data.synthetic.geometry import CentreLine, unbend_pixels
from karyo.data.synthetic.profile import SAMPLES, body_profile, cell_profile
from karyo.data.synthetic.style import CellStyle

Map = NDArray[np.float32]

OVERSAMPLING = 2.0
"""Samples per pixel of the straight chromosome, both ways."""

MARGIN = 3.0
"""Empty pixels kept around the straight chromosome."""


@dataclass(frozen=True, slots=True)
class StraightChromosome:
    """A chromosome before it is bent.

    Attributes:
        absorbance: float32 ``(rows, columns)``, along x across, :data:`OVERSAMPLING` samples per pixel and
            :data:`MARGIN` empty pixels on each side; natural logarithm, 0 where there is nothing.
        body: float32 of the same shape, 1 inside the outline and 0 outside.
        length: Length tip to tip, pixels.
        half_width: Distance from the first column to the centre line, pixels.
        reach: Half the width of the body, pixels.
    """

    absorbance: Map
    body: Map
    length: float
    half_width: float
    reach: float


@dataclass(frozen=True, slots=True)
class _Chromatids:
    """The two halves of a straight chromosome, row by row of its map.

    Attributes:
        place: float32 ``(rows,)``, pixels from the tip of the short arm.
        length: Length tip to tip, pixels.
        centre: float32 ``(2, rows)``, distance of each chromatid's middle from the centre line, pixels.
        radius: float32 ``(2, rows)``, half width of each chromatid, pixels.
        bands: float32 ``(2, rows)``, darkness 0..1.
    """

    place: Map
    length: float
    centre: Map
    radius: Map
    bands: Map


def draw_straight(label: int, style: CellStyle, rng: np.random.Generator) -> StraightChromosome:
    """Draw one chromosome straight.

    Args:
        label: The class, 0..23.
        style: What its cell shares.
        rng: The chromosome's own generator.

    Returns:
        The two chromatids, seen as one absorbance.
    """
    hard = style.hardness
    length = style.length * relative_lengths()[label] * float(np.exp(rng.normal(0, 0.015 + 0.05 * hard)))
    reach = style.half_width * float(np.exp(rng.normal(0, 0.03 + 0.03 * hard)))
    # Small chromosomes are a little thinner: 21 and 22 are the thinnest.
    reach *= 0.86 + 0.14 * min(1.0, relative_lengths()[label] / 0.5)
    extent = reach * 1.5 + MARGIN
    rows = int((length + 2 * MARGIN) * OVERSAMPLING) + 1
    columns = int(2 * extent * OVERSAMPLING) + 1
    place = np.arange(rows, dtype=np.float32) / np.float32(OVERSAMPLING) - np.float32(MARGIN)
    across = np.arange(columns, dtype=np.float32) / np.float32(OVERSAMPLING) - np.float32(extent)
    centre, radius = _chromatid_widths(label, style, place / length, length, reach, rng)
    bands = _chromatid_bands(label, style, place / length, length, rng)
    chromatids = _Chromatids(place, length, centre, radius, bands)
    absorbance, body = _join_chromatids(chromatids, across, style, rng)
    return StraightChromosome(absorbance, body, length, extent, 1.2 * reach)


def lay_along(straight: StraightChromosome, line: CentreLine, width: int, height: int) -> tuple[Map, NDArray[np.bool_]]:
    """Bend a straight chromosome along a line.

    Args:
        straight: The chromosome.
        line: Its centre line in the picture's pixels, of the same length.
        width: Picture width, pixels.
        height: Picture height, pixels.

    Returns:
        Its absorbance, float32 ``(height, width)``, and its outline filled, bool ``(height, width)``.
    """
    along, across = unbend_pixels(line, width, height)
    row = (along + np.float32(MARGIN)) * np.float32(OVERSAMPLING)
    column = (across + np.float32(straight.half_width)) * np.float32(OVERSAMPLING)
    absorbance = cv2.remap(straight.absorbance, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    body = cv2.remap(straight.body, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(absorbance, np.float32), np.asarray(body, np.float32) > 0.5


def _chromatid_widths(
    label: int, style: CellStyle, place: Map, length: float, reach: float, rng: np.random.Generator
) -> tuple[Map, Map]:
    """Give each chromatid's distance from the centre line and its half width, both float32 ``(2, rows)``, pixels.

    ``place`` is the position along the chromosome, 0..1.
    """
    centromere = load_ideogram(550)[label].centromere
    from_waist = np.abs(place - centromere) * length
    waist = np.exp(-np.square(from_waist / (0.5 * reach)) / 2)
    closed = np.exp(-np.square(from_waist / (0.7 * reach)) / 2)
    body = np.interp(place, (np.arange(SAMPLES) + 0.5) / SAMPLES, body_profile(label))
    if label in ACROCENTRIC:
        # The size of the satellites is inherited and differs between homologs.
        body = np.where(place < centromere, body * rng.uniform(0.75, 1.15), body)
    roughness = 0.03 + 0.05 * style.hardness
    ragged = 1 + roughness * _wander(rng, 2, len(place), max(length / 4, 4))
    half = reach * body * (1 - style.waist * waist) * ragged
    apart = rng.uniform(0.46, 0.54) * (1 - 0.75 * closed)
    # Arms bow outwards between centromere and tip; their tips lean together or spread.
    arm = np.where(place < centromere, place / centromere, (1 - place) / (1 - centromere)).clip(0, 1)
    bow = style.openness * rng.uniform(0, 0.25) * np.sin(np.pi * arm)
    to_tip = np.minimum(place, 1 - place).clip(0) * length
    splay = rng.uniform(-0.25, 0.12) * np.exp(-np.square(to_tip / (0.7 * reach)))
    centre = half * (apart + (bow + splay) * (1 - closed))
    return centre.astype(np.float32), (half * (1 - apart)).astype(np.float32)


def _chromatid_bands(label: int, style: CellStyle, place: Map, length: float, rng: np.random.Generator) -> Map:
    """Give each chromatid's darkness 0..1, float32 ``(2, rows)``: neither is stretched quite evenly."""
    profile = cell_profile(label, style.detail, style.fusion / length)
    stretch = (0.003 + 0.024 * style.hardness) * _wander(rng, 1, len(place), 6)
    apart = (0.3 + 0.5 * style.hardness) / length * _wander(rng, 2, len(place), max(length / 8, 3))
    # Zero at both tips, so that no band leaves the chromosome.
    inside = np.clip(4 * place * (1 - place), 0, 1)
    at = (place + (stretch + apart) * inside) * SAMPLES - 0.5
    return np.asarray(np.interp(at, np.arange(SAMPLES), profile), np.float32)


def _join_chromatids(
    chromatids: _Chromatids, across: Map, style: CellStyle, rng: np.random.Generator
) -> tuple[Map, Map]:
    """Lay two chromatids side by side and stain them: absorbance and body, float32 ``(rows, columns)``."""
    place, length = chromatids.place, chromatids.length
    centre, radius, bands = chromatids.centre, chromatids.radius, chromatids.bands
    shapes, density = [], []
    strength = float(np.exp(rng.normal(0, 0.05 + 0.12 * style.hardness)))
    clumps = _clumps(rng, len(place), len(across), style)
    for side, sign in enumerate((-1.0, 1.0)):
        tips = rng.uniform(0, 0.25, 2) * radius[side].mean()
        rounded = _round_ends(place, length, radius[side], tips)
        offset = (across[None, :] - sign * centre[side][:, None]) / np.maximum(rounded, 1e-3)[:, None]
        shapes.append(np.sqrt(np.clip(1 - np.square(np.square(offset)), 0, 1)) * (rounded > 0)[:, None])
        density.append((style.light + style.dark * bands[side])[:, None] * shapes[-1])
    both = np.minimum(shapes[0].max(axis=1), shapes[1].max(axis=1))
    between = (np.abs(across)[None, :] < centre.min(axis=0)[:, None]) * both[:, None]
    gap = np.clip(0.9 * style.openness * (1 + 0.6 * _wander(rng, 1, len(place), max(length / 14, 3)))[0], 0, 1)
    bridge = between * ((1 - gap) * (style.light + style.dark * bands.mean(axis=0)))[:, None]
    absorbance = np.maximum(np.maximum(density[0], density[1]), bridge) * clumps * np.float32(strength)
    body = np.maximum(np.maximum(shapes[0], shapes[1]) > 0.25, between > 0.25)
    return absorbance.astype(np.float32), body.astype(np.float32)


def _round_ends(place: Map, length: float, radius: Map, tips: NDArray[np.float64]) -> Map:
    """Narrow a chromatid to nothing at both tips, each the given number of pixels inside the chromosome's end."""
    reach = np.maximum(radius * 1.35, 1e-3)
    first = np.clip((place - tips[0]) / reach, 0, 1)
    last = np.clip((length - tips[1] - place) / reach, 0, 1)
    rounded = radius * np.sqrt(1 - np.square(1 - first)) * np.sqrt(1 - np.square(1 - last))
    return np.asarray(rounded, np.float32)


def _wander(rng: np.random.Generator, count: int, samples: int, knots: float) -> NDArray[np.float64]:
    """Draw smooth random curves of unit deviation, ``(count, samples)``, through about ``knots`` random points."""
    points = max(int(knots), 2)
    at = np.linspace(0, points - 1, samples)
    left = np.minimum(at.astype(np.intp), points - 2)
    weight = at - left
    weight = weight * weight * (3 - 2 * weight)
    values = rng.standard_normal((count, points))
    return np.asarray(values[:, left] * (1 - weight) + values[:, left + 1] * weight, np.float64)


def _clumps(rng: np.random.Generator, rows: int, columns: int, style: CellStyle) -> Map:
    """Draw the unevenness of the stain, float32 ``(rows, columns)`` around 1, in grains a sixth of the body wide."""
    grain = style.half_width / 3 * OVERSAMPLING
    coarse = rng.standard_normal((int(rows / grain) + 2, int(columns / grain) + 2), np.float32)
    smooth = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(1 + np.float32(style.clumping) * smooth, 0.2, 2), np.float32)
