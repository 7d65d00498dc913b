"""Cutting a run of a search short when it is hopeless beside the others."""

import logging
from pathlib import Path

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback

from karyo.errors import DataError
from karyo.training.trial import STUDY, SharedTrial, require_optuna

PRUNED = "pruned: hopeless beside the other trials"
"""Why such a run was stopped, in its record."""

log = logging.getLogger(__name__)


class Pruning(Callback):
    """Reports each epoch's validation accuracy to the search, and stops the training when it is hopeless.

    Args:
        trial: The run's trial.

    Attributes:
        pruned: Whether the training was stopped.
    """

    def __init__(self, trial: SharedTrial) -> None:
        self.pruned = False
        self._trial = trial

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report and decide; with several processes the first does it for all of them."""
        if trainer.sanity_checking:
            return
        hopeless = trainer.is_global_zero and self._is_hopeless(trainer)
        # After its last epoch a run is complete, however bad.
        is_last = trainer.current_epoch + 1 == trainer.max_epochs
        if trainer.strategy.reduce_boolean_decision(hopeless, all=False) and not is_last:
            self.pruned = trainer.should_stop = True

    def _is_hopeless(self, trainer: pl.Trainer) -> bool:
        accuracy = trainer.callback_metrics.get("validation/accuracy")
        return accuracy is not None and self._trial.report(trainer.current_epoch + 1, float(accuracy))


def pruning(config: DictConfig, directory: Path) -> list[Callback]:
    """Give what cuts a run of a search short: one callback, none for any other run.

    Args:
        config: The run's configuration.
        directory: The run's directory; the study is in the one above.

    Raises:
        SettingsError: If Optuna is not installed.
    """
    number = OmegaConf.select(config, "sweep.trial")
    if number is None:
        return []
    require_optuna()
    try:
        return [Pruning(SharedTrial(directory.parent / STUDY, str(config.sweep.study), int(number)))]
    except DataError as error:
        # A run that was moved away from its search can be taken further all the same.
        log.warning("%s The run is not compared with the others of its search.", error)
        return []
