"""What is expected of a cell before it is looked at."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.errors import SettingsError
from karyo.karyotype.cell import MOST_COPIES

AUTOSOMES, X, Y = 22, 22, 23
"""Number of autosomes, and the classes of the sex chromosomes."""

_VIABLE_TRISOMIES = {20: 2e-2, 17: 1.5e-2, 12: 1.5e-2}
"""Trisomies 21, 18 and 13: those that are born."""

_SEXES = {(2, 0): 0.485, (1, 1): 0.485, (1, 0): 1e-2, (3, 0): 5e-3, (2, 1): 5e-3, (1, 2): 5e-3}
"""Numbers of X and Y: prior probability. 45,X and the trisomies; the others are :attr:`Priors.odd_sex`."""


@dataclass(frozen=True)
class Priors:
    """How often things happen, as a laboratory sees them.

    The values are round ones. A trisomy is more probable here than among births, because overlooking one costs more
    than looking again; how often they lead to a wrong call is what ``karyo measure numbers`` measures.

    Attributes:
        trisomy: Probability of three copies of an autosome that ``trisomies`` does not name.
        monosomy: Probability of one copy of an autosome.
        odd_sex: How much less probable numbers of X and Y are by each chromosome that they are off the nearest of XX,
            XY, X, XXX, XXY and XYY.
        tetraploid: Probability of a cell with four sets; of three sets it is half of that.
        junk: Expected number of objects that are no chromosome of this cell, where a person chose them.
        found_junk: The same where a program found them in a spread: pieces of clumps, dirt, two that it took for one.
        error: Share of confident answers of the classifier that may be wrong all the same.
        size: How much the evidence of sizes counts beside that of the bands, 0..1: both see the same outline.
        trisomies: Probability of three copies of some autosomes, by class 0..21.
    """

    trisomy: float = 1e-2
    monosomy: float = 2e-4
    odd_sex: float = 1e-3
    tetraploid: float = 1e-3
    junk: float = 0.02
    found_junk: float = 15.0
    error: float = 0.001
    size: float = 0.5
    trisomies: dict[int, float] = field(default_factory=lambda: dict(_VIABLE_TRISOMIES))

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        for name in ("trisomy", "monosomy", "odd_sex", "tetraploid", "error"):
            if not 0 < getattr(self, name) < 0.5:
                raise SettingsError(f"the prior {name} must be above 0 and below 0.5, not {getattr(self, name)!r}")
        if not (0 < self.junk < 100 and 0 < self.found_junk < 100):
            raise SettingsError(f"junk must be above 0 and below 100, not {self.junk!r} and {self.found_junk!r}")
        if not 0 <= self.size <= 1:
            raise SettingsError(f"the weight of size must be from 0 to 1, not {self.size!r}")

    def autosome(self, label: int, sets: int = 2) -> NDArray[np.float64]:
        """Give the probability of 0, 1, .. copies of an autosome.

        Args:
            label: Its class, 0..21.
            sets: How many sets of chromosomes the cell has: 2, 3 or 4.

        Returns:
            float64 (MOST_COPIES + 1,), sum 1.
        """
        more = self.trisomies.get(label, self.trisomy) if sets == 2 else self.trisomy
        # Each further step away from the usual number is as improbable again.
        steps = np.arange(MOST_COPIES + 1) - sets
        shares: NDArray[np.float64] = np.where(
            steps < 0, self.monosomy ** -steps.clip(max=0), more ** steps.clip(min=0)
        )
        shares[sets] = 0
        shares[sets] = 1 - shares.sum()
        return np.asarray(shares, np.float64)

    def sex(self, sets: int = 2) -> NDArray[np.float64]:
        """Give the probability of each number of X (rows) and Y (columns).

        Args:
            sets: How many sets of chromosomes the cell has: 2, 3 or 4.

        Returns:
            float64 (MOST_COPIES + 1, MOST_COPIES + 1), sum 1.
        """
        copies = np.indices((MOST_COPIES + 1, MOST_COPIES + 1))
        shares = np.zeros(copies.shape[1:])
        for (x, y), share in _usual_sexes(sets).items():
            # Each further step away from what is usual is as improbable again.
            steps = abs(copies[0] - x) + abs(copies[1] - y)
            shares = np.maximum(shares, share * self.odd_sex**steps)
        # A cell without any X does not live.
        shares[0] *= 1e-3
        normal: NDArray[np.float64] = shares / shares.sum()
        return normal


def _usual_sexes(sets: int) -> dict[tuple[int, int], float]:
    """With three sets XXX, XXY and XYY; with four what XX and XY double to."""
    if sets == 2:
        return _SEXES
    return {(3, 0): 0.35, (2, 1): 0.55, (1, 2): 0.1} if sets == 3 else {(4, 0): 0.5, (2, 2): 0.5}


def class_shares() -> NDArray[np.float64]:
    """Give the share of each class among the chromosomes of normal cells, half of them XX: float64 (24,), sum 1."""
    copies = np.full(len(CLASSES), 2.0)
    copies[X], copies[Y] = 1.5, 0.5
    return np.asarray(copies / copies.sum())
