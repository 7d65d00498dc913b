"""Probable label errors and hard cases, from what networks said about images that they had not seen.

What an image looks like is judged by confident learning (Northcutt, Jiang & Chuang, "Confident learning: estimating
uncertainty in dataset labels", J. Artif. Intell. Res. 70, 2021), as the library cleanlab has it. What a general library
does not know is the cell: two images of a cell may have been given each other's class, which leaves its counts as they
were; and a class of which a cell has too many is more likely to hold a wrong one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.evaluation.calibration import fit_temperature
from karyo.evaluation.cell_counts import CellCounts
from karyo.evaluation.predictions import Predictions
from karyo.inference.prediction import calibrated

KINDS: tuple[str, ...] = ("swap", "likely wrong", "hard")
"""Kinds of suspects, the most suspicious first."""

ENOUGH, ENOUGH_FOR_SWAPS = 2.0, 3.0
"""Decimal logarithms of how much better another class must explain image and cell for a label to be likely wrong, and
an exchange both images for a swap: a cell has a thousand pairs of images, some of which look so by chance."""

_UNSURE = 0.1
"""Difference between the label's probability and the best other one below which a network is unsure."""

_LEAST = 1e-6
"""Probability below which a network's answers are not told apart: its zeros are rounding."""

_ROUNDING = 1e-9

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six")


@dataclass(frozen=True, slots=True)
class Suspect:
    """An image worth a look.

    Attributes:
        index: Its position among the predictions.
        kind: ``swap``: it and another image of its cell look as if their classes were exchanged. ``likely wrong``: the
            network disagrees, and the cell does not speak for the label. ``hard``: the network disagrees or is unsure,
            but the label is likely right.
        other: The class that it may be instead, 0..23: the partner's in a swap, else the most probable other one.
        score: Decimal logarithm of how many times better ``other`` explains the network's answer and the cell's counts
            than the label does; of a swap both images' together. Higher is more suspicious.
        quality: cleanlab's normalised margin of the label, 0..1: low where the image alone contradicts it.
        note: Why, for a person.
        partner: Position of the other image of a swap.
    """

    index: int
    kind: str
    other: int
    score: float
    quality: float
    note: str
    partner: int | None = None


def find_suspects(predictions: Predictions) -> list[Suspect]:
    """Find images whose label may be wrong, and those that are hard.

    Args:
        predictions: Of images that the networks had not seen; cells as far as they are known. Probabilities are
            calibrated here by one temperature.

    Returns:
        Swaps, likely wrong ones, hard ones; each kind with the highest score first, partners of a swap one after the
        other.

    Raises:
        ModuleNotFoundError: If cleanlab is not installed.
    """
    evidence = _Evidence(predictions)
    swaps = list(_find_swaps(predictions, evidence))
    taken = {suspect.index for suspect in swaps}
    others = [index for index in evidence.contradicted() if index not in taken]
    judged = [_judge(predictions, evidence, index) for index in others]
    judged.sort(key=lambda suspect: (KINDS.index(suspect.kind), -suspect.score))
    return swaps + judged


class _Evidence:
    """What speaks against each label.

    Args:
        predictions: Of all images.

    Attributes:
        logarithms: float64 (N, 24), natural logarithms of the calibrated probabilities.
        against: float64 (N, 24), how much more each class is likely than the label, as a natural logarithm.
        other: int64 (N,), the most probable class besides the label.
        flagged: bool (N,), whether confident learning takes the label for wrong.
        quality: float64 (N,), normalised margins.
        counts: Of the cells.
    """

    def __init__(self, predictions: Predictions) -> None:
        every, labels = np.arange(len(predictions)), predictions.labels
        logits = np.log(np.maximum(predictions.probabilities, _LEAST))
        temperature = fit_temperature(logits.astype(np.float32), labels)
        self.logarithms = np.log(np.maximum(calibrated(logits, temperature), _LEAST))
        self.against = self.logarithms - self.logarithms[every, labels][:, None]
        besides = self.against.copy()
        besides[every, labels] = -np.inf
        self.other = besides.argmax(axis=1).astype(np.int64)
        shares = np.exp(self.logarithms)
        self._margins = shares[every, labels] - shares[every, self.other]
        self.flagged, self.quality = _learn_confidently(predictions)
        self.counts = CellCounts(labels, predictions.cells)

    def contradicted(self) -> list[int]:
        """List the images whose label is not clearly the most probable class."""
        found: list[int] = np.flatnonzero(self.flagged | (self._margins < _UNSURE)).tolist()
        return found


def _learn_confidently(predictions: Predictions) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Let cleanlab say which labels are wrong, bool (N,), and how good each is, float64 (N,) 0..1."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    labels, probabilities = predictions.labels, predictions.probabilities
    quality: NDArray[np.float64] = get_label_quality_scores(labels, probabilities, method="normalized_margin")
    # Nothing can be learned about confusions from a single class, and the library refuses it.
    if len(np.unique(labels)) < 2:
        return np.zeros(len(labels), np.bool_), quality
    flagged = find_label_issues(labels, probabilities, filter_by="confident_learning", n_jobs=1)
    return np.asarray(flagged, np.bool_), quality


def _find_swaps(predictions: Predictions, evidence: _Evidence) -> Iterator[Suspect]:
    """Give pairs of images of one cell that look exchanged, the clearest first; no image is in two of them."""
    used: set[int] = set()
    for gain, one, two in sorted(_exchanges(predictions, evidence), key=lambda each: -each[0]):
        if one in used or two in used:
            continue
        used |= {one, two}
        for index, partner in ((one, two), (two, one)):
            yield Suspect(
                index,
                "swap",
                int(predictions.labels[partner]),
                gain,
                float(evidence.quality[index]),
                f"as if swapped with {predictions.paths[partner]}",
                partner,
            )


def _exchanges(predictions: Predictions, evidence: _Evidence) -> Iterator[tuple[float, int, int]]:
    """Give each pair whose exchange explains the answers well enough, with the decimal logarithm of how much better.

    Both answers must favour it: a network that is very sure of a mistake would find a partner in every cell.
    """
    rows_of: dict[str, list[int]] = {}
    for index, cell in enumerate(predictions.cells):
        if cell is not None:
            rows_of.setdefault(cell, []).append(index)
    for rows in rows_of.values():
        labels = predictions.labels[rows]
        towards = evidence.against[rows][:, labels]
        gains = (towards + towards.T) / np.log(10)
        for one, two in np.argwhere(np.triu((gains >= ENOUGH_FOR_SWAPS) & (towards > 0) & (towards.T > 0), 1)).tolist():
            yield float(gains[one, two]), rows[one], rows[two]


def _judge(predictions: Predictions, evidence: _Evidence, index: int) -> Suspect:
    """Judge an image that has no partner by itself and by its cell's counts."""
    label, other, cell = int(predictions.labels[index]), int(evidence.other[index]), predictions.cells[index]
    favour = evidence.counts.favour(cell, label, other)
    score = float((evidence.against[index, other] + favour) / np.log(10))
    # Without a cell there is only the image: then the library's verdict counts. With one, counts that would become
    # less usual speak for the label, however sure the network is.
    wrong = bool(evidence.flagged[index]) if cell is None else score >= ENOUGH and favour > -_ROUNDING
    note = _note(evidence, index, cell, label, other)
    return Suspect(index, "likely wrong" if wrong else "hard", other, score, float(evidence.quality[index]), note)


def _note(evidence: _Evidence, index: int, cell: str | None, label: int, other: int) -> str:
    """Say what the network and the cell's counts say."""
    doubt = "the network disagrees" if evidence.against[index, other] > 0 else "the network is unsure"
    if cell is None:
        return f"{doubt}; its cell is not known"
    counts = evidence.counts
    has = f"{_in_words(counts.of(cell, label), label)} and {_in_words(counts.of(cell, other), other)}"
    usual = all(counts.of(cell, each) == counts.usual(cell, each) for each in (label, other))
    return f"{doubt}; its cell has {has} if the label is right" + (", as is usual" if usual else "")


def _in_words(count: int, label: int) -> str:
    """Write ``three 8s``."""
    number = _NUMBERS[count] if count < len(_NUMBERS) else str(count)
    return f"{number} {CLASSES[label]}{'' if count == 1 else 's'}"
