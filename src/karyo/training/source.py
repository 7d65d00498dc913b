"""The images that settings name, without anything else of a training."""

from collections.abc import Sequence

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from karyo.data.sources import Source
from karyo.errors import SettingsError
from karyo.training.application import explain, quote_place
from karyo.training.build import build
from karyo.training.locations import configuration_folder, register_resolvers


def open_source(settings: Sequence[str]) -> Source:
    """Open the images that settings name, as training would: ``data=gband65``, ``data.root=FOLDER``.

    Raises:
        KaryoError: If the settings cannot be meant, or there are no such images.
    """
    register_resolvers()
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(configuration_folder()), version_base="1.3"):
            config = compose("train", [quote_place(setting) for setting in settings])
        source: Source = build(config.data.source)
    except (HydraException, OmegaConfBaseException) as error:
        raise SettingsError(explain(error)) from error
    return source
