"""The ideogram of one chromosome as SVG."""

from functools import cache

from karyo.chromosomes import CLASSES
from karyo.data.ideogram import Band, ChromosomeBands, load_ideogram

_WIDTH, _MARGIN = 80, 8
_LEFT, _BROAD, _ROUND = 10, 26, 9
_LONGEST = 300.0
_TEXT = 7.0
_GREY = {25: "#c8c8c8", 50: "#969696", 75: "#606060", 100: "#202020"}
_FILL = {"gneg": "#ffffff", "gvar": "#8fa3bf", "stalk": "#d9d9d9", "acen": "#c0504d"}


@cache
def ideogram_svg(label: str) -> str:
    """Draw a chromosome's arms, bands and centromere at 550 bands per haploid set.

    All 24 have one scale, so that a long chromosome looks long. Shapes and texts only, no styles and no scripts.

    Args:
        label: One of :data:`karyo.chromosomes.CLASSES`.

    Returns:
        An SVG document.
    """
    ideogram = load_ideogram()
    chromosome = ideogram[CLASSES.index(label)]
    scale = _LONGEST / max(each.length for each in ideogram)
    height = round(chromosome.length * scale) + 2 * _MARGIN
    arms = _arms(chromosome, scale)
    bands = "".join(_band(each, scale) for each in chromosome.bands)
    names = "".join(_name(each, scale) for each in chromosome.bands)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'role="img" font-family="sans-serif" font-size="{_TEXT}"><title>Ideogram of chromosome {label}</title>'
        f'<clipPath id="arms-{label}">{arms}</clipPath><g clip-path="url(#arms-{label})">{bands}</g>'
        f'<g fill="none" stroke="#404040">{arms}</g><g fill="#404040">{names}</g></svg>\n'
    )


def _arms(chromosome: ChromosomeBands, scale: float) -> str:
    """Draw both arms; their round ends meet at the centromere and make its waist."""
    middle = chromosome.centromere * chromosome.length
    ends = ((0.0, middle), (middle, chromosome.length))
    return "".join(
        f'<rect x="{_LEFT}" y="{_y(start, scale)}" width="{_BROAD}" height="{(stop - start) * scale:.1f}" '
        f'rx="{_ROUND}" ry="{min(_ROUND, (stop - start) * scale / 2):.1f}"/>'
        for start, stop in ends
    )


def _band(band: Band, scale: float) -> str:
    fill = _GREY[band.density] if band.stain == "gpos" else _FILL[band.stain]
    height = (band.stop - band.start) * scale
    title = f"<title>{band.arm}{band.name}</title>"
    place = f'x="{_LEFT}" y="{_y(band.start, scale)}" width="{_BROAD}" height="{height:.1f}"'
    return f'<rect {place} fill="{fill}">{title}</rect>'


def _name(band: Band, scale: float) -> str:
    """Write a band's name beside it where there is room."""
    if (band.stop - band.start) * scale < _TEXT:
        return ""
    middle = _MARGIN + (band.start + band.stop) / 2 * scale + _TEXT / 3
    return f'<text x="{_LEFT + _BROAD + 5}" y="{middle:.1f}">{band.arm}{band.name}</text>'


def _y(position: float, scale: float) -> str:
    return f"{_MARGIN + position * scale:.1f}"
