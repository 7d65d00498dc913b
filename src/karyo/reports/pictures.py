"""Figures on their way out: to a PNG file, or to an array for TensorBoard."""

import io
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from karyo.files import write_beside


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure as PNG; the file appears whole or not at all.

    Args:
        figure: Drawn by this package.
        path: The file to write or replace.

    Raises:
        OSError: If it cannot be written.
    """
    content = io.BytesIO()
    # Without the software's name the same figure gives the same bytes under any version.
    figure.savefig(content, format="png", metadata={"Software": None})
    write_beside(Path(path), lambda beside: beside.write_bytes(content.getvalue()))


def figure_to_array(figure: Figure) -> NDArray[np.uint8]:
    """Render a figure to uint8 (H, W, 3), RGB."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib leaves the Agg backend untyped
    return np.asarray(canvas.buffer_rgba(), dtype=np.uint8)[:, :, :3].copy()  # type: ignore[no-untyped-call]
