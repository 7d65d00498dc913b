from collections.abc import Sequence
from itertools import product
from math import gamma

import numpy as np
import pytest
from numpy.typing import NDArray

from karyo.errors import DataError
from karyo.inference.prediction import Prediction
from karyo.karyotype.case import judge_case, judge_votes
from karyo.karyotype.cell import MOST_COPIES, Call, CellObject, Karyotype, Placed
from karyo.karyotype.clones import LEAST_PLACED, CaseCall, Vote
from karyo.karyotype.iscn import is_normal, iscn_of, parse_iscn
from karyo.karyotype.priors import Priors
from karyo.karyotype.voting import CONCENTRATION, ballots, chances

NAMES = (*map(str, range(1, 23)), "X", "Y")


def certain(iscn: str, odds: float = 1e4) -> NDArray[np.float64]:
    """Probabilities of numbers of copies that are as ISCN says, each ``odds`` to one."""
    rows = np.full((24, MOST_COPIES + 1), 1.0)
    rows[np.arange(24), parse_iscn(iscn)] = odds * MOST_COPIES
    return rows / rows.sum(axis=1, keepdims=True)


def leaning(iscn: str, label: int, copies: int, ratio: float) -> NDArray[np.float64]:
    """As certain, but one chromosome has evidence of ``ratio`` to one for a number, on top of the prior."""
    rows = certain(iscn)
    row = Priors().autosome(label)
    row[copies] *= ratio
    rows[label] = row / row.sum()
    return rows


def decided(iscn: str, name: str = "cell", placed: int = 46, rows: NDArray[np.float64] | None = None) -> Karyotype:
    copies, flat = parse_iscn(iscn), np.full(24, 1 / 24)
    objects = [
        Placed(CellObject(f"{i}", np.zeros((4, 4), np.uint8)), Prediction(f"{i}", flat), flat, 0, doubtful=False)
        for i in range(placed)
    ]
    call = Call(copies, iscn_of(copies), 1.0, not is_normal(copies))
    return Karyotype(name, objects, certain(iscn) if rows is None else rows, call)


def case(*cells: tuple[str, int]) -> CaseCall:
    return judge_case([decided(text, f"{text}#{i}") for text, count in cells for i in range(count)])


def found(call: CaseCall) -> Sequence[tuple[str, int, int]]:
    return [(NAMES[each.label], each.copies, each.cells) for each in call.findings]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([("46,XX", 20)], "46,XX[20]"),
        ([("46,XY", 1)], "46,XY[1]"),
        ([("47,XY,+21", 20)], "47,XY,+21[20]"),
        ([("45,X", 3), ("46,XX", 17)], "mos 45,X[3]/46,XX[17]"),
        ([("45,X", 12), ("46,XY", 8)], "mos 45,X[12]/46,XY[8]"),
        ([("47,XX,+8", 2), ("46,XX", 18)], "mos 47,XX,+8[2]/46,XX[18]"),
        ([("45,XX,-7", 3), ("46,XX", 7)], "mos 45,XX,-7[3]/46,XX[7]"),
        # Too few cells for a clone: a loss in two, losses in one each, a normal cell beside many with a gain.
        ([("45,X", 2), ("46,XX", 18)], "46,XX[20]"),
        ([("45,XX,-7", 1), ("45,XX,-9", 1), ("45,XX,-1", 1), ("46,XX", 7)], "46,XX[10]"),
        ([("47,XY,+21", 19), ("46,XY", 1)], "47,XY,+21[20]"),
        ([("47,XY,+21", 17), ("46,XY", 3)], "mos 47,XY,+21[17]/46,XY[3]"),
        # Combinations: two clones that share a gain, and one gain in cells that differ otherwise.
        ([("47,XY,+8", 4), ("48,XY,+8,+21", 3)], "mos 47,XY,+8[4]/48,XY,+8,+21[3]"),
        ([("47,XY,+8", 1), ("48,XY,+8,+21", 1)], "47,XY,+8[2]"),
        ([("92,XXXX", 2), ("46,XX", 8)], "mos 92,XXXX[2]/46,XX[8]"),
        ([("48,XX,+21,+21", 5)], "48,XX,+21,+21[5]"),
        ([("48,XXYY", 9)], "48,XXYY[9]"),
        ([("44,?", 4)], "44,?[4]"),
        ([("45,Y", 4)], "45,Y[4]"),
        ([("69,XXY", 5)], "69,XXY[5]"),
    ],
)
def test_cells_vote(cells: list[tuple[str, int]], expected: str) -> None:
    call = case(*cells)
    assert call.iscn == expected
    assert call.abnormal == any(not is_normal(clone.copies) for clone in call.clones)
    assert bool(call.findings) == call.abnormal


def test_what_is_found_and_where() -> None:
    call = case(("46,XX", 17), ("45,X", 3))
    assert found(call) == [("X", 1, 3)]
    assert call.findings[0].probability > 0.99
    assert call.assigned == (1,) * 17 + (0,) * 3
    assert [clone.iscn for clone in call.clones] == ["45,X", "46,XX"]
    assert call.clones[0].cells == ("45,X#0", "45,X#1", "45,X#2")
    assert call.remarks == ()


def test_sex_chromosomes_are_named_first_and_both_where_both_are_unusual() -> None:
    assert found(case(("49,XXYY,+8", 4))) == [("X", 2, 4), ("Y", 2, 4), ("8", 3, 4)]


def test_a_single_cell_keeps_its_own_odds() -> None:
    rows = leaning("46,XX", 7, 3, 5000.0)
    call = judge_case([decided("47,XX,+8", rows=rows)])
    assert call.iscn == "47,XX,+8[1]"
    assert call.findings[0].probability == pytest.approx(rows[7, 3] / (rows[7, 3] + rows[7, 2]), rel=0.01)
    assert any("look at more cells" in remark for remark in call.remarks)


def test_what_is_only_more_probable_than_not_is_no_call() -> None:
    rows = leaning("46,XX", 7, 3, 175.0)
    assert 0.5 < rows[7, 3] < 0.75
    call = judge_case([decided("47,XX,+8", rows=rows)])
    assert (call.iscn, call.abnormal) == ("46,XX[1]", False)
    assert call.remarks[0].startswith("47,XX,+8 is possible (probability 0.6")


@pytest.mark.parametrize(("cells", "text"), [(1, "46,XX[1]"), (3, "46,XX[3]"), (6, "45,XX,-7[6]")])
def test_weak_evidence_adds_up_and_the_prior_counts_once(cells: int, text: str) -> None:
    """A chromosome missing among the objects, ten times likelier where the cell never had it: cells tell together."""
    rows = leaning("46,XX", 6, 1, 10.0)
    assert rows[6].argmax() == 2
    call = judge_case([decided("46,XX", f"{i}", rows=rows) for i in range(cells)])
    assert call.iscn == text
    assert not any("has more chromosomes" in remark for remark in call.remarks)


def test_incomplete_cells_do_not_speak_for_a_loss() -> None:
    rows = leaning("46,XX", 6, 1, 1e4)
    whole = judge_case([decided("45,XX,-7", f"{i}", LEAST_PLACED, rows) for i in range(4)])
    broken = judge_case([decided("45,XX,-7", f"{i}", LEAST_PLACED - 1, rows) for i in range(4)])
    assert (whole.iscn, broken.iscn) == ("45,XX,-7[4]", "46,XX[4]")
    assert "4 of 4 cells have too few chromosomes in place" in broken.remarks[0]
    gain = judge_case([decided("47,XX,+8", f"{i}", 10) for i in range(4)])
    assert gain.iscn == "47,XX,+8[4]"


def test_a_cell_with_more_than_its_clone_is_named_and_not_counted() -> None:
    call = case(("46,XX", 9), ("92,XXXX", 1))
    assert call.iscn == "46,XX[9]"
    assert call.assigned == (0,) * 9 + (None,)
    assert call.remarks == ("92,XXXX#0 (92,XXXX) has more chromosomes than the clone that fits it best: look at it",)


def test_a_cell_that_lost_a_chromosome_is_counted_without_a_word() -> None:
    call = case(("46,XX", 9), ("45,XX,-3", 1))
    assert (call.iscn, call.remarks) == ("46,XX[10]", ())


def test_what_is_possible_is_said() -> None:
    rows = leaning("46,XX", 6, 1, 10.0)
    call = judge_case([decided("46,XX", f"{i}", rows=rows) for i in range(3)])
    assert call.remarks[0].startswith("45,XX,-7 is possible (probability 0.")


def test_women_and_men_in_one_case_are_pointed_out() -> None:
    call = case(("46,XX", 6), ("46,XY", 4))
    assert call.iscn == "mos 46,XX[6]/46,XY[4]"
    assert not call.abnormal
    assert "mixed up" in call.remarks[0]


def test_cells_about_which_nothing_is_known_change_nothing() -> None:
    flat = np.array([Priors().autosome(label) for label in range(22)])
    sex = Priors().sex()
    flat = np.vstack([flat, sex.sum(axis=1), sex.sum(axis=0)])
    call = judge_case([decided("46,XX", f"{i}", 0, flat) for i in range(50)])
    assert not call.abnormal
    assert len(call.clones[0].cells) == 50


def test_flat_probabilities_are_taken_as_they_are() -> None:
    call = judge_case([decided("46,XX", rows=np.full((24, MOST_COPIES + 1), 0.2)) for _ in range(3)])
    assert len(call.assigned) == 3


def test_no_cell_and_broken_cells_are_refused() -> None:
    with pytest.raises(DataError, match="no cell"):
        judge_case([])
    broken = [np.full((24, 5), 0.3), np.full((24, 5), np.nan), np.zeros((24, 5)), np.full((23, 5), 0.2), np.eye(24)]
    for rows in broken:
        with pytest.raises(DataError, match="cell 'odd' does not hold"):
            judge_case([decided("46,XX"), decided("46,XX", "odd", rows=rows)])


def test_many_cells_are_judged_at_once() -> None:
    votes = [Vote(f"{i}", certain("47,XX,+8" if i % 3 else "46,XX"), "", 46) for i in range(400)]
    assert judge_votes(votes).iscn == "mos 47,XX,+8[266]/46,XX[134]"


def test_the_formula_against_all_assignments_one_by_one() -> None:
    """The sum over all ways in which cells can have a number, done the slow way."""
    ratios = [4.0, 0.5, 90.0, 2000.0]
    posteriors = np.stack([leaning("46,XX", 6, 3, ratio) for ratio in ratios])
    ballot = ballots(posteriors, np.ones(4, bool), Priors())[6]
    given = np.exp(ballot.evidence[:, 3])
    few, many = CONCENTRATION * ballot.prior[3], CONCENTRATION * ballot.prior[2]
    expected = np.zeros(5)
    for choice in product((False, True), repeat=4):
        count = sum(choice)
        expected[count] += np.prod(given[list(choice)]) * gamma(few + count) * gamma(many + 4 - count)
    assert chances(ballot)[3] == pytest.approx(expected / expected.sum(), rel=1e-9)
