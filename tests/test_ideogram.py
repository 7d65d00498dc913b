import itertools

import pytest

from karyo.chromosomes import ACROCENTRIC, CLASSES
from karyo.data.ideogram import RESOLUTIONS, load_ideogram, relative_lengths
from karyo.errors import SettingsError


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_every_chromosome_is_covered_by_bands_without_gaps(resolution: int) -> None:
    ideogram = load_ideogram(resolution)
    assert [chromosome.label for chromosome in ideogram] == list(range(24))
    for chromosome in ideogram:
        assert chromosome.bands[0].start == 0
        for before, after in itertools.pairwise(chromosome.bands):
            assert before.stop == after.start
            assert before.arm <= after.arm
        assert all(band.start < band.stop for band in chromosome.bands)


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_stains_and_densities_are_those_of_the_nomenclature(resolution: int) -> None:
    bands = [band for chromosome in load_ideogram(resolution) for band in chromosome.bands]
    assert {band.stain for band in bands} == {"gneg", "gpos", "gvar", "acen", "stalk"}
    assert {band.density for band in bands if band.stain == "gpos"} == {25, 50, 75, 100}
    assert {band.density for band in bands if band.stain != "gpos"} == {0}


def test_the_finer_table_has_more_bands_of_the_same_chromosomes() -> None:
    for coarse, fine in zip(load_ideogram(550), load_ideogram(850), strict=True):
        assert len(fine.bands) >= len(coarse.bands)
        assert fine.length == coarse.length
        assert fine.centromere == pytest.approx(coarse.centromere, abs=0.07)


def test_the_centromere_lies_between_the_arms_where_the_textbook_has_it() -> None:
    place = {CLASSES[chromosome.label]: chromosome.centromere for chromosome in load_ideogram(850)}
    assert place["1"] == pytest.approx(0.5, abs=0.05)
    assert place["3"] == pytest.approx(0.47, abs=0.05)
    assert place["4"] < 0.32
    assert place["5"] < 0.32
    for label in ACROCENTRIC:
        assert any(band.stain == "stalk" for band in load_ideogram(850)[label].bands)
    centromeres = [[band for band in chromosome.bands if band.stain == "acen"] for chromosome in load_ideogram(850)]
    assert all([band.arm for band in pair] == ["p", "q"] for pair in centromeres)


def test_relative_lengths_fall_from_chromosome_1_to_21() -> None:
    lengths = relative_lengths()
    assert lengths[0] == 1.0
    assert min(lengths) == lengths[CLASSES.index("21")]
    assert lengths[CLASSES.index("X")] == pytest.approx(8610 / 15100)
    assert lengths[CLASSES.index("Y")] < 0.3


def test_another_resolution_is_refused() -> None:
    with pytest.raises(SettingsError, match="400 bands"):
        load_ideogram(400)
