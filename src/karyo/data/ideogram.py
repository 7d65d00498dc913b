"""The G-band ideogram of the human karyotype: bands, arms, centromeres and lengths of the 24 chromosomes.

The two tables beside this file are NCBI's public-domain ideograms at 550 and 850 bands per haploid set. Positions are
ISCN units: distances along the drawn chromosome, 0 at the tip of the short arm. Relative lengths of chromosomes in
these units are those of metaphase chromosomes under the microscope (base pairs would make the heterochromatic parts
too long or too short).
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise

from karyo.chromosomes import CLASSES, parse_label
from karyo.errors import SettingsError

RESOLUTIONS: tuple[int, ...] = (550, 850)
"""Bands per haploid set of the two tables."""


@dataclass(frozen=True, slots=True)
class Band:
    """One band of the ideogram.

    Attributes:
        arm: ``"p"`` (short) or ``"q"`` (long).
        name: Band number within the arm, such as ``"36.3"``.
        start: Where it begins, ISCN units from the tip of the short arm.
        stop: Where it ends, ISCN units; larger than ``start``.
        stain: ``gneg`` (light), ``gpos`` (dark), ``gvar`` (variable heterochromatin), ``acen`` (centromere) or
            ``stalk`` (of a satellite).
        density: Darkness of a ``gpos`` band, 25, 50, 75 or 100; 0 for every other stain.
    """

    arm: str
    name: str
    start: float
    stop: float
    stain: str
    density: int


@dataclass(frozen=True, slots=True)
class ChromosomeBands:
    """The ideogram of one chromosome.

    Attributes:
        label: Its class, 0..23.
        bands: Its bands from the tip of the short arm to the tip of the long arm, without gaps.
    """

    label: int
    bands: tuple[Band, ...]

    @property
    def length(self) -> float:
        """Length in ISCN units."""
        return self.bands[-1].stop

    @property
    def centromere(self) -> float:
        """Where the short arm meets the long arm, as a fraction 0..1 of the length."""
        return max(band.stop for band in self.bands if band.arm == "p") / self.length


@cache
def load_ideogram(resolution: int = 550) -> tuple[ChromosomeBands, ...]:
    """Load the ideogram at one resolution.

    Args:
        resolution: 550 or 850 bands per haploid set.

    Returns:
        The 24 chromosomes in class order.

    Raises:
        SettingsError: If there is no table of that resolution.
    """
    if resolution not in RESOLUTIONS:
        raise SettingsError(f"no ideogram of {resolution} bands is here; choose one of {RESOLUTIONS}")
    text = files("karyo.data").joinpath(f"ideogram_{resolution}.csv").read_text(encoding="utf-8")
    bands: list[list[Band]] = [[] for _ in CLASSES]
    for row in csv.DictReader(text.splitlines()):
        bands[parse_label(row["chromosome"])].append(_read_band(row))
    return tuple(ChromosomeBands(label, _close_gaps(rows)) for label, rows in enumerate(bands))


@cache
def relative_lengths() -> tuple[float, ...]:
    """Give each chromosome's length as a fraction of chromosome 1's, in class order; the first is 1.0."""
    ideogram = load_ideogram(850)
    return tuple(chromosome.length / ideogram[0].length for chromosome in ideogram)


def _read_band(row: dict[str, str]) -> Band:
    """Read one row of the table."""
    return Band(
        arm=row["arm"],
        name=row["band"],
        start=float(row["iscn_start"]),
        stop=float(row["iscn_stop"]),
        stain=row["stain"],
        density=int(row["density"] or 0),
    )


def _close_gaps(bands: list[Band]) -> tuple[Band, ...]:
    """Stretch each band to the next one's start: the 550 table leaves 141 units of Yq11.1 out."""
    ordered = sorted(bands, key=lambda band: band.start)
    closed = [
        Band(band.arm, band.name, band.start, after.start, band.stain, band.density)
        for band, after in pairwise(ordered)
    ]
    return (*closed, ordered[-1])
