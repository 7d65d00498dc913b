"""How well chromosomes are straightened, measured on drawn ones whose unbent picture is known."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.data.synthetic import CellSettings, DrawnChromosome, derive_seed, draw_bent_and_unbent, spread_bend
from karyo.errors import SettingsError
from karyo.imaging.crop import object_mask
from karyo.imaging.polarity import normalise_polarity
from karyo.imaging.straighten import Axis, Straightened, straighten_medial, straighten_two_part, turned_upright

Way = Callable[[NDArray[np.uint8]], Straightened]

WAYS: dict[str, Way] = {"before": turned_upright, "two-part": straighten_two_part, "medial": straighten_medial}
"""The ways that are compared; ``before`` turns the whole chromosome upright and leaves it bent."""

ALIKE = 0.9
"""Correlation above which two band profiles count as alike."""

BENT = 30.0
"""Degrees between the directions of a centre line from which a chromosome counts as bent."""

_SAMPLES = 200


@dataclass(frozen=True, slots=True)
class WayMeasures:
    """How well one way did.

    Attributes:
        name: One of :data:`WAYS`.
        centromere_error: Median distance along the chromosome between its centromere and the one found, pixels.
        centromere_share: The same as a share of the chromosome's length.
        correlation: Median correlation of the band profile with that of the unbent picture, tip to tip, -1..1.
        alike: Share of the chromosomes whose correlation is above :data:`ALIKE`.
        bent_centromere_error: As ``centromere_error``, of the bent chromosomes only; None where there are none.
        bent_correlation: As ``correlation``, of the bent chromosomes only; None where there are none.
        length_error: Median error of the length, percent of the true one.
        changed: Share of the chromosomes that were unbent.
        milliseconds: Median processor time for one chromosome.
    """

    name: str
    centromere_error: float
    centromere_share: float
    correlation: float
    alike: float
    bent_centromere_error: float | None
    bent_correlation: float | None
    length_error: float
    changed: float
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Straightness:
    """A comparison of the ways to straighten.

    Attributes:
        count: Chromosomes measured.
        seed: Seed they were drawn from.
        difficulty: Their difficulty, 0..1.
        bend: Their bend, as in ``draw_bent_and_unbent``, radians.
        bent: How many of them turn by :data:`BENT` degrees or more.
        ways: One of each of :data:`WAYS`.
    """

    count: int
    seed: int
    difficulty: float
    bend: float
    bent: int
    ways: tuple[WayMeasures, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give the comparison as primitives."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one way made of one chromosome."""

    bent: bool
    centromere_error: float
    centromere_share: float
    correlation: float
    length_error: float
    changed: bool
    milliseconds: float


def measure_straightening(
    count: int = 200,
    settings: CellSettings | None = None,
    seed: int = 0,
    bend: float | None = None,
    advance: Callable[[], None] | None = None,
) -> Straightness:
    """Straighten drawn chromosomes, each from a cell of its own, the classes in turn, and compare with the truth.

    Args:
        count: Number of chromosomes, 1 or more.
        settings: What to draw; the defaults if None.
        seed: 0 or more.
        bend: Standard deviation of the turn between the tips of chromosome 1, radians; None for that of spreads.
        advance: Called after each chromosome.

    Returns:
        The measures of each way.

    Raises:
        SettingsError: If a number is out of its range.
    """
    if count < 1 or seed < 0:
        raise SettingsError(f"count must be 1 or more and seed 0 or more, not {count} and {seed}")
    settings = settings or CellSettings()
    bend = spread_bend(settings.hardness) if bend is None else bend
    outcomes: dict[str, list[_Outcome]] = {name: [] for name in WAYS}
    for index in range(count):
        drawn = draw_bent_and_unbent(index % len(CLASSES), derive_seed(seed, index), "a", settings, bend)
        for name, way in WAYS.items():
            outcomes[name].append(_try(way, *drawn))
        if advance:
            advance()
    ways = tuple(_summarise(name, each) for name, each in outcomes.items())
    bent = sum(outcome.bent for outcome in outcomes["before"])
    return Straightness(count, seed, settings.hardness, bend, bent, ways)


def _try(way: Way, bent: DrawnChromosome, unbent: DrawnChromosome) -> _Outcome:
    """Straighten one chromosome and compare it with its unbent picture."""
    grey = normalise_polarity(bent.image)
    start = time.process_time()
    result = way(grey)
    milliseconds = 1000 * (time.process_time() - start)
    true_length = float(np.linalg.norm(np.diff(bent.centre_line, axis=0), axis=1).sum())
    if result.axis is None:
        return _Outcome(_turn(bent) >= BENT, true_length, 1.0, 0.0, 100.0, False, milliseconds)
    found = _row_profile(result.image, result.mask)
    if _is_upside_down(result.axis, bent.centre_line):
        found = found[::-1]
    # Cut out of its picture in the same way, so that only the straightening makes the difference.
    straight = normalise_polarity(unbent.image)
    truth = _row_profile(straight, object_mask(straight))
    error = abs(_place(result.axis.at(result.axis.centromere), bent) - _place(bent.centromere, bent))
    return _Outcome(
        bent=_turn(bent) >= BENT,
        centromere_error=error,
        centromere_share=error / true_length,
        correlation=_correlation(found, truth),
        length_error=100 * abs(result.axis.length - true_length) / true_length,
        changed=result.changed,
        milliseconds=milliseconds,
    )


def _row_profile(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Average an upright chromosome row by row, stretched to a fixed number of samples from tip to tip."""
    weights = mask.sum(axis=1)
    rows = np.flatnonzero(weights)
    means = (image * mask).sum(axis=1)[rows] / weights[rows]
    at = np.linspace(rows[0], rows[-1], _SAMPLES)
    return np.asarray(np.interp(at, rows, means), np.float64)


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Correlate two profiles; 0 where one of them is constant."""
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _is_upside_down(axis: Axis, line: NDArray[np.float32]) -> bool:
    """Say whether an axis runs from the long arm's tip to the short arm's."""
    along = np.linalg.norm(axis.points[0] - line[0]) + np.linalg.norm(axis.points[-1] - line[-1])
    against = np.linalg.norm(axis.points[0] - line[-1]) + np.linalg.norm(axis.points[-1] - line[0])
    return bool(against < along)


def _place(point: NDArray[np.float32], drawn: DrawnChromosome) -> float:
    """Say how far along a chromosome's true centre line a point lies, pixels."""
    line = drawn.centre_line.astype(np.float64)
    starts, steps = line[:-1], np.diff(line, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    part = np.clip(((point - starts) * steps).sum(axis=1) / lengths**2, 0, 1)
    nearest = int(np.linalg.norm(starts + part[:, None] * steps - point, axis=1).argmin())
    return float(lengths[:nearest].sum() + part[nearest] * lengths[nearest])


def _turn(drawn: DrawnChromosome) -> float:
    """Give the largest angle between the directions of a chromosome's true centre line, degrees."""
    steps = np.diff(drawn.centre_line.astype(np.float64), axis=0)
    return float(np.degrees(np.ptp(np.unwrap(np.arctan2(steps[:, 1], steps[:, 0])))))


def _summarise(name: str, outcomes: list[_Outcome]) -> WayMeasures:
    """Summarise one way over all chromosomes."""

    def median(field: str) -> float:
        return float(np.median([getattr(outcome, field) for outcome in outcomes]))

    def median_of_bent(field: str) -> float | None:
        values = [getattr(outcome, field) for outcome in outcomes if outcome.bent]
        return float(np.median(values)) if values else None

    return WayMeasures(
        name=name,
        centromere_error=median("centromere_error"),
        centromere_share=median("centromere_share"),
        correlation=median("correlation"),
        alike=float(np.mean([outcome.correlation > ALIKE for outcome in outcomes])),
        bent_centromere_error=median_of_bent("centromere_error"),
        bent_correlation=median_of_bent("correlation"),
        length_error=median("length_error"),
        changed=float(np.mean([outcome.changed for outcome in outcomes])),
        milliseconds=median("milliseconds"),
    )
