"""The settings of a search, ``hydra.sweeper.*``, and what they can be."""

from dataclasses import dataclass

from karyo.errors import SettingsError
from karyo.training.trial import PRUNERS

SAMPLERS = ("tpe", "random", "grid")
"""``tpe``: the Tree-structured Parzen Estimator (Bergstra et al., Algorithms for Hyper-Parameter Optimization, 2011,
section 4). ``grid``: every combination."""

_LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class SearchSettings:
    """How to search; see ``conf/hydra/sweeper/optuna.yaml``.

    Attributes:
        n_trials: Different settings to try, those of earlier launches included; without effect on a grid.
        n_jobs: Trials at a time.
        sampler: One of :data:`SAMPLERS`.
        pruner: One of :data:`karyo.training.trial.PRUNERS`.
        warmup_epochs: Epochs that every run gets, at least 1.
        warmup_trials: Finished runs to have before any is cut short.
        reduction: Successive halving: the factor between the epochs of two rungs, and of the runs that reach them.
        seed: Of the sampler.
    """

    n_trials: int
    n_jobs: int
    sampler: str
    pruner: str
    warmup_epochs: int
    warmup_trials: int
    reduction: int
    seed: int

    def check(self) -> None:
        """Check the values.

        Raises:
            SettingsError: For the first that cannot be meant; the message says what it can be.
        """
        for name, known in (("sampler", SAMPLERS), ("pruner", PRUNERS)):
            if getattr(self, name) not in known:
                raise SettingsError(
                    f"hydra.sweeper.{name}={getattr(self, name)} is unknown; it can be {', '.join(known)}."
                )
        smallest = {"n_trials": 1, "n_jobs": 1, "warmup_epochs": 1, "warmup_trials": 1, "reduction": 2, "seed": 0}
        for name, least in smallest.items():
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= _LARGEST_SEED:
                raise SettingsError(f"hydra.sweeper.{name}={value} cannot be; it is a whole number from {least}.")
