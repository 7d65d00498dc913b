"""Weights to start from: downloaded by the library, or from a local file, loaded without running anything in it."""

import re
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from karyo.errors import DataError, SettingsError
from karyo.models.backbones import BackboneSpec, timm_options
from karyo.models.download import HUB_VARIABLE, timm_file, torchvision_file, unavailable

CLASSIFIER_NAMES = (
    *("fc.", "classifier.", "classif.", "head.", "heads.", "head_dist.", "last_linear."),
    *("AuxLogits.", "aux1.", "aux2."),
)
"""Beginnings of the names that the libraries give to a network's classifiers."""

BEST = "checkpoints/best.ckpt"
"""The checkpoint in a run's directory that its weights are taken from."""

StateDict = dict[str, Tensor]

_WRAPPERS = ("module.", "_orig_mod.")  # of data-parallel training and of torch.compile
# torchvision's published DenseNets are older than its rule that a module's name has no dot.
_DENSE_LAYER = re.compile(r"(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..+)")


def load_weights(
    network: nn.Module, spec: BackboneSpec, pretrained: bool = False, file: str | None = None
) -> StateDict | None:
    """Fill a library network, as :func:`karyo.models.backbones.build_library_network` gives it, with weights.

    Args:
        network: The network to fill, in place.
        spec: What it was built from.
        pretrained: Whether to download the library's ImageNet weights.
        file: A local file with weights, or the directory of a run.

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
    if spec.library == "timm":
        return _timm_state(spec)
    file = torchvision_file(spec.name)
    try:
        return read_state(file)
    except DataError as error:
        raise DataError(f"{file}, kept from an earlier download, is damaged; delete it and start again.") from error


def _timm_state(spec: BackboneSpec) -> StateDict:
    config = timm.get_pretrained_cfg(spec.name)
    if config is None or not config.has_weights:
        raise SettingsError(f"timm has no pretrained weights for {spec.name}; leave pretrained=false.")
    try:
        file = timm_file(config)
        place: dict[str, Any] = {"pretrained_cfg_overlay": {"file": file}} if file else {}
        network = timm.create_model(spec.name, pretrained=True, **timm_options(spec), **place)
    except SafetensorError as error:
        raise DataError(f"{file}, kept from a download, is damaged; delete it and start again.") from error
    except Exception as error:  # the hub's client raises its own many kinds, its HTTP library's among them
        kinds = (type(error).__module__.partition(".")[0]).startswith(("huggingface_hub", "http"))
        if isinstance(error, OSError) or kinds:
            raise unavailable(spec.name, error, HUB_VARIABLE) from error
        raise
    state: StateDict = network.state_dict()
    return state


def read_state(path: Path) -> StateDict:
    """Read tensors from a safetensors file, a torch state dict or a Lightning checkpoint; nothing else is unpickled.

    Args:
        path: The file; which of them it is, its content says. Of a run's directory it is the best checkpoint.

    Returns:
        Tensors by name, on the CPU, without the prefixes that parallel or compiled training adds to names.

    Raises:
        SettingsError: If there is no such file.
        DataError: If it is damaged or holds anything but tensors and primitives.
    """
    file = weights_file(path)
    if not file.is_file():
        wanted = f" and no run with {BEST}" if path.is_dir() else ""
        raise SettingsError(f"weights={path}: there is no such file{wanted}.")
    try:
        content = _read(file)
    except Exception as error:  # damaged pickles raise whatever their bytes happen to say
        raise DataError(
            f"weights={path} cannot be read as safetensors or as a torch state dict; it is damaged, of "
            "another kind, or holds more than tensors."
        ) from error
    state = content
    for key in ("state_dict", "model"):
        state = state.get(key, state) if isinstance(state, dict) else None
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise DataError(f"weights={path} holds no state dict: a mapping of names to tensors was expected.")
    return {_plain_name(str(key)): value for key, value in state.items()}


def weights_file(path: Path) -> Path:
    """Give the file that ``weights=`` means: the file itself, or the best checkpoint of a run's directory."""
    return path / BEST if path.is_dir() else path


def checkpoint_facts(path: Path) -> dict[str, Any] | None:
    """Read what a karyo checkpoint says of the network in it; None of any other file of weights.

    Args:
        path: As ``weights=`` names it; :func:`read_state` must have read it before.

    Returns:
        ``preparation`` and the like as training wrote them, and ``pixel_mean`` and ``pixel_std``, both on the scale
        0..1.
    """
    content = _read(weights_file(path))
    own = content.get("karyo") if isinstance(content, dict) else None
    if not isinstance(own, dict):
        return None
    state = content["state_dict"]
    return own | {name: float(state[f"network.{name}"]) for name in ("pixel_mean", "pixel_std")}


def _read(path: Path) -> Any:
    with path.open("rb") as file:
        # Eight bytes of length, then JSON.
        if file.read(9)[8:] == b"{":
            return load_file(path)
        file.seek(0)
        # An open file, because torch.load would go by the name.
        return torch.load(file, map_location="cpu", weights_only=True)


def _plain_name(name: str) -> str:
    for wrapper in _WRAPPERS:
        name = name.removeprefix(wrapper)
    return _DENSE_LAYER.sub(r"\1\2", name)


def fill(module: nn.Module, state: StateDict, origin: str, optional: tuple[str, ...] = CLASSIFIER_NAMES) -> None:
    """Copy the tensors of a state into a module, in place.

    Args:
        module: What to fill.
        state: Tensors by name.
        origin: Where they came from, for the message.
        optional: Beginnings of names that may be missing, too many or of another shape: what belongs to the old
            classes.

    Raises:
        DataError: If any other tensor is missing, has another shape, or has no place in the module.
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
    # A deeper network of the same family holds every tensor of a shallower one.
    strange = [key for key in state if key not in own and not key.startswith(optional)]
    if strange:
        raise DataError(
            f"{origin}: these are not the weights of this network; it has no place for {len(strange)} of them, "
            f"{strange[0]} for one."
        )
    # Updated in place: this dictionary also carries the modules' versions, without which some refuse to load.
    own.update(fitting)
    module.load_state_dict(own)
