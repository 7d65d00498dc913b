"""``hydra/sweeper=optuna``: karyo's search for Hydra, which accepts plugins from this namespace only.

Hydra imports this module at every start, so nothing heavy is imported before a search begins.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


class KaryoOptunaSweeper(Sweeper):
    """Searches with Optuna instead of going through every combination.

    Args:
        params: What is searched where the command line does not say it, as an experiment may give it.
        **settings: See :class:`karyo.sweeping.search.settings.SearchSettings`.
    """

    def __init__(self, params: Mapping[str, str] | None = None, **settings: Any) -> None:
        self._params, self._settings = dict(params or {}), settings
        self._launcher: Launcher | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra gives, and set up the launcher of the trials."""
        self.hydra_context, self.config = hydra_context, config
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Search.

        Raises:
            KaryoError: If Optuna is missing, a setting cannot be meant, or the sweep's directory is damaged.
        """
        from karyo.training.trial import require_optuna

        require_optuna()
        from karyo.sweeping.guard import admit
        from karyo.sweeping.search.settings import SearchSettings
        from karyo.sweeping.search.sweeper import OptunaSearch
        from karyo.training.identity import deciding_settings

        assert self.config is not None
        assert self.hydra_context is not None
        directory = Path(self.config.hydra.sweep.dir)
        search = OptunaSearch(SearchSettings(**self._settings), directory)
        typed = {argument.partition("=")[0] for argument in arguments}
        given = [f"{name}={values}" for name, values in self._params.items() if name not in typed]
        space = search.space([*given, *arguments], self.hydra_context)
        # A mistyped choice is to be found now, not when it is its turn after a night.
        self.validate_batch_is_legal([space.overrides(values) for values in space.extremes()])
        directory.mkdir(parents=True, exist_ok=True)
        # The launcher does it too, but then there would be a trial already.
        base = self.hydra_context.config_loader.load_sweep_config(self.config, list(space.fixed))
        admit(directory, [deciding_settings(base)])
        OmegaConf.save(self.config, directory / "multirun.yaml")
        launcher = self._karyo_launcher()
        launcher.fixed, launcher.total = space.fixed, self._settings.get("n_trials")
        begun = 0

        def launch(jobs: list[list[str]]) -> list[Path]:
            nonlocal begun
            launcher.launch(jobs, initial_job_idx=begun)
            begun += len(jobs)
            return list(launcher.directories)

        search.search(space, launch, retry_failed=bool(self.config.sweep.retry_failed))
        return None

    def _karyo_launcher(self) -> Any:
        from hydra_plugins.karyo_sweeps import KaryoLauncher
        from karyo.errors import SettingsError

        if not isinstance(self._launcher, KaryoLauncher):
            raise SettingsError("hydra/sweeper=optuna needs a launcher of karyo: leave hydra/launcher out.")
        return self._launcher
