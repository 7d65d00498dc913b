"""The ideogram of one chromosome beside its homologs."""

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, Rectangle

from karyo.data.ideogram import Band, load_ideogram
from karyo.karyotype.karyogram.layout import Slot

_LINE = "#404040"
_GREY = {25: "#c8c8c8", 50: "#969696", 75: "#606060", 100: "#202020"}
_FILL = {"gneg": "#ffffff", "gvar": "#b8b8b8", "stalk": "#e6e6e6", "acen": "#8c8c8c"}
_HATCHED = frozenset({"gvar", "stalk"})


def draw_ideogram(axes: Axes, label: int, place: Slot) -> None:
    """Draw the bands of a class at 550 bands, short arm up; the round ends of the arms meet at the centromere.

    Args:
        axes: In inches, y downwards.
        label: The class, 0..23.
        place: Where to.
    """
    chromosome = load_ideogram(550)[label]
    scale = place.height / chromosome.length
    middle = chromosome.centromere * chromosome.length
    for arm, start, stop in (("p", 0.0, middle), ("q", middle, chromosome.length)):
        outline = _arm(place, place.top + start * scale, (stop - start) * scale)
        axes.add_patch(outline)
        for band in chromosome.bands:
            if band.arm == arm:
                _draw_band(axes, band, place, scale, outline)


def _arm(place: Slot, top: float, height: float) -> FancyBboxPatch:
    """Give the outline of an arm."""
    round_by = min(place.width, height) * 0.45
    box = f"round,pad=0,rounding_size={round_by:.5f}"
    return FancyBboxPatch((place.left, top), place.width, height, box, fc="none", ec=_LINE, lw=0.5, zorder=3)


def _draw_band(axes: Axes, band: Band, place: Slot, scale: float, outline: FancyBboxPatch) -> None:
    fill = _GREY[band.density] if band.stain == "gpos" else _FILL[band.stain]
    hatch = "////////" if band.stain in _HATCHED else None
    top, height = place.top + band.start * scale, (band.stop - band.start) * scale
    patch = Rectangle((place.left, top), place.width, height, fc=fill, ec=_LINE if hatch else "none", lw=0, hatch=hatch)
    patch.set_hatch_linewidth(0.3)
    axes.add_patch(patch)
    patch.set_clip_path(outline)
