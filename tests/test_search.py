import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest
from conftest import TINY, Run
from hydra.core.override_parser.overrides_parser import OverridesParser

from karyo.errors import DataError, SettingsError
from karyo.reports.runs import read_epochs
from karyo.sweeping.search.settings import SearchSettings
from karyo.sweeping.search.space import Space, make_space
from karyo.sweeping.search.sweeper import OptunaSearch
from karyo.training.trial import SharedTrial, open_journal

pytestmark = pytest.mark.usefixtures("blank_figures")

# Learns something in four epochs of a second: 25 % where lr=3e-3, 4 % (one class in 24) where lr=1e-9.
LEARNING = (
    *TINY,
    "image_size=24",
    "batch_size=8",
    "augmentation=none",
    "scheduler=none",
    "optimizer=adam",
)
OPTUNA = ("-m", "hydra/sweeper=optuna", "sweep=here")
CHEAP = (*TINY, "image_size=24", "+trainer.limit_train_batches=1", "epochs=1")
SETTINGS = SearchSettings(20, 1, "tpe", "median", warmup_epochs=2, warmup_trials=1, reduction=3, seed=0)


def study_of(directory: Path) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.load_study(study_name=None, storage=open_journal(directory / "study.log"))


def records_of(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(directory.glob("*/summary.json"))]


# --- runs that train


def test_a_search_is_kept_and_more_trials_are_added_to_it(run: Run, tmp_path: Path) -> None:
    command = ("train", *OPTUNA, *CHEAP, "lr=tag(log, interval(1e-4, 1e-1))", "optimizer=adam,sgd")
    first = run(*command, "hydra.sweeper.n_trials=1")
    assert first.code == 0, first.err
    here = tmp_path / "multirun" / "here"
    before = {path: path.stat().st_mtime_ns for path in here.glob("*/summary.json")}
    assert len(before) == 1
    study = study_of(here)
    assert study.best_value == max(record["validation"]["accuracy"] for record in records_of(here))
    assert {trial.state.name for trial in study.trials} == {"COMPLETE"}

    again = run(*command, "hydra.sweeper.n_trials=1")
    assert again.code == 0, again.err
    assert "1 trial, 0 of them in this launch: 1 finished" in again.out
    assert {path: path.stat().st_mtime_ns for path in here.glob("*/summary.json")} == before

    more = run(*command, "hydra.sweeper.n_trials=2")
    assert "2 trials, 1 of them in this launch: 2 finished" in more.out
    after = {path: path.stat().st_mtime_ns for path in here.glob("*/summary.json")}
    assert len(after) == 2
    assert before.items() < after.items()


def test_a_hopeless_corner_is_cut_short(run: Run, tmp_path: Path) -> None:
    result = run(
        "train",
        *OPTUNA,
        *LEARNING,
        "epochs=4",
        "lr=3e-3,1e-9",
        "hydra.sweeper.sampler=grid",
        "hydra.sweeper.warmup_epochs=2",
        "hydra.sweeper.warmup_trials=1",
    )
    here = tmp_path / "multirun" / "here"
    good, hopeless = sorted(records_of(here), key=lambda record: -record["lr"])
    assert (good["status"], good["epochs"], good["stopped_by"]) == ("finished", 4, None)
    assert (hopeless["status"], hopeless["epochs"]) == ("pruned", 2)
    assert hopeless["stopped_by"] == "pruned: hopeless beside the other trials"
    assert hopeless["validation"]["accuracy"] < good["validation"]["accuracy"]
    assert "test" not in hopeless
    place = next(path.parent for path in here.glob("*/summary.json") if '"pruned"' in path.read_text())
    assert (place / hopeless["checkpoint"]).is_file()
    assert not (place / "predictions.csv").exists()
    assert [trial.state.name for trial in study_of(here).trials] == ["COMPLETE", "PRUNED"]
    assert "1 finished, 1 cut short" in result.out
    assert result.code == 0, result.out


def test_a_stopped_trial_is_gone_on_with_under_its_own_number(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("train", *OPTUNA, *CHEAP, "epochs=3", "lr=tag(log, interval(1e-4, 1e-1))", "hydra.sweeper.n_trials=1")
    write = SharedTrial.report

    def interrupt_in_second_epoch(trial: SharedTrial, epoch: int, accuracy: float) -> bool:
        hopeless = write(trial, epoch, accuracy)
        if epoch == 2:
            raise KeyboardInterrupt
        return hopeless

    with monkeypatch.context() as patched:
        patched.setattr(SharedTrial, "report", interrupt_in_second_epoch)
        assert run(*command).code == 130
    here = tmp_path / "multirun" / "here"
    (before,) = study_of(here).trials
    assert before.state.name == "RUNNING"
    assert set(before.intermediate_values) == {1, 2}
    (place,) = (path.parent for path in here.glob("*/summary.json"))
    first_epoch = read_epochs(place)[0][0]

    result = run(*command)
    assert result.code == 0, result.err
    (taken_up,) = study_of(here).trials
    assert (taken_up.params, taken_up.state.name) == (before.params, "COMPLETE")
    assert set(taken_up.intermediate_values) == {1, 2, 3}
    rows = read_epochs(place)[0]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[0] == first_epoch, "the first epoch was trained again"


# --- what cannot be meant


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["lr=1e-3,1e-2", "hydra.sweeper.sampler=gird"],
            "hydra.sweeper.sampler=gird is unknown; it can be tpe, random",
        ),
        (["lr=1e-3,1e-2", "hydra.sweeper.pruner=hope"], "hydra.sweeper.pruner=hope is unknown; it can be median"),
        (
            ["lr=1e-3,1e-2", "hydra.sweeper.n_trials=0"],
            "hydra.sweeper.n_trials=0 cannot be; it is a whole number from 1",
        ),
        (["lr=1e-3,1e-2", "hydra.sweeper.n_trial=3"], "there is no setting hydra.sweeper.n_trial"),
        (["lr=interval(1e-1, 1e-3)"], "begins above its end; write interval(0.001, 0.1)"),
        (["lr=tag(log, interval(0, 1e-1))"], "the logarithm needs an interval above 0"),
        (["lr=tag(exp, interval(1e-3, 1e-1))"], "the tag exp is unknown"),
        (["lr=tag(log, choice(1e-3, 1e-1))"], "a tag goes with an interval"),
        (["lr=interval(1e-3, inf)"], "an interval has two ends"),
        (["lr=1e-3"], "there is nothing to search"),
        (["model=glob(nothing*)"], "names no value at all"),
        (["epochs=range(3, 3)"], "names no value at all"),
        (["epochs=range(3, 5, 0)"], "the step of a range cannot be 0"),
        (["lr=1e-3", "seed=range(3)"], "the luckiest seed"),
        (["lr=interval(1e-3, 1e-1)", "hydra.sweeper.sampler=grid"], "a grid needs listed values"),
        (["model=resnet18,resnet19"], "model=resnet19 is unknown"),
    ],
)
def test_what_cannot_be_searched_is_said_in_a_sentence(
    run: Run, tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = run("train", *OPTUNA, *arguments)
    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1
    assert not (tmp_path / "multirun" / "here" / "study.log").exists()


def test_a_search_with_another_base_is_refused_and_leaves_nothing(run: Run, tmp_path: Path) -> None:
    command = ("train", *OPTUNA, "model=timm", "model.name=no_such_network", "optimizer=adam,sgd")
    assert "2 trials, 2 of them in this launch: 2 failed" in run(*command).out
    journal = tmp_path / "multirun" / "here" / "study.log"
    before = journal.read_bytes()
    result = run(*command, "epochs=7")
    assert result.code == 2
    assert "sweep=here was begun with other settings" in result.err
    assert journal.read_bytes() == before


def test_optuna_that_is_missing_is_said_in_a_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    result = run("train", *OPTUNA, "lr=1e-3,1e-2")
    assert result.code == 2
    assert result.err == "Error: hydra/sweeper=optuna needs Optuna: pip install 'karyo[optuna]'.\n"


@pytest.mark.parametrize("content", [b"\x00\xff garbage", b"not json\n{}\n", b'{"op_code": 99}\n', b"[1]\n"])
def test_a_damaged_journal_is_said_in_a_sentence_and_left_alone(run: Run, tmp_path: Path, content: bytes) -> None:
    journal = tmp_path / "multirun" / "here" / "study.log"
    journal.parent.mkdir(parents=True)
    journal.write_bytes(content)
    result = run("train", *OPTUNA, *TINY, "lr=1e-3,1e-2")
    assert result.code == 1
    assert "study.log is damaged" in result.err
    assert "move it away" in result.err
    assert result.err.count("\n") == 1
    assert journal.read_bytes() == content


# --- the search itself, with runs that only leave a record


class Runs:
    """Stands in for training: leaves the record that a run would, and counts."""

    def __init__(self, directory: Path, accuracy: Callable[[dict[str, str]], float] | None = None) -> None:
        self.directory = directory
        self.batches: list[list[tuple[str, ...]]] = []
        self.status: Callable[[dict[str, str]], str] = lambda values: "finished"
        self._accuracy = accuracy or (lambda values: 0.5)

    def __call__(self, jobs: list[list[str]]) -> Sequence[Path]:
        own = [tuple(one for one in job if not one.startswith("++sweep.")) for job in jobs]
        self.batches.append(own)
        return [self._run(job) for job in own]

    @property
    def jobs(self) -> list[tuple[str, ...]]:
        return [job for batch in self.batches for job in batch]

    def _run(self, job: tuple[str, ...]) -> Path:
        values = dict(part.split("=", 1) for part in job)
        place = self.directory / "_".join(job)
        place.mkdir(exist_ok=True)
        status = self.status(values)
        if status == "killed":
            raise KeyboardInterrupt
        record = {"status": status, "validation": {"accuracy": self._accuracy(values)}}
        (place / "summary.json").write_text(json.dumps(record))
        (place / "epochs.csv").write_text("epoch,validation_accuracy\n1,0.1\n2,0.2\n")
        return place


def space_of(*arguments: str, sampler: str = "tpe") -> Space:
    return make_space(OverridesParser.create().parse_overrides(list(arguments)), sampler)


def search(runs: Runs, *arguments: str, retry_failed: bool = False, **changes: Any) -> list[optuna.trial.FrozenTrial]:
    """Search, and give the trials of the latest study."""
    settings = SearchSettings(**{**vars(SETTINGS), **changes})
    OptunaSearch(settings, runs.directory).search(space_of(*arguments, sampler=settings.sampler), runs, retry_failed)
    journal = open_journal(runs.directory / "study.log")
    return journal.get_all_trials(journal.get_all_studies()[-1]._study_id)


def test_a_grid_tries_every_combination_once_in_the_order_typed(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    search(runs, "epochs=9", "model=a,b", "lr=1e-2,1e-3", sampler="grid", n_trials=1)
    assert runs.jobs == [
        ("epochs=9", "model=a", "lr=0.01"),
        ("epochs=9", "model=a", "lr=0.001"),
        ("epochs=9", "model=b", "lr=0.01"),
        ("epochs=9", "model=b", "lr=0.001"),
    ]
    search(runs, "epochs=9", "model=a,b", "lr=1e-2,1e-3", sampler="grid")
    assert len(runs.jobs) == 4


def test_values_added_to_a_search_are_all_that_is_run(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    search(runs, "model=a,b", "lr=1e-2,1e-3", sampler="grid")
    trials = search(runs, "model=a,b,c", "lr=1e-2,1e-3", sampler="grid")
    assert [job[0] for job in runs.jobs[4:]] == ["model=c", "model=c"]
    assert len(trials) == 6
    assert all(trial.intermediate_values == {1: 0.1, 2: 0.2} for trial in trials)


def test_another_base_takes_over_nothing(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    search(runs, "epochs=9", "lr=1e-2,1e-3", sampler="grid")
    search(runs, "epochs=10", "lr=1e-2,1e-3", sampler="grid")
    assert len(runs.jobs) == 4
    # Where the images lie and what a sweep is called is no other base.
    search(runs, "epochs=10", "lr=1e-2,1e-3", "data.root=/elsewhere", "sweep.name=x", sampler="grid")
    assert len(runs.jobs) == 4


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_no_settings_are_run_twice_and_a_finite_space_comes_to_an_end(tmp_path: Path, sampler: str) -> None:
    runs = Runs(tmp_path, lambda values: 0.9 if values["model"] == "a" else 0.1)
    search(runs, "model=a,b,c", "depth=range(2,8,2)", sampler=sampler, n_trials=50)
    assert len(runs.jobs) == len(set(runs.jobs)) == 9


def test_tpe_learns_where_the_good_settings_are(tmp_path: Path) -> None:
    runs = Runs(tmp_path, lambda values: max(0.0, 1 - abs(float(values["x"]) - 0.8)))
    search(runs, "x=interval(0,1)", n_trials=40)
    late = [abs(float(job[0].partition("=")[2]) - 0.8) for job in runs.jobs[30:]]
    assert sum(late) / len(late) < 0.1


def test_a_search_that_was_stopped_goes_on_as_it_would_have(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole, parts = Runs(tmp_path / "whole"), Runs(tmp_path / "parts")
    search(whole, "x=interval(0,1)", "model=a,b", n_trials=14)
    for count in (1, 5, 12, 14):
        search(parts, "x=interval(0,1)", "model=a,b", n_trials=count)
    assert parts.jobs == whole.jobs
    assert len(set(whole.jobs)) == 14


def test_trials_are_launched_several_at_a_time(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    search(runs, "x=interval(0,1)", n_trials=7, n_jobs=3)
    assert [len(batch) for batch in runs.batches] == [3, 3, 1]


def test_a_trial_whose_process_died_comes_first_with_the_same_settings(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.status = lambda values: "killed" if len(runs.batches) == 3 else "finished"
    with pytest.raises(KeyboardInterrupt):
        search(runs, "x=interval(0,1)", n_trials=5)
    trials = search(runs, "x=interval(0,1)", n_trials=5)
    assert runs.jobs[2] == runs.jobs[3]
    assert len(set(runs.jobs)) == len(trials) == 5


def test_a_run_that_did_not_end_is_not_begun_a_second_time_in_one_launch(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.status = lambda values: "interrupted"
    trials = search(runs, "x=interval(0,1)", n_trials=3)
    assert len(runs.jobs) == 3
    assert {trial.state.name for trial in trials} == {"RUNNING"}
    runs.status = lambda values: "finished"
    search(runs, "x=interval(0,1)", n_trials=3)
    assert sorted(runs.jobs[3:]) == sorted(runs.jobs[:3])


def test_failed_trials_count_and_are_tried_again_only_when_asked(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.status = lambda values: "failed" if values["model"] == "b" else "finished"
    search(runs, "model=a,b,c", sampler="grid")
    search(runs, "model=a,b,c", sampler="grid")
    assert len(runs.jobs) == 3
    runs.status = lambda values: "finished"
    search(runs, "model=a,b,c", sampler="grid", retry_failed=True)
    assert runs.jobs[3:] == [("model=b",)]
    search(runs, "model=a,b,c", sampler="grid", retry_failed=True)
    assert len(runs.jobs) == 4


@pytest.mark.parametrize("accuracy", [float("nan"), float("inf"), 7.0])
def test_a_run_without_a_plausible_accuracy_is_a_failed_trial(tmp_path: Path, accuracy: float) -> None:
    (trial,) = search(Runs(tmp_path, lambda values: accuracy), "model=a", "lr=1e-3,1e-3", sampler="grid")
    assert trial.state.name == "FAIL"


def test_a_half_written_last_entry_is_cut_off(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    search(runs, "model=a,b", sampler="grid")
    with (tmp_path / "study.log").open("ab") as journal:
        journal.write(b'{"op_code": 4, "work')
    assert len(search(runs, "model=a,b,c", sampler="grid")) == 3
    assert len(search(runs, "model=a,b,c", sampler="grid")) == len(runs.jobs) == 3


def test_a_second_search_in_the_same_directory_is_refused(tmp_path: Path) -> None:
    runs = Runs(tmp_path)

    def second(values: dict[str, str]) -> str:
        with pytest.raises(SettingsError, match="another process is searching"):
            search(Runs(tmp_path), "model=a,b")
        return "finished"

    runs.status = second
    search(runs, "model=a,b")
    assert len(runs.jobs) == 2


# --- the parts


def test_a_space_is_read_from_hydras_syntax() -> None:
    space = space_of(
        "epochs=9", "data.root='a b'", "model=a,b", "k=int(interval(1,4))", "n=range(10,0,-4)", "s=shuffle(x,y)"
    )
    assert space.fixed == ("epochs=9", "data.root='a b'")
    assert space.base == {"epochs": "9"}
    assert space.size() == 2 * 4 * 3 * 2
    assert [space.overrides(values)[2:] for values in space.extremes()] == [
        ("model=a", "k=1", "n=2", "s=x"),
        ("model=b", "k=4", "n=10", "s=y"),
    ]


@pytest.mark.parametrize(
    ("sweep", "value", "text"),
    [
        ("tag(log, interval(1e-5, 1e-1))", 0.000123456789, "0.0001235"),
        ("tag(log, interval(1e-5, 1e-1))", 1e-5, "1e-05"),
        ("interval(0, 1)", 0.123456789, "0.1235"),
        ("interval(0, 1000)", 123.456789, "123.5"),
        ("interval(0.50001, 0.50002)", 0.500012345678, "0.500012346"),
        ("interval(0.123456, 1)", 0.123459, "0.12346"),
        ("interval(0.123454, 1)", 0.123454, "0.123454"),
        ("interval(2, 2)", 2.0, "2.0"),
        ("int(interval(1, 9))", 3, "3"),
    ],
)
def test_suggestions_are_written_short_and_never_outside(sweep: str, value: float, text: str) -> None:
    assert space_of(f"x={sweep}").overrides({"x": value}) == (f"x={text}",)


def test_a_choice_that_needs_quotes_keeps_them() -> None:
    space = space_of("data.root='a, b','c=d'", "flag=true,null")
    texts = {text for values in space.combinations() for text in space.overrides(values)}
    parsed = OverridesParser.create().parse_overrides(sorted(texts))
    assert {one.value() for one in parsed} == {"a, b", "c=d", True, None}


def shared(tmp_path: Path, **changes: Any) -> SharedTrial:
    """Search three settings, the last of which is left running, and give that one as its run sees it."""
    runs = Runs(tmp_path)
    runs.status = lambda values: "interrupted" if values["model"] == "c" else "finished"
    search(runs, "model=a,b,c", **{"sampler": "grid", **changes})
    (name,) = (study.study_name for study in open_journal(tmp_path / "study.log").get_all_studies())
    return SharedTrial(tmp_path / "study.log", name, 2)


def test_a_trial_is_hopeless_below_the_median_and_not_before_the_warm_up(tmp_path: Path) -> None:
    trial = shared(tmp_path)  # the others reached 0.1 and 0.2 in their first epochs
    assert not trial.report(1, 0.01)
    assert trial.report(2, 0.19)


def test_a_trial_above_the_median_goes_on(tmp_path: Path) -> None:
    trial = shared(tmp_path)
    assert not trial.report(1, 0.25)
    assert not trial.report(2, 0.05), "its best epoch counts"


@pytest.mark.parametrize("changes", [{"pruner": "none"}, {"warmup_trials": 3}])
def test_nothing_is_cut_short_without_a_pruner_or_before_enough_have_finished(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    assert not shared(tmp_path, **changes).report(2, 0.0)


def test_successive_halving_keeps_the_best_of_those_that_came_as_far(tmp_path: Path) -> None:
    names = "abcdef"
    runs = Runs(tmp_path)
    runs.status = lambda values: "interrupted" if values["model"] > "a" else "finished"
    search(runs, "model=" + ",".join(names), sampler="grid", pruner="successive_halving", reduction=3)
    (study,) = open_journal(tmp_path / "study.log").get_all_studies()
    trials = [SharedTrial(tmp_path / "study.log", study.study_name, number) for number in range(1, 6)]
    # At the first rung, epoch 2: the best of three so far goes on to the next, epoch 6.
    assert [trial.report(1, 0.0) for trial in trials] == [False] * 5
    assert [trial.report(2, value) for trial, value in zip(trials, (0.3, 0.2, 0.4, 0.1, 0.35), strict=True)] == [
        False,
        True,
        False,
        True,
        True,
    ]
    assert not trials[0].report(3, 0.0)
    assert not trials[0].report(6, 0.3)
    assert trials[2].report(6, 0.2)


def test_an_epoch_is_reported_once_and_no_number_never(tmp_path: Path) -> None:
    trial = shared(tmp_path)
    trial.report(1, 0.1)
    trial.report(1, 0.9)
    trial.report(2, float("nan"))
    assert study_of(tmp_path).trials[2].intermediate_values == {1: 0.1}


def test_a_trial_that_has_ended_is_left_alone(tmp_path: Path) -> None:
    trial = shared(tmp_path)
    study_of(tmp_path).tell(2, state=optuna.trial.TrialState.PRUNED)
    assert not trial.report(3, 0.0)
    assert (
        study_of(tmp_path).trials[2].intermediate_values == {1: 0.1, 2: 0.2}
        or not study_of(tmp_path).trials[2].intermediate_values
    )


@pytest.mark.parametrize(("study", "number"), [("search-0", 0), (None, 99)])
def test_a_trial_that_is_not_there_is_a_data_error(tmp_path: Path, study: str | None, number: int) -> None:
    shared(tmp_path)
    (name,) = (one.study_name for one in open_journal(tmp_path / "study.log").get_all_studies())
    with pytest.raises(DataError, match="has no trial"):
        SharedTrial(tmp_path / "study.log", study or name, number)
    with pytest.raises(DataError, match="there is no"):
        SharedTrial(tmp_path / "other.log", name, 0)
    assert not (tmp_path / "other.log").exists()


# --- slow


@pytest.mark.slow
def test_a_search_whose_process_is_killed_goes_on_with_the_trial(tmp_path: Path) -> None:
    program = [sys.executable, str(Path(__file__).parents[1] / "src" / "train.py"), *OPTUNA, *CHEAP, "epochs=60"]
    command = [*program, "lr=tag(log, interval(1e-4, 1e-1))", "hydra.sweeper.n_trials=2", "hydra.sweeper.pruner=none"]
    here = tmp_path / "multirun" / "here"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not any(len(read_epochs(path)[0]) >= 3 for path in here.glob("*/")) and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    (before,) = study_of(here).trials
    (place,) = (path.parent for path in here.glob("*/summary.json"))
    kept = read_epochs(place)[0][:2]
    assert before.state.name == "RUNNING"
    assert json.loads((place / "summary.json").read_text())["status"] == "running"

    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    taken_up, new = study_of(here).trials
    assert (taken_up.params, taken_up.state.name, new.state.name) == (before.params, "COMPLETE", "COMPLETE")
    assert read_epochs(place)[0][:2] == kept, "the first epochs were trained again"


@pytest.mark.slow
def test_trials_in_other_processes_are_cut_short_too(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("joblib")
    run(
        "train",
        *OPTUNA,
        *LEARNING,
        "epochs=4",
        "lr=3e-3,2e-3,1e-9,1e-10",
        "hydra/launcher=joblib",
        "hydra.sweeper.n_jobs=2",
        "hydra.sweeper.sampler=grid",
        "hydra.sweeper.warmup_epochs=2",
        "hydra.sweeper.warmup_trials=2",
    )
    records = sorted(records_of(tmp_path / "multirun" / "here"), key=lambda record: -record["lr"])
    assert [record["status"] for record in records] == ["finished", "finished", "pruned", "pruned"]
    assert [record["epochs"] for record in records] == [4, 4, 2, 2]
