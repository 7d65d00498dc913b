"""The choices of `preprocessing=`, for commands that need no Hydra."""

from omegaconf import OmegaConf

from karyo.errors import SettingsError
from karyo.imaging.steps import Chain
from karyo.training.locations import configuration_folder


def preset_names() -> list[str]:
    """List the choices of `preprocessing=`."""
    return sorted(path.stem for path in (configuration_folder() / "preprocessing").glob("*.yaml"))


def preset_chain(name: str) -> Chain:
    """Give the steps of a choice of `preprocessing=`; what it says of the canvas is for training alone.

    Raises:
        SettingsError: If there is no such choice.
    """
    if name not in preset_names():
        raise SettingsError(f"there is no preset {name!r}; it can be {', '.join(preset_names())}")
    node = OmegaConf.load(configuration_folder() / "preprocessing" / f"{name}.yaml")
    # A choice that also sets what stands at the root of the configuration holds its steps one level deeper.
    steps = OmegaConf.select(node, "steps") or OmegaConf.select(node, "preprocessing.steps") or OmegaConf.create({})
    return Chain.from_config(OmegaConf.to_container(steps))  # type: ignore[arg-type]
