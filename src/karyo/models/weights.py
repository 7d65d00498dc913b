"""Weights to start from: downloaded by the library, or from a local file, loaded without running anything in it."""

import os
import pickle
from pathlib import Path
from urllib.error import URLError

import timm
import torch
import torchvision
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from karyo.errors import DataError, SettingsError
from karyo.models.backbones import BackboneSpec

MIRROR_VARIABLE = "KARYO_WEIGHTS_MIRROR"
"""Environment variable: a base URL that holds torchvision's weight files by their names, for closed networks."""

CLASSIFIER_NAMES = ("fc.", "classifier.", "classif.", "head.", "heads.", "last_linear.", "AuxLogits.")
"""Beginnings of the names that the libraries give to a network's classifier."""

StateDict = dict[str, Tensor]


def load_weights(
    network: nn.Module, spec: BackboneSpec, pretrained: bool = False, file: str | None = None
) -> StateDict | None:
    """Fill a library network, as :func:`karyo.models.backbones.build_library_network` gives it, with weights.

    Args:
        network: The network to fill, in place.
        spec: What it was built from.
        pretrained: Whether to download the library's ImageNet weights.
        file: A local file with weights.

    Returns:
        The state of a whole karyo network when the file was a karyo checkpoint, which only the whole network can
        take; otherwise None.

    Raises:
        DataError: If the download or the file fails, or the weights belong to another network.
    """
    if pretrained:
        fill(network, download_state(spec), f"pretrained weights of {spec.name}")
    if not file:
        return None
    state = read_state(Path(file))
    own = {key.removeprefix("network."): value for key, value in state.items() if key.startswith("network.")}
    if own:
        return own
    fill(network, state, f"weights={file}")
    return None


def download_state(spec: BackboneSpec) -> StateDict:
    """Fetch a library's ImageNet weights, showing progress; a second call finds them in the local cache.

    Raises:
        SettingsError: If the library has no weights for that network.
        DataError: If the download fails or is damaged.
    """
    try:
        if spec.library == "timm":
            return _download_timm(spec)
        url = _mirrored(torchvision.models.get_model_weights(spec.name)["DEFAULT"].url)
        state: StateDict = torch.hub.load_state_dict_from_url(url, map_location="cpu", progress=True, check_hash=True)
    except RuntimeError as error:
        if "hash" in str(error):
            raise DataError(
                f"The download of the weights of {spec.name} is damaged ({error}); try again, "
                "or give a good copy with weights=FILE."
            ) from error
        raise
    except (URLError, OSError) as error:
        raise DataError(
            f"pretrained=true needs the ImageNet weights of {spec.name}, which could not be downloaded "
            f"({_reason(error)}); go online, set {MIRROR_VARIABLE}, or give a file with weights=FILE."
        ) from error
    return state


def _download_timm(spec: BackboneSpec) -> StateDict:
    config = timm.get_pretrained_cfg(spec.name)
    if config is None or not config.has_weights:
        raise SettingsError(f"timm has no pretrained weights for {spec.name}; leave pretrained=false.")
    try:
        network = timm.create_model(spec.name, pretrained=True)
    except Exception as error:  # the hub's client raises its own many kinds, httpx's among them
        if isinstance(error, OSError) or "hub" in type(error).__module__ or "http" in type(error).__module__:
            raise OSError(_reason(error)) from error
        raise
    state: StateDict = network.state_dict()
    return state


def _mirrored(url: str) -> str:
    mirror = os.environ.get(MIRROR_VARIABLE)
    return f"{mirror.rstrip('/')}/{url.rpartition('/')[2]}" if mirror else url


def read_state(path: Path) -> StateDict:
    """Read tensors from a safetensors file, a torch state dict or a Lightning checkpoint; nothing else is unpickled.

    Raises:
        DataError: If there is no such file or it holds anything but tensors and primitives.
    """
    if not path.is_file():
        raise SettingsError(f"weights={path}: there is no such file.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise DataError(
            f"weights={path} cannot be read as safetensors or as a torch state dict ({_reason(error)})."
        ) from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise DataError(f"weights={path} holds no state dict: a mapping of names to tensors was expected.")
    return {key.removeprefix("module."): value for key, value in state.items()}


def fill(module: nn.Module, state: StateDict, origin: str, optional: tuple[str, ...] = CLASSIFIER_NAMES) -> None:
    """Copy the tensors of a state into a module, in place.

    Args:
        module: What to fill.
        state: Tensors by name.
        origin: Where they came from, for the message.
        optional: Beginnings of names that may be missing or of another shape: what belongs to the old classes.

    Raises:
        DataError: If any other tensor of the module is missing or has another shape.
    """
    own = module.state_dict()
    fitting = {key: value for key, value in state.items() if key in own and own[key].shape == value.shape}
    # Old files lack batch norm's counter, which nothing needs.
    needed = [key for key in own if not key.startswith(optional) and not key.endswith("num_batches_tracked")]
    missing = [key for key in needed if key not in fitting]
    if missing:
        raise DataError(
            f"{origin}: these are not the weights of this network; {len(missing)} of its {len(needed)} tensors are "
            f"missing or of another shape, {missing[0]} for one."
        )
    module.load_state_dict(fitting, strict=False)


def _reason(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    return (str(reason).strip() or type(error).__name__).splitlines()[0].rstrip(".")
