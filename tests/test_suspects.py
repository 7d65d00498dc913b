"""Probable label errors: found where they were planted, told from hard cases, listed and drawn by `karyo suspects`."""

import csv
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from made_runs import make_run
from omegaconf import OmegaConf

from karyo.chromosomes import CLASSES
from karyo.commands import main
from karyo.data.synthetic import SyntheticSource
from karyo.errors import DataError
from karyo.evaluation.cell_counts import CellCounts
from karyo.evaluation.out_of_fold import average_predictions
from karyo.evaluation.predictions import Predictions
from karyo.evaluation.suspects import Suspect, find_suspects
from karyo.imaging.write import write_png
from karyo.reports.suspect_examples import compare_suspects

WRONG = 0.05
Said = Callable[..., tuple[int, str, str]]


def fake(cells: int = 12, seed: int = 0, wrong: float = WRONG) -> Predictions:
    """Give answers for whole drawn cells: right but for a share of confusions with a class of about the same size."""
    source = SyntheticSource(cells=cells, seed=seed)
    chance = np.random.default_rng(seed)
    labels = np.array([record.label for record in source.records])
    seen = np.where(chance.random(len(labels)) < wrong, (labels + chance.choice([-1, 1], len(labels))) % 24, labels)
    logits = chance.normal(0, 1, (len(labels), 24))
    # Networks are less sure of mistakes than of what they know.
    logits[np.arange(len(labels)), seen] += np.where(seen == labels, chance.uniform(5, 9, len(labels)), 3.0)
    shares = np.exp(logits)
    paths, names = [record.path for record in source.records], [record.cell for record in source.records]
    return Predictions(paths, names, labels, shares / shares.sum(axis=1, keepdims=True))


def relabelled(predictions: Predictions, labels: dict[int, int]) -> Predictions:
    changed = predictions.labels.copy()
    changed[list(labels)] = list(labels.values())
    return Predictions(predictions.paths, predictions.cells, changed, predictions.probabilities)


def without_cells(predictions: Predictions) -> Predictions:
    return Predictions(predictions.paths, [None] * len(predictions), predictions.labels, predictions.probabilities)


def plant_swaps(predictions: Predictions, pairs: int, seed: int = 0) -> tuple[Predictions, set[int]]:
    chance, labels, planted = np.random.default_rng(seed), predictions.labels.copy(), set[int]()
    while len(planted) < 2 * pairs:
        one, two = chance.choice(len(labels), 2, replace=False).tolist()
        if predictions.cells[one] == predictions.cells[two] and labels[one] != labels[two] and not planted & {one, two}:
            labels[[one, two]] = labels[[two, one]]
            planted |= {one, two}
    return Predictions(predictions.paths, predictions.cells, labels, predictions.probabilities), planted


def listed(predictions: Predictions) -> set[int]:
    return {suspect.index for suspect in find_suspects(predictions) if suspect.kind != "hard"}


def named(suspects: list[Suspect], index: int) -> Suspect:
    return next(suspect for suspect in suspects if suspect.index == index)


def test_planted_swaps_are_found_with_their_partner_and_the_cell_finds_what_images_alone_do_not() -> None:
    spoiled, planted = plant_swaps(fake(), 6)
    suspects = find_suspects(spoiled)
    found = {suspect.index for suspect in suspects if suspect.kind == "swap"}
    assert len(found & planted) / len(planted) >= 0.8
    assert len(found & planted) / len(found) >= 0.8
    for suspect in suspects[: len(found)]:
        assert suspect.partner is not None
        assert suspect.other == spoiled.labels[suspect.partner]
        assert suspect.note == f"as if swapped with {spoiled.paths[suspect.partner]}"
    alone = listed(without_cells(spoiled))
    assert 0 < len(alone & planted) < len(found & planted)


def test_what_overfills_a_class_is_wrong_and_the_same_answer_in_a_full_cell_is_only_hard() -> None:
    clean = fake(wrong=0)
    eight, x = CLASSES.index("8"), CLASSES.index("X")
    sexes = {cell: clean.labels[np.array(clean.cells) == cell].tolist().count(x) for cell in clean.cells}
    female = next(cell for cell, copies in sexes.items() if copies == 2)
    own = [index for index, cell in enumerate(clean.cells) if cell == female]
    one_x = next(index for index in own if clean.labels[index] == x)
    one_eight = next(index for index in own if clean.labels[index] == eight)
    suspect = named(find_suspects(relabelled(clean, {one_x: eight})), one_x)
    assert (suspect.kind, suspect.other) == ("likely wrong", x)
    assert "its cell has three 8s and one X if the label is right" in suspect.note
    shares = clean.probabilities.copy()
    # However sure the network is.
    shares[one_eight] = np.eye(24)[x]
    mistaken = Predictions(clean.paths, clean.cells, clean.labels, shares)
    suspect = named(find_suspects(mistaken), one_eight)
    assert (suspect.kind, suspect.other) == ("hard", x)
    assert suspect.note.endswith("two 8s and two Xs if the label is right, as is usual")
    assert named(find_suspects(without_cells(mistaken)), one_eight).kind == "likely wrong"


def test_counts_speak_for_the_class_that_makes_a_cell_usual() -> None:
    clean = fake(wrong=0)
    cells, labels = clean.cells, clean.labels.copy()
    own = np.flatnonzero(np.array(cells) == cells[0])
    labels[next(index for index in own if labels[index] == 4)] = 3
    counts = CellCounts(labels, cells)
    assert (counts.of(str(cells[0]), 3), counts.of(str(cells[0]), 4)) == (3, 1)
    assert counts.favour(cells[0], 3, 4) > 5
    assert counts.favour(cells[0], 3, 5) == pytest.approx(0)
    assert counts.favour(cells[0], 6, 5) < -5
    assert counts.favour(None, 3, 4) == 0


def test_an_image_is_in_one_swap_only() -> None:
    clean = fake(wrong=0)
    one, two, three = (clean.paths.index(f"cell-0000/{name}") for name in ("3a", "5a", "5b"))
    shares = clean.probabilities.copy()
    shares[[one, two, three]] = shares[[two, one, one]]
    suspects = find_suspects(Predictions(clean.paths, clean.cells, clean.labels, shares))
    swaps = [suspect.index for suspect in suspects if suspect.kind == "swap"]
    assert one in swaps
    assert len(swaps) == 2
    assert {two, three} & set(swaps)


def test_a_network_that_is_unsure_makes_a_hard_case_and_a_clear_answer_none() -> None:
    shares = fake(wrong=0).probabilities.copy()
    shares[0] = 0.001
    shares[0, [0, 1]] = 0.5 - 0.011
    clean = fake(wrong=0)
    suspects = find_suspects(Predictions(clean.paths, clean.cells, clean.labels, shares / shares.sum(1)[:, None]))
    assert named(suspects, 0).kind == "hard"
    assert "unsure" in named(suspects, 0).note
    assert len(suspects) < 0.05 * len(clean)


@pytest.mark.parametrize("cell", [None, "c"])
@pytest.mark.parametrize("count", [1, 3])
def test_few_images_of_one_class_and_hard_zeros_are_judged(count: int, cell: str | None) -> None:
    shares = np.zeros((count, 24))
    shares[:, 5] = 1.0
    paths = [f"{index}.png" for index in range(count)]
    right = Predictions(paths, [cell] * count, np.full(count, 5), shares)
    assert find_suspects(right) == []
    wrong = find_suspects(Predictions(paths, [cell] * count, np.full(count, 4), shares))
    assert [suspect.index for suspect in wrong] == list(range(count))
    assert all(suspect.other == 5 and np.isfinite(suspect.score) for suspect in wrong)


def test_several_answers_for_an_image_are_averaged_and_contradictions_refused() -> None:
    one, two = np.full((1, 24), 0.0), np.full((1, 24), 1 / 24)
    one[0, 3] = 1.0
    parts = [Predictions(["a"], ["c"], np.array([3]), shares) for shares in (one, two)]
    further = Predictions(["b"], ["c"], np.array([4]), two)
    joined = average_predictions([further, *parts])
    assert joined.paths == ["a", "b"]
    assert joined.probabilities[0, 3] == pytest.approx((1 + 1 / 24) / 2)
    for label, cell, said in ((4, "c", "a is 4 in one run and 5 in another"), (3, "d", "of the cell c in one run")):
        with pytest.raises(DataError, match=said):
            average_predictions([parts[0], Predictions(["a"], [cell], np.array([label]), two)])


def test_suspects_are_held_against_clear_ones_of_both_classes_of_their_own_cell() -> None:
    spoiled, planted = plant_swaps(fake(wrong=0), 3)
    suspects = find_suspects(spoiled)
    comparisons = compare_suspects(spoiled, suspects, 4)
    assert [comparison.suspect for comparison in comparisons] == suspects[:4]
    for comparison in comparisons:
        suspect = comparison.suspect
        for label, examples in ((spoiled.labels[suspect.index], comparison.given), (suspect.other, comparison.instead)):
            assert len(examples) == 2
            assert not planted & set(examples)
            assert (spoiled.labels[list(examples)] == label).all()
            assert spoiled.cells[examples[0]] == spoiled.cells[suspect.index]


@pytest.fixture
def karyo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Said:
    """Run the command line; gives exit code, output and errors, each space and line break as one space."""
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments: Any) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["karyo", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        out, err = capsys.readouterr()
        return code, " ".join(out.split()), err

    return run_command


def make_folds(sweep: Path, predictions: Predictions, root: Path | str | None = None, folds: int = 2) -> Path:
    """Write the runs of a cross-validation by cell over a folder of images named CELL/CLASS.png."""
    cells = list(dict.fromkeys(predictions.cells))
    for fold in range(folds):
        own = [index for index, cell in enumerate(predictions.cells) if cells.index(cell) % folds == fold]
        part = Predictions(
            [predictions.paths[index] for index in own],
            [predictions.cells[index] for index in own],
            predictions.labels[own],
            predictions.probabilities[own],
        )
        directory = make_run(sweep / f"data.fold-{fold}", fold=fold, folds=folds, predictions=part)
        source = {
            "_target_": "karyo.data.layouts.FolderSource",
            "root": "${data.root}",
            "pattern": r"(?P<cell>[^/]+)/(?P<label>\w+?)[ab]?\.png",
        }
        data = {"_target_": "karyo.data.datamodule.ChromosomeData", "root": root and str(root), "source": source}
        OmegaConf.save({"data": data}, directory / "config.yaml")
    return sweep


def with_files(predictions: Predictions, folder: Path | None = None) -> Predictions:
    """Name the images as files; draw them into a folder."""
    source = SyntheticSource(cells=len(set(predictions.cells)))
    paths = [f"{path}.png" for path in predictions.paths]
    if folder is not None:
        for path, record in zip(paths, source.records, strict=True):
            write_png(folder / path, source.read(record))
    return Predictions(paths, predictions.cells, predictions.labels, predictions.probabilities)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_the_command_lists_and_draws_the_planted_swaps(karyo: Said, tmp_path: Path) -> None:
    spoiled, planted = plant_swaps(with_files(fake(cells=4, wrong=0), tmp_path / "Bilder für $x$ 染"), 2)
    sweep = make_folds(tmp_path / "sweep", spoiled, tmp_path / "Bilder für $x$ 染")
    before = {path: path.read_bytes() for path in sweep.rglob("*") if path.is_file()}
    code, out, err = karyo("suspects", sweep, "--out", "found", "--most", 5)
    assert (code, err) == (0, "")
    assert f"{len(spoiled):,} of 1,000 images were on the test side of 2 runs" in out
    rows = rows_of(tmp_path / "found/suspects.csv")
    assert {row["path"] for row in rows if row["kind"] == "swap"} == {spoiled.paths[index] for index in planted}
    at = spoiled.paths.index(rows[0]["path"])
    assert rows[0]["label"] == CLASSES[spoiled.labels[at]]
    assert rows[0]["predicted"] == CLASSES[spoiled.predicted[at]]
    assert float(rows[0]["p_label"]) == pytest.approx(spoiled.probabilities[at, spoiled.labels[at]], abs=1e-6)
    assert float(rows[0]["p_predicted"]) == pytest.approx(spoiled.confidence[at], abs=1e-6)
    sheet = cv2.imread(str(tmp_path / "found/suspects.png"), cv2.IMREAD_COLOR)
    assert sheet is not None
    # Two rows of two, at 130 dots per inch.
    assert sheet.shape[0] > 2 * 2 * 130
    assert len(np.unique(sheet[500:])) > 50
    assert {path: path.read_bytes() for path in sweep.rglob("*") if path.is_file()} == before


def test_without_the_images_there_is_the_table_alone_until_root_names_them(karyo: Said, tmp_path: Path) -> None:
    spoiled, _ = plant_swaps(with_files(fake(cells=4, wrong=0), tmp_path / "moved"), 1)
    sweep = make_folds(tmp_path / "sweep", spoiled, tmp_path / "gone")
    (tmp_path / "suspects").mkdir()
    (tmp_path / "suspects/suspects.png").write_bytes(b"of an earlier time")
    code, out, _ = karyo("suspects", sweep, "--most", 2)
    assert code == 0
    assert "No pictures are drawn: data.root" in out
    assert "--root" in out
    assert [path.name for path in (tmp_path / "suspects").iterdir()] == ["suspects.csv"]
    assert karyo("suspects", sweep, "--most", 2, "--root", tmp_path / "moved")[0] == 0
    assert (tmp_path / "suspects/suspects.png").exists()
    code, _, err = karyo("suspects", sweep, "--root", tmp_path / "nowhere")
    assert code == 2
    assert err.count("\n") == 1
    assert "nowhere does not exist" in err


def test_images_that_cannot_be_read_are_left_out_of_the_sheet(karyo: Said, tmp_path: Path) -> None:
    spoiled, planted = plant_swaps(with_files(fake(cells=4, wrong=0), tmp_path / "images"), 2)
    sweep = make_folds(tmp_path / "sweep", spoiled, tmp_path / "images")
    (tmp_path / "images" / spoiled.paths[min(planted)]).write_bytes(b"no picture")
    code, out, _ = karyo("suspects", sweep, "--most", 4)
    assert code == 0
    assert "Some pictures are missing" in out
    assert (tmp_path / "suspects/suspects.png").exists()
    for path in spoiled.paths:
        (tmp_path / "images" / path).write_bytes(b"no picture")
    code, out, _ = karyo("suspects", sweep, "--most", 4)
    assert code == 0
    assert "No pictures are drawn" in out
    assert not (tmp_path / "suspects/suspects.png").exists()


def test_runs_that_cannot_count_are_left_out_with_a_reason(karyo: Said, tmp_path: Path) -> None:
    clean = with_files(fake(cells=4))
    sweep = make_folds(tmp_path / "sweep", clean)
    make_run(sweep / "failed", status="failed")
    make_run(sweep / "seen", record={"unseen": False})
    broken = make_run(sweep / "diverged")
    text = (broken / "predictions.csv").read_text().replace("0.01", "nan", 1)
    (broken / "predictions.csv").write_text(text)
    code, out, _ = karyo("suspects", sweep)
    assert code == 0
    assert "its status is failed; the run is left out." in out
    assert "measured images that its network had seen; the run is left out." in out
    assert "its training diverged; lower lr or clip gradients; the run is left out." in out
    assert "of 2 runs" in out


def test_a_faultless_set_and_a_single_image_give_an_empty_table(karyo: Said, tmp_path: Path) -> None:
    shares = np.full((1, 24), 0.01)
    shares[0, 7] = 0.77
    make_run(tmp_path / "one", predictions=Predictions(["ä b.png"], [None], np.array([7]), shares))
    code, out, _ = karyo("suspects", tmp_path / "one")
    assert code == 0
    assert "1 of 1,000 images were on the test side of 1 run." in out
    assert rows_of(tmp_path / "suspects/suspects.csv") == []
    assert not (tmp_path / "suspects/suspects.png").exists()


@pytest.mark.parametrize("case", ["none", "failed", "different", "most", "file", "folder"])
def test_what_cannot_be_meant_is_refused_in_one_sentence(karyo: Said, tmp_path: Path, case: str) -> None:
    (tmp_path / "runs").mkdir()
    if case == "failed":
        make_run(tmp_path / "runs/failed", status="failed")
    if case in ("different", "most", "file", "folder"):
        make_run(tmp_path / "runs/one")
    if case == "different":
        make_run(tmp_path / "runs/other", data="another")
    (tmp_path / "file").write_text("")
    (tmp_path / "folder/suspects.png").mkdir(parents=True)
    places = {"file": tmp_path / "file/below", "folder": tmp_path / "folder"}
    more = ["--most", 0] if case == "most" else ["--out", places.get(case, tmp_path / "new")]
    code, out, err = karyo("suspects", tmp_path / "runs", *more)
    said = {
        "none": "there are no runs below",
        "failed": "has predictions of unseen images: ",
        "different": "are runs of different data",
        "most": "--most must be 1 or more",
        "file": "choose another --out",
        "folder": "choose another --out",
    }[case]
    assert code != 0
    assert (out, err.count("\n")) == ("", 1)
    assert said in err


def test_a_missing_cleanlab_names_its_extra(karyo: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path / "one")
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    monkeypatch.delitem(sys.modules, "cleanlab.filter", raising=False)
    code, _, err = karyo("suspects", tmp_path / "one")
    assert code == 2
    assert err.startswith("Error: this needs cleanlab")
    assert "karyo[labels]" in err
