"""Numbers of chromosomes as ISCN text, and back.

ISCN is the International System for Human Cytogenomic Nomenclature. What is used of it here: the total, the sex
chromosomes as they are, then what is too many (``+``) or missing (``-``) of the autosomes in the order of their
numbers, gains and losses alike (ISCN 2020, chapter 8, Numerical Chromosome Abnormalities; ISCN 2024, section 5.3);
near-haploid, near-triploid ... counts against the nearest multiple of 23, which is then named, ``70<3n>`` (ISCN 2020,
chapter 11, modal number: near-diploid is 35 to 57, near-triploid 58 to 80, near-tetraploid 81 to 103).

Sex chromosomes are written as for a constitutional finding (``45,X``; ``47,XXY``). Whether a missing or extra one was
acquired (``45,X,-Y``) cannot be known from counts. ISCN has no text for a cell without any sex chromosome, since none
lives; here its sign for what could not be identified takes their place: ``44,?``.

Structural aberrations (translocations, deletions, inversions, rings, markers ...) are out of scope: :data:`SCOPE`.
"""

import operator
import re
from collections import Counter
from collections.abc import Sequence

from karyo.chromosomes import CLASSES, expected_copies
from karyo.errors import DataError, SettingsError

SCOPE = (
    "Only the numbers of chromosomes are judged; structural aberrations such as translocations, deletions and "
    "inversions are not looked for."
)
"""What every output with ISCN text should say of its limits."""

SEXES: tuple[str, ...] = ("XX", "XY")
"""Sex chromosomes of a normal cell."""

_AUTOSOMES, _X, _Y = range(22), 22, 23
_HAPLOID = 23
_MOST = 99
_NO_SEX = "?"
_LONGEST_SHOWN = 100
_TEXT = re.compile(r"(?P<total>\d{1,4})(?:<(?P<level>[1-9]\d{0,2})n>)?,(?P<sex>X*Y*|\?)(?P<rest>(?:,[^,]*)*)", re.ASCII)
_TERM = re.compile(r"(?P<sign>[+-])(?P<name>[1-9]|1\d|2[0-2]|X|Y)", re.ASCII)
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_PLOIDIES = {1: "haploid", 3: "triploid", 4: "tetraploid", 5: "pentaploid", 6: "hexaploid", 8: "octaploid"}
_SOMIES = {0: "nullisomy", 1: "monosomy", 3: "trisomy", 4: "tetrasomy", 5: "pentasomy"}


def normal_copies(sex: str) -> tuple[int, ...]:
    """Give the numbers of a normal cell.

    Args:
        sex: ``"XX"`` or ``"XY"``.

    Returns:
        24 numbers in class order.

    Raises:
        ValueError: If ``sex`` is neither.
    """
    return tuple(expected_copies(label, sex) for label in range(len(CLASSES)))


def is_normal(copies: Sequence[int]) -> bool:
    """Say whether 24 numbers are those of a normal cell, female or male.

    Raises:
        DataError: If they are not 24 whole numbers from 0 to 99.
    """
    return _checked(copies) in [normal_copies(sex) for sex in SEXES]


def unusual(copies: Sequence[int]) -> tuple[int, ...]:
    """List the classes of which a cell does not have the normal number.

    A cell with a Y is measured against XY, one without against XX: in ``47,XXY`` it is X, in ``45,X`` it is X.

    Args:
        copies: 24 numbers in class order.

    Returns:
        Classes 0..23, the sex chromosomes first as in ISCN text.

    Raises:
        DataError: If they are not 24 whole numbers from 0 to 99.
    """
    numbers = _checked(copies)
    normal = normal_copies("XY" if numbers[_Y] else "XX")
    return tuple(label for label in (_X, _Y, *_AUTOSOMES) if numbers[label] != normal[label])


def iscn_of(copies: Sequence[int]) -> str:
    """Write numbers of chromosomes as ISCN text.

    Args:
        copies: 24 numbers in class order, each 0..99.

    Returns:
        ``"46,XX"``, ``"47,XY,+21"``, ``"45,X"``, ``"48,XXY,+21"``, ``"48,XX,+21,+21"``, ``"69,XXX"``,
        ``"70<3n>,XXX,+21"``. :func:`parse_iscn` gives the numbers back.

    Raises:
        DataError: If they are not 24 whole numbers from 0 to 99.
    """
    numbers = _checked(copies)
    total, level = sum(numbers), _nearest_level(sum(numbers))
    pure = total == level * _HAPLOID and all(numbers[label] == level for label in _AUTOSOMES)
    count = f"{total}" if level == 2 or pure else f"{total}<{level}n>"
    changes = [
        f"{'+' if numbers[label] > level else '-'}{CLASSES[label]}"
        for label in _AUTOSOMES
        for _ in range(abs(numbers[label] - level))
    ]
    return ",".join([count, _sex_of(numbers), *changes])


def parse_iscn(text: str) -> tuple[int, ...]:
    """Read ISCN text of numerical findings.

    Besides what :func:`iscn_of` writes it reads acquired changes of sex chromosomes: in ``47,XX,+X`` the gain comes on
    top of those listed, in ``45,X,-Y`` the lost one is not among them (ISCN 2024, section 5.3.1).

    Args:
        text: One clone, ``"47,XY,+21"``; spaces, lower case x and y, and typographic minus signs are forgiven.

    Returns:
        24 numbers in class order.

    Raises:
        SettingsError: If it is no such text, describes a mosaic or a structural aberration, or its total is not the
            sum of its chromosomes.
    """
    plain = re.sub(r"\s", "", text).replace("\N{MINUS SIGN}", "-").replace("\N{EN DASH}", "-")
    if plain.startswith(("mos", "chi")) or "/" in plain:
        raise SettingsError(f"{text[:_LONGEST_SHOWN]!r} describes several clones; give one of them, such as 47,XY,+21")
    match = _TEXT.fullmatch(re.sub("[xy]", lambda letter: letter[0].upper(), plain))
    text = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."
    if match is None or not match["sex"]:
        raise SettingsError(
            f"{text!r} is no ISCN text of numbers: write the total, the sex chromosomes and what is too many or "
            "missing, such as 47,XY,+21"
        )
    total = int(match["total"])
    level = int(match["level"] or _nearest_level(total))
    numbers = [level] * len(_AUTOSOMES) + [match["sex"].count("X"), match["sex"].count("Y")]
    for term in match["rest"].split(",")[1:]:
        _add_term(numbers, term, text)
    if sum(numbers) != total or max(numbers) > _MOST:
        raise SettingsError(f"{text!r} names {total} chromosomes and lists {sum(numbers)}; correct one of the two")
    return tuple(numbers)


def describe(copies: Sequence[int]) -> str:
    """Say in plain words what is unusual about numbers of chromosomes.

    Args:
        copies: 24 numbers in class order, each 0..99.

    Returns:
        A sentence without capital and full stop: ``"one chromosome 21 too many (trisomy 21)"``, ``"none too many and
        none missing"``.

    Raises:
        DataError: If they are not 24 whole numbers from 0 to 99.
    """
    numbers = _checked(copies)
    level = _nearest_level(sum(numbers))
    parts = [_describe_autosome(label, numbers[label], level) for label in _AUTOSOMES if numbers[label] != level]
    if level != 2:
        parts.insert(
            0, f"{'near-' if parts else ''}{_PLOIDIES.get(level, f'{level}-ploid')} with {_sex_words(numbers)}"
        )
    elif _sex_of(numbers) not in SEXES:
        parts.insert(0, _sex_words(numbers))
    return "; ".join(parts) or "none too many and none missing"


def mosaic_of(counted: Sequence[tuple[Sequence[int], int]]) -> str:
    """Write the clones of a case as ISCN text.

    The largest clone comes first and a normal one last, whatever its size (ISCN 2020, section 4.1 and chapter 11);
    clones of one size stand in the order of their numbers. A normal female clone beside a normal male one is written
    as a mosaic too: that it is a chimera (``chi``) or a mix-up of samples is for a person to say.

    Args:
        counted: Of each clone its 24 numbers and in how many cells it was seen. Clones with the same numbers are
            joined, those seen in none left out.

    Returns:
        ``"mos 45,X[3]/46,XX[17]"``; of a single clone ``"46,XX[20]"``; of none ``""``.

    Raises:
        DataError: If numbers are not 24 whole ones from 0 to 99, or cells are fewer than none.
    """
    clones: Counter[tuple[int, ...]] = Counter()
    for copies, cells in counted:
        if cells < 0:
            raise DataError(f"a clone cannot be seen in {cells} cells; count 0 or more")
        clones[_checked(copies)] += cells
    seen = [(copies, cells) for copies, cells in clones.items() if cells]
    seen.sort(key=lambda clone: (is_normal(clone[0]), -clone[1], sum(clone[0]), clone[0]))
    text = "/".join(f"{iscn_of(copies)}[{cells}]" for copies, cells in seen)
    return f"mos {text}" if len(seen) > 1 else text


def _checked(copies: Sequence[int]) -> tuple[int, ...]:
    """Turn numbers into plain ones, refusing what cannot be a number of chromosomes."""
    try:
        numbers = tuple(operator.index(number) for number in copies)
    except TypeError:
        raise DataError(f"numbers of chromosomes must be whole numbers, not {list(copies)!r:.200}") from None
    if len(numbers) != len(CLASSES):
        raise DataError(f"a cell has a number of each of {len(CLASSES)} chromosomes, not {len(numbers)} numbers")
    for name, number in zip(CLASSES, numbers, strict=True):
        if not 0 <= number <= _MOST:
            raise DataError(f"there cannot be {number} of chromosome {name}; count from 0 to {_MOST}")
    return numbers


def _nearest_level(total: int) -> int:
    """Give the multiple of 23 nearest to a total, 1 or more; this gives the bounds of ISCN's near-ploid ranges."""
    return max((2 * total + _HAPLOID) // (2 * _HAPLOID), 1)


def _sex_of(numbers: Sequence[int]) -> str:
    """Write the sex chromosomes."""
    return "X" * numbers[_X] + "Y" * numbers[_Y] or _NO_SEX


def _add_term(numbers: list[int], term: str, text: str) -> None:
    """Count one ``+21`` or ``-7`` of a text."""
    match = _TERM.fullmatch(term)
    if match is None:
        raise SettingsError(
            f"{text!r}: {term!r} is no gain or loss of a whole chromosome such as +21 or -7; structural aberrations "
            "are out of scope"
        )
    label = CLASSES.index(match["name"])
    if match["sign"] == "+":
        numbers[label] += 1
    elif label in _AUTOSOMES:
        numbers[label] -= 1
        if numbers[label] < 0:
            raise SettingsError(f"{text!r} loses more chromosomes {CLASSES[label]} than there are; take a {term} away")


def _describe_autosome(label: int, number: int, level: int) -> str:
    """Say how many of an autosome are too many or missing."""
    name, change = CLASSES[label], abs(number - level)
    noun = "chromosome" if change == 1 else "chromosomes"
    count = _WORDS[change] if change < len(_WORDS) else str(change)
    somy = f" ({_SOMIES[number]} {name})" if level == 2 and number in _SOMIES else ""
    return f"{count} {noun} {name} {'too many' if number > level else 'missing'}{somy}"


def _sex_words(numbers: Sequence[int]) -> str:
    """Say which sex chromosomes there are."""
    x, y = numbers[_X], numbers[_Y]
    if x + y == 0:
        return "no sex chromosome"
    if x + y == 1:
        return "a single X and no other sex chromosome (monosomy X)" if x else "a Y and no X"
    return f"the sex chromosomes {_sex_of(numbers)}"
