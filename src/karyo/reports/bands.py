"""The band profile of one chromosome beside the bands that its class has on the ideogram."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Polygon, Rectangle
from numpy.typing import NDArray

from karyo.data.ideogram import Band, ChromosomeBands, load_ideogram
from karyo.karyotype.bands import TIP, BandMatch
from karyo.reports.theme import BLUE, GREY, INK, VERMILLION

_NAME_SIZE = 6.0


def draw_profile(axes: Axes, profile: NDArray[np.float32], match: BandMatch | None, ends: tuple[str, str]) -> None:
    """Draw a profile downwards, tip of the short arm first, and the ideogram's as a pale area behind it.

    Args:
        axes: Where to; positions run from 0 at the top to the number of values.
        profile: float32 (N,), N >= 1, the first value at the top.
        match: How it lies on the ideogram; None where the class is unknown.
        ends: What the lowest and the highest values mean, ``("light", "dark")``.
    """
    places = np.arange(len(profile)) + 0.5
    tip = round(TIP * len(profile))
    low, high = float(profile[tip : len(profile) - tip].min()), float(profile.max())
    shown = (profile - low) / (high - low) if high > low else np.zeros_like(profile)
    if match is not None:
        axes.fill_betweenx(places, match.expected, color="#E4E4E4", linewidth=0)
    axes.plot(shown, places, color=BLUE, linewidth=1.6)
    axes.set_xlim(-0.03, 1.06)
    axes.set_ylim(len(profile), 0)
    axes.set_yticks([])
    axes.set_xticks([0, 1], ends)
    axes.tick_params(axis="x", labelsize=7, colors=GREY, length=0, pad=2)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color("#BDBDBD")


def draw_ideogram(axes: Axes, label: int, inches: float) -> None:
    """Draw a chromosome of the ideogram at 550 bands, short arm up, with the names of the bands that have room.

    Args:
        axes: Where to; the chromosome fills x from 0 to 1, names stand to the right of it.
        label: The class, 0..23.
        inches: Height of the axes, for the room that names have.
    """
    chromosome = load_ideogram(550)[label]
    for band in chromosome.bands:
        _draw_band(axes, band, chromosome.length)
    room = _NAME_SIZE / 72 * 1.15 / inches
    for band, place in _named(chromosome, room):
        middle = (band.start + band.stop) / 2 / chromosome.length
        axes.plot([1.05, 1.35], [middle, place], color="#BDBDBD", linewidth=0.5, clip_on=False)
        axes.text(1.42, place, band.arm + band.name, size=_NAME_SIZE, va="center", color=INK)
    axes.set_xlim(0, 1)
    axes.set_ylim(1, 0)
    axes.set_axis_off()


def _draw_band(axes: Axes, band: Band, length: float) -> None:
    top, bottom = band.start / length, band.stop / length
    if band.stain == "acen":
        wide, narrow = (top, bottom) if band.arm == "p" else (bottom, top)
        corners = [(0, wide), (1, wide), (0.5, narrow)]
        axes.add_patch(Polygon(corners, facecolor=VERMILLION, edgecolor="none"))
        return
    inset = 0.25 if band.stain == "stalk" else 0.0
    face = "#8C8C8C" if band.stain == "gvar" else str(1 - band.density / 100 * 0.9)
    hatch = "//////" if band.stain in ("gvar", "stalk") else None
    size = (1 - 2 * inset, bottom - top)
    axes.add_patch(Rectangle((inset, top), *size, fc=face, ec=INK, lw=0.5, hatch=hatch, hatch_linewidth=0.4))


def _named(chromosome: ChromosomeBands, room: float) -> list[tuple[Band, float]]:
    """Choose the bands whose names have room, dark ones first, and where to write them, 0..1 from the top."""
    chosen: list[tuple[Band, float]] = []
    rank = {"gvar": 101, "stalk": -1, "acen": -2}
    for band in sorted(chromosome.bands, key=lambda item: -(rank.get(item.stain, item.density))):
        place = (band.start + band.stop) / 2 / chromosome.length
        if band.stain != "acen" and all(abs(place - other) >= room for _, other in chosen):
            chosen.append((band, place))
    return chosen
