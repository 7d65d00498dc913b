"""What a run of a search shares with the others: the study, in a file of the sweep's directory.

The study is Optuna's journal (``JournalStorage``): every process appends to it, on one machine or on several that share
a file system. Kept free of torch: the process that searches needs none.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karyo.errors import DataError, SettingsError

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.storages import BaseStorage
    from optuna.study import Study

STUDY = "study.log"
"""The journal's file in a sweep's directory."""

PRUNERS = ("median", "successive_halving", "none")
"""When a run is hopeless. ``median``: its best epoch so far is below the median of what the finished runs had reached
at the same epoch (after Golovin et al., Google Vizier, 2017, section 3.2.2). ``successive_halving``: at certain epochs
it is not among the best of all that came so far (ASHA: Li et al., A System for Massively Parallel Hyperparameter
Tuning, 2020, section 3)."""


def require_optuna() -> None:
    """Make sure that Optuna is there.

    Raises:
        SettingsError: If it is not installed; the message says how to.
    """
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise SettingsError("hydra/sweeper=optuna needs Optuna: pip install 'karyo[optuna]'.") from error
    # Every trial is on the screen already, as a run.
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def open_journal(path: Path) -> "BaseStorage":
    """Open the journal of a search; it is begun if there is none.

    Raises:
        DataError: If it is damaged.
    """
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    try:
        return JournalStorage(JournalFileBackend(str(path)))
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from error


def damaged(path: Path, reason: str) -> DataError:
    """Give the error that says what to do about a damaged journal."""
    return DataError(
        f"{path} is damaged ({reason.rstrip('.: ')}); move it away: the same command then begins a new search, and "
        "takes over the runs that have ended where it comes upon their settings."
    )


def make_pruner(kind: str, warmup_epochs: int, reduction: int) -> "BasePruner":
    """Build a pruner.

    Args:
        kind: One of :data:`PRUNERS`.
        warmup_epochs: Epochs that every run gets.
        reduction: See :class:`karyo.sweeping.search.settings.SearchSettings`.
    """
    from optuna.pruners import MedianPruner, NopPruner, SuccessiveHalvingPruner

    if kind == "median":
        return MedianPruner(n_startup_trials=0, n_warmup_steps=warmup_epochs)
    if kind == "successive_halving":
        return SuccessiveHalvingPruner(min_resource=warmup_epochs, reduction_factor=reduction)
    return NopPruner()


class SharedTrial:
    """One trial of a search, seen from its run.

    Args:
        journal: The search's journal.
        study: The study's name in it.
        number: The trial's number in the study.

    Raises:
        DataError: If there is no such trial, or the journal is damaged.
    """

    def __init__(self, journal: Path, study: str, number: int) -> None:
        import optuna

        # Opening would begin a journal where there is none.
        if not journal.is_file():
            raise DataError(f"there is no {journal}.")
        self._storage = open_journal(journal)
        try:
            self._study_id = self._storage.get_study_id_from_name(study)
            self._id = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
            rules: dict[str, Any] = dict(self._storage.get_study_user_attrs(self._study_id)["pruning"])
        except KeyError as error:
            raise DataError(f"{journal} has no trial {number} of {study}.") from error
        self._warmup_trials = int(rules.pop("warmup_trials"))
        self._study: Study = optuna.load_study(study_name=study, storage=self._storage, pruner=make_pruner(**rules))

    def report(self, epoch: int, accuracy: float) -> bool:
        """Tell the other trials what this one has reached.

        An epoch that was reported before, by a process that died before its checkpoint was written, is not reported
        again; a trial that has ended (its run is being taken further by hand) reports nothing.

        Args:
            epoch: The epoch that has just been validated, from 1.
            accuracy: Its validation accuracy, 0..1.

        Returns:
            Whether to go on is hopeless.
        """
        from optuna.trial import TrialState

        trial = self._storage.get_trial(self._id)
        if trial.state != TrialState.RUNNING or not math.isfinite(accuracy):
            return False
        if epoch not in trial.intermediate_values:
            self._storage.set_trial_intermediate_value(self._id, epoch, accuracy)
        # Asked always: successive halving notes who has come how far.
        hopeless = self._study.pruner.prune(self._study, self._storage.get_trial(self._id))
        finished = self._storage.get_all_trials(self._study_id, deepcopy=False, states=(TrialState.COMPLETE,))
        return hopeless and len(finished) >= self._warmup_trials
