"""The distance that an exported graph measures: strangers lie far, chromosomes near, and ONNX says the same."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from karyo.data.synthetic import CellSettings, draw_cell
from karyo.errors import SettingsError
from karyo.evaluation import misfits, strangers
from karyo.evaluation.exposure import draw_exposure
from karyo.exporting.description import NUMBERS, SIDE, Description
from karyo.exporting.outliers import OutlierDistance, choose_limit, fit_outliers
from karyo.imaging.preparation import Preparation
from karyo.imaging.steps import Chain
from karyo.imaging.steps.objects import LargestObject

Picture = NDArray[np.uint8]

PREPARATION = Preparation(48)


def drawn(cells: range) -> list[Picture]:
    return [each.image for seed in cells for each in draw_cell(seed, CellSettings("easy"))]


def prepared(greys: list[Picture]) -> NDArray[np.uint8]:
    return np.stack([PREPARATION(grey) for grey in greys])


def distances(fitted: OutlierDistance, greys: list[Picture]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = fitted(torch.from_numpy(prepared(greys))[:, None]).numpy()
    return found


@pytest.fixture(scope="module")
def greys() -> list[Picture]:
    return drawn(range(6))


@pytest.fixture(scope="module")
def fitted(greys: list[Picture]) -> OutlierDistance:
    return fit_outliers(prepared(greys), prepared(drawn(range(20, 23))), greys[::3], PREPARATION)


@pytest.fixture(scope="module")
def limit(fitted: OutlierDistance) -> float:
    return choose_limit(distances(fitted, drawn(range(20, 23))))


@pytest.mark.slow
def test_unseen_chromosomes_are_near(fitted: OutlierDistance, limit: float) -> None:
    assert (distances(fitted, drawn(range(40, 43))) > limit).mean() < 0.06


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*strangers.DRAWN, *misfits.PAIRED])
def test_strangers_are_far(fitted: OutlierDistance, limit: float, greys: list[Picture], kind: str) -> None:
    rng = np.random.default_rng(99)
    lifted = [misfits.lift_chromosome(grey) for grey in greys]

    def make() -> Picture:
        if kind in strangers.DRAWN:
            return strangers.DRAWN[kind](rng)
        one, other = rng.integers(len(lifted), size=2)
        return misfits.PAIRED[kind](lifted[one], lifted[other], rng)

    made = [make() for _ in range(4 if kind in ("whole spreads", "karyograms") else 40)]
    expected = 0.6 if kind == "two crossing" else 0.85
    assert (distances(fitted, made) > limit).mean() >= expected


@pytest.mark.slow
def test_onnx_says_the_same(fitted: OutlierDistance, greys: list[Picture], tmp_path: Path) -> None:
    import onnxruntime

    from karyo.exporting.graph import ExportedGraph
    from karyo.exporting.onnx_file import to_onnx
    from karyo.models.network import ChromosomeNetwork, NetworkSpec

    graph = ExportedGraph(ChromosomeNetwork(NetworkSpec("timm", "test_resnet", 48)), fitted).eval()
    session = onnxruntime.InferenceSession(to_onnx(graph).SerializeToString(), providers=["CPUExecutionProvider"])
    images = prepared([*greys[:20], strangers.draw_text(np.random.default_rng(0)), np.zeros((9, 9), np.uint8)])
    found = session.run(["distance"], {"images": images[:, None]})[0]
    expected = fitted(torch.from_numpy(images)[:, None]).numpy()
    assert found.shape == (22,)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_distance(greys: list[Picture]) -> None:
    state = torch.get_rng_state()
    images = prepared(greys[:40])
    first, second, other = (fit_outliers(images, images, greys[:20], PREPARATION, seed) for seed in (3, 3, 4))
    found = [distances(each, greys[40:60]) for each in (first, second)]
    np.testing.assert_array_equal(found[0], found[1])
    assert (first.judge[0].weight != other.judge[0].weight).any()
    assert torch.equal(torch.get_rng_state(), state)


def test_too_few_images(greys: list[Picture]) -> None:
    images = prepared(greys[:25])
    for arguments in ((images[:19], images, greys), (images, images, [])):
        with pytest.raises(SettingsError, match="too few to tell what chromosomes look like"):
            fit_outliers(*arguments, PREPARATION)
    with pytest.raises(SettingsError, match="no validation images"):
        fit_outliers(images, images[:0], greys, PREPARATION)


def test_limit() -> None:
    values = np.arange(1000, dtype=np.float32)
    for share, refused in ((0.01, 10), (0.05, 50), (0.5, 500)):
        assert 0 <= refused - int((values > choose_limit(values, share)).sum()) <= 1
    for count in (7, 99, 462):
        assert (values[:count] > choose_limit(values[:count])).mean() <= 0.01
    assert choose_limit(np.array([3], np.float32)) == 3
    for share in (0, 1, -1, float("nan")):
        with pytest.raises(SettingsError, match="between 0 and 1"):
            choose_limit(values, share)
    with pytest.raises(SettingsError, match="no validation images"):
        choose_limit(values[:0])


@pytest.mark.parametrize("size", [8, 48, 64, 100, 224])
def test_a_description_depends_little_on_the_networks_input(size: int) -> None:
    picture = misfits.lift_chromosome(drawn(range(1))[0])
    small, usual = (
        Description(side)(torch.from_numpy(Preparation(side)(picture))[None, None]) for side in (size, SIDE)
    )
    assert small.shape == (1, NUMBERS)
    brightness = slice(0, 64)
    assert float((small - usual)[0, brightness].abs().mean()) < 0.05


@pytest.mark.parametrize("polarity", ["auto", "bright", "dark"])
def test_strangers_to_learn_from(greys: list[Picture], polarity: str) -> None:
    stored = [255 - grey if polarity == "dark" else grey for grey in greys[:5]]
    preparation = Preparation(24, polarity=polarity)
    first, second = (draw_exposure(stored, preparation, 3, 0) for _ in range(2))
    assert 42 <= len(first) <= 45
    assert first.shape[1:] == (24, 24)
    np.testing.assert_array_equal(first, second)


def test_what_a_step_takes_away_teaches_nothing(greys: list[Picture]) -> None:
    """Of two chromosomes apart the step keeps one: to learn that as a stranger would be to learn nonsense."""
    stepped = Preparation(24, steps=Chain((LargestObject(),)))
    kept, all_of_them = (len(draw_exposure(greys[:5], each, 8, 0)) for each in (stepped, Preparation(24)))
    assert kept <= all_of_them - 8
