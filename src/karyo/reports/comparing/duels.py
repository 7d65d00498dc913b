"""The best contender against the next ones, on the test images that both have answered."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from karyo.errors import DataError
from karyo.evaluation.bootstrap import bootstrap_intervals, cluster_numbers
from karyo.evaluation.predictions import Predictions
from karyo.reports.comparing.answered import predictions_of
from karyo.reports.comparing.result import Board, Contender, Duel, RunResult
from karyo.reports.comparing.significance import holm, mcnemar
from karyo.reports.runs import PREDICTIONS_NAME

RIVALS = 4
"""Against how many of the next best the best is put."""

_RESAMPLES = 2000
_FEW_CELLS = 10
_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Answers:
    """How a contender answered test images.

    Attributes:
        right: By split, then by path: share of its repetitions on this split that recognised the image, 0..1.
        cells: By path: the image's cell; None where it is unknown.
    """

    right: Mapping[str, Mapping[str, float]]
    cells: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Pairing:
    """The test images that two contenders both answered.

    Attributes:
        first: float64 (N,), how often the first was right on each image, 0..1.
        second: float64 (N,), the same of the second.
        clusters: int64 (N,), number of each image's cell.
        left_out: Images of their common splits that one of both has not answered.
    """

    first: NDArray[np.float64]
    second: NDArray[np.float64]
    clusters: NDArray[np.int64]
    left_out: int


def fight(board: Board, seed: int = 0) -> tuple[Board, list[str]]:
    """Put the best contender of a board against the next four.

    Args:
        board: Ranked.
        seed: Of the bootstrap; same seed, same intervals.

    Returns:
        The board with its duels; and one sentence for each file of predictions that could not be used.
    """
    ranked = [contender for contender in board.contenders if contender.rank is not None][: RIVALS + 1]
    if len(ranked) < 2:
        return board, []
    problems: list[str] = []
    best, *others = [(contender, read_answers(contender, problems)) for contender in ranked]
    found = [duel for other in others if (duel := _duel(best, other, seed, problems)) is not None]
    return replace(board, duels=tuple(corrected(found))), problems


def settle(first: Contender, second: Contender, seed: int = 0) -> tuple[Duel | None, list[str]]:
    """Compare two contenders of one board, whatever their ranks.

    Returns:
        The duel, None if they have no test images in common; and one sentence for each file that could not be used.
    """
    problems: list[str] = []
    answers = [(contender, read_answers(contender, problems)) for contender in (first, second)]
    duel = _duel(answers[0], answers[1], seed, problems)
    return (None if duel is None else corrected([duel])[0]), problems


def corrected(duels: Sequence[Duel]) -> list[Duel]:
    """Correct the p values of duels for their number, and say what each comes to."""
    p_values = holm([duel.p_mcnemar for duel in duels])
    decided = [replace(duel, p_holm=p, real=_is_real(duel, p)) for duel, p in zip(duels, p_values, strict=True)]
    return [replace(duel, verdict=_verdict(duel, len(duels))) for duel in decided]


def read_answers(contender: Contender, problems: list[str]) -> Answers:
    """Read the predictions of a contender's finished repetitions.

    Args:
        contender: Any contender.
        problems: Gets a sentence for each file that cannot be used.
    """
    by_split: defaultdict[str, list[dict[str, bool]]] = defaultdict(list)
    cells: dict[str, str | None] = {}
    for run in contender.finished:
        predictions = _read(run, problems)
        if predictions is None:
            continue
        answered = dict(zip(predictions.paths, predictions.correct.tolist(), strict=True))
        known = by_split[run.split]
        if known and known[0].keys() != answered.keys():
            problems.append(
                f"{run.directory / PREDICTIONS_NAME} answers {len(answered)} images and not the {len(known[0])} of "
                "another run on the same split; it is left out of the paired comparison."
            )
            continue
        known.append(answered)
        cells.update(zip(predictions.paths, predictions.cells, strict=True))
    right = {
        split: {path: fmean(answers[path] for answers in runs) for path in runs[0]} for split, runs in by_split.items()
    }
    return Answers(right, cells)


def _read(run: RunResult, problems: list[str]) -> Predictions | None:
    """Read a run's predictions; None, and a problem, if they are damaged or fewer than its record says."""
    try:
        return predictions_of(run)
    except DataError as error:
        problems.append(f"{error}; the run has no part in the paired comparison.")
        return None


def _duel(
    first: tuple[Contender, Answers], second: tuple[Contender, Answers], seed: int, problems: list[str]
) -> Duel | None:
    """Compare two contenders; None if they have no test images in common."""
    pairing = pair(first[1], second[1])
    if pairing is None:
        problems.append(f"{first[0].label} and {second[0].label} have no test images in common to be compared on.")
        return None
    if pairing.left_out:
        problems.append(
            f"{first[0].label} and {second[0].label} were tested on different images of the same split; they are "
            f"compared on the {len(pairing.first)} that both have answered."
        )
    gaps = pairing.first - pairing.second
    only_first, only_second = int((gaps > 0).sum()), int((gaps < 0).sum())
    low, high = paired_interval(gaps, pairing.clusters, seed)
    return Duel(
        first=first[0].label,
        second=second[0].label,
        first_key=first[0].key,
        second_key=second[0].key,
        images=len(gaps),
        cells=int(pairing.clusters.max()) + 1,
        difference=float(gaps.mean()),
        low=low,
        high=high,
        p_mcnemar=(probability := mcnemar(only_first, only_second)),
        p_holm=probability,
        only_first=only_first,
        only_second=only_second,
        real=False,
        verdict="",
    )


def pair(first: Answers, second: Answers) -> Pairing | None:
    """Bring together how two contenders answered the same images.

    Splits count that both were tested on, with the images that both have answered. An image in the test sides of
    several of them (folds drawn anew) counts once, with its mean. Several seeds on one split count with the share that
    was right.

    Returns:
        None if no image is common to both.
    """
    shared = [split for split in first.right if split in second.right]
    one, other = (_by_image(answers.right[split] for split in shared) for answers in (first, second))
    paths = [path for path in one if path in other]
    if not paths:
        return None
    return Pairing(
        np.array([one[path] for path in paths]),
        np.array([other[path] for path in paths]),
        cluster_numbers([first.cells[path] for path in paths]),
        len(one.keys() ^ other.keys()),
    )


def _by_image(sides: Iterable[Mapping[str, float]]) -> dict[str, float]:
    shares: defaultdict[str, list[float]] = defaultdict(list)
    for side in sides:
        for path, share in side.items():
            shares[path].append(share)
    return {path: fmean(values) for path, values in shares.items()}


def paired_interval(
    gaps: NDArray[np.float64], clusters: NDArray[np.int64], seed: int
) -> tuple[float | None, float | None]:
    """Give the 95 % interval of a mean gap from resampling cells.

    Args:
        gaps: float64 (N,), how much more often one was right than the other on each image, -1..1.
        clusters: int64 (N,), number of each image's cell.
        seed: Same seed, same interval.

    Returns:
        Its ends; None twice with a single cell.
    """
    # A cell is drawn with all its images, so that its sum and its number of images are all that matters.
    sums, counts = np.bincount(clusters, gaps), np.bincount(clusters).astype(np.float64)

    def mean_gap(times: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        return {"gap": times @ sums / (times @ counts)}

    interval = bootstrap_intervals(mean_gap, np.arange(len(counts)), _RESAMPLES, seed).get("gap")
    return (None, None) if interval is None else (interval.low, interval.high)


def _is_real(duel: Duel, p_holm: float) -> bool:
    return _leaves_out_zero(duel) and p_holm < _LEVEL


def _leaves_out_zero(duel: Duel) -> bool:
    return duel.low is not None and duel.high is not None and not duel.low <= 0 <= duel.high


def _verdict(duel: Duel, count: int) -> str:
    """Say in one sentence what a duel comes to."""
    points = 100 * duel.difference
    lead = (
        "as good as" if duel.difference == 0 else f"{abs(points):.1f} points {'ahead of' if points > 0 else 'behind'}"
    )
    cells = f"{duel.cells:,} cell{'' if duel.cells == 1 else 's'}"
    where = f"{duel.first} is {lead} {duel.second} on {duel.images:,} test images of {cells}"
    if duel.low is None or duel.high is None:
        return f"{where}, too few to say whether that is chance."
    where += f" (95 % interval {100 * duel.low:+.1f} to {100 * duel.high:+.1f})"
    few = f", though with fewer than {_FEW_CELLS} cells the interval is too narrow" if duel.cells < _FEW_CELLS else ""
    if duel.real:
        return f"{where}: more than chance{few}."
    if _leaves_out_zero(duel):
        of_several = f" after correcting for {count} comparisons" if count > 1 else ""
        return (
            f"{where}: perhaps more than chance, but McNemar's test does not say so{of_several} (p {duel.p_holm:.2f})."
        )
    return f"{where}: no difference that could not be chance."
