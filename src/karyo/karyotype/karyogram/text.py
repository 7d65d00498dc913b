"""Text on a karyogram: file names in any script and of any length."""

from functools import cache
from typing import Any

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

_FAMILY = "DejaVu Sans"

_OTHER_SCRIPTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "PingFang SC",
    "Hiragino Sans",
    "Arial Unicode MS",
)
"""Fonts that are asked for what DejaVu lacks, where they are installed."""

INK, GREY, PALE, ALERT = "#222222", "#767676", "#BDBDBD", "#D55E00"
"""Colours of Okabe & Ito (2008) and greys, the same as in the reports'; :data:`ALERT` prints as a middle grey."""

_LONGEST = 1000
"""Letters of a text that are looked at: more never have room."""


@cache
def families() -> tuple[str, ...]:
    """Name the fonts that are used, the first one first."""
    there = {font.name for font in font_manager.fontManager.ttflist}
    return (_FAMILY, *(name for name in _OTHER_SCRIPTS if name in there))


@cache
def _known_characters() -> frozenset[int]:
    """Code points that one of the fonts holds."""
    paths = [font_manager.findfont(font_manager.FontProperties(family=[name])) for name in families()]
    return frozenset(point for path in paths for point in FT2Font(path).get_charmap())


def drawable(text: str) -> str:
    """Put a text on one line, and replace what no font can draw by ``?``, so that no name raises a warning."""
    known = _known_characters()
    line = " ".join(text.split())
    return "".join(character if ord(character) in known else "?" for character in line)


def write(figure: Figure, left: float, top: float, text: str, size: float, **style: Any) -> Text:
    """Write a line of text.

    Args:
        figure: Where to.
        left: Where it begins, inches; with ``ha``, its middle or its end.
        top: Where its upper edge is, inches from the top; with ``va``, its middle or its lower edge.
        text: What to write; nothing in it is read as a formula.
        size: Of the letters, points.
        **style: What ``Figure.text`` takes.
    """
    width, height = figure.get_size_inches()
    look: dict[str, Any] = {
        "va": "top",
        "color": INK,
        "family": [*families(), "sans-serif"],
        "parse_math": False,
        **style,
    }
    return figure.text(left / width, 1 - top / height, drawable(text), size=size, **look)


def fitted(figure: Figure, text: str, size: float, room: float, **style: Any) -> str:
    """Shorten a text in its middle until it has room.

    Args:
        figure: Where it will be written.
        text: What shall be written.
        size: Of the letters, points.
        room: Inches that it may take.
        **style: What changes its width.

    Returns:
        The text, or its beginning and its end with an ellipsis between them.
    """
    line = drawable(text[:_LONGEST])
    if len(text) <= _LONGEST and text_width(figure, line, size, **style) <= room:
        return line
    few, many = 0, len(line)
    while few < many:
        kept = (few + many + 1) // 2
        few, many = (kept, many) if text_width(figure, _cut(line, kept), size, **style) <= room else (few, kept - 1)
    return _cut(line, few)


def _cut(line: str, kept: int) -> str:
    return f"{line[: (kept + 1) // 2]}…{line[len(line) - kept // 2 :]}"


def text_width(figure: Figure, text: str, size: float, **style: Any) -> float:
    """Measure a text, inches; of one that is very long, its beginning."""
    trial = write(figure, 0, 0, text[:_LONGEST], size, **style)
    extent = trial.get_window_extent(figure.canvas.get_renderer())  # type: ignore[attr-defined]
    trial.remove()
    return float(extent.width / figure.dpi)
