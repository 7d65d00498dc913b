"""The look that all figures share.

Figures are plain ``matplotlib.figure.Figure`` objects drawn with Agg, never pyplot's: no window system, no global
state, and nothing to close. The colours are those of Okabe & Ito (2008), told apart by people with any colour vision.
"""

from functools import cache

from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font

BLUE, VERMILLION, GREEN, SKY = "#0072B2", "#D55E00", "#009E73", "#56B4E9"
INK, GREY, PALE = "#222222", "#767676", "#E4E4E4"
DPI = 130
FIXED_WIDTH = "DejaVu Sans Mono"


def new_figure(width: float, height: float) -> Figure:
    """Give an empty white figure of ``width`` x ``height`` inches."""
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def add_title(figure: Figure, title: str, subtitle: str = "") -> None:
    """Write a title, and under it a smaller line, at the top left of a figure."""
    height = figure.get_figheight()
    figure.text(0.3 / figure.get_figwidth(), 1 - 0.2 / height, title, size=14, weight="bold", color=INK, va="top")
    if subtitle:
        figure.text(0.3 / figure.get_figwidth(), 1 - 0.52 / height, subtitle, size=10, color=GREY, va="top")


def style_axes(axes: Axes) -> None:
    """Give axes the common look: thin grey lines at the left and bottom, and pale lines to read the height by."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(colors=INK, labelsize=10, width=0.8)
    axes.xaxis.label.set_fontsize(11)
    axes.yaxis.label.set_fontsize(11)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=PALE, linewidth=0.8)


def drawable(text: str) -> str:
    """Replace what the fixed-width font cannot draw by ``?``, so that a file name in any script raises no warning."""
    known = _known_characters()
    return "".join(character if ord(character) in known else "?" for character in text)


@cache
def _known_characters() -> frozenset[int]:
    """Code points that the fixed-width font holds."""
    font = FT2Font(font_manager.findfont(font_manager.FontProperties(family=FIXED_WIDTH)))
    return frozenset(font.get_charmap())
