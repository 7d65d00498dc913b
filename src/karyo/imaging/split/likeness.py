"""How likely a set of fragments is one whole chromosome."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from karyo.errors import DataError
from karyo.files import write_text
from karyo.imaging.split.fragments import Fragments
from karyo.imaging.split.shape import describe_shape

_LEAST_ENCLOSED = 0.35
"""Share of its outline that a fragment must have in common with others to be where two chromosomes cross."""

_LARGEST_SHARED = 3.0
"""Its largest area, in squares of the chromosome width."""

EVIDENCE: tuple[str, ...] = (
    "constant",
    "branches",
    "too_broad",
    "too_narrow",
    "kink",
    "neck",
    "small",
    "area",
    "long",
    "hollow",
    "bow",
    "taper",
    "dent",
    "sharpness",
    "cut_length",
    "cut_number",
    "cut_longest",
    "cut_valley",
    "cut_ridge",
    "inner_valley",
    "inner_step",
    "inner_sum",
    "sum_at_cut",
    "level",
    "everything",
    "everything_large",
    "pieces",
)
"""What :func:`gather_evidence` measures, in this order: the body's shape, the cuts around it, how even its grey is."""

SHARED_EVIDENCE: tuple[str, ...] = ("constant", "level", "area", "enclosed", "four_arms")
"""What :func:`gather_shared_evidence` measures, in this order."""


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """A small network that weighs the evidence: one hidden layer beside a direct line.

    Attributes:
        centre: float64 (K,), subtracted from the evidence.
        scale: float64 (K,), divides it after that.
        direct: float64 (K,), weight of each evidence in the answer.
        hidden: float64 (K, H), weights of each evidence in the hidden units.
        output: float64 (H,), weight of each hidden unit in the answer.
        shared: float64 (5,), weight of each of :data:`SHARED_EVIDENCE`.
    """

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    direct: NDArray[np.float64]
    hidden: NDArray[np.float64]
    output: NDArray[np.float64]
    shared: NDArray[np.float64]

    def object_cost(self, evidence: NDArray[np.float64]) -> float:
        """Price the belief that a set of fragments is one whole chromosome; the less, the likelier."""
        # What lies far outside of all that the weights were fitted to says no more than what lies at its edge.
        scaled = np.clip((evidence - self.centre) / self.scale, -8, 8)
        return -float(scaled @ self.direct + np.tanh(scaled @ self.hidden) @ self.output)

    def shared_cost(self, evidence: NDArray[np.float64]) -> float:
        """Price the belief that a fragment belongs to two chromosomes; the less, the likelier."""
        return -float(evidence @ self.shared)


@cache
def load_likeness() -> Likeness:
    """Load the weights that belong to this version of the evidence.

    They were fitted so that, of many ways to put a cluster's fragments together, the likelier ones are those that
    find more chromosomes whole: on drawn spreads, where the outlines are known, and on real ones, where the boxes are.
    :mod:`karyo.evaluation.likeness_fit` says on what exactly, and fits them anew.
    """
    return read_likeness(files("karyo.imaging.split") / "likeness.csv")


def read_likeness(source: Traversable) -> Likeness:
    """Read weights as :func:`write_likeness` writes them.

    Args:
        source: A CSV file.

    Returns:
        The weights.

    Raises:
        DataError: If the file is no such table.
    """
    try:
        with source.open(encoding="utf-8") as file:
            rows = {name: [float(value) for value in values] for name, *values in list(csv.reader(file))[1:]}
        table = np.array([rows[name] for name in EVIDENCE])
        return Likeness(
            centre=table[:, 0],
            scale=table[:, 1],
            direct=table[:, 2],
            hidden=table[:, 3:],
            output=np.array(rows["output"][3 : table.shape[1]]),
            shared=np.array([rows[f"shared {name}"][0] for name in SHARED_EVIDENCE]),
        )
    except (OSError, ValueError, LookupError) as error:
        raise DataError(f"{source} is no table of the splitter's weights: {error}") from error


def write_likeness(path: Path, likeness: Likeness) -> None:
    """Write weights as a CSV file, to four digits, in one step.

    Args:
        path: The file; missing folders are made.
        likeness: The weights.

    Raises:
        OSError: If the place cannot be written.
    """
    columns = [likeness.centre, likeness.scale, likeness.direct, *likeness.hidden.T]
    lines = [["evidence", "centre", "scale", "direct", *(f"unit {n + 1}" for n in range(len(likeness.output)))]]
    lines += [[name, *_digits(row)] for name, row in zip(EVIDENCE, np.stack(columns, axis=1), strict=True)]
    lines += [["output", *_digits(np.array([0, 1, 0, *likeness.output]))]]
    lines += [
        [f"shared {name}", *_digits(np.array([w]))] for name, w in zip(SHARED_EVIDENCE, likeness.shared, strict=True)
    ]
    write_text(path, "".join(",".join(line) + "\n" for line in lines))


def _digits(values: NDArray[np.float64]) -> list[str]:
    return [f"{value:.4g}" for value in values.tolist()]


def gather_shared_evidence(fragments: Fragments, index: int, width: float) -> NDArray[np.float64] | None:
    """Measure what speaks for a fragment being where two chromosomes lie on one another.

    Args:
        fragments: Of one cluster.
        index: Of the fragment.
        width: Typical width of a chromosome, pixels.

    Returns:
        Float64, one value for each of :data:`SHARED_EVIDENCE`; None for a fragment that mostly borders on the
        background or is too large.
    """
    beside = {sum(pair) - index: border.length for pair, border in fragments.borders.items() if index in pair}
    enclosed = sum(beside.values()) / max(sum(beside.values()) + fragments.rims[index], 1)
    area = fragments.areas[index] / width**2
    if enclosed < _LEAST_ENCLOSED or area > _LARGEST_SHARED:
        return None
    level = fragments.levels[index] / max(float(np.mean(fragments.levels[list(beside)])), 1e-6)
    return np.array([1.0, np.clip(level - 1, -0.5, 0.7), area, enclosed, float(len(beside) >= 4)])


def gather_evidence(fragments: Fragments, members: frozenset[int], width: float) -> NDArray[np.float64]:
    """Measure what speaks for and against a set of fragments being one chromosome.

    Args:
        fragments: Of one cluster.
        members: Indices of connected fragments.
        width: Typical width of a chromosome, pixels.

    Returns:
        Float64, one value for each of :data:`EVIDENCE`, free of units.
    """
    shape = describe_shape(fragments.united(members), width)
    everything = float(len(members) == fragments.count)
    body = [
        1.0,
        min(max(shape.branches - 0.05, 0), 1.5),
        min(max(shape.breadth - 1.2, 0), 1),
        max(0.7 - shape.breadth, 0),
        max(shape.kink - 0.7, 0),
        max(0.55 - shape.neck, 0),
        max(0.6 - shape.area, 0),
        min(shape.area, 8) / 4,
        max(shape.length - 7, 0) / 4,
        min(shape.hollow, 3),
        min(shape.bow, 3),
        min(shape.taper, 1),
        min(shape.dent, 2),
        min(shape.sharpness, 4),
    ]
    rest = [everything, everything * min(shape.area, 8) / 4, (len(members) - 1) / 3]
    borders = _border_evidence(fragments, members, width)
    return np.array([*body, *borders, *_level_evidence(fragments, members), *rest])


def _border_evidence(fragments: Fragments, members: frozenset[int], width: float) -> list[float]:
    """Measure the cuts that part a set from the rest: ``cut_length`` to ``cut_ridge`` of :data:`EVIDENCE`."""
    cuts = [border for pair, border in fragments.borders.items() if len(members.intersection(pair)) == 1]
    lengths = [border.length / width for border in cuts]
    valley = min((1 - border.level for border in cuts), default=0.3)
    ridge = max((border.level - 1 for border in cuts), default=0.0)
    return [
        min(sum(lengths), 4),
        min(len(cuts), 4),
        min(max(lengths, default=0), 2.5),
        min(max(valley, -0.5), 0.5),
        min(max(ridge, 0), 0.5),
    ]


def _level_evidence(fragments: Fragments, members: frozenset[int]) -> list[float]:
    """Measure how even a set's grey is: ``inner_valley`` to ``level`` of :data:`EVIDENCE`."""
    inner = {pair: border for pair, border in fragments.borders.items() if members.issuperset(pair)}
    cut_ones = {index for pair in fragments.borders if len(members.intersection(pair)) == 1 for index in pair}
    levels = np.maximum(fragments.levels, 1e-6)
    own = sorted(members)
    middle = float(np.average(levels[own], weights=fragments.areas[own]))
    whole = float(np.average(levels, weights=fragments.areas))
    return [
        max([0.0, *(1 - border.level for border in inner.values())]),
        max((abs(float(np.log(levels[one] / levels[two]))) for one, two in inner), default=0.0),
        float(levels[own].max()) / middle - 1,
        max((float(levels[index]) / middle - 1 for index in cut_ones & members), default=0.0),
        min(max(middle / whole - 1, -0.6), 0.6),
    ]
