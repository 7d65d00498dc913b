"""The steps of preprocessing: what each does to pixels, and what they refuse."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from karyo.data.synthetic import CellSettings, SyntheticSource, draw_bent_and_unbent, draw_chromosome
from karyo.errors import SettingsError
from karyo.imaging.polarity import normalise_polarity
from karyo.imaging.preparation import Preparation
from karyo.imaging.steps import STEPS, Chain, State, describe_settings
from karyo.imaging.steps.posture import Straighten

Grey = NDArray[np.uint8]

EDGES: dict[str, Grey] = {
    "one pixel": np.full((1, 1), 7, np.uint8),
    "black": np.zeros((40, 30), np.uint8),
    "white": np.full((40, 30), 255, np.uint8),
    "a line": np.full((1, 90), 200, np.uint8),
    "two columns": np.random.default_rng(0).integers(0, 256, (120, 2), dtype=np.uint8),
    "noise": np.random.default_rng(1).integers(0, 256, (64, 64), dtype=np.uint8),
    "huge": np.tile(np.arange(256, dtype=np.uint8), (700, 4)),
}


@pytest.fixture(scope="module")
def chromosome() -> Grey:
    source = SyntheticSource(cells=1)
    return normalise_polarity(source.read(source.records[0]))


@pytest.fixture
def bars() -> Grey:
    """Two bars on black, the left one twice the right one, and a speck."""
    grey = np.zeros((60, 60), np.uint8)
    grey[5:55, 5:15] = 200
    grey[20:45, 35:45] = 180
    grey[2, 58] = 255
    return grey


def do(text: str, grey: Grey) -> Grey:
    return Chain.from_text(text)(grey)


def mask_of(text: str, grey: Grey) -> Grey:
    mask = Chain.from_text(text).stages(grey)[-1].mask
    assert mask is not None
    return mask


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("edge", EDGES)
def test_every_step_survives_every_image_and_leaves_it_untouched(name: str, edge: str) -> None:
    grey = EDGES[edge]
    chain = Chain.from_text(("otsu," if STEPS[name]().needs_mask else "") + name)
    before = grey.copy()
    last = chain.stages(grey)[-1]
    assert last.picture.dtype == np.uint8
    assert last.picture.ndim == 2
    assert last.picture.size > 0
    if last.mask is not None:
        assert last.mask.shape == last.picture.shape
        assert set(np.unique(last.mask).tolist()) <= {0, 255}
    np.testing.assert_array_equal(grey, before)


@pytest.mark.parametrize("name", STEPS)
def test_settings_survive_the_way_through_a_checkpoint(name: str) -> None:
    chain = Chain.from_text(("otsu," if STEPS[name]().needs_mask else "") + name)
    assert Chain.from_settings(chain.to_settings()) == chain
    assert Chain.from_text(chain.to_text()) == chain


@pytest.mark.parametrize("name", ["gaussian:sigma=1.5", "non_local_means"])
def test_denoising_brings_a_noisy_picture_nearer_to_the_clean_one(name: str) -> None:
    clean = np.zeros((80, 80), np.uint8)
    clean[20:60, 20:60] = 150
    noisy = np.clip(clean + np.random.default_rng(0).normal(0, 8, clean.shape), 0, 255).astype(np.uint8)

    def distance(grey: Grey) -> float:
        return float(np.abs(grey.astype(float) - clean)[25:55, 25:55].mean())

    assert distance(do(name, noisy)) < 0.5 * distance(noisy)


@pytest.mark.parametrize("name", ["equalise", "clahe", "stretch_contrast"])
def test_contrast_of_a_flat_picture_grows(name: str, chromosome: Grey) -> None:
    flat = (chromosome // 5 + 90).astype(np.uint8)
    assert do(name, flat).std() > 1.2 * flat.std()


def test_stretching_reaches_both_ends(chromosome: Grey) -> None:
    stretched = do("stretch-contrast:low=0:high=100", (chromosome // 2 + 20).astype(np.uint8))
    assert (stretched.min(), stretched.max()) == (0, 255)


def test_thresholds_find_the_bars(bars: Grey) -> None:
    for name in ("otsu", "fixed:level=100"):
        np.testing.assert_array_equal(mask_of(name, bars) > 0, bars > 100)
    assert mask_of("fixed:level=190", bars)[30, 40] == 0
    ramp = np.clip(bars.astype(int) // 4 + np.arange(60) * 2, 0, 255).astype(np.uint8)
    found = mask_of("adaptive:window=41:offset=5", ramp) > 0
    assert found[30, 8:12].all()
    assert found[30, 38:42].all()
    assert not found[30, 20:30].any()


def test_brushes_shrink_grow_and_mend(bars: Grey) -> None:
    plain = mask_of("otsu", bars)
    assert (
        (mask_of("otsu,erode:radius=2", bars) > 0).sum() < (plain > 0).sum() < (mask_of("otsu,dilate", bars) > 0).sum()
    )
    opened = mask_of("otsu,open:radius=2", bars)
    assert opened[2, 58] == 0
    assert opened[30, 10] == 255
    torn = bars.copy()
    torn[28:30] = 0
    assert mask_of("otsu,close:radius=2", torn)[28, 10] == 255


def test_a_brush_before_any_mask_works_on_grey_values(bars: Grey) -> None:
    assert do("open:radius=2", bars)[2, 58] == 0
    assert do("open:radius=2", bars)[30, 10] == 200


def test_contours_fill_holes_and_drop_specks(bars: Grey) -> None:
    bars[20:30, 8:12] = 0
    filled = mask_of("otsu,contours", bars)
    assert filled[25, 10] == 255
    assert filled[2, 58] == 0


def test_the_largest_component_is_kept_and_the_others_are_counted(bars: Grey) -> None:
    last = Chain.from_text("otsu,largest-component").stages(bars)[-1]
    assert last.mask is not None
    assert last.objects == 2, "the speck is no object"
    assert last.mask[30, 10] == 255
    assert not last.mask[:, 20:].any()
    assert Chain.from_text("otsu,largest-component").stages(np.zeros_like(bars))[-1].objects == 0


def test_reconstruction_brings_pale_ends_back_but_no_neighbour(bars: Grey) -> None:
    bars[50:55, 5:15] = 120
    strict = mask_of("fixed:level=190", bars)
    assert strict[52, 10] == 0
    whole = mask_of("fixed:level=190,largest-component,reconstruct", bars)
    assert whole[52, 10] == 255
    assert not whole[:, 20:].any()


def test_extraction_clears_everything_else_to_the_background(bars: Grey) -> None:
    bars[bars == 0] = 12
    cleared = do("otsu,largest-component,extract", bars)
    assert (cleared[:, 20:] == 12).all()
    np.testing.assert_array_equal(cleared[5:55, 5:15], bars[5:55, 5:15])
    np.testing.assert_array_equal(do("largest-object:margin=0", bars), cleared)


def test_separating_keeps_the_chromosome_whose_box_fills_the_picture() -> None:
    own, neighbour = np.zeros((100, 150), np.uint8), np.zeros((100, 150), np.uint8)
    cv2.line(own, (15, 30), (135, 30), 200, 16)
    cv2.line(neighbour, (75, 42), (75, 85), 200, 16)
    last = Chain.from_text("separate:margin=0").stages(np.maximum(own, neighbour))[-1]
    assert last.objects == 2
    assert (last.picture[own > 0] > 0).mean() > 0.95
    assert not last.picture[60:].any()


@pytest.mark.parametrize("method", ["medial", "two_part"])
def test_straightening_goes_the_way_that_was_asked_for(method: str, chromosome: Grey) -> None:
    assert Straighten(method).straightened(State(chromosome)).method == method.replace("_", "-")


def test_upright_turns_the_short_arm_up_and_only_when_asked() -> None:
    grey = normalise_polarity(draw_chromosome(3, 0, "a", CellSettings("easy")).image)

    def centromere(upright: bool, picture: Grey) -> float:
        axis = Straighten(upright=upright).straightened(State(picture)).axis
        assert axis is not None
        return axis.centromere

    pictures = [grey, np.ascontiguousarray(grey[::-1, ::-1])]
    assert [centromere(True, picture) < 0.5 for picture in pictures] == [True, True]
    assert sorted(centromere(False, picture) < 0.5 for picture in pictures) == [False, True]


def test_what_is_straight_already_is_not_turned_again() -> None:
    for seed in range(5):
        bent = draw_bent_and_unbent(seed, seed, "a", CellSettings("easy"), 2.0)[0].image
        steps = Chain.from_text("straighten")
        np.testing.assert_array_equal(
            Preparation(64, align=True, steps=steps)(bent), Preparation(64, steps=steps)(bent)
        )


def test_pad_keeps_the_scale_and_resize_does_not(bars: Grey) -> None:
    padded = do("pad:size=100", bars)
    assert padded.shape == (100, 100)
    np.testing.assert_array_equal(padded[20:80, 20:80], bars)
    assert do("resize:size=32", bars).shape == (32, 32)
    assert do("pad:size=30", bars).shape == (30, 30)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clahee", "did you mean clahe?"),
        ("sharpen", "it can be gaussian"),
        ("clahe:clip=3", "no setting 'clip'"),
        ("clahe:clip_limit=-1", "clip_limit must be a number from 0.1 to 100"),
        ("clahe:clip_limit=nan", "clip_limit must be a number"),
        ("clahe:tiles=2.5", "tiles must be a whole number"),
        ("clahe:3", "must be SETTING=VALUE"),
        ("open:radius=big", "radius must be a whole number"),
        ("straighten:method=iron", "method must be medial or two_part"),
        ("straighten:upright=3", "upright must be true or false"),
        ("largest-component", "needs a mask"),
        ("clahe,extract", "needs a mask"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said.replace("?", r"\?")) as caught:
        Chain.from_text(text)
    assert "\n" not in str(caught.value)


def test_a_configuration_names_steps_switches_them_off_and_repeats_them() -> None:
    chain = Chain.from_config(
        {"otsu": {}, "erode": {"radius": 2}, "clahe": None, "again": {"step": "erode", "radius": 1}, "extract": {}}
    )
    assert [name for name, _ in chain.to_settings()] == ["otsu", "erode", "erode", "extract"]
    assert chain == Chain.from_text("otsu,erode:radius=2,erode:radius=1,extract")


@pytest.mark.parametrize("node", [["otsu"], {"otsu": 3}, {"otsu": {"step": "nothing"}}])
def test_a_configuration_of_another_shape_is_refused(node: object) -> None:
    with pytest.raises(SettingsError):
        Chain.from_config(node)  # type: ignore[arg-type]


def test_every_setting_has_a_range_a_person_can_read() -> None:
    for step in STEPS.values():
        for name, default, limits in describe_settings(step):
            assert name
            assert default
            assert limits


def test_a_preparation_does_its_steps_in_the_background_dark_world(bars: Grey) -> None:
    chain = Chain.from_text("otsu,largest-component,extract")
    prepared = Preparation(60, crop=False, steps=chain)
    np.testing.assert_array_equal(prepared(bars), prepared(255 - bars))
    assert not prepared(bars)[:, 20:].any()
    assert prepared.follow(bars)[1].objects == 2


def test_a_preparation_carries_its_steps_as_primitives() -> None:
    preparation = Preparation(64, steps=Chain.from_text("denoise:strength=4,straighten:method=two_part"))
    assert Preparation.from_dict(preparation.to_dict()) == preparation
    assert Preparation.from_dict({"size": 64}) == Preparation(64), "checkpoints from before there were steps"
    with pytest.raises(SettingsError, match="no step"):
        Preparation.from_dict({"size": 64, "steps": [["os.system", {}]]})
