"""The objects of a cell decided together: where each belongs, how many copies there are, what is left in the tray."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.errors import SettingsError
from karyo.inference.sizes import SizeNorms, fit_sizes
from karyo.karyotype.assignment import assign
from karyo.karyotype.copies import Expected, estimate_loss
from karyo.karyotype.decision import Decision, decide_cell
from karyo.karyotype.evidence import Evidence, gather_evidence
from karyo.karyotype.iscn import normal_copies, parse_iscn
from karyo.karyotype.marginals import find_marginals
from karyo.karyotype.priors import Priors

X, Y = 22, 23


def labels_of(iscn: str) -> list[int]:
    return [label for label, copies in enumerate(parse_iscn(iscn)) for _ in range(copies)]


def answers(labels: list[int], right: float = 0.98) -> NDArray[np.float64]:
    """A classifier's answers that give the true class this probability and share the rest out."""
    table = np.full((len(labels), 24), (1 - right) / 23)
    table[range(len(labels)), labels] = right
    return table


def mistaken(table: NDArray[np.float64], row: int, label: int, truth: int, share: float) -> None:
    """Let a classifier prefer a wrong class for one object."""
    table[row] = 0.01 / 22
    table[row, label], table[row, truth] = share, 0.99 - share


def norms() -> SizeNorms:
    """Sizes that fall evenly from chromosome 1 to Y, with a scatter of 5 %."""
    falling = np.linspace(0.8, -0.8, 24)
    return SizeNorms(np.stack([falling] * 3, axis=1).tolist(), (0.0025 * np.eye(3)).tolist(), 10)


def drawn_sizes(labels: list[int], scale: float = 5.0, seed: int = 0) -> NDArray[np.float64]:
    scatter = np.random.default_rng(seed).normal(0, 0.05, (len(labels), 3))
    return np.asarray(norms().means)[labels] + scale + scatter


def decided(labels: list[int], **settings: float) -> Decision:
    return decide_cell(answers(labels, **settings))


@pytest.mark.parametrize("iscn", ["46,XX", "46,XY"])
def test_a_normal_cell_is_called_normal_and_every_object_gets_its_place(iscn: str) -> None:
    labels = labels_of(iscn)

    found = decided(labels)

    assert found.labels.tolist() == labels
    assert (found.call.iscn, found.call.abnormal, found.call.findings) == (iscn, False, ())
    assert found.call.copies == normal_copies(iscn[3:])
    assert found.call.probability > 0.8
    assert (found.classes[range(46), labels] > 0.99).all()


def test_a_wrong_answer_is_put_right_by_the_rest_of_the_cell() -> None:
    labels = labels_of("46,XX")
    table = answers(labels)
    mistaken(table, 16, label=9, truth=8, share=0.8)

    found = decide_cell(table)

    assert table[16].argmax() == 9
    assert found.labels.tolist() == labels
    assert not found.call.abnormal


def test_two_objects_that_were_taken_for_each_other_both_come_right_by_their_sizes() -> None:
    labels = labels_of("46,XY")
    table = answers(labels)
    for row, other in ((2, 2), (5, 1)):  # a 2 taken for a 3 and a 3 taken for a 2, as surely as one another
        mistaken(table, row, label=other, truth=labels[row], share=0.6)
    sizes = drawn_sizes(labels)

    assert decide_cell(table).labels.tolist() != labels
    assert decide_cell(table, sizes, norms()).labels.tolist() == labels


@pytest.mark.parametrize("iscn", ["47,XX,+21", "47,XY,+18", "47,XX,+9", "47,XXY", "47,XYY", "47,XXX"])
def test_a_chromosome_too_many_is_reported_and_not_corrected_away(iscn: str) -> None:
    labels = labels_of(iscn)

    found = decided(labels, right=0.995)

    assert found.call.iscn == iscn
    assert found.call.abnormal
    assert found.labels.tolist() == labels
    assert all(finding.copies == found.call.copies[finding.label] for finding in found.call.findings)
    assert {finding.label for finding in found.call.findings} <= {*range(24)}


def test_an_extra_chromosome_21_is_believed_sooner_than_an_extra_1() -> None:
    shares = [
        decided(labels_of(f"47,XX,+{name}"), right=0.9).copies[label, 3] for name, label in (("21", 20), ("1", 0))
    ]

    assert shares[0] > shares[1]


def test_one_bad_picture_does_not_make_a_normal_cell_abnormal() -> None:
    labels = labels_of("46,XX")
    for row in range(46):
        table = answers(labels)
        wrong = (labels[row] + 1) % 22
        mistaken(table, row, label=wrong, truth=labels[row], share=0.97)
        assert decide_cell(table).call.iscn == "46,XX", row


def test_a_missing_chromosome_is_not_a_loss_for_certain() -> None:
    labels = labels_of("46,XX")
    labels.remove(6)

    found = decide_cell(answers(labels))

    assert found.call.iscn == "46,XX"
    assert 0 < found.copies[6, 1] < 0.5


def test_a_single_x_in_45_is_the_likelier_of_losses() -> None:
    autosome, x = labels_of("45,XX,-7"), labels_of("45,X")

    assert decided(x).copies[X, 1] > 10 * decided(autosome).copies[6, 1]


def test_what_is_no_chromosome_goes_into_the_tray() -> None:
    labels = labels_of("46,XY")
    table = np.vstack([answers(labels), np.full((3, 24), 1 / 24)])
    reasons = [()] * 46 + [("not_a_chromosome",)] * 3

    found = decide_cell(table, reasons=reasons, found=True)

    assert found.labels.tolist() == [*labels, -1, -1, -1]
    assert (found.classes[46:].sum(axis=1) < 0.5).all()
    assert found.call.iscn == "46,XY"


def test_no_class_shows_more_chromosomes_than_are_called() -> None:
    labels = labels_of("47,XX,+9")
    for right in (0.3, 0.5, 0.7, 0.9):
        found = decide_cell(answers(labels, right=right))
        shown = np.bincount(found.labels[found.labels >= 0], minlength=24)
        assert (shown <= found.call.copies).all(), right


def test_flat_answers_say_nothing() -> None:
    found = decide_cell(np.full((46, 24), 1 / 24))

    assert not found.call.abnormal
    assert found.classes.max() < 0.2
    assert found.call.probability < 0.9


def test_no_objects_and_one_object() -> None:
    none, one = decide_cell(np.zeros((0, 24))), decide_cell(answers([4], right=0.9))

    assert none.labels.shape == (0,)
    assert not none.call.abnormal
    assert one.labels.tolist() == [4]
    assert one.classes[0, 4] == pytest.approx(0.9, abs=0.05)
    assert not one.call.abnormal


def test_92_chromosomes_are_four_sets_and_not_46_strangers() -> None:
    labels = sorted(labels_of("46,XX") * 2)

    found = decided(labels)

    assert found.sets == 4
    assert found.labels.tolist() == labels
    assert found.call.copies == tuple(2 * copies for copies in normal_copies("XX"))


def test_three_sets_are_told_from_two_and_four() -> None:
    found = decided(labels_of("69,XXY"))

    assert found.sets == 3
    assert found.call.iscn == "69,XXY"


def test_pieces_of_a_spread_are_not_taken_for_further_sets() -> None:
    labels = labels_of("46,XX")
    pieces = np.random.default_rng(0).dirichlet(np.full(24, 0.3), 16)

    found = decide_cell(np.vstack([answers(labels), pieces]), found=True)

    assert found.sets == 2
    assert found.call.iscn == "46,XX"


def test_the_order_of_the_objects_does_not_matter() -> None:
    random = np.random.default_rng(3)
    table = random.dirichlet(np.full(24, 0.1), 45)
    order = random.permutation(45)
    sizes = random.normal(3, 0.5, (45, 3))

    first, second = decide_cell(table, sizes, norms()), decide_cell(table[order], sizes[order], norms())

    np.testing.assert_array_equal(first.labels[order], second.labels)
    np.testing.assert_allclose(first.classes[order], second.classes, atol=1e-3)
    np.testing.assert_allclose(first.copies, second.copies, atol=1e-3)


def test_what_is_certain_beyond_all_numbers_stays_finite() -> None:
    labels = labels_of("47,XY,+21")
    found = decide_cell(answers(labels, right=1.0), priors=Priors(error=1e-12))

    assert np.isfinite(found.classes).all()
    assert np.isfinite(found.copies).all()
    assert found.call.iscn == "47,XY,+21"


def _weight(labels: tuple[int, ...], evidence: Evidence, expected: Expected) -> float:
    """The probability of one way to assign, up to a factor, by the definition."""
    weight = 1.0
    for row, label in enumerate(labels):
        weight *= (
            np.exp(evidence.stranger[row]) * expected.priors.junk if label < 0 else np.exp(evidence.classes[row, label])
        )
    counts = [labels.count(label) for label in range(24)]
    autosomes = expected.autosomes[range(22), counts[:22]].prod()
    return float(weight * autosomes * expected.sex[counts[X], counts[Y]])


@pytest.fixture(scope="module", params=range(4))
def small_cell(request: pytest.FixtureRequest) -> tuple[Evidence, Expected, dict[tuple[int, ...], float]]:
    """Four objects of five possible classes, with the weight of every way to assign them."""
    random = np.random.default_rng(request.param)
    table = np.full((4, 24), 1e-12)
    possible = [0, 1, 20, X, Y]
    table[:, possible] = random.dirichlet(np.full(5, 0.7), 4)
    evidence = gather_evidence(table, Priors(error=1e-9))
    expected = Expected(Priors(), estimate_loss(4))
    ways = itertools.product([-1, *possible], repeat=4)
    return evidence, expected, {way: _weight(way, evidence, expected) for way in ways}


def test_the_assignment_is_the_most_probable_of_all(
    small_cell: tuple[Evidence, Expected, dict[tuple[int, ...], float]],
) -> None:
    evidence, expected, weights = small_cell

    found = assign(evidence, expected)

    best = max(weights, key=lambda way: weights[way])
    assert weights[tuple(found.labels.tolist())] == pytest.approx(weights[best])


def test_the_marginals_are_near_those_of_the_sum_over_all_ways(
    small_cell: tuple[Evidence, Expected, dict[tuple[int, ...], float]],
) -> None:
    evidence, expected, weights = small_cell
    total = sum(weights.values())
    exact = np.zeros((4, 24))
    pairs = np.zeros(5)
    for way, weight in weights.items():
        for row, label in enumerate(way):
            if label >= 0:
                exact[row, label] += weight / total
        pairs[way.count(20)] += weight / total

    found = find_marginals(evidence, expected)

    np.testing.assert_allclose(found.classes, exact, atol=0.05)
    np.testing.assert_allclose(found.autosomes[20], pairs, atol=0.05)


def test_sizes_are_learned_relative_to_their_cell() -> None:
    labels = labels_of("46,XY") * 6
    cells = [f"cell {number}" for number in range(6) for _ in range(46)]
    scales = np.repeat(np.linspace(2, 6, 6), 46)[:, None]
    sizes = drawn_sizes(labels, scale=0.0) + scales
    sizes[5] = np.nan

    found = fit_sizes(sizes, np.array(labels), cells)

    assert found is not None
    assert found.cells == 6
    np.testing.assert_allclose(found.means, norms().means, atol=0.06)
    assert 0.03 < np.sqrt(found.covariance[0][0]) < 0.07


@pytest.mark.parametrize(
    ("labels", "cells"),
    [
        (labels_of("46,XX") * 4, [f"{number}" for number in range(4) for _ in range(46)]),  # no Y
        (labels_of("46,XY") * 4, [None] * 184),
        (labels_of("46,XY") * 2, [f"{number}" for number in range(2) for _ in range(46)]),
        ([], []),
    ],
)
def test_sizes_are_not_learned_from_too_little(labels: list[int], cells: list[str | None]) -> None:
    assert fit_sizes(np.zeros((len(labels), 3)), np.array(labels, dtype=np.int64), cells) is None


def test_sizes_of_few_objects_say_nothing() -> None:
    sizes, shares = drawn_sizes([0, 5, 9, 20]), np.full((4, 24), 1 / 24)

    assert not norms().log_likelihood(sizes, shares).any()


def test_an_object_without_a_size_is_decided_by_its_bands() -> None:
    labels = labels_of("46,XX")
    sizes = drawn_sizes(labels)
    sizes[[0, 30]] = np.nan

    assert decide_cell(answers(labels), sizes, norms()).labels.tolist() == labels


@pytest.mark.parametrize(
    "settings", [{"trisomy": 0.0}, {"junk": -1.0}, {"error": 0.7}, {"size": 2.0}, {"monosomy": float("nan")}]
)
def test_priors_that_cannot_be_meant_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=next(iter(settings))):
        Priors(**settings)  # type: ignore[arg-type]


def test_there_are_24_classes_with_prior_copies() -> None:
    expected = Expected(Priors(), 0.05)

    assert expected.autosomes.shape[0] + 2 == len(CLASSES)
    assert (expected.copies_of_autosomes(np.eye(5)[[2] * 22]).argmax(axis=1) == 2).all()
    for sets in (2, 3, 4):
        assert Priors().autosome(20, sets).sum() == pytest.approx(1)
        assert Priors().sex(sets).sum() == pytest.approx(1)
