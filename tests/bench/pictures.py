"""Chromosome images as files, for ours and for the peers."""

from pathlib import Path

from karyo.data.synthetic import SyntheticSource
from karyo.imaging.write import write_png

BY_CELL = (
    "data=folders",
    r"data.source.pattern='(?P<cell>[^/]+)/(?P<label>[0-9XY]+)(?P<homolog>[ab])\.png'",
)
"""How the application reads what :func:`write_by_cell` writes."""


def write_by_cell(folder: Path, cells: int) -> Path:
    """Write drawn cells as ``cell-0003/12a.png``."""
    source = SyntheticSource(cells=cells)
    for record in source.records:
        path = folder / f"{record.path}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, source.read(record))
    return folder


def write_by_class(folder: Path, cells: int) -> Path:
    """Write drawn cells as ``12/cell-0003a.png``: one folder per class, as torchvision's ImageFolder wants them."""
    source = SyntheticSource(cells=cells)
    for record in source.records:
        cell, _, name = record.path.partition("/")
        path = folder / name.rstrip("ab") / f"{cell}{name[-1]}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, source.read(record))
    return folder
