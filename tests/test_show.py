"""`karyo show`: what its figures contain, at every size and for every mistake."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from numpy.typing import NDArray
from typer.testing import CliRunner

from karyo.chromosomes import CLASSES
from karyo.commands.show import show
from karyo.data.ideogram import load_ideogram
from karyo.data.sampling import sample_images
from karyo.data.synthetic import CellSettings, SpreadSettings, draw_chromosome, draw_spread, spread_annotation
from karyo.data.synthetic.profile import cell_profile
from karyo.errors import DataError, SettingsError
from karyo.imaging.read import read_grey
from karyo.imaging.split import Part
from karyo.imaging.steps import Chain, State
from karyo.imaging.write import write_png
from karyo.karyotype.bands import match_bands
from karyo.reports import pictures
from karyo.reports.anatomy import examine, lone_chromosome
from karyo.reports.panels import COLOURS, paint_components, paint_parts, to_rgb
from karyo.reports.sheet import Pair, draw_contact_sheet
from karyo.reports.spread import draw_spread_picture
from karyo.reports.stages import draw_stages

Grey = NDArray[np.uint8]
Show = Callable[..., Figure]
EASY = CellSettings("easy", scale=1.0)
SPREAD = SpreadSettings(460, 400, CellSettings("easy", scale=0.7), touching=0.05, crossing=0.1, nuclei=1, debris=5)
BOTH = {"report": Chain.from_text("denoise,clahe,otsu,largest-component,extract"), "straight": Chain.from_text("")}

app = typer.Typer()
app.command()(show)


@pytest.fixture
def draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Show:
    """Run the command in an empty folder; gives the figure that it drew. Its pixels are left out: they take longest."""
    monkeypatch.chdir(tmp_path)
    figures: list[Figure] = []

    def keep(figure: Figure) -> Grey:
        figures.append(figure)
        figure.draw_without_rendering()
        return np.zeros((2, 2, 3), np.uint8)

    monkeypatch.setattr(pictures, "figure_to_array", keep)

    def run(*arguments: object) -> Figure:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert Path(result.output.strip().rpartition(": ")[2]).is_file()
        return figures[-1]

    return run


def fail(*arguments: object) -> None:
    CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def chromosome(label: int = 0, seed: int = 3) -> Grey:
    return draw_chromosome(label, seed, settings=EASY).image


def two_objects() -> Grey:
    picture = np.full((60, 50), 240, np.uint8)
    picture[10:50, 8:20] = 60
    picture[10:40, 30:40] = 90
    picture[55:57, 45:47] = 60
    return picture


def lone(grey: Grey) -> State:
    return lone_chromosome(grey, [])


def written(path: Path, image: Grey) -> Path:
    write_png(path, image)
    return path


def titles(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def panel(figure: Figure, title: str) -> Axes:
    return figure.axes[titles(figure).index(title)]


def pixels(axes: Axes) -> Grey:
    return np.asarray(axes.get_images()[0].get_array())


def assert_texts_are_apart_and_inside(figure: Figure) -> None:
    figure.draw_without_rendering()
    width, height = figure.canvas.get_width_height()
    drawn = [*figure.texts, *(text for axes in figure.axes for text in (*axes.texts, axes._left_title))]
    boxes = [(text.get_text(), text.get_window_extent()) for text in drawn if text.get_text().strip()]
    for place, (text, box) in enumerate(boxes):
        assert min(box.x0, box.y0) >= 0, text
        assert box.x1 <= width, text
        assert box.y1 <= height, text
        for other, other_box in boxes[place + 1 :]:
            assert not box.overlaps(other_box), (text, other)


def test_shows_every_stage_of_both_chains_axis_and_bands(draw: Show, tmp_path: Path) -> None:
    figure = draw(written(tmp_path / "12" / "one.png", chromosome(11)))
    assert titles(figure)[:8] == [
        *(
            "as stored",
            "chromosomes found",
            "Non-Local Means",
            "CLAHE",
            "Otsu's threshold",
            "components",
            "largest component",
        ),
        "mask cut out",
    ]
    assert titles(figure)[8] == "as stored"
    assert {"report", "straight"} <= set(texts(figure))
    assert titles(figure)[-6:-3] == ["axis, centromere", "straight: medial", "straight: two-part"]
    assert titles(figure)[-2:] == ["band profile", "12, 550 bands"]
    assert "12/one.png" in texts(figure)
    assert any("chromosome 12 (from the folder's name)" in text for text in texts(figure))
    patches = [patch for patch in figure.axes[-1].patches if isinstance(patch, Rectangle | Polygon)]
    assert len(patches) == len(load_ideogram(550)[11].bands)
    assert_texts_are_apart_and_inside(figure)


def test_the_file_is_the_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, [str(written(tmp_path / "12" / "one.png", chromosome(11)))])
    assert result.output == "stages of one.png: one_stages.png\n"
    picture = read_grey(tmp_path / "one_stages.png")
    assert picture.shape[1] == 1664
    assert 0.1 < (picture < 250).mean() < 0.6


def test_stages_show_what_the_steps_did(draw: Show, tmp_path: Path) -> None:
    stored = two_objects()
    figure = draw(
        written(tmp_path / "a.png", stored), "--steps", "otsu,largest-component,extract", "--out", "new/b.png"
    )
    assert (tmp_path / "new" / "b.png").is_file()
    assert (pixels(panel(figure, "as stored")) == stored).all()
    outlined = panel(figure, "Otsu's threshold")
    assert any(isinstance(item, QuadContourSet) for item in outlined.collections)
    seen = {tuple(colour) for colour in pixels(panel(figure, "components")).reshape(-1, 3)}
    assert {tuple(to_rgb(colour)) for colour in COLOURS[:2]} < seen
    assert len(seen) == 4  # two objects, a speck, the ground
    largest = pixels(panel(figure, "largest component"))
    assert (largest[30, 14] < 60).all()
    assert tuple(largest[0, 0]) != tuple(largest[30, 35]) != tuple(largest[30, 14])  # what was dropped stays visible
    assert (pixels(panel(figure, "mask cut out"))[10:40, 30:40] == 240).all()
    assert "2 isolated" in texts(figure)
    assert {"2 large, 1 small", "480 px kept\nof 2 objects"} <= set(texts(figure))


def test_pictures_keep_the_background_of_the_file(draw: Show, tmp_path: Path) -> None:
    dark = written(tmp_path / "dark.png", 255 - two_objects())
    figure = draw(dark, "--steps", "largest-object")
    assert pixels(panel(figure, "largest object"))[0, 0] == 15
    assert any("dark background" in text for text in texts(figure))
    inverted = draw(dark, "--steps", "largest-object", "--polarity", "bright")
    assert any("bright background" in text for text in texts(inverted))


def test_a_preset_shows_its_own_chain_alone(draw: Show, tmp_path: Path) -> None:
    figure = draw(written(tmp_path / "a.png", chromosome()), "--preset", "clean")
    assert titles(figure)[:4] == ["as stored", "chromosomes found", "Non-Local Means", "components"]
    assert {"clean", "Non-Local Means → largest object"} <= set(texts(figure))


def test_separating_shows_what_was_found_and_what_was_kept(draw: Show, tmp_path: Path) -> None:
    figure = draw(written(tmp_path / "a.png", two_objects()), "--steps", "separate,straighten")
    assert titles(figure)[:6] == [
        *("as stored", "chromosomes found", "chromosomes found", "separate", "axis, centromere", "straight: medial"),
    ]
    assert (pixels(panel(figure, "separate"))[10:40, 30:40] == 240).all()
    axes = panel(figure, "axis, centromere")
    across, down = axes.get_lines()[0].get_data()
    assert np.asarray(across) == pytest.approx(13.5, abs=1)  # the middle of the larger object, from end to end
    assert np.ptp(np.asarray(down)) == pytest.approx(39, abs=2)


@pytest.mark.parametrize(
    ("path", "options", "said"),
    [
        ("X/103_7.png", (), "chromosome X (from the folder's name)"),
        ("chr7/12_1_56131.png", (), "chromosome 7 (from the folder's name)"),
        ("3/3 10b.png", (), "chromosome 10 (from the file's name)"),
        ("107/107 24.png", (), "chromosome Y (from the file's name)"),
        ("cell-0000/Xa.png", (), "chromosome X (from the file's name)"),
        ("3/0007.png", (), "chromosome 3 (from the folder's name)"),
        ("3/a.png", ("--class", "C12"), "chromosome 12 (as given)"),
        ("some/where.png", (), "class unknown"),
    ],
)
def test_finds_the_class(draw: Show, tmp_path: Path, path: str, options: tuple[str, ...], said: str) -> None:
    figure = draw(written(tmp_path / path, two_objects()), "--steps", "otsu", *options)
    assert any(said in text for text in texts(figure))
    assert any("550 bands" in title for title in titles(figure)) == (said != "class unknown")


def test_bands_are_laid_in_the_better_direction() -> None:
    profile = 200 * cell_profile(4, 0.3, 0.03)[::8]
    along, against = match_bands(profile, 4), match_bands(profile[::-1], 4)
    assert along.correlation > 0.9
    assert (along.reversed, against.reversed) == (False, True)
    assert against.correlation == pytest.approx(along.correlation)
    constant = np.full(50, 7, np.float32)
    assert [match_bands(constant, 4, place, 1.0).reversed for place in (0.27, 0.73)] == [False, True]
    assert [match_bands(profile, 4, 0.73, waist).reversed for waist in (0.05, 1.0)] == [False, True]
    assert match_bands(constant, 4).correlation == 0
    assert match_bands(np.ones(1, np.float32), 4).correlation == 0


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_the_short_arm_is_up_however_the_chromosome_lies(turns: int) -> None:
    drawn = draw_chromosome(17, 8, settings=CellSettings("easy", polarity="dark", scale=1.5))
    anatomy = examine(lone(np.rot90(drawn.image, turns).copy()), 17)
    assert anatomy.match is not None
    assert anatomy.match.correlation > 0.5
    assert anatomy.medial.axis is not None
    size = np.array(drawn.image.shape[::-1])
    tip = drawn.centre_line[0]
    for _ in range(turns):  # a quarter against the clock takes (x, y) to (y, width - 1 - x)
        tip, size = np.array([tip[1], size[0] - 1 - tip[0]]), size[::-1]
    ends = anatomy.medial.axis.points[[0, -1]]
    assert np.linalg.norm(ends[0] - tip) < np.linalg.norm(ends[1] - tip)


def test_the_numbers_are_those_of_the_axis(draw: Show, tmp_path: Path) -> None:
    figure = draw(written(tmp_path / "17" / "a.png", chromosome(16)))
    axis = examine(lone(255 - chromosome(16)), 16).medial.axis
    assert axis is not None
    assert {f"{axis.length:.0f} px", f"{min(axis.centromere, 1 - axis.centromere):.2f}"} <= set(texts(figure))
    centromere = load_ideogram(550)[16].centromere
    assert f"{centromere:.2f}" in texts(figure)
    assert "band correlation" in texts(figure)


@pytest.mark.parametrize("shape", [(1, 1), (20, 3000), (3000, 20), (50, 100)])
@pytest.mark.parametrize("level", [128, None])
def test_any_image_is_drawn_with_its_texts_apart(shape: tuple[int, int], level: int | None) -> None:
    image = np.full(shape, 235 if level is None else level, np.uint8)
    if level is None:  # a bar along the middle
        rows, columns = shape
        image[rows // 4 : rows - rows // 4, columns // 8 : columns - columns // 8] = 70
    figure = draw_stages("1/some.png", image, BOTH, 0)
    assert titles(figure)[0] == "as stored"
    assert f"{shape[1]} × {shape[0]} px" in texts(figure)
    assert_texts_are_apart_and_inside(figure)


def test_a_constant_image_has_no_axis_and_says_so(draw: Show, tmp_path: Path) -> None:
    figure = draw(written(tmp_path / "3" / "a.png", np.full((30, 20), 255, np.uint8)))
    assert any("empty (nothing stands out from the background)" in text for text in texts(figure))
    assert any("there is no object" in text for text in texts(figure))
    assert "band profile" not in titles(figure)


@pytest.mark.parametrize("name", ["染色体.png", "$x^2$ \u202e.png", "a" * 180 + ".png"])
def test_any_file_name(draw: Show, tmp_path: Path, name: str) -> None:
    figure = draw(written(tmp_path / "naïve ordner" / name, two_objects()), "--steps", "otsu", "--out", "o.png")
    assert_texts_are_apart_and_inside(figure)


def test_mistakes_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image = written(tmp_path / "a.png", two_objects())
    (tmp_path / "no.png").write_text("no image")
    (tmp_path / "bad.xml").write_text("<annotation>")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SettingsError, match="polarity must be one of"):
        fail(tmp_path, "--polarity", "grey")
    for problem, arguments in {
        "there.png does not exist": ("there.png",),
        "names no human chromosome": (image, "--class", "25"),
        "no preset 'no'; it can be bent, clean": (image, "--preset", "no"),
        "no step 'otso'; did you mean otsu": (image, "--steps", "otso"),
        "polarity must be one of": (image, "--polarity", "grey"),
        "must be named \\*.png": (image, "--out", "a.jpg"),
        "--sheet draws a folder": (image, "--sheet", "b.png"),
        "go with a single image": (tmp_path, "--class", "3"),
        "--annotations is for a whole spread": (image, "--annotations", "bad.xml", "--class", "3"),
        "cannot write": (image, "--steps", "otsu", "--out", image / "b.png"),
        "holds no image files": (tmp_path / "empty",),
        "count must be 1 or more": (tmp_path, "--count", "0"),
    }.items():
        with pytest.raises(SettingsError, match=problem):
            fail(*arguments)
    for problem, arguments in {
        "no.png is not an image": ("no.png",),
        "bad.xml is not XML": (image, "--annotations", "bad.xml"),
    }.items():
        with pytest.raises(DataError, match=problem):
            fail(*arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "bad.xml", "empty", "no.png"]


@pytest.fixture(scope="module")
def spread_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spread")
    spread = draw_spread(5, SPREAD)
    write_png(folder / "s.png", spread.image)
    xml = spread_annotation(spread, "s.png").replace("<name>A1</name>", "<name>A22</name>", 1)
    (folder / "s.xml").write_text(xml, encoding="utf-8")
    return folder


def test_a_spread_has_its_boxes_and_its_chromosomes_in_colours(draw: Show, spread_folder: Path) -> None:
    figure = draw(spread_folder / "s.png", "--annotations", spread_folder / "s.xml")
    boxes, found = figure.axes
    assert sum(isinstance(patch, Rectangle) for patch in boxes.patches) == 45
    named = [text.get_text() for text in boxes.texts]
    assert [named.count(name) for name in CLASSES[:3]] == [1, 2, 2]
    assert any("45 boxes annotated, 1 unusable" in text for text in texts(figure))
    assert any(text.startswith("chromosomes found: ") and "isolated" in text for text in texts(figure))
    coloured = (np.ptp(pixels(found), axis=2) > 20).mean()
    outline = np.any([item.full_mask(400, 460) for item in draw_spread(5, SPREAD).chromosomes], axis=0)
    assert coloured == pytest.approx(outline.mean(), rel=0.2)
    own = [text for text in boxes.texts if text.get_text() in CLASSES]
    assert len(own) == 45
    extents = [text.get_window_extent() for text in figure.texts]
    assert not any(a.overlaps(b) for place, a in enumerate(extents) for b in extents[place + 1 :])


def test_an_image_of_many_objects_is_a_spread_unless_asked_for_as_a_chromosome(
    draw: Show, spread_folder: Path, tmp_path: Path
) -> None:
    figure = draw(spread_folder / "s.png")
    assert (tmp_path / "s_spread.png").is_file()
    assert "as stored" in texts(figure)
    assert not figure.axes[0].patches
    assert len(draw(spread_folder / "s.png", "--steps", "otsu").axes) > 4


@pytest.mark.parametrize("shape", [(1, 1), (20, 3000), (3000, 20), (50, 100)])
def test_a_spread_of_any_size(shape: tuple[int, int]) -> None:
    figure = draw_spread_picture("some.png", np.full(shape, 200, np.uint8))
    assert "chromosomes found: none" in texts(figure)
    assert_texts_are_apart_and_inside(figure)


def test_neighbours_differ_in_colour_and_share_stripes() -> None:
    masks = np.zeros((3, 60, 60), np.bool_)
    masks[0, 5:25, 5:50] = masks[1, 25:45, 5:50] = masks[2, 2:48, 20:32] = True
    painted = paint_parts(np.zeros((60, 60), np.uint8), [Part(mask, "crossing", 1.0) for mask in masks], 1.0)
    assert (painted[:2] == 0).all()
    colours = [tuple(painted[row, column]) for row, column in ((10, 10), (40, 10), (3, 25))]
    assert len(set(colours)) == 3
    shared = {tuple(colour) for colour in painted[8:22, 20:32].reshape(-1, 3)}
    assert shared == {colours[0], colours[2]}


def test_components_are_coloured_by_size() -> None:
    mask = np.zeros((30, 30), np.uint8)
    mask[2:5, 2:5] = mask[10:28, 10:28] = 255
    painted = paint_components(mask)
    assert tuple(painted[20, 20]) == tuple(to_rgb(COLOURS[0]))
    assert len({tuple(colour) for colour in painted.reshape(-1, 3)}) == 3


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    for label in range(6):
        for number in range(2):
            written(folder / str(label + 1) / f"{number}.png", chromosome(label, number))
    for number in range(2):
        written(folder / "7" / f"two{number}.png", two_objects())
    return folder


def test_a_sheet_has_pairs_of_every_class_and_those_worth_a_look_first(draw: Show, images: Path) -> None:
    (images / "1" / "no.png").write_text("no image")
    figure = draw(images, "--sheet", "s.png", "--count", "30", "--preset", "clean")
    assert len(figure.axes) == 2 * 14
    named = [text for text in texts(figure) if text.endswith(".png")]
    flagged = next(text for text in texts(figure) if text.startswith("Worth a look: "))
    assert named.index("7/two0.png") < int(flagged.rpartition(" ")[2])
    assert any("several: more than one object, apart from each other" in text for text in texts(figure))
    assert any("14 of 15 images looked at" in text and "1 unreadable" in text for text in texts(figure))
    before, after = figure.axes[2 * named.index("7/two0.png") :][:2]
    assert (pixels(before) == two_objects()).all()
    assert (pixels(after)[10:40, 30:40] == 240).all()
    assert_texts_are_apart_and_inside(figure)


def test_a_sheet_needs_one_readable_image(draw: Show, tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "a.png").write_text("no image")
    with pytest.raises(DataError, match="none of the 1 images"):
        fail(tmp_path / "f")


def test_samples_are_even_and_seeded(images: Path) -> None:
    chosen, total = sample_images(images, 9, seed=1)
    assert total == 14
    assert len(set(chosen)) == 9
    assert sorted(path[0] for path in chosen[:7]) == list("1234567")
    assert sample_images(images, 9, seed=1)[0] == chosen
    assert sample_images(images, 9, seed=2)[0] != chosen
    assert len(sample_images(images, 3, times=2)[0]) == 6
    assert len(sample_images(images, 100)[0]) == 14


@pytest.mark.parametrize("shape", [(1, 1), (20, 3000), (3000, 20), (50, 100)])
@pytest.mark.parametrize("count", [0, 7])
def test_a_sheet_of_any_size(shape: tuple[int, int], count: int) -> None:
    picture = np.zeros(shape, np.uint8)
    flags = ("small", "faint", "several", "joined")
    pairs = [Pair("W" * 90 + ".png", picture, picture, 12, flags)] * count
    figure = draw_contact_sheet("title", "subtitle", pairs, [Pair("b", picture, picture, 1, ())])
    assert len(figure.axes) == 2 * count + 2
    assert_texts_are_apart_and_inside(figure)
