"""Where known cells come from: the predictions for cells that a network has not seen, or the drawing board.

Of a real cell everything is known once a network that has not seen it classified its chromosomes. A trisomy is planted
by adding the answer for one more homolog of the same class from another cell of the same patient. A drawn cell has
further homologs of its own, drawn in its style: with one of them it is, pixel for pixel, the cell drawn with a trisomy.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES, expected_copies
from karyo.data.layouts import FolderSource
from karyo.data.records import Record
from karyo.data.sizes import measure_sizes
from karyo.data.synthetic import HOMOLOGS, CellSettings, derive_seed, draw_cell
from karyo.errors import DataError, SettingsError, printable
from karyo.evaluation.calibration import fit_temperature
from karyo.evaluation.deciding import log_probabilities
from karyo.evaluation.planting import AUTOSOMES, KnownCell, Pool, Y
from karyo.evaluation.predictions import Predictions
from karyo.imaging.size import size_logarithms
from karyo.inference.many import Unreadable, predict_many
from karyo.inference.prediction import calibrated
from karyo.inference.predictor import Predictor
from karyo.inference.sizes import SizeNorms, fit_sizes

FEWEST_ROWS = 23
"""A cell of which fewer chromosomes are known is left out."""

_EVERYTHING = (*(3,) * AUTOSOMES, 3, 2)
"""What is drawn of each class, X and Y last: enough for every change in either sex."""

FIRST_DRAWN = 1_000_000
"""Number of the first drawn cell: no model was trained on it with ``data=synthetic``, whose cells count from 0."""

_STAYING = 7


def join_predictions(parts: Sequence[Predictions]) -> Predictions:
    """Join what networks said of different images, such as the folds of a cross-validation.

    Args:
        parts: At least one.

    Returns:
        All of them.

    Raises:
        DataError: If an image is in more than one of them.
    """
    paths = [path for part in parts for path in part.paths]
    twice = [path for path, times in Counter(paths).items() if times > 1]
    if twice:
        raise DataError(
            f"{printable(twice[0])} and {len(twice) - 1} more images are predicted twice; name each fold once"
        )
    return Predictions(
        paths,
        [cell for part in parts for cell in part.cells],
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
    )


def sizes_of_predictions(predictions: Predictions, root: Path) -> NDArray[np.float64]:
    """Measure the chromosomes that were predicted.

    Args:
        predictions: Their paths are relative to ``root``.
        root: The data set's folder.

    Returns:
        float64 (N, 3), logarithms; NaN where an image cannot be read or shows nothing.

    Raises:
        SettingsError: If the folder is missing, or holds none of the images.
    """
    source = FolderSource(root, "(?P<label>.+)")
    pairs = zip(predictions.paths, predictions.labels.tolist(), strict=True)
    sizes = measure_sizes(source, [Record(path, label) for path, label in pairs])
    if not np.isfinite(sizes).any():
        raise SettingsError(
            f"{root} holds none of the predicted images that can be read, such as {printable(predictions.paths[0])}; "
            "name the folder that their paths start in"
        )
    return sizes


def pool_of_predictions(
    predictions: Predictions, cases_by: str | None = None, sizes: NDArray[np.float64] | None = None
) -> Pool:
    """Make a pool of what a network said about real cells that it had not seen.

    Args:
        predictions: With the names of the cells, as the network gave them: each case's are calibrated here by the
            temperature that fits the other cases.
        cases_by: Regular expression that is searched for in a cell's name: its group ``case``, else its first group,
            else all that it matches is the case. None: every cell is a case of its own, and nothing can be added.
        sizes: float64 (N, 3) of the predictions' chromosomes; None leaves sizes out.

    Returns:
        The pool. Its cells are taken for normal, male where any cell of the case has a Y.

    Raises:
        SettingsError: If ``cases_by`` is no regular expression, or finds nothing in a cell's name.
        DataError: If no cell has enough chromosomes.
    """
    cells = np.array([name or "" for name in predictions.cells])
    names = [str(name) for name in np.unique(cells) if name]
    cases = {name: _case_of(name, cases_by) for name in names}
    of_case = np.array([cases.get(str(name), "") for name in cells])
    kept = [name for name in names if np.count_nonzero(cells == name) >= FEWEST_ROWS]
    if not kept:
        raise DataError(f"no cell of the predictions has {FEWEST_ROWS} chromosomes or more; are the cells named?")
    norms = _norms_without_each(predictions, of_case, sizes)
    found = []
    for name in kept:
        own, case = cells == name, cases[name]
        others = (of_case == case) & ~own
        male = bool((predictions.labels[of_case == case] == Y).any())
        spare = {
            label: tuple(np.flatnonzero(others & (predictions.labels == label)).tolist())
            for label in range(len(CLASSES))
        }
        found.append(KnownCell(name, case, male, tuple(np.flatnonzero(own).tolist()), spare, norms.get(case)))
    return Pool(predictions.labels, _calibrated(predictions, of_case), found, sizes, len(names) - len(kept))


def draw_pool(
    predictor: Predictor,
    cells: int,
    cells_per_case: int = 5,
    seed: int = 0,
    settings: CellSettings | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Pool:
    """Draw cells with spare homologs of every class and let a model classify them.

    Args:
        predictor: The model.
        cells: How many, 1 or more.
        cells_per_case: How many of them are one patient's, 1 or more; the patients are female and male in turn.
        seed: 0 or more.
        settings: How they are drawn; ``lost`` is the share of each cell's own chromosomes that are left out.
        advance: Called after each cell.

    Returns:
        The pool.

    Raises:
        SettingsError: If a number is out of its range.
    """
    if cells < 1 or cells_per_case < 1 or seed < 0:
        raise SettingsError(
            f"cells and cells of a case must be 1 or more and the seed 0 or more, not {cells}, {cells_per_case}, {seed}"
        )
    settings = settings or CellSettings()
    all_drawn = CellSettings(settings.hardness, settings.polarity, "mixed", settings.scale, _EVERYTHING)
    norms = predictor.passport.sizes
    polarity = "auto" if settings.polarity == "mixed" else settings.polarity
    labels: list[int] = []
    probabilities, sizes, known = [], [], []
    for number in range(cells):
        own_seed = derive_seed(seed, FIRST_DRAWN + number)
        drawn = draw_cell(own_seed, all_drawn)
        start = len(labels)
        labels += [each.label for each in drawn]
        probabilities += _classified(predictor, [each.image for each in drawn])
        sizes += [size_logarithms(each.image, polarity) for each in drawn]
        male, members = bool(number // cells_per_case % 2), [(each.label, each.homolog) for each in drawn]
        case = f"case-{number // cells_per_case:03d}"
        known.append(_drawn_cell(f"cell-{number:04d}", case, male, members, start, settings.lost, own_seed, norms))
        advance()
    return Pool(np.array(labels), np.array(probabilities), known, None if norms is None else np.array(sizes))


def _drawn_cell(
    name: str,
    case: str,
    male: bool,
    members: Sequence[tuple[int, str]],
    start: int,
    lost: float,
    seed: int,
    norms: SizeNorms | None,
) -> KnownCell:
    """Choose which of the drawn chromosomes are the cell's own, and which are spare."""
    stays = np.random.default_rng([seed, _STAYING]).random(len(members)) >= lost
    rows: list[int] = []
    spare: dict[int, tuple[int, ...]] = {}
    for position, (label, homolog) in enumerate(members):
        if HOMOLOGS.index(homolog) >= expected_copies(label, "XY" if male else "XX"):
            spare[label] = (*spare.get(label, ()), start + position)
        elif stays[position]:
            rows.append(start + position)
    return KnownCell(name, case, male, tuple(rows), spare, norms)


def _classified(predictor: Predictor, images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float64]]:
    """Classify drawn chromosomes."""
    answers = []
    for answer in predict_many(predictor, images):
        if isinstance(answer, Unreadable):
            raise DataError(f"the model cannot read a drawn chromosome: {answer.message}")
        answers.append(answer.probabilities)
    return answers


def _calibrated(predictions: Predictions, of_case: NDArray[np.str_]) -> NDArray[np.float64]:
    """Calibrate each case's probabilities by the temperature that fits the other cases, (N, 24)."""
    logits = log_probabilities(predictions)
    result = predictions.probabilities.copy()
    for case in np.unique(of_case):
        own = of_case == case
        if not own.all():
            result[own] = calibrated(logits[own], fit_temperature(logits[~own], predictions.labels[~own]))
    return result


def _norms_without_each(
    predictions: Predictions, of_case: NDArray[np.str_], sizes: NDArray[np.float64] | None
) -> dict[str, SizeNorms | None]:
    """Learn the usual sizes for each case from the cells of the others."""
    if sizes is None:
        return {}
    cells = np.array([name or "" for name in predictions.cells])
    learned = {}
    for case in np.unique(of_case[of_case != ""]):
        others = np.flatnonzero(of_case != case)
        names = [str(cells[row]) or None for row in others]
        learned[str(case)] = fit_sizes(sizes[others], predictions.labels[others], names)
    return learned


def _case_of(name: str, cases_by: str | None) -> str:
    """Read the case off a cell's name."""
    if cases_by is None:
        return name
    try:
        found = re.search(cases_by, name)
    except re.error as error:
        raise SettingsError(f"--cases-by {cases_by!r} is not a regular expression: {error}") from None
    if found is None:
        raise SettingsError(f"--cases-by {cases_by!r} finds no case in the cell's name {name!r}")
    return str(found["case"] if "case" in found.re.groupindex else found[1 if found.re.groups else 0])
