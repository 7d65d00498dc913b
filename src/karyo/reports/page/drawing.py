"""Figures on their way into the page: as PNG and SVG files beside it, and as SVG that follows its colours.

A figure's text stays text: the page can be searched, and its own font is used. The same figure gives the same bytes.
"""

import io
import re
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from karyo.files import write_beside, write_text
from karyo.reports.panels import text_width
from karyo.reports.theme import BLUE, GREEN, GREY, INK, PALE, SKY, VERMILLION, drawable

PURPLE, ORANGE = "#CC79A7", "#E69F00"
"""Two more of the colours of Okabe & Ito (2008)."""

SERIES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
"""Colours of what has no order."""

# What the page's style sheet sets for light and dark.
_PAGE_COLOURS = {INK: "ink", GREY: "soft", PALE: "rule", BLUE: "blue"}
_LONGEST_NAME, _LONGEST_LABEL = 60, 300
_NO_DATE = {"Date": None, "Creator": None, "Format": None, "Type": None}


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure in the page.

    Attributes:
        name: Of its files, ``figures/NAME.png`` and ``figures/NAME.svg``.
        svg: To stand in the page.
        caption: What it shows.
        wide: Inches; a narrow screen scrolls rather than shrink the figure.
        card: Whether it needs a white card behind it in the dark.
    """

    name: str
    svg: str
    caption: str
    wide: float
    card: bool = False


@contextmanager
def figure_settings(name: str) -> Iterator[None]:
    """Have matplotlib write text as text, never as formulas, and name the parts of an SVG after it and their content.

    So no two figures of a page share a name, and the same figure has the same names every time.
    """
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "text.parse_math": False}):
        yield


def save_figure(figure: Figure, name: str, directory: Path, caption: str, card: bool = False) -> Drawing:
    """Write a figure as PNG and SVG, and give it for the page.

    Args:
        figure: Drawn under :func:`figure_settings` of the same name.
        name: Of the files, see :func:`file_name`.
        directory: Of the page; the files go to ``figures/`` in it.
        caption: What the figure shows.
        card: Whether it keeps its own colours, on white, in the dark too.

    Raises:
        OSError: If the files cannot be written.
    """
    with figure_settings(name):
        png, svg = io.BytesIO(), io.StringIO()
        figure.savefig(png, format="png", metadata={"Software": None})
        figure.savefig(svg, format="svg", metadata=_NO_DATE)
    folder = directory / "figures"
    write_beside(folder / f"{name}.png", lambda beside: beside.write_bytes(png.getvalue()))
    text = _shortened(svg.getvalue())
    write_text(folder / f"{name}.svg", text)
    return Drawing(name, _for_page(text, card), caption, figure.get_figwidth(), card)


def file_name(words: str, taken: set[str]) -> str:
    """Make a file's name of letters that need no quotes anywhere, and remember it as taken."""
    stem = re.sub(r"[^A-Za-z0-9.]+", "-", words).strip("-.")[:_LONGEST_NAME] or "figure"
    name, number = stem, 1
    while name.lower() in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name.lower())
    return name


def shown(text: str, inches: float, size: float) -> str:
    """Give a name for a figure: what the font lacks replaced, cut in the middle where it would be too wide."""
    text = " ".join(drawable(text[:_LONGEST_LABEL]).split())
    if text_width(text, size) <= inches:
        return text
    fitting = bisect_left(range(len(text)), x=True, key=lambda keep: text_width(_cut(text, keep), size) > inches)
    return _cut(text, max(2, fitting - 1))


def _cut(text: str, keep: int) -> str:
    head = (keep + 1) // 2
    return f"{text[:head]}…{text[len(text) - (keep - head) :]}"


def _shortened(svg: str) -> str:
    """Round to hundredths of a point, and drop names that nothing refers to."""
    svg = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(\d\.\d\d)\d+", r"\1", tag[0]), svg)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    return re.sub(r' id="([^"]+)"', lambda match: match[0] if match[1] in used else "", svg)


def _for_page(svg: str, card: bool) -> str:
    """Take an SVG out of its file: without prologue and size, its greys those of the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    # The page describes it; a reader of the screen need not go through each tick.
    svg = svg.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1)
    if card:
        return svg
    svg = svg.replace("fill: #ffffff", "fill: none")
    for colour, variable in _PAGE_COLOURS.items():
        svg = svg.replace(colour.lower(), f"var(--{variable})")
    return svg
