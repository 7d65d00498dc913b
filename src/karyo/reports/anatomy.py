"""One chromosome's axis, centromere and bands: measured, and drawn before and after straightening."""

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.data.ideogram import load_ideogram
from karyo.imaging.profile import band_profile
from karyo.imaging.steps import Chain, State
from karyo.imaging.steps.objects import LargestObject
from karyo.imaging.steps.posture import Straighten
from karyo.imaging.straighten import Straightened, straighten_medial, straighten_two_part
from karyo.karyotype.bands import BandMatch, match_bands
from karyo.reports.bands import draw_ideogram, draw_profile
from karyo.reports.chain_panels import View, size_of
from karyo.reports.panels import Panel, Picture, draw_panel, fitting_scale, place, write
from karyo.reports.theme import BLUE, GREY, INK, VERMILLION

_BEFORE, _STRAIGHT, _STRIP, _PROFILE, _IDEOGRAM = 2.0, 1.35, 1.05, 1.8, 0.42
"""Widths of the places of pictures, inches."""

_TALLEST, _LOWEST = 4.0, 2.0
"""Limits of their height, inches."""

_UNSURE_WAIST = 0.25
"""Clearness of a waist from which it is believed to be the centromere."""

_LIKE_ITS_BANDS = 0.3
"""Correlation with the ideogram from which the direction is believed."""


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What was measured on one chromosome.

    Attributes:
        state: The chromosome alone, without its neighbours.
        medial: Straightened along its medial axis, the short arm up as far as is known.
        two_part: Straightened in two parts.
        profile: float32 (N,), along the axis of ``medial``, the first value at the top; None without an axis.
        label: The class, 0..23, or None.
        match: How the profile lies on the ideogram; None without a class or an axis.
    """

    state: State
    medial: Straightened
    two_part: Straightened
    profile: NDArray[np.float32] | None
    label: int | None
    match: BandMatch | None


def lone_chromosome(grey: Picture, chains: Iterable[Chain]) -> State:
    """Give the state from which the last of the chains that straighten does so; without one, the largest object.

    Args:
        grey: uint8 (H, W), background dark.
        chains: Chains of steps.
    """
    for chain in reversed(list(chains)):
        states = chain.stages(grey)
        for step, state in zip(chain.steps, states, strict=False):
            if isinstance(step, Straighten):
                return state
    return LargestObject().apply(State(grey))


def examine(state: State, label: int | None) -> Anatomy:
    """Straighten a chromosome both ways, and lay its bands on the ideogram.

    Where the class is known, the end whose bands and centromere fit the short arm's is up; otherwise the one that is
    nearer to the centromere.

    Args:
        state: The chromosome, and its mask.
        label: The class, 0..23, or None.
    """
    mask = None if state.mask is None else state.mask > 0
    medial, two_part = straighten_medial(state.picture, mask), straighten_two_part(state.picture, mask)
    if medial.axis is None:
        return Anatomy(state, medial, two_part, None, label, None)
    profile = band_profile(state.picture, medial.axis)
    centromere, waist = medial.axis.centromere, medial.axis.waist
    match = None if label is None else match_bands(profile, label, centromere, waist)
    down = match.reversed if match else waist >= _UNSURE_WAIST and centromere > 0.5
    if down:
        medial, profile = turned(medial), profile[::-1]
    return Anatomy(state, medial, _beside(two_part, medial), profile, label, match)


def turned(found: Straightened) -> Straightened:
    """Turn a straightened chromosome by half a circle, whichever end is up."""
    height, width = found.image.shape
    return replace(
        found,
        image=np.ascontiguousarray(found.image[::-1, ::-1]),
        mask=np.ascontiguousarray(found.mask[::-1, ::-1]),
        axis=None if found.axis is None else found.axis.reversed(),
        line=np.array([width - 1, height - 1], np.float32) - found.line[::-1],
    )


def _beside(two_part: Straightened, medial: Straightened) -> Straightened:
    """Turn the one so that the same end is up as in the other."""
    if two_part.axis is None or medial.axis is None:
        return two_part
    there = np.linalg.norm(two_part.axis.points[0] - medial.axis.points[0])
    back = np.linalg.norm(two_part.axis.points[-1] - medial.axis.points[0])
    return turned(two_part) if back < there else two_part


def draw_anatomy(figure: Figure, top: float, anatomy: Anatomy, view: View) -> None:
    """Draw the axis, both straightened pictures, the bands beside the ideogram, and the numbers.

    Args:
        figure: Where to, at least 12.4 inches wide.
        top: Upper edge of the pictures, inches from the top.
        anatomy: What was measured.
        view: How to show it.
    """
    left, scale = 0.3, _scale(anatomy)
    for panel, width in zip(_panels(anatomy, view), (_BEFORE, _STRAIGHT, _STRAIGHT), strict=True):
        height = max(panel.picture.shape[0] / scale, 0.1)
        draw_panel(figure, panel, left, top, width, height, scale)
        left += width + 0.2
    if anatomy.profile is not None:
        _draw_bands(figure, left + 0.15, top, anatomy, anatomy.profile, view)
    _draw_numbers(figure, 9.95, top, anatomy)


def anatomy_height(anatomy: Anatomy) -> float:
    """Give the height in inches that the pictures take."""
    tallest: float = max(picture.shape[0] for picture in _pictures(anatomy)) / _scale(anatomy)
    return max(tallest, _LOWEST, 0.0 if anatomy.profile is None else _band_height(_strip(anatomy.medial)))


def _scale(anatomy: Anatomy) -> float:
    """Give the pixels per inch at which the picture and both straightened ones fit."""
    places = zip(_pictures(anatomy), (_BEFORE, _STRAIGHT, _STRAIGHT), strict=True)
    return max(fitting_scale([picture], width, _TALLEST) for picture, width in places)


def _pictures(anatomy: Anatomy) -> list[Picture]:
    return [anatomy.state.picture, anatomy.medial.image, anatomy.two_part.image]


def _strip(found: Straightened) -> Picture:
    """Cut a straightened picture to the chromosome from tip to tip."""
    return found.image[round(float(found.line[0, 1])) : round(float(found.line[-1, 1])) + 1]


def _band_height(strip: Picture) -> float:
    # A stubby one stays small: at any greater height it would be wider than its column.
    return float(min(_STRIP * strip.shape[0] / strip.shape[1], _TALLEST))


def _panels(anatomy: Anatomy, view: View) -> list[Panel]:
    state, medial = anatomy.state, anatomy.medial
    mask = None if state.mask is None else state.mask > 0
    before = Panel("axis, centromere", view(state.picture), mask, medial.axis, note=size_of(state.picture))
    after = [
        Panel(f"straight: {found.method.replace('_', '-')}", view(found.image), note=_verdict(found))
        for found in (medial, anatomy.two_part)
    ]
    return [before, *after]


def _verdict(found: Straightened) -> str:
    return size_of(found.image) if found.changed else f"left as it was:\n{textwrap.fill(found.reason, 24)}"


def _draw_bands(
    figure: Figure, left: float, top: float, anatomy: Anatomy, profile: NDArray[np.float32], view: View
) -> None:
    """Draw chromosome, profile and ideogram side by side, all of one length."""
    found, strip = anatomy.medial, _strip(anatomy.medial)
    height = _band_height(strip)
    draw_panel(figure, Panel("", view(strip)), left, top, _STRIP, height, strip.shape[0] / height)
    if _knows_arms(anatomy):
        _write_arms(figure, left - 0.05, top, height)
    beside = left + _STRIP + 0.12
    axes = place(figure, beside, top, _PROFILE, height)
    draw_profile(axes, profile, anatomy.match, ("light", "dark") if view.bright else ("dim", "bright"))
    at = found.axis.centromere * len(profile) if found.axis is not None and found.axis.waist > 0 else None
    if at is not None:
        axes.axhline(at, color=VERMILLION, linewidth=1.0, linestyle=(0, (4, 3)))
    axes.set_title("band profile", size=8.5, color=INK, pad=6, loc="left")
    write(figure, beside, top + height + 0.24, "this chromosome", 7, color=BLUE)
    if anatomy.label is not None:
        write(figure, beside + 0.95, top + height + 0.24, "ideogram, blurred", 7, color=GREY)
        ideogram = place(figure, beside + _PROFILE + 0.12, top, _IDEOGRAM, height)
        draw_ideogram(ideogram, anatomy.label, height)
        ideogram.set_title(f"{CLASSES[anatomy.label]}, 550 bands", size=8.5, color=INK, pad=6, loc="left")


def _knows_arms(anatomy: Anatomy) -> bool:
    """Say whether it is known which end is up: by the bands where the class is known, otherwise by the centromere."""
    if anatomy.match is not None:
        return anatomy.match.correlation >= _LIKE_ITS_BANDS
    return anatomy.medial.axis is not None and anatomy.medial.axis.waist >= _UNSURE_WAIST


def _write_arms(figure: Figure, left: float, top: float, height: float) -> None:
    for name, place_of in (("p", top), ("q", top + height)):
        write(figure, left, place_of, name, 9, va="center", ha="right", style="italic", color=GREY)


def _draw_numbers(figure: Figure, left: float, top: float, anatomy: Anatomy) -> None:
    """Write a table of the numbers of both ways and of the ideogram."""
    columns = (left + 1.38, left + 1.93, left + 2.55)
    heads = ("medial", "two-part", "ideogram" if anatomy.label is not None else "")
    for place_of, head in zip(columns, heads, strict=True):
        write(figure, place_of, top - 0.18, head, 7.5, ha="right", color=GREY)
    for index, (name, *values) in enumerate(number_rows(anatomy)):
        down = top + 0.08 + 0.24 * index
        write(figure, left, down, name, 8)
        for place_of, value in zip(columns, values, strict=False):
            write(figure, place_of, down, value, 8, ha="right", weight="bold")


def number_rows(anatomy: Anatomy) -> list[tuple[str, ...]]:
    """Give the rows of the table of numbers: name, medial, two-part, ideogram."""
    known = None if anatomy.label is None else load_ideogram(550)[anatomy.label].centromere
    found = [anatomy.medial.axis, anatomy.two_part.axis]
    lengths = ["–" if axis is None else f"{axis.length:.0f} px" for axis in found]
    indices = ["–" if axis is None or axis.waist == 0 else f"{_index(axis.centromere):.2f}" for axis in found]
    ratios = ["–" if axis is None or axis.waist == 0 else f"{axis.arm_ratio:.2f}" for axis in found]
    sure = ["–" if axis is None else f"{axis.confidence:.2f}" for axis in found]
    waists = ["–" if axis is None else f"{axis.waist:.2f}" for axis in found]
    index, ratio = ("", "") if known is None else (f"{_index(known):.2f}", f"{(1 - _index(known)) / _index(known):.2f}")
    rows: list[tuple[str, ...]] = [
        ("axis length", *lengths, ""),
        ("centromere index", *indices, index),
        ("arm ratio", *ratios, ratio),
        ("axis confidence", *sure, ""),
        ("waist", *waists, ""),
    ]
    if anatomy.match is not None:
        there, back = (f"{value:.2f}".replace("-", "−") for value in (anatomy.match.correlation, anatomy.match.other))
        rows += [("band correlation", there, "", ""), ("… turned round", back, "", "")]
    return rows


def _index(centromere: float) -> float:
    """Give the centromere index: short arm over whole length, 0..0.5."""
    return min(centromere, 1 - centromere)
