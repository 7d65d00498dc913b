import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karyo.errors import DataError, SettingsError
from karyo.karyotype.iscn import SCOPE, describe, is_normal, iscn_of, mosaic_of, normal_copies, parse_iscn, unusual

NUMBERS = st.lists(st.integers(0, 4), min_size=24, max_size=24)


def changed(sex: str, **changes: int) -> list[int]:
    """Normal numbers with some replaced: ``changed("XX", c21=3)``."""
    copies = list(normal_copies(sex))
    for name, number in changes.items():
        place = name.removeprefix("c")
        copies[{"X": 22, "Y": 23}.get(place) or int(place) - 1] = number
    return copies


@pytest.mark.parametrize(
    ("copies", "text"),
    [
        (changed("XX"), "46,XX"),
        (changed("XY"), "46,XY"),
        (changed("XY", c21=3), "47,XY,+21"),
        (changed("XX", c7=1), "45,XX,-7"),
        (changed("XX", cX=1), "45,X"),
        (changed("XY", cX=2), "47,XXY"),
        (changed("XY", cY=2), "47,XYY"),
        (changed("XX", cX=3), "47,XXX"),
        (changed("XY", cX=2, c21=3), "48,XXY,+21"),
        (changed("XX", c21=4), "48,XX,+21,+21"),
        (changed("XX", c7=0), "44,XX,-7,-7"),
        # In the order of the numbers, gains and losses mixed, and not as text.
        (changed("XY", c21=1, c8=3, c10=3), "47,XY,+8,+10,-21"),
        (changed("XY", cX=0), "45,Y"),
        (changed("XX", cX=0), "44,?"),
        ([3] * 22 + [3, 0], "69,XXX"),
        ([3] * 22 + [2, 1], "69,XXY"),
        ([4] * 22 + [4, 0], "92,XXXX"),
        ([4] * 22 + [2, 2], "92,XXYY"),
        ([3] * 20 + [4, 3, 3, 0], "70<3n>,XXX,+21"),
        ([3] * 22 + [2, 0], "68<3n>,XX"),
        ([1] * 22 + [1, 0], "23,X"),
    ],
)
def test_text_of_numbers_and_back(copies: list[int], text: str) -> None:
    assert iscn_of(copies) == text
    assert parse_iscn(text) == tuple(copies)


@given(NUMBERS)
def test_every_text_gives_its_numbers_back(copies: list[int]) -> None:
    assert parse_iscn(iscn_of(copies)) == tuple(copies)


@given(st.lists(st.integers(0, 99), min_size=24, max_size=24))
def test_so_do_absurd_ones(copies: list[int]) -> None:
    assert parse_iscn(iscn_of(copies)) == tuple(copies)


@pytest.mark.parametrize("number", [0, 99])
def test_none_or_very_many_of_everything(number: int) -> None:
    copies = [number] * 24
    assert iscn_of(copies).startswith(f"{24 * number}<")
    assert parse_iscn(iscn_of(copies)) == tuple(copies)
    assert not is_normal(copies)
    assert describe(copies)


@pytest.mark.parametrize(
    ("total", "level"), [(34, "<1n>"), (35, ""), (57, ""), (58, "<3n>"), (80, "<3n>"), (81, "<4n>"), (103, "<4n>")]
)
def test_the_bounds_of_near_ploid_ranges(total: int, level: str) -> None:
    copies = [0] * 24
    for index in range(total):
        copies[index % 23] += 1
    assert iscn_of(copies).split(",")[0] == f"{total}{level}"


def test_numbers_of_numpy_are_numbers() -> None:
    assert iscn_of(np.array(changed("XY"))) == "46,XY"


@pytest.mark.parametrize(
    ("copies", "problem"),
    [
        ([2] * 23, "23 numbers"),
        ([], "0 numbers"),
        ([2] * 23 + [-1], "-1 of chromosome Y"),
        ([2] * 23 + [100], "100 of chromosome Y"),
        ([2.0] * 24, "whole numbers"),
        (["2"] * 24, "whole numbers"),
    ],
)
def test_what_is_no_number_of_chromosomes(copies: list[int], problem: str) -> None:
    for asked in (iscn_of, is_normal, describe, unusual):
        with pytest.raises(DataError, match=problem):
            asked(copies)


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (" 47, xy, +21 ", "47,XY,+21"),
        ("45,XX,\N{MINUS SIGN}7", "45,XX,-7"),
        ("45,XX,\N{EN DASH}7", "45,XX,-7"),
        ("47,XY,+21,-3,+3", "47,XY,+21"),
        ("47,XX,+X", "47,XXX"),
        ("45,X,-Y", "45,X"),
        ("46<2n>,XX", "46,XX"),
    ],
)
def test_spellings_that_are_forgiven(typed: str, text: str) -> None:
    assert iscn_of(parse_iscn(typed)) == text


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("", "is no ISCN text"),
        ("46", "is no ISCN text"),
        ("XX", "is no ISCN text"),
        ("46,", "is no ISCN text"),
        ("46,YX", "is no ISCN text"),
        ("46,U", "is no ISCN text"),
        ("46,,+2", "is no ISCN text"),
        ("４６,XX", "is no ISCN text"),
        ("47,XX,+23", r"'\+23' is no gain or loss"),
        ("47,XX,", "'' is no gain or loss"),
        ("46,XX,t(9;22)(q34;q11)", "structural aberrations are out of scope"),
        ("47,XY,+mar", "structural aberrations are out of scope"),
        ("47,XX", "names 47 chromosomes and lists 46"),
        ("46,XY,+21", "names 46 chromosomes and lists 47"),
        ("43,XX,-7,-7,-7", "more chromosomes 7 than there are"),
        ("mos 45,X[3]/46,XX[17]", "several clones"),
        ("45,X/46,XX", "several clones"),
        ("9" * 50 + ",XX", "is no ISCN text"),
        ("46,XX," + "+21" * 1000, "is no gain or loss"),
        ("144," + "X" * 100, "names 144"),
    ],
)
def test_texts_that_cannot_be_read(typed: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem) as caught:
        parse_iscn(typed)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("46,XX", "none too many and none missing"),
        ("47,XY,+21", "one chromosome 21 too many (trisomy 21)"),
        ("45,XX,-7", "one chromosome 7 missing (monosomy 7)"),
        ("44,XX,-7,-7", "two chromosomes 7 missing (nullisomy 7)"),
        ("48,XXY,+21", "the sex chromosomes XXY; one chromosome 21 too many (trisomy 21)"),
        ("45,X", "a single X and no other sex chromosome (monosomy X)"),
        ("45,Y", "a Y and no X"),
        ("44,?", "no sex chromosome"),
        ("69,XXY", "triploid with the sex chromosomes XXY"),
        ("70<3n>,XXX,+21", "near-triploid with the sex chromosomes XXX; one chromosome 21 too many"),
    ],
)
def test_plain_words(text: str, words: str) -> None:
    assert describe(parse_iscn(text)) == words


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("46,XY", ()),
        ("47,XXY", (22,)),
        ("45,X", (22,)),
        ("48,XXYY", (22, 23)),
        ("48,XYY,+21", (23, 20)),
        ("45,Y", (22,)),
    ],
)
def test_what_is_unusual(text: str, labels: tuple[int, ...]) -> None:
    assert unusual(parse_iscn(text)) == labels
    assert is_normal(parse_iscn(text)) == (not labels)


def clones(*texts: str) -> list[tuple[tuple[int, ...], int]]:
    pairs = [re.fullmatch(r"(.+)\[(\d+)\]", text) for text in texts]
    return [(parse_iscn(pair[1]), int(pair[2])) for pair in pairs if pair]


@pytest.mark.parametrize(
    ("given_clones", "text"),
    [
        ((), ""),
        (("46,XX[20]",), "46,XX[20]"),
        (("46,XX[17]", "45,X[3]"), "mos 45,X[3]/46,XX[17]"),
        (("46,XX[2]", "45,X[3]", "47,XXX[10]"), "mos 47,XXX[10]/45,X[3]/46,XX[2]"),
        (("47,XXX[3]", "45,X[3]"), "mos 45,X[3]/47,XXX[3]"),
        (("46,XX[17]", "45,X[0]"), "46,XX[17]"),
        (("46,XX[8]", "46,XX[9]"), "46,XX[17]"),
    ],
)
def test_mosaics(given_clones: tuple[str, ...], text: str) -> None:
    assert mosaic_of(clones(*given_clones)) == text
    assert mosaic_of(clones(*reversed(given_clones))) == text


def test_a_clone_in_fewer_than_no_cells_is_refused() -> None:
    with pytest.raises(DataError, match="-1 cells"):
        mosaic_of([(normal_copies("XX"), -1)])


def test_the_limits_are_said() -> None:
    assert "structural aberrations" in SCOPE
