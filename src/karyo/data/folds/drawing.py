"""Drawing a list of folds once, as splits are drawn, to be kept in a file."""

from collections.abc import Sequence

from karyo.data.folds.fold_list import BY, Fold, FoldList, names_of
from karyo.data.records import Record
from karyo.data.splits import known_levels, split_records
from karyo.errors import SettingsError


def draw_folds(
    records: Sequence[Record],
    name: str,
    by: str | None = None,
    count: int = 5,
    validation: float = 0.1,
    seed: int = 0,
) -> FoldList:
    """Draw folds whose test sides are of nearly equal size, each with a validation side out of its rest.

    Args:
        records: What to divide.
        name: Of the list.
        by: ``case`` or ``cell``; None for the strictest that every record knows.
        count: Number of folds, at least 2.
        validation: Share of the images outside the test side that a fold validates on, 0..0.5.
        seed: Same seed, same folds.

    Returns:
        The list, its names in order.

    Raises:
        SettingsError: If a setting is out of range, or the data know neither case nor cell.
        DataError: If there are too few cases or cells.
    """
    if count < 2:
        raise SettingsError(f"there must be at least 2 folds, not {count}")
    if not 0 < validation <= 0.5:
        raise SettingsError(f"the share to validate on must be above 0 and at most 0.5, not {validation:g}")
    if by is not None and by not in BY:
        raise SettingsError(f"folds are fixed by {' or '.join(BY)}, not by {by}")
    level = by or known_levels(records)[0]
    if level not in BY:
        raise SettingsError(
            "folds are fixed by the names of cases or cells, and these images have neither; name them with "
            "(?P<case>...) or (?P<cell>...) in data.source.pattern"
        )
    names = names_of(records, level)
    test = 1 / count
    shares = ((1 - test) * (1 - validation), (1 - test) * validation, test)
    folds = []
    for number in range(count):
        split = split_records(records, by=level, fractions=shares, folds=count, fold=number, seed=seed)
        sides = (sorted({names[index] for index in side.tolist()}) for side in (split.test, split.validation))
        folds.append(Fold(*map(tuple, sides)))
    return FoldList(name, level, tuple(folds))
