"""Figures: each draws whatever there may be without a warning, and shows what it should."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES, denver_group
from karyo.evaluation.predictions import Predictions
from karyo.imaging.write import write_png
from karyo.reports.confusion import GROUPED_ORDER, draw_confusion
from karyo.reports.curves import draw_curves
from karyo.reports.gallery import draw_mistakes
from karyo.reports.pictures import figure_to_array
from karyo.reports.reliability import draw_reliability

K = len(CLASSES)
SOURCE = Path(__file__).resolve().parents[1] / "src"


def predictions(labels: list[int], predicted: list[int], confidence: list[float], paths: list[str] | None = None):
    probabilities = np.repeat((1 - np.array(confidence))[:, None] / (K - 1), K, axis=1)
    probabilities[np.arange(len(labels)), predicted] = confidence
    names = paths or [f"folder/{index}.png" for index in range(len(labels))]
    return Predictions(names, [None] * len(labels), np.array(labels), probabilities)


def pictures(count: int, shape: tuple[int, int] = (20, 16)) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, size=(count, *shape), dtype=np.uint8)


def texts(figure: Figure) -> list[str]:
    shown = [text.get_text() for text in figure.texts]
    return shown + [text.get_text() for axes in figure.axes for text in axes.texts]


def assert_text_stays_inside(figure: Figure) -> None:
    height, width, _ = figure_to_array(figure).shape
    for text in [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]:
        box = text.get_window_extent()
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= width, text
        assert box.y1 <= height, text


def assert_no_texts_overlap(figure: Figure) -> None:
    figure_to_array(figure)
    drawn = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
    boxes = [text.get_window_extent() for text in drawn if text.get_text()]
    for place, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[place + 1 :]), drawn[place]


def test_confusion_orders_classes_by_denver_group() -> None:
    groups = [denver_group(index) for index in GROUPED_ORDER]
    assert groups == sorted(groups)
    assert sorted(GROUPED_ORDER) == list(range(K))
    names = [CLASSES[index] for index in GROUPED_ORDER]
    assert names[names.index("12") + 1] == "X"
    assert names[-1] == "Y"


def test_confusion_prints_counts_recalls_and_groups() -> None:
    confusion = np.diag(np.full(K, 7))
    confusion[0, 23] = 3
    confusion[21] = 0
    figure = draw_confusion(confusion)
    shown = texts(figure)
    assert shown.count("7") == K - 1
    assert "3" in shown
    assert "70 %" in shown
    assert "–" in shown
    assert {"A", "B", "C", "D", "E", "F", "G"} <= set(shown)
    assert any("161 of 164 chromosomes right" in text and "0 of 3 mistakes" in text for text in shown)
    assert_text_stays_inside(figure)


@pytest.mark.parametrize("count", [0, 99_999])
def test_confusion_of_any_size(count: int) -> None:
    figure = draw_confusion(np.full((K, K), count))
    assert_no_texts_overlap(figure)
    assert_text_stays_inside(figure)


def test_confusion_refuses_another_shape() -> None:
    with pytest.raises(ValueError, match="24, 24"):
        draw_confusion(np.zeros((3, 3), dtype=np.int64))
    with pytest.raises(ValueError, match="counts"):
        draw_confusion(np.full((K, K), -1))


def test_confusion_colours_mistakes_unlike_right_ones() -> None:
    right = figure_to_array(draw_confusion(np.diag(np.full(K, 5)))).reshape(-1, 3).astype(int)
    wrong = figure_to_array(draw_confusion(np.roll(np.diag(np.full(K, 5)), 1, axis=1))).reshape(-1, 3).astype(int)
    assert ((right[:, 2] - right[:, 0]) > 60).sum() > 10_000  # blue
    assert not ((right[:, 0] - right[:, 2]) > 60).any()
    assert ((wrong[:, 0] - wrong[:, 2]) > 60).sum() > 10_000  # orange


def test_reliability_writes_the_calibration_error() -> None:
    figure = draw_reliability(predictions([0] * 10, [0] * 5 + [1] * 5, [0.9] * 10))
    assert any("calibration error 40.0 %" in text and "over-confident" in text for text in texts(figure))
    assert_text_stays_inside(figure)


@pytest.mark.parametrize(("predicted", "confidence"), [(0, 1.0), (1, 1.0), (0, 0.05), (1, 0.5)])
def test_reliability_of_one_image(predicted: int, confidence: float) -> None:
    assert_text_stays_inside(draw_reliability(predictions([0], [predicted], [confidence])))


def test_gallery_shows_the_most_confident_mistakes_first() -> None:
    figure = draw_mistakes(
        predictions([0, 1, 2, 22], [0, 2, 1, 23], [0.99, 0.6, 0.8, 0.7], ["a", "b", "c", "d"]), pictures(4), count=2
    )
    shown = texts(figure)
    assert [text for text in shown if " → " in text and "true" not in text] == ["3 → 2", "X → Y"]
    assert {"80.0 %", "70.0 %", "c", "d"} <= set(shown)
    assert "2 of 3; true → predicted, confidence" in shown
    assert len(figure.axes) == 2


def test_gallery_shows_the_pixels_of_the_right_image() -> None:
    images = np.zeros((3, 8, 8), dtype=np.uint8)
    images[1] = 200
    figure = draw_mistakes(predictions([0, 0, 0], [0, 5, 0], [0.9, 0.9, 0.9]), images)
    assert (np.asarray(figure.axes[0].get_images()[0].get_array()) == 200).all()


def test_gallery_without_mistakes_says_so_and_shows_the_least_confident() -> None:
    figure = draw_mistakes(predictions([0, 1, 2], [0, 1, 2], [0.9, 0.5, 0.7]), pictures(3), count=2)
    shown = texts(figure)
    assert "No mistakes" in shown
    assert [text for text in shown if text in ("1", "2", "3")] == ["2", "3"]


@pytest.mark.parametrize("count", [1, 24, 40])
def test_gallery_of_any_size_keeps_its_texts_apart(count: int) -> None:
    names = ["W" * 100, "W" * 60 + "/" + "W" * 30, "a/very/long/path/of/a/chromosome_115966.tiff"]
    paths = [names[index % 3] for index in range(count)]
    figure = draw_mistakes(predictions([0] * count, [21] * count, [0.9] * count, paths), pictures(count), count=40)
    assert_no_texts_overlap(figure)
    assert_text_stays_inside(figure)


def test_gallery_draws_any_file_name() -> None:
    paths = ["染色体.png", r"$\frac{1}$.png", "bad\udcff\n\t.png", "", "$"]
    figure = draw_mistakes(predictions([0] * 5, [1] * 5, [0.9] * 5, paths), pictures(5))
    assert figure_to_array(figure).ndim == 3
    assert {"???.png", "$"} <= set(texts(figure))


def test_gallery_refuses_images_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="2 predictions"):
        draw_mistakes(predictions([0, 1], [1, 0], [0.9, 0.9]), pictures(3))


def rows(count: int, **changes: object) -> list[dict[str, object]]:
    row = {"train_loss": 1.0, "train_accuracy": 0.5, "validation_loss": 2.0, "validation_accuracy": 0.4, "lr": 1e-3}
    return [{"epoch": epoch, **row, **changes} for epoch in range(1, count + 1)]


@pytest.mark.parametrize("count", [0, 1, 3, 300])
def test_curves_of_any_length(count: int) -> None:
    figure = draw_curves(rows(count))
    assert len(figure.axes) == 3
    assert_text_stays_inside(figure)
    drawn = {line.get_label(): len(line.get_xdata()) for line in figure.axes[0].get_lines()}
    assert drawn.get("training", 0) == drawn.get("validation", 0) == count


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "text"])
def test_curves_leave_out_what_is_no_number(value: object) -> None:
    figure = draw_curves([*rows(2), *rows(1, epoch=3, validation_loss=value, validation_accuracy=value, lr=value)])
    lengths = {line.get_label(): len(line.get_xdata()) for line in figure.axes[0].get_lines()}
    assert (lengths["training"], lengths["validation"]) == (3, 2)
    assert figure_to_array(draw_curves([{"train_loss": 1.0}])).ndim == 3


def test_curves_name_the_best_epoch() -> None:
    course = rows(4)
    course[1]["validation_accuracy"] = course[2]["validation_accuracy"] = 0.875
    assert "4 epochs; best validation accuracy 87.5 % in epoch 2" in texts(draw_curves(course))
    assert "4 epochs; best validation accuracy 87.5 % in epoch 2" in texts(draw_curves(course, kept=2))
    other = draw_curves(course, kept=4)
    assert "4 epochs; best validation accuracy 87.5 % in epoch 2; kept: epoch 4" in texts(other)
    assert all(
        4.0 in {line.get_xdata()[0] for line in axes.get_lines() if line.get_linestyle() == "--"} for axes in other.axes
    )


def test_learning_rate_axis_is_logarithmic_when_it_falls_tenfold() -> None:
    assert draw_curves([*rows(1), *rows(1, epoch=2, lr=1e-4)]).axes[2].get_yscale() == "log"
    assert draw_curves([*rows(1), *rows(1, epoch=2, lr=0.0)]).axes[2].get_yscale() == "linear"


def test_saved_picture_is_the_array(tmp_path: Path) -> None:
    figure = draw_curves(rows(3))
    array = figure_to_array(figure)
    assert array.dtype == np.uint8
    write_png(tmp_path / "new" / "ünïcode.png", array)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["ünïcode.png"]
    content = np.frombuffer((tmp_path / "new" / "ünïcode.png").read_bytes(), dtype=np.uint8)
    saved = cv2.cvtColor(cv2.imdecode(content, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert saved.shape == array.shape
    assert (saved == array).all()


def test_same_figure_same_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_png(tmp_path / name, figure_to_array(draw_curves(rows(3))))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_figures_need_no_pyplot() -> None:
    code = (
        "import sys; import karyo.reports.confusion, karyo.reports.curves, karyo.reports.gallery, "
        "karyo.reports.pictures, karyo.reports.reliability; "
        "sys.exit(any(name in sys.modules for name in ('matplotlib.pyplot', 'torch', 'tkinter')))"
    )
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(SOURCE)}, check=False).returncode == 0
