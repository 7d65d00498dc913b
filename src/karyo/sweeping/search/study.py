"""The memory of a search: which settings were tried, what came of each, and what is tried next.

A trial is known by its overrides. One whose process died is still running in the journal; it is taken up again under
its own number, and its run goes on from its checkpoint. Settings that the sampler suggests a second time are not run
again: that trial is told what is known of the first.
"""

import hashlib
import json
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import optuna
from optuna.distributions import distribution_to_json
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage
from optuna.storages.journal import JournalFileSymlinkLock
from optuna.trial import FrozenTrial, TrialState, create_trial

from karyo.errors import KaryoError
from karyo.reports.fields import number_at, share_at, text_at
from karyo.reports.runs import read_epochs
from karyo.sweeping.search.settings import SearchSettings
from karyo.sweeping.search.space import Parameters, Space
from karyo.training.record import RunRecord
from karyo.training.trial import damaged, open_journal

Overrides = tuple[str, ...]

_BASE = "base"


class SearchStudy:
    """A search's study in its journal. One process at a time may search; its runs write to the same journal.

    Args:
        journal: The file; it is begun if it is not there.
        space: What is searched. Another space is another study in the same journal, which takes over those trials of
            the same base that lie in it.
        settings: How to search.

    Attributes:
        name: The study's name in the journal.

    Raises:
        DataError: If the journal is damaged.
    """

    def __init__(self, journal: Path, space: Space, settings: SearchSettings) -> None:
        self.name = _name(space)
        self._space, self._settings = space, settings
        _drop_torn_end(journal)
        self._storage = open_journal(journal)
        others = [study.study_name for study in self._storage.get_all_studies()]
        self._study = optuna.create_study(
            study_name=self.name, storage=self._storage, direction="maximize", load_if_exists=True
        )
        if self.name not in others:
            self._study.set_user_attr(_BASE, space.base)
            self._study.add_trials(list(_inherited(self._storage, others, space)))
        rules = {"kind": settings.pruner, "warmup_epochs": settings.warmup_epochs, "reduction": settings.reduction}
        self._study.set_user_attr("pruning", {**rules, "warmup_trials": settings.warmup_trials})

    def known(self) -> dict[Overrides, FrozenTrial]:
        """Give the trial of all settings that were tried: the first, unless that failed and was tried again."""
        trials: dict[Overrides, FrozenTrial] = {}
        for trial in self._study.get_trials(deepcopy=False):
            overrides = self._space.overrides(trial.params)
            if overrides not in trials or trials[overrides].state == TrialState.FAIL:
                trials[overrides] = trial
        return trials

    def next_batch(self, attempted: Collection[int]) -> dict[Overrides, FrozenTrial]:
        """Give the trials to run now, at most ``n_jobs``; none when the search is complete.

        Args:
            attempted: Numbers of the trials that were run since the search was opened. One that did not end (its run
                was stopped) is not run a second time.
        """
        known = self.known()
        left = {
            overrides: trial
            for overrides, trial in known.items()
            if trial.state == TrialState.RUNNING and trial.number not in attempted
        }
        batch = dict(list(left.items())[: self._settings.n_jobs])
        while len(batch) < self._settings.n_jobs and len(known) < self._limit():
            overrides, trial = self._new_trial(known)
            batch[overrides] = known[overrides] = trial
        return batch

    def retry_failed(self) -> None:
        """Let trials that failed be run once more."""
        for trial in self.known().values():
            if trial.state == TrialState.FAIL:
                self._added(trial.params)

    def tell(self, trial: FrozenTrial, directory: Path) -> None:
        """Take what came of a trial from its run's record; a run that has not ended leaves its trial running.

        Args:
            trial: The trial.
            directory: The directory of its run.
        """
        try:
            record = RunRecord.read(directory).content
        except KaryoError:
            return
        status, accuracy = text_at(record, "status"), share_at(record, "validation", "accuracy")
        if status not in ("finished", "pruned", "failed"):
            return
        self._report_epochs(trial.number, directory)
        if status == "finished" and accuracy is not None:
            self._study.tell(trial.number, accuracy)
        else:
            self._study.tell(trial.number, state=TrialState.PRUNED if status == "pruned" else TrialState.FAIL)

    def _report_epochs(self, number: int, directory: Path) -> None:
        """Report the epochs of a run that had ended before its trial began: the pruner compares others with them."""
        trial = self._study.get_trials(deepcopy=False)[number]
        for row in read_epochs(directory)[0]:
            epoch, reached = number_at(row, "epoch"), share_at(row, "validation_accuracy")
            if epoch is not None and reached is not None and int(epoch) not in trial.intermediate_values:
                self._storage.set_trial_intermediate_value(trial._trial_id, int(epoch), reached)

    def _limit(self) -> int:
        size = self._space.size()
        if size is None or self._settings.sampler == "grid":
            return size or self._settings.n_trials
        return min(size, self._settings.n_trials)

    def _new_trial(self, known: dict[Overrides, FrozenTrial]) -> tuple[Overrides, FrozenTrial]:
        """Make a trial of settings that were not tried."""
        if self._settings.sampler == "grid":
            return self._added(next(self._untried(known)))
        overrides, trial = self._suggested(known, self._settings.sampler)
        while overrides in known:
            # A sampler that repeats itself has no better idea: others at random.
            if self._space.size() is not None:
                untried = list(self._untried(known))
                return self._added(untried[self._random().integers(len(untried))])
            overrides, trial = self._suggested(known, "random")
        return overrides, trial

    def _untried(self, known: dict[Overrides, FrozenTrial]) -> Iterator[Parameters]:
        return (one for one in self._space.combinations() if self._space.overrides(one) not in known)

    def _suggested(self, known: dict[Overrides, FrozenTrial], sampler: str) -> tuple[Overrides, FrozenTrial]:
        """Ask a sampler; settings that are known are told what is known of them."""
        self._study.sampler = self._sampler(sampler)
        number = self._study.ask(self._space.parameters).number
        trial = self._study.get_trials(deepcopy=False)[number]
        overrides = self._space.overrides(trial.params)
        if overrides in known:
            first = known[overrides]
            is_complete = first.state == TrialState.COMPLETE
            state = TrialState.COMPLETE if is_complete else TrialState.FAIL
            self._study.tell(number, first.value if is_complete else None, state)
        return overrides, trial

    def _added(self, parameters: Parameters) -> tuple[Overrides, FrozenTrial]:
        """Make a trial of given settings."""
        self._study.add_trial(
            create_trial(state=TrialState.RUNNING, params=parameters, distributions=self._space.parameters)
        )
        return self._space.overrides(parameters), self._study.get_trials(deepcopy=False)[-1]

    def _sampler(self, kind: str) -> BaseSampler:
        seed = int(self._random().integers(2**31))
        return TPESampler(seed=seed) if kind == "tpe" else RandomSampler(seed=seed)

    def _random(self) -> np.random.Generator:
        # By the trial's number: a search that was stopped goes on as it would have without.
        return np.random.default_rng([self._settings.seed, len(self._study.get_trials(deepcopy=False))])


def _name(space: Space) -> str:
    parameters = {key: distribution_to_json(one) for key, one in space.parameters.items()}
    content = json.dumps([space.base, parameters], sort_keys=True)
    return f"search-{hashlib.sha256(content.encode()).hexdigest()[:10]}"


def _inherited(storage: BaseStorage, names: list[str], space: Space) -> Iterator[FrozenTrial]:
    """Give the ended trials of other studies that lie in this space, with the distributions of this one."""
    kinds = {key: type(one) for key, one in space.parameters.items()}
    seen = set()
    for name in names:
        study = storage.get_study_id_from_name(name)
        if storage.get_study_user_attrs(study).get(_BASE) != space.base:
            continue
        for trial in storage.get_all_trials(study, states=(TrialState.COMPLETE, TrialState.PRUNED)):
            if {key: type(one) for key, one in trial.distributions.items()} != kinds:
                continue
            overrides = space.overrides(trial.params)
            try:
                inherited = create_trial(
                    state=trial.state,
                    value=trial.value,
                    params=trial.params,
                    distributions=space.parameters,
                    system_attrs=trial.system_attrs,
                    intermediate_values=trial.intermediate_values,
                )
            except ValueError:  # a value that is not in this space
                continue
            if overrides not in seen:
                seen.add(overrides)
                yield inherited


def _drop_torn_end(journal: Path) -> None:
    """Cut off a last entry that a full disk or a crash left half written: the next one would be appended to it.

    Raises:
        DataError: If the file's end is no entry at all.
    """
    if not journal.is_file():
        return
    lock = JournalFileSymlinkLock(str(journal))
    lock.acquire()
    try:
        content = journal.read_bytes()
        kept = content.rfind(b"\n") + 1
        if kept == len(content):
            return
        if content[kept : kept + 1] != b"{":
            raise damaged(journal, "its last line is no entry")
        with journal.open("r+b") as file:
            file.truncate(kept)
    finally:
        lock.release()
