"""Many cells, one after the other: what cannot be decided is named, and the others go on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from karyo.errors import DataError
from karyo.karyotype.cell import Karyotype
from karyo.karyotype.inputs.cell_files import CellFiles
from karyo.karyotype.inputs.read import read_objects, read_spread
from karyo.karyotype.outcome import OutcomeFolder

if TYPE_CHECKING:
    from karyo.karyotype.karyotyper import Karyotyper

_NO_IMAGE = np.zeros((0, 0), np.uint8)


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one cell.

    Attributes:
        cell: Its files.
        karyotype: What is decided, without pictures; None where nothing could be.
        problem: Why not, in one sentence.
        earlier: Whether an earlier run had made it.
    """

    cell: CellFiles
    karyotype: Karyotype | None
    problem: str | None = None
    earlier: bool = False


def karyotype_all(karyotyper: "Karyotyper", cells: Sequence[CellFiles], folder: OutcomeFolder) -> Iterator[Judged]:
    """Decide cells and write what is decided, each before the next one is begun.

    Args:
        karyotyper: Decides.
        cells: The cells.
        folder: Where to; what it holds already is not made again.

    Yields:
        What came of each cell, in their order.

    Raises:
        SettingsError: If another file stands where a record goes.
        KaryoError: If a file cannot be written.
    """
    for cell in cells:
        known = folder.earlier(cell)
        if known is not None:
            yield Judged(cell, _light(known), earlier=True)
            continue
        try:
            karyotype = karyotype_files(karyotyper, cell, pictures=bool(folder.formats))
        except DataError as error:
            yield Judged(cell, None, str(error))
            continue
        folder.write(cell, karyotype)
        yield Judged(cell, _light(karyotype))


def karyotype_files(karyotyper: "Karyotyper", cell: CellFiles, pictures: bool = True) -> Karyotype:
    """Read a cell's files and decide it.

    Args:
        karyotyper: Decides.
        cell: The files.
        pictures: Whether the chromosomes are stood upright for a karyogram.

    Returns:
        The karyotype; what was wrong with single files stands first among its remarks.

    Raises:
        DataError: If nothing can be read, or the image is no spread.
    """
    if cell.kind == "spread":
        grey, boxes, remarks = read_spread(cell)
        decided = karyotyper.spread(cell.name, grey, boxes, pictures)
    else:
        objects, remarks = read_objects(cell)
        decided = karyotyper.decide(cell.name, objects, None, pictures)
    return replace(decided, remarks=(*remarks, *decided.remarks))


def _light(karyotype: Karyotype) -> Karyotype:
    """Leave pictures out: hundreds of cells fit into memory then."""
    return replace(
        karyotype,
        objects=[
            replace(each, upright=None, object=replace(each.object, grey=_NO_IMAGE, outline=None))
            for each in karyotype.objects
        ],
    )
