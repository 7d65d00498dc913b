"""Comparing runs: what is ranked with what, means over repetitions, duels, and what is damaged."""

import json
import math
import random
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_runs import draw_predictions, make_grid, make_run, predictions_of

from karyo.errors import SettingsError
from karyo.evaluation.measure import Estimate
from karyo.reports.comparing.means import mean_of, t_quantile
from karyo.reports.comparing.significance import holm, mcnemar
from karyo.reports.comparison import Comparison, compare
from karyo.reports.runs import find_records


def labels(comparison: Comparison) -> list[list[str]]:
    return [[contender.label for contender in board.contenders] for board in comparison.boards]


def answers(right: Any, cells: int = 1) -> Any:
    """Predictions of which these are right, divided among cells."""
    right = np.asarray(right, bool)
    truth = np.arange(len(right)) % 24
    names: list[str | None] = [f"cell {index * cells // len(right)}" for index in range(len(right))]
    return predictions_of(np.where(right, truth, (truth + 1) % 24), truth, names)


def test_a_grid_is_one_board_with_model_optimizer_and_rate(tmp_path: Path) -> None:
    make_grid(tmp_path)
    (board,) = compare([tmp_path]).boards
    assert board.names == ("model", "optimizer", "lr")
    assert len(board.contenders) == 27
    best = board.contenders[0]
    assert (best.rank, best.label, best.validation.value) == (1, "resnet18 · adam · 1e-3", 0.95)
    assert {contender.label for contender in board.contenders[-3:]} == {
        f"{model} · sgd · 1e-4" for model in ("resnet18", "resnet50", "vgg16")
    }
    assert len(board.duels) == 4
    assert "gband" in board.title
    assert "1,000 images" in board.title


def test_validation_decides_and_the_test_set_never(tmp_path: Path) -> None:
    make_run(tmp_path / "a", lr=1e-3, validation=0.8, accuracy=1.0)
    make_run(tmp_path / "b", lr=1e-4, validation=0.9, accuracy=0.3)
    (board,) = compare([tmp_path]).boards
    assert [(it.rank, it.label) for it in board.contenders] == [(1, "lr=0.0001"), (2, "lr=0.001")]
    assert board.contenders[0].test.value < board.contenders[1].test.value


def test_seeds_are_repetitions_with_a_t_interval(tmp_path: Path) -> None:
    reached = (0.90, 0.92, 0.97)
    for seed, accuracy in enumerate(reached):
        make_run(tmp_path / f"a{seed}", seed=seed, accuracy=accuracy)
    make_run(tmp_path / "b", optimizer="sgd", seed=1, accuracy=0.5)
    (board,) = compare([tmp_path]).boards
    first, second = board.contenders
    assert [run.record["config"]["seed"] for run in first.runs] == [0, 1, 2]
    assert first.expected == second.expected == 3
    # 0.93 ± 4.303 · 0.03606 / √3
    assert first.validation.value == pytest.approx(0.93)
    assert first.validation.low == pytest.approx(0.93 - 0.08957, abs=1e-4)
    assert first.validation.high == 1.0  # no share is above 1
    assert first.validation.count == first.test.count == 3
    assert first.best_run.name == "a2"
    assert (second.validation.low, second.validation.high, second.validation.count) == (None, None, 1)
    own = json.loads((tmp_path / "b/summary.json").read_text())["test"]["accuracy"]
    assert (second.test.value, second.test.low, second.test.high) == (own["value"], own["low"], own["high"])


def test_folds_are_repetitions_and_duels_take_all_their_images(tmp_path: Path) -> None:
    for optimizer, accuracy in (("adam", 0.95), ("sgd", 0.6)):
        for fold in range(5):
            make_run(tmp_path / f"{optimizer}{fold}", optimizer=optimizer, fold=fold, accuracy=accuracy, cells=3)
    (board,) = compare([tmp_path]).boards
    assert [(it.label, len(it.runs), it.test.count) for it in board.contenders] == [("adam", 5, 5), ("sgd", 5, 5)]
    (duel,) = board.duels
    assert (duel.images, duel.cells) == (5 * 3 * 24, 15)
    assert "5 folds" in board.title
    assert duel.real


@pytest.mark.parametrize(
    "other",
    [
        {"data": "qband"},
        {"split_by": "image"},
        {"fold": 0},
        {"settings": {"data.fractions": [0.5, 0.25, 0.25]}},
        {"split_seed": None, "seed": 7},
        {"split_seed": 3},
    ],
)
def test_other_images_or_splits_are_never_ranked_together(tmp_path: Path, other: dict[str, Any]) -> None:
    make_run(tmp_path / "a", accuracy=0.9)
    make_run(tmp_path / "b", **({"optimizer": "sgd", "accuracy": 0.95} | other))
    comparison = compare([tmp_path])
    assert len(comparison.boards) == 2
    assert all([it.rank for it in board.contenders] == [1] for board in comparison.boards)
    assert not any(board.duels for board in comparison.boards)


def test_other_images_of_the_same_names_are_never_ranked_together(tmp_path: Path) -> None:
    make_run(tmp_path / "a")
    record = json.loads((tmp_path / "a/summary.json").read_text())
    make_run(tmp_path / "b", optimizer="sgd", record={"data": record["data"] | {"fingerprint": "0" * 64}})
    assert [len(board.contenders) for board in compare([tmp_path]).boards] == [1, 1]


def test_settings_are_linked_by_common_splits_even_through_others(tmp_path: Path) -> None:
    for name, seeds in {"adam": (0, 1), "sgd": (1, 2), "rmsprop": (2, 3), "lone": (8, 9)}.items():
        for seed in seeds:
            make_run(tmp_path / f"{name}{seed}", optimizer=name, seed=seed, split_seed=None)
    comparison = compare([tmp_path])
    assert [len(board.contenders) for board in comparison.boards] == [3, 1]
    duels = {(duel.first, duel.second): duel.images for duel in comparison.boards[0].duels}
    assert duels == {("adam", "sgd"): 192}
    assert sum("no test images in common" in problem for problem in comparison.problems) == 1


def test_old_records_without_a_digest_are_ranked_by_what_drew_their_split(tmp_path: Path) -> None:
    for name, changes in {"old": {"drop": True}, "new": {}, "foreign": {"drop": True, "split_seed": 5}}.items():
        drop = changes.pop("drop", False)
        run = make_run(tmp_path / name, optimizer=name, **changes)
        record = json.loads((run / "summary.json").read_text())
        if drop:
            del record["data"]["split"]
        (run / "summary.json").write_text(json.dumps(record))
    comparison = compare([tmp_path])
    assert sorted(map(sorted, [[it.runs[0].name for it in board.contenders] for board in comparison.boards])) == [
        ["foreign"],
        ["new", "old"],
    ]
    assert comparison.boards[0].duels[0].images == 192


def test_runs_on_images_that_no_record_names_have_no_rank(tmp_path: Path) -> None:
    make_run(tmp_path / "a", record={"data": {}})
    make_run(tmp_path / "b", optimizer="sgd", record={"data": None})
    (board,) = compare([tmp_path]).boards
    assert [it.rank for it in board.contenders] == [None, None]
    assert board.title == "images unknown"


def test_a_directory_counts_once_however_it_is_given(tmp_path: Path) -> None:
    make_run(tmp_path / "sweep/a")
    make_run(tmp_path / "sweep/outdated/b", optimizer="sgd")
    make_run(tmp_path / "sweep/.trash/c", optimizer="sgd")
    comparison = compare([tmp_path, tmp_path / "sweep", tmp_path / "sweep/a", tmp_path / "sweep/../sweep"])
    assert labels(comparison) == [["resnet18 · adam · 0.001"]]
    assert comparison.problems == ()
    assert len(find_records(tmp_path / "sweep/outdated")) == 1  # asked for by its name


def test_the_same_run_done_twice_is_no_repetition(tmp_path: Path) -> None:
    make_run(tmp_path / "early", record={"finished": "2025-01-01T00:00:00+00:00"})
    make_run(tmp_path / "late", record={"finished": "2025-02-01T00:00:00+00:00"}, accuracy=0.7)
    make_run(tmp_path / "never", status="interrupted", record={"finished": "2026-02-01T00:00:00+00:00"})
    comparison = compare([tmp_path])
    (contender,) = comparison.boards[0].contenders
    assert [run.name for run in contender.runs] == ["late"]
    assert len(comparison.problems) == 2
    assert all("late" in problem for problem in comparison.problems)


def test_measurements_of_a_trained_network_are_no_runs(tmp_path: Path) -> None:
    make_run(tmp_path / "a")
    make_run(tmp_path / "b", optimizer="sgd", record={"measured": "a/checkpoints/best.ckpt"})
    assert [[it.runs[0].name for it in board.contenders] for board in compare([tmp_path]).boards] == [["a"]]


def test_what_did_not_finish_stands_below_and_failed_last(tmp_path: Path) -> None:
    for number, status in enumerate(("failed", "pruned", "running", "interrupted", "exploded", "finished")):
        make_run(tmp_path / str(number), lr=10.0**-number, status=status, accuracy=0.5)
    comparison = compare([tmp_path])
    (board,) = comparison.boards
    assert [it.status for it in board.contenders] == [
        *("finished", "running", "interrupted", "pruned", "unknown", "failed"),
    ]
    assert [it.rank for it in board.contenders] == [1, *[None] * 5]
    assert [run.error for run in comparison.failed] == ["ValueError: the loss is not finite"]
    assert sorted(run.status for run in comparison.unfinished) == ["interrupted", "pruned", "running", "unknown"]
    assert board.contenders[3].validation.value == 0.5


def test_a_run_that_failed_before_it_saw_its_images_stands_with_its_like(tmp_path: Path) -> None:
    make_run(tmp_path / "a")
    make_run(tmp_path / "b", seed=1, status="failed", epochs=0, record={"data": None})
    make_run(tmp_path / "c", optimizer="sgd", status="failed", epochs=0, record={"data": None, "config": None})
    make_run(tmp_path / "d", data="qband")
    first, second = compare([tmp_path]).boards
    assert [[run.name for run in it.runs] for it in first.contenders] == [["a", "b"], ["c"]]
    assert (len(first.contenders[0].finished), first.contenders[0].expected) == (1, 2)
    assert [[run.name for run in it.runs] for it in second.contenders] == [["d"]]


def test_no_finished_run_and_no_run(tmp_path: Path) -> None:
    make_run(tmp_path / "a", status="failed", epochs=0, record={"data": None})
    comparison = compare([tmp_path])
    assert [it.rank for board in comparison.boards for it in board.contenders] == [None]
    assert len(comparison.failed) == 1
    (tmp_path / "empty").mkdir()
    assert compare([tmp_path / "empty"]).boards == ()
    with pytest.raises(SettingsError, match="there is no directory"):
        compare([tmp_path / "none"])


def test_damaged_files_are_named_and_the_rest_is_compared(tmp_path: Path) -> None:
    make_grid(tmp_path)
    runs = sorted(path.parent for path in tmp_path.glob("*resnet18*/summary.json"))
    whole = (runs[0] / "summary.json").read_text()
    (runs[0] / "summary.json").write_text(whole[: len(whole) // 2])
    (runs[1] / "epochs.csv").write_text("epoch,train_loss\n1,0.5\n2,")
    (runs[2] / "epochs.csv").write_bytes(b"\xff\xfe\x00")
    (board,) = compare([tmp_path]).boards
    leading = board.contenders[0].runs[0].directory
    (leading / "predictions.csv").write_text((leading / "predictions.csv").read_text()[:5000])
    (board.contenders[1].runs[0].directory / "predictions.csv").unlink()
    comparison = compare([tmp_path])
    (board,) = comparison.boards
    assert len(board.contenders) == 26
    named = [str(runs[0] / "summary.json"), str(runs[1] / "epochs.csv"), str(runs[2] / "epochs.csv")]
    named += [str(leading / "predictions.csv"), str(board.contenders[1].runs[0].directory / "predictions.csv")]
    for name in named:
        assert sum(problem.startswith(name) for problem in comparison.problems) == 1, name
    assert all("\n" not in problem and problem.endswith(".") for problem in comparison.problems)
    (damaged,) = (run for it in board.contenders for run in it.runs if run.directory == runs[1])
    assert damaged.epochs == ({"epoch": 1.0, "train_loss": 0.5},)


@pytest.mark.parametrize(
    "record",
    [
        {"validation": {"accuracy": None}, "test": {"accuracy": 0.5}},
        {"validation": {"accuracy": float("nan")}, "test": None, "seconds": float("inf")},
        {"validation": {"accuracy": "0.9"}, "overrides": [1, None, "", "=", "~x"], "error": 3},
        {"validation": {"accuracy": 93.1}, "parameters": True, "cost": [1]},
        {"status": "failed", "error": "", "parameters": None, "seconds": -1},
        {"status": "exploded", "validation": []},
        {"validation": None, "config": {"": [], "data": 3, "seed": "x"}},
        {"validation": None, "config": [1], "model": {"deep": 1}, "optimizer": None, "lr": [1]},
        {"validation": None, "data": {"fingerprint": 5, "images": "many"}},
    ],
)
def test_half_records_do_no_harm(tmp_path: Path, record: dict[str, Any]) -> None:
    make_run(tmp_path / "a", record=record)
    make_run(tmp_path / "b", optimizer="sgd", accuracy=0.7)
    comparison = compare([tmp_path])
    ranked = [it for board in comparison.boards for it in board.contenders if it.rank is not None]
    assert [(it.runs[0].name, it.rank) for it in ranked] == [("b", 1)]
    assert sum(len(it.runs) for board in comparison.boards for it in board.contenders) == 2


def test_a_clock_that_went_backwards(tmp_path: Path) -> None:
    backwards = {"seconds": -40.0, "started": "2025-03-01T10:00:00+00:00", "finished": "2024-03-01T10:00:00+00:00"}
    make_run(tmp_path / "a", record=backwards | {"cost": {"seconds_per_epoch": -3.0}})
    comparison = compare([tmp_path])
    (contender,) = comparison.boards[0].contenders
    assert (contender.rank, contender.seconds, contender.seconds_per_epoch) == (1, None, None)
    (problem,) = comparison.problems
    assert "clock went backwards" in problem


def test_old_records_without_costs_take_the_epochs_seconds(tmp_path: Path) -> None:
    make_run(tmp_path / "a", record={"cost": None})
    (contender,) = compare([tmp_path]).boards[0].contenders
    assert 12.5 < (contender.seconds_per_epoch or 0) < 13.5
    assert contender.latency_ms is contender.checkpoint_bytes is None


def test_equal_means_share_a_rank_whatever_the_last_digit_says(tmp_path: Path) -> None:
    # (0.4 + 0.8) / 2 is 0.6000000000000001.
    for seed, (one, other) in enumerate(zip((0.6, 0.6), (0.4, 0.8), strict=True)):
        make_run(tmp_path / f"a{seed}", seed=seed, validation=one)
        make_run(tmp_path / f"b{seed}", seed=seed, optimizer="sgd", validation=other)
    make_run(tmp_path / "c", optimizer="rmsprop", validation=0.1)
    (board,) = compare([tmp_path]).boards
    assert [(it.rank, it.label) for it in board.contenders] == [(1, "adam"), (1, "sgd"), (3, "rmsprop")]


def test_names_are_those_that_were_typed_and_equal_numbers_are_written_alike(tmp_path: Path) -> None:
    make_run(tmp_path / "a", lr="1e-4", settings={"batch_size": 32})
    make_run(tmp_path / "b", lr="0.0001", settings={"batch_size": 64})
    make_run(tmp_path / "c", lr="0.001")
    (board,) = compare([tmp_path]).boards
    assert board.names == ("lr", "batch_size")
    # Of c the batch size was not typed; its configuration knows it.
    assert sorted(it.label for it in board.contenders) == [
        "lr=0.001 · batch_size=32",
        "lr=1e-4 · batch_size=32",
        "lr=1e-4 · batch_size=64",
    ]


def test_settings_that_nobody_typed_are_named_from_the_configuration(tmp_path: Path) -> None:
    for name, smoothing in (("a", 0.1), ("b", 0.2)):
        run = make_run(tmp_path / name)
        record = json.loads((run / "summary.json").read_text())
        record["config"]["label_smoothing"] = smoothing
        (run / "summary.json").write_text(json.dumps(record))
    (board,) = compare([tmp_path]).boards
    assert board.names[-1] == "label_smoothing"
    assert len({it.label for it in board.contenders}) == 2


def test_records_without_a_configuration_are_told_apart_by_what_was_typed_or_by_name(tmp_path: Path) -> None:
    for name, typed in (("a", ["lr=1e-3"]), ("b", ["lr=1e-4"]), ("c ü", []), ("d", [])):
        make_run(
            tmp_path / name, record={"config": None, "overrides": typed, "model": None, "lr": None, "optimizer": None}
        )
    board_labels = [label for group in labels(compare([tmp_path])) for label in group]
    assert len(board_labels) == len(set(board_labels)) == 4


def test_unicode_survives(tmp_path: Path) -> None:
    make_run(tmp_path / "Zürich Ω/läuft", model="rés·net|Ω", data="Bänder")
    (board,) = compare([tmp_path / "Zürich Ω"]).boards
    assert board.contenders[0].values["model"] == "rés·net|Ω"
    assert "Bänder" in board.title


# --- duels


def test_a_duel_counts_the_images_that_one_of_both_recognises(tmp_path: Path) -> None:
    first = np.arange(240) >= 10  # wrong on 10
    second = (np.arange(240) % 6) != 3  # wrong on 40, of which 1 and more are common
    make_run(tmp_path / "a", validation=0.9, predictions=answers(first, 20))
    make_run(tmp_path / "b", validation=0.8, predictions=answers(second, 20), optimizer="sgd")
    (duel,) = compare([tmp_path]).boards[0].duels
    assert (duel.only_first, duel.only_second) == (int((first & ~second).sum()), int((second & ~first).sum()))
    assert duel.difference == pytest.approx(first.mean() - second.mean())
    assert (duel.images, duel.cells) == (240, 20)
    assert duel.low is not None
    assert duel.high is not None
    assert duel.low < duel.difference < duel.high
    assert duel.p_mcnemar == duel.p_holm == mcnemar(duel.only_first, duel.only_second)
    assert duel.real
    assert "adam is 12.5 points ahead of sgd" in duel.verdict


def test_the_interval_resamples_cells_and_not_images(tmp_path: Path) -> None:
    # The whole difference lies in one of ten cells: by image it would be sure, by cell it could be chance.
    second = np.arange(240) >= 24
    make_run(tmp_path / "a", validation=0.9, predictions=answers(np.ones(240), 10))
    make_run(tmp_path / "b", validation=0.8, predictions=answers(second, 10), optimizer="sgd")
    (duel,) = compare([tmp_path]).boards[0].duels
    assert duel.p_mcnemar < 1e-6
    assert duel.low == 0
    assert not duel.real
    assert "no difference that could not be chance" in duel.verdict


def test_a_duel_on_one_cell_and_between_equals(tmp_path: Path) -> None:
    right = np.arange(48) % 7 > 0
    make_run(tmp_path / "a", predictions=answers(right, 1))
    make_run(tmp_path / "b", predictions=answers(right, 1), optimizer="sgd")
    (duel,) = compare([tmp_path]).boards[0].duels
    assert (duel.low, duel.high, duel.difference, duel.p_mcnemar, duel.real) == (None, None, 0.0, 1.0, False)
    assert "1 cell, too few" in duel.verdict


def test_several_seeds_on_the_same_images_count_with_their_share(tmp_path: Path) -> None:
    always, never = np.ones(48), np.zeros(48)
    half = np.arange(48) < 24
    for seed, right in enumerate((always, half)):
        make_run(tmp_path / f"a{seed}", seed=seed, validation=0.9, predictions=answers(right, 4))
    for seed, right in enumerate((always, never, never, never)):
        make_run(tmp_path / f"b{seed}", seed=seed, validation=0.8, predictions=answers(right, 4), optimizer="sgd")
    (duel,) = compare([tmp_path]).boards[0].duels
    assert duel.images == 48
    assert duel.difference == pytest.approx(0.75 - 0.25)
    assert (duel.only_first, duel.only_second) == (48, 0)


def test_predictions_of_other_images_are_left_out_of_a_duel(tmp_path: Path) -> None:
    for seed in range(2):
        make_run(tmp_path / f"a{seed}", seed=seed, predictions=answers(np.ones(48 + 24 * seed), 4))
    make_run(tmp_path / "b", optimizer="sgd", accuracy=0.5, predictions=answers(np.ones(48), 4))
    comparison = compare([tmp_path])
    (duel,) = comparison.boards[0].duels
    assert duel.images == 48
    (problem,) = comparison.problems
    assert str(tmp_path / "a1/predictions.csv") in problem


def test_predictions_that_are_fewer_than_the_record_says_are_damaged(tmp_path: Path) -> None:
    for seed in range(2):
        make_run(tmp_path / f"a{seed}", seed=seed)
    make_run(tmp_path / "b", optimizer="sgd", accuracy=0.5)
    path = tmp_path / "a1/predictions.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:100]))
    comparison = compare([tmp_path])
    (problem,) = comparison.problems
    assert f"{path} cannot be used: it answers 99 images and the run was measured on 192" in problem
    assert comparison.boards[0].duels[0].images == 192


def test_contenders_that_were_tested_on_a_part_are_compared_on_what_both_answered(tmp_path: Path) -> None:
    make_run(tmp_path / "a", validation=0.9, predictions=answers(np.ones(96), 4))
    make_run(tmp_path / "b", validation=0.8, predictions=answers(np.ones(48), 2), optimizer="sgd")
    comparison = compare([tmp_path])
    (problem,) = comparison.problems
    assert "compared on the 48 that both have answered" in problem
    assert comparison.boards[0].duels[0].images == 48


def test_duels_are_the_same_every_time_and_in_any_order(tmp_path: Path) -> None:
    runs = make_grid(tmp_path)
    shuffled = list(runs)
    random.Random(1).shuffle(shuffled)
    one, other = compare(runs), compare(shuffled)
    assert one.boards[0].duels == other.boards[0].duels
    assert labels(one) == labels(other)
    assert one.boards[0].duels != compare(runs, seed=1).boards[0].duels


def exact(only_first: int, only_second: int) -> float:
    """Count out how many ways of the coins falling are as uneven, or more."""
    discordant = only_first + only_second
    ways = [sum(coins) for coins in product((0, 1), repeat=discordant)]
    return sum(abs(heads - discordant / 2) >= abs(only_first - discordant / 2) for heads in ways) / len(ways)


@pytest.mark.parametrize("pair", [(0, 0), (0, 1), (1, 0), (3, 3), (0, 5), (2, 9), (9, 2), (10, 4)])
def test_mcnemar_of_few_is_exact(pair: tuple[int, int]) -> None:
    assert mcnemar(*pair) == pytest.approx(exact(*pair))


def test_mcnemar_of_many_has_the_continuity_correction() -> None:
    # The example that is often given: 121 and 59 discordant pairs, chi-square (|121 - 59| - 1)² / 180 = 20.672.
    assert mcnemar(121, 59) == pytest.approx(math.erfc(math.sqrt(20.672 / 2)), rel=1e-3)
    assert mcnemar(121, 59) == mcnemar(59, 121)
    # Tables of chi-square with one degree of freedom: 5 % above 3.841; 3.61 is 19²/100, 4.41 is 21²/100.
    assert mcnemar(60, 40) == pytest.approx(0.0574, abs=1e-4)
    assert mcnemar(61, 39) == pytest.approx(0.0357, abs=1e-4)
    assert mcnemar(20, 20) == 1.0
    # At the change from one to the other both agree.
    for fewer in range(13):
        coins = sum(math.comb(25, heads) for heads in range(fewer + 1)) / 2**25
        assert mcnemar(fewer, 25 - fewer) == pytest.approx(min(1, 2 * coins), abs=0.02)


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.706), (2, 4.303), (5, 2.571), (6, 2.447), (9, 2.262), (29, 2.045), (120, 1.980)]
)
def test_t_quantiles(freedom: int, quantile: float) -> None:
    assert t_quantile(freedom) == pytest.approx(quantile, abs=6e-4)


def test_means_leave_out_what_is_not_known() -> None:
    assert mean_of([]).value is None
    lone = mean_of([Estimate(None), Estimate(0.5, 0.4, 0.6)])
    assert (lone.value, lone.low, lone.high, lone.count) == (0.5, 0.4, 0.6, 1)


def test_the_interval_over_repetitions_covers_as_often_as_it_says() -> None:
    chance = np.random.default_rng(0)
    draws = chance.normal(0.5, 0.03, (4000, 4))
    means = [mean_of([Estimate(value) for value in row]) for row in draws]
    covered = sum((mean.low or 0) <= 0.5 <= (mean.high or 0) for mean in means)
    assert 0.94 < covered / 4000 < 0.96


def test_drawn_runs_have_the_accuracy_that_was_asked_for() -> None:
    predictions = draw_predictions(0.8, 200, "split", np.random.default_rng(0))
    assert predictions.correct.mean() == pytest.approx(0.8, abs=0.02)
    assert len(list(combinations(set(predictions.cells), 2))) == 200 * 199 / 2
