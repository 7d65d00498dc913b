"""Pictures that hold no chromosome at all, drawn: what a classifier of chromosomes must not put a name to."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.data.synthetic import CellSettings, SpreadSettings, draw_sheet, draw_spread

Picture = NDArray[np.uint8]
"""Array (H, W), uint8, the ground dark where there is a ground."""

_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX)
_WORDS = ("report", "patient", "metaphase", "sample", "of", "normal", "female", "male", "date", "clone", "copy", "page")


def draw_nucleus_alone(rng: np.random.Generator) -> Picture:
    """Draw an interphase nucleus: a round textured body, sometimes with dark spots or a lobe, 30 to 200 pixels wide."""
    radius = float(np.exp(rng.uniform(np.log(15), np.log(100))))
    side = int(2.6 * radius) + 4
    y, x = np.mgrid[:side, :side].astype(np.float32) - np.float32(side / 2)
    flat, angle = rng.uniform(0.65, 1.0), rng.uniform(0, np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    across = (y * np.cos(angle) - x * np.sin(angle)) / flat
    turn = np.arctan2(across, along)
    lobes = 1 + rng.uniform(0, 0.08) * np.cos(rng.integers(2, 5) * turn + rng.uniform(0, 6))
    edge = np.clip((radius * lobes - np.hypot(along, across)) / rng.uniform(1, 4), 0, 1)
    texture = 1 + rng.uniform(0.05, 0.25) * _cloud(rng, side, side, radius / rng.uniform(3, 12))
    for _ in range(int(rng.integers(0, 6))):
        spot = rng.uniform(-0.6, 0.6, 2) * radius
        size = radius * rng.uniform(0.05, 0.2)
        texture += rng.uniform(-0.4, 0.4) * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (2 * size**2))
    return _with_noise(edge * texture * rng.uniform(90, 200), rng)


def draw_noise(rng: np.random.Generator) -> Picture:
    """Draw noise: white, grainy, of single bright pixels, or in lines, 20 to 300 pixels wide."""
    height, width = _sides(rng)
    kind = rng.integers(4)
    if kind == 0:
        grey: NDArray[np.floating] = rng.normal(128, rng.uniform(5, 80), (height, width))
    elif kind == 1:
        grey = 128 + rng.uniform(20, 60) * _cloud(rng, height, width, rng.uniform(1.5, 12))
    elif kind == 2:
        grey = np.where(rng.random((height, width)) < rng.uniform(0.001, 0.3), 255.0, 0.0)
    else:
        grey = 128 + rng.uniform(20, 60) * rng.normal(size=(height, 1)) + np.zeros((1, width))
    return _to_bytes(grey)


def draw_text(rng: np.random.Generator) -> Picture:
    """Draw writing: a single character or number, a word, or a page of lines."""
    kind, font = rng.integers(3), _FONTS[int(rng.integers(len(_FONTS)))]
    scale = float(rng.uniform(0.4, 0.8 if kind == 2 else 2.5))
    if kind == 0:
        lines = [str(rng.choice(list("ABCDEFGHKLMNPRSXYZ0123456789")))]
    elif kind == 1:
        lines = [str(rng.choice(_WORDS)) if rng.random() < 0.5 else str(rng.integers(10, 100_000))]
    else:
        lines = [" ".join(rng.choice(_WORDS, rng.integers(3, 8))) for _ in range(int(rng.integers(3, 16)))]
    thickness = int(rng.integers(1, 4))
    sizes = [cv2.getTextSize(line, font, scale, thickness)[0] for line in lines]
    step = int(1.8 * max(height for _, height in sizes)) + thickness
    page = np.zeros((step * len(lines) + step // 2, max(width for width, _ in sizes) + 16), np.uint8)
    for row, line in enumerate(lines, 1):
        cv2.putText(page, line, (8, row * step - step // 8), font, scale, 255, thickness, cv2.LINE_AA)
    return _with_noise(page * np.float32(rng.uniform(0.5, 1)), rng)


def draw_scene(rng: np.random.Generator) -> Picture:
    """Draw something like a photograph: light from a side, objects before each other, surfaces of natural roughness.

    The roughness has a spectrum of 1/f, that of natural images (Field, JOSA A 4:2379, 1987).
    """
    height, width = _sides(rng, 40, 400)
    y, x = np.mgrid[:height, :width] / max(height, width)
    scene = 120 + rng.uniform(-120, 120) * (x - 0.5) + rng.uniform(-120, 120) * (y - 0.5)
    scene = (scene + rng.uniform(15, 50) * _natural(rng, height, width)).astype(np.float32)
    for _ in range(int(rng.integers(0, 12))):
        shape = np.zeros((height, width), np.uint8)
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        reach = max(int(rng.uniform(0.05, 0.4) * max(height, width)), 2)
        if rng.random() < 0.5:
            axes = (reach, max(int(reach * rng.uniform(0.2, 1)), 1))
            cv2.ellipse(shape, centre, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1)
        else:
            corners = np.array(centre) + rng.integers(-reach, reach + 1, (int(rng.integers(3, 7)), 2))
            cv2.fillPoly(shape, [corners.astype(np.int32)], 255)
        cover = cv2.GaussianBlur(shape, (0, 0), float(rng.uniform(0.5, 3))).astype(np.float32) / 255
        surface = rng.uniform(20, 230) + rng.uniform(2, 40) * _natural(rng, height, width)
        scene = scene * (1 - cover) + surface * cover
    return _with_noise(scene, rng)


def draw_blank(rng: np.random.Generator) -> Picture:
    """Draw an empty field: one grey, or nearly, as between the chromosomes of a slide."""
    height, width = _sides(rng)
    y, x = np.mgrid[:height, :width] / 100
    tilt = rng.uniform(-6, 6, 2) if rng.random() < 0.5 else (0, 0)
    noise = rng.uniform(0.5, 5) if rng.random() < 0.7 else 0
    return _to_bytes(rng.uniform(0, 60) + tilt[0] * x + tilt[1] * y + rng.normal(0, 1, (height, width)) * noise)


def draw_whole_spread(rng: np.random.Generator) -> Picture:
    """Draw a whole metaphase spread."""
    settings = SpreadSettings(cell=CellSettings(polarity="dark"))
    return draw_spread(int(rng.integers(1_000_000)), settings).image


def draw_karyogram(rng: np.random.Generator) -> Picture:
    """Draw a sheet of sorted chromosomes with their names."""
    return np.asarray(255 - draw_sheet(int(rng.integers(1, 4)), int(rng.integers(1_000_000))), np.uint8)


DRAWN: dict[str, Callable[[np.random.Generator], Picture]] = {
    "nuclei": draw_nucleus_alone,
    "noise": draw_noise,
    "text": draw_text,
    "scenes like photographs": draw_scene,
    "blank fields": draw_blank,
    "whole spreads": draw_whole_spread,
    "karyograms": draw_karyogram,
}
"""What is drawn, by the name that tables show."""


def _sides(rng: np.random.Generator, least: int = 20, most: int = 300) -> tuple[int, int]:
    height, width = np.exp(rng.uniform(np.log(least), np.log(most), 2)).astype(int).tolist()
    return height, width


def _cloud(rng: np.random.Generator, height: int, width: int, grain: float) -> NDArray[np.float32]:
    """Draw smooth noise of about unit deviation in grains of a size in pixels."""
    grain = max(grain, 1.0)
    coarse = rng.standard_normal((int(height / grain) + 2, int(width / grain) + 2)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _natural(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float64]:
    """Draw noise of unit deviation whose amplitude falls as one over the frequency."""
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    frequency = np.maximum(np.hypot(rows, columns), 1 / max(height, width))
    spectrum = np.fft.rfft2(rng.standard_normal((height, width))) / frequency
    grey = np.fft.irfft2(spectrum, (height, width))
    return np.asarray((grey - grey.mean()) / max(float(grey.std()), 1e-9), np.float64)


def _with_noise(grey: NDArray[np.floating], rng: np.random.Generator) -> Picture:
    return _to_bytes(grey + rng.normal(0, rng.uniform(0, 4), grey.shape))


def _to_bytes(grey: NDArray[np.floating]) -> Picture:
    return np.asarray(np.clip(grey + 0.5, 0, 255), np.uint8)
