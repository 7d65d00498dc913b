"""A trained network out of a checkpoint file, with the settings that belong to it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from karyo.chromosomes import CLASSES
from karyo.errors import DataError, SettingsError
from karyo.imaging.preparation import Preparation
from karyo.models.ensemble import Network
from karyo.models.network import ChromosomeNetwork, NetworkSpec
from karyo.models.weights import fill


@dataclass(frozen=True)
class TrainedNetwork:
    """A network with its weights, or several that answer as one, and how images reach it.

    Attributes:
        network: The network, in evaluation mode, on the CPU.
        preparation: The preprocessing it was trained with.
        data_fingerprint: SHA-256 of the data it was trained on; empty where the checkpoint does not say.
        epoch: The epoch, from 1, after which it was saved; None of several networks.
    """

    network: Network
    preparation: Preparation
    data_fingerprint: str
    epoch: int | None


def load_checkpoint(path: Path) -> TrainedNetwork:
    """Load a checkpoint of this program, unpickling nothing but tensors and primitives.

    Args:
        path: A ``.ckpt`` file.

    Returns:
        The network and its settings.

    Raises:
        SettingsError: If there is no such file.
        DataError: If it is no checkpoint of this program, is damaged, or is for other classes.
    """
    if not path.is_file():
        raise SettingsError(f"{path}: there is no such checkpoint.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged pickles raise whatever their bytes happen to say
        raise DataError(f"{path} cannot be read as a checkpoint; it is damaged or of another kind.") from error
    own = content.get("karyo") if isinstance(content, dict) else None
    if not isinstance(own, dict):
        raise DataError(f"{path} is no checkpoint of karyo: it does not say which network and preparation it needs.")
    _check_classes(own, path)
    try:
        network = ChromosomeNetwork(NetworkSpec(**own["network"]))
        preparation = Preparation.from_dict(own["preparation"])
        state = _network_state(content["state_dict"])
        epoch = int(content["epoch"]) + 1
    except (SettingsError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path} does not fit this version of karyo ({_first_line(error)}).") from error
    fill(network, state, str(path), optional=())
    return TrainedNetwork(network.eval(), preparation, str(own.get("data_fingerprint", "")), epoch)


def _check_classes(own: dict[str, Any], path: Path) -> None:
    classes = own.get("classes")
    if classes != list(CLASSES):
        named = ", ".join(map(str, classes[:5])) if isinstance(classes, list) else "not named"
        count = f"{len(classes)} " if isinstance(classes, list) else ""
        raise DataError(
            f"{path} was trained for {count}other classes ({named}, ...), not for the 24 of this program (1..22, X, Y)."
        )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__


def _network_state(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {key.removeprefix("network."): value for key, value in state.items() if key.startswith("network.")}
