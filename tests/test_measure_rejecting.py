"""`karyo measure rejecting`: what is counted, what is drawn, and what is printed."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from exported import tiny_model
from numpy.typing import NDArray

from karyo.commands.measure import rejecting
from karyo.data.synthetic import CellSettings, draw_cell
from karyo.errors import DataError, SettingsError
from karyo.evaluation import misfits, strangers
from karyo.evaluation.rejecting import (
    CHROMOSOMES,
    Refusals,
    draw_chromosomes,
    images_in_all,
    measure_rejecting,
)
from karyo.evaluation.shares import wilson_interval
from karyo.imaging.crop import object_mask
from karyo.imaging.preparation import Preparation
from karyo.inference import Predictor
from karyo.inference.engines import Answer
from karyo.inference.passport import Passport, Scope

KINDS = [*strangers.DRAWN, *misfits.PAIRED, *misfits.SPOILED]


@dataclass
class BusyEngine:
    """A model that finds everything far that is bright in more than half of its square, and never is sure."""

    polarity: str = "auto"
    seen: list[NDArray[np.uint8]] = field(default_factory=list)

    @property
    def passport(self) -> Passport:
        scope = Scope(shortest=10, distance=0.5)
        return Passport("busy", Preparation(16, polarity=self.polarity), threshold=0.5, scope=scope)

    def __call__(self, images: NDArray[np.uint8]) -> Answer:
        self.seen += list(images)
        return Answer(np.zeros((len(images), 24), np.float32), (images > 40).mean(axis=(1, 2)).astype(np.float32))


def by_kind(found: list[Refusals]) -> dict[str, Refusals]:
    return {each.kind: each for each in found}


def test_every_kind_is_shown_and_counted() -> None:
    calls: list[None] = []
    engine = BusyEngine()
    found = measure_rejecting(Predictor(engine), count=20, advance=lambda: calls.append(None))
    assert [each.kind for each in found] == [CHROMOSOMES, *KINDS]
    assert len(calls) == len(engine.seen) == images_in_all(0, 0, 20) == sum(each.images for each in found)
    kinds = by_kind(found)
    assert kinds["whole spreads"].images == 2
    assert kinds["tiny"].reasons["too_small"] == kinds["tiny"].refused == 20
    assert kinds["two chromosomes apart"].reasons["several_objects"] == 20
    assert kinds["blank fields"].reasons["empty"] == 20
    for each in found:
        # Everything is unsure here: what is not refused for another reason is refused for that alone.
        assert each.refused + each.unsure == each.images
        assert each.reasons["low_confidence"] == each.images


def test_the_same_seed_shows_the_same_and_another_one_others() -> None:
    engines = [BusyEngine() for _ in range(3)]
    for engine, seed in zip(engines, (1, 1, 2), strict=True):
        measure_rejecting(Predictor(engine), count=3, seed=seed)
    first, second, third = (np.stack(engine.seen) for engine in engines)
    np.testing.assert_array_equal(first, second)
    assert (first != third).any()


@pytest.mark.parametrize("polarity", ["bright", "dark"])
def test_images_are_made_on_the_ground_that_the_model_expects(polarity: str) -> None:
    """A picture on the wrong ground would be refused for that and not for what it shows."""
    found = by_kind(measure_rejecting(Predictor(BusyEngine(polarity)), count=10))
    assert found["tiny"].reasons["too_small"] == 10
    assert found["half a chromosome"].refused < 10
    for grey in draw_chromosomes(50, 0, polarity):
        assert (np.median(grey[0]) > 128) == (polarity == "bright")


def test_real_images_are_shown_as_they_are_and_the_others_made_of_them(tmp_path: Path) -> None:
    for position, each in enumerate(draw_cell(0, CellSettings())[:6]):
        cv2.imwrite(str(tmp_path / f"{position} ü.png"), each.image)
    (tmp_path / "bad.png").write_bytes(b"no image")
    paths = sorted(tmp_path.iterdir())
    found = measure_rejecting(Predictor(BusyEngine()), paths, paths[:3], count=4)
    assert [each.kind for each in found[:2]] == [CHROMOSOMES, "given as strangers"]
    assert (found[0].images, found[0].unreadable) == (6, 1)
    assert found[1].images == 3
    with pytest.raises(DataError, match="none of the images of chromosomes can be read"):
        measure_rejecting(Predictor(BusyEngine()), [tmp_path / "bad.png"])


@pytest.mark.parametrize(("count", "seed"), [(0, 0), (-1, 0), (100_001, 0), (5, -1)])
def test_nonsense_numbers(count: int, seed: int) -> None:
    with pytest.raises(SettingsError, match="--count must be from 1"):
        measure_rejecting(Predictor(BusyEngine()), count=count, seed=seed)


def test_wilson_interval() -> None:
    # Newcombe, Statistics in Medicine 17:857, 1998, table I, method 3.
    for hits, tries, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (1, 29, 0.0061, 0.1718)):
        assert wilson_interval(hits, tries) == pytest.approx((low, high), abs=5e-5)
    assert wilson_interval(0, 20) == (0, pytest.approx(0.1611, abs=5e-5))
    assert wilson_interval(20, 20)[1] == 1
    assert wilson_interval(0, 0) == (0, 1)


@pytest.mark.slow
def test_the_command_prints_a_table_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny_model(tmp_path, scope=Scope(shortest=10), threshold=0.0)
    rejecting(model, count=2, as_json=True)
    found = {each["kind"]: each for each in json.loads(capsys.readouterr().out)}
    assert list(found) == [CHROMOSOMES, *KINDS]
    assert found["tiny"]["share"] == 1
    assert found["tiny"]["low"] < 0.5 < found["tiny"]["high"]
    rejecting(model, count=2)
    text = " ".join(capsys.readouterr().out.split())
    assert "What the model refuses, with drawn chromosomes" in text
    assert "too_small 2" in text
    assert all(kind in text for kind in KINDS)


def test_the_command_refuses_folders_without_images(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    (tmp_path / "empty").mkdir()
    for places in ({"images": [tmp_path / "empty"]}, {"strangers": [tmp_path / "none"]}):
        with pytest.raises(SettingsError, match=r"holds no image|does not exist"):
            rejecting(model, count=1, **places)


def lifted() -> list[NDArray[np.uint8]]:
    return [misfits.lift_chromosome(each.image) for each in draw_cell(3, CellSettings("easy"))]


def parts_of(picture: NDArray[np.uint8]) -> int:
    return int(cv2.connectedComponents(object_mask(picture).view(np.uint8))[0]) - 1


def test_what_is_made_of_two_chromosomes_is_two_or_one() -> None:
    rng, chromosomes = np.random.default_rng(0), lifted()
    for one, other in zip(chromosomes[:20], chromosomes[20:40], strict=True):
        assert parts_of(misfits.two_apart(one, other, rng)) == 2
        both = misfits.crossing(one, other, rng)
        assert parts_of(both) == 1
        assert both.astype(int).sum() > 0.9 * max(one.astype(int).sum(), other.astype(int).sum())
    joined = [
        parts_of(misfits.touching(one, other, rng)) == 1
        for one, other in zip(chromosomes[:20], chromosomes[20:40], strict=True)
    ]
    assert np.mean(joined) > 0.5


def test_what_is_made_of_one_chromosome_is_less_of_it() -> None:
    rng = np.random.default_rng(0)
    for one in lifted():
        area = np.count_nonzero(one)
        assert 0.15 < np.count_nonzero(misfits.half(one, rng)) / area < 0.85
        assert max(misfits.tiny(one, rng).shape) <= 9 + 2 * 4
        assert misfits.blurred(one, rng).max() < one.max()


@pytest.mark.parametrize("kind", strangers.DRAWN)
def test_what_is_drawn_is_an_image_and_differs(kind: str) -> None:
    rng = np.random.default_rng(0)
    first, second = (strangers.DRAWN[kind](rng) for _ in range(2))
    assert first.dtype == np.uint8
    assert first.ndim == 2
    assert first.shape != second.shape or (first != second).any()
