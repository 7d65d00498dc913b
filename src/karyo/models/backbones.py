"""Feature extractors by name, from torchvision or timm, with the number of input channels that is asked for.

A backbone maps images ``(N, channels, size, size)`` to features ``(N, C)``, ``(N, C, L)`` or ``(N, C, H, W)``. It is
the library's own network with its classifier taken off, so the library's weights fit it.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import timm
import torch
import torchvision
from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, nn

from karyo.errors import SettingsError
from karyo.models.heads import AuxiliaryHead

LIBRARIES = ("torchvision", "timm")

_TORCHVISION_OPTIONS: dict[str, dict[str, Any]] = {
    "inception_v3": {"init_weights": False, "transform_input": False},
    # GoogLeNet's auxiliary classifiers would turn its output in training into a tuple.
    "googlenet": {"init_weights": False, "transform_input": False, "aux_logits": False},
}


@dataclass(frozen=True)
class BackboneSpec:
    """Which network, and for which input.

    Attributes:
        library: ``"torchvision"`` or ``"timm"``.
        name: The library's own name of the network.
        channels: Input channels, 1 (grey) or 3.
        image_size: Side of the square input in pixels.
        options: Further keyword arguments of the library's own builder, such as ``channels`` of timm's ResNets.
    """

    library: str
    name: str
    channels: int
    image_size: int
    options: dict[str, Any] = field(default_factory=dict)


def native_size(library: str, name: str) -> int:
    """Give the input size a network was designed for: 224 px for most, 299 for the Inceptions.

    Raises:
        SettingsError: If the library or the name is unknown; the message suggests near names.
    """
    check_name(library, name)
    if library == "timm":
        config = timm.get_pretrained_cfg(name)
        return int(config.input_size[-1]) if config is not None else 224
    transforms = torchvision.models.get_model_weights(name)["DEFAULT"].transforms()
    return int(transforms.crop_size[0])


def check_name(library: str, name: str) -> None:
    """Make sure that a network of that name exists.

    Raises:
        SettingsError: If the library or the name is unknown; the message suggests near names.
    """
    if library not in LIBRARIES:
        raise SettingsError(f"model.spec.library={library} is unknown; it can be {' or '.join(LIBRARIES)}.")
    if library == "timm":
        architecture = name.partition(".")[0]
        known: Sequence[str] = timm.list_models()
        if timm.is_model(architecture) and name != architecture:
            # What follows the dot names one of several sets of weights for the same network.
            known = timm.list_pretrained(f"{architecture}.*")
        found = timm.is_model(name) and (name == architecture or name in known)
    else:
        known = torchvision.models.list_models(module=torchvision.models)
        found = name in known
    if not found:
        near = _near(name, known)
        hint = f"did you mean {', '.join(near)}?" if near else f"there are {len(known)}; {library} lists them."
        raise SettingsError(f"model.name={name} is no network of {library}: {hint}")


def _near(name: str, known: Sequence[str]) -> list[str]:
    close = difflib.get_close_matches(name, known, n=len(known), cutoff=0.5)
    # Of equally near names the first by the alphabet: the plainest of a family.
    return sorted(close, key=lambda other: (-difflib.SequenceMatcher(None, other, name).ratio(), other))[:3]


def timm_options(spec: BackboneSpec) -> dict[str, Any]:
    """Give the options that timm needs for the input size: networks with positions of a fixed grid are told it."""
    config = timm.get_pretrained_cfg(spec.name)
    return {"img_size": spec.image_size} if config is not None and config.fixed_input_size else {}


def build_library_network(spec: BackboneSpec) -> nn.Module:
    """Build the library's complete network with random weights and three input channels.

    Weights of the library (1,000 ImageNet classes) fit it as they are; :func:`strip` then makes it a backbone.
    """
    check_name(spec.library, spec.name)
    try:
        if spec.library == "timm":
            return timm.create_model(spec.name, pretrained=False, **timm_options(spec), **spec.options)
        # Published initialisations that draw from a truncated normal, which alone takes longer than a short training;
        # PyTorch's default suits networks with batch norm as well.
        options = _TORCHVISION_OPTIONS.get(spec.name, {}) | spec.options
        network: nn.Module = torchvision.models.get_model(spec.name, weights=None, **options)
    except (RuntimeError, AssertionError, ValueError, TypeError, ZeroDivisionError) as error:
        raise _unsuitable(spec, error) from error
    return network


def strip(network: nn.Module, spec: BackboneSpec) -> nn.Module:
    """Take a library network's classifier off and set its number of input channels.

    Pretrained filters of the first convolution are summed over the colours, which gives for a grey image exactly what
    the three-channel network gives for that image in all three channels.

    Args:
        network: The library's network, from :func:`build_library_network`.
        spec: What it was built from.

    Returns:
        The backbone.
    """
    set_input_channels(network, spec.channels)
    if spec.library == "timm":
        # timm's own way: no classifier, pooled features.
        network.reset_classifier(0)  # type: ignore[operator]
        return network
    if isinstance(network, torchvision.models.VGG):
        features: nn.Module = network.features
        return features
    if isinstance(network, torchvision.models.Inception3):
        return InceptionBackbone(network)
    if isinstance(network, torchvision.models.ResNet):
        channels = network.fc.in_features
        network.avgpool = nn.Identity()
        # forward() flattens before fc; unflattening keeps the map's positions for the head to pool.
        network.fc = nn.Unflatten(1, (channels, -1))
    else:
        _drop_last_dense(network, spec.name)
    return network


class InceptionBackbone(nn.Module):
    """torchvision's InceptionV3 up to its last feature map, with its auxiliary branch left to the caller.

    Attributes:
        auxiliary_channels: Channels of the feature map that the auxiliary classifier reads.
    """

    auxiliary_channels = 768

    _LOWER = (
        *("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "maxpool2"),
        *("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"),
    )
    _UPPER = ("Mixed_7a", "Mixed_7b", "Mixed_7c")

    def __init__(self, network: torchvision.models.Inception3) -> None:
        super().__init__()
        network.AuxLogits = None
        network.fc = nn.Identity()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Map images ``(N, channels, H, W)`` to features ``(N, 2048, H', W')``."""
        features, _ = self.forward_maps(images)
        return features

    def forward_maps(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map images to their features and to the map ``(N, 768, H", W")`` that the auxiliary classifier reads."""
        auxiliary = self._through(self._LOWER, images)
        return self._through(self._UPPER, auxiliary), auxiliary

    def _through(self, stages: tuple[str, ...], maps: Tensor) -> Tensor:
        for stage in stages:
            maps = self.network.get_submodule(stage)(maps)
        return maps

    def auxiliary_head(self, n_classes: int) -> AuxiliaryHead:
        """Build the auxiliary classifier that belongs to this backbone."""
        return AuxiliaryHead(self.auxiliary_channels, n_classes)


def set_input_channels(network: nn.Module, channels: int) -> None:
    """Make a three-channel network take images of ``channels`` channels, in place.

    The filters that see the image are summed over their colours. Where that would not be exact (no convolution comes
    first, or one that rescales its own filters), the one channel is repeated instead.

    Args:
        network: A library's network with three input channels.
        channels: 1 or 3.
    """
    if channels == 3:
        return
    first = [network.get_submodule(name) for name in _first_layers(network)]
    if first and all(type(layer) in (nn.Conv2d, Conv2dSame) and layer.in_channels == 3 for layer in first):
        for layer in first:
            _sum_over_colours(layer)  # type: ignore[arg-type]
    else:
        network.register_forward_pre_hook(_repeat_grey)


def _first_layers(network: nn.Module) -> list[str]:
    config = getattr(network, "pretrained_cfg", None)
    if config is None:
        convolutions = (name for name, module in network.named_modules() if isinstance(module, nn.Conv2d))
        return [name for name in (next(convolutions, None),) if name is not None]
    # timm says which layers see the image; some networks have two, side by side.
    names = config.get("first_conv") or ()
    return [names] if isinstance(names, str) else list(names)


def _sum_over_colours(convolution: nn.Conv2d) -> None:
    convolution.weight = nn.Parameter(convolution.weight.detach().sum(dim=1, keepdim=True))
    convolution.in_channels = convolution.groups = 1


def _repeat_grey(network: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    images, *more = inputs
    return images.expand(-1, 3, -1, -1), *more


def _drop_last_dense(network: nn.Module, name: str) -> None:
    dense = [key for key, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not dense:
        raise SettingsError(f"model.name={name} has no dense classifier to replace; take it from model=timm instead.")
    _replace(network, dense[-1], nn.Identity())


def _replace(network: nn.Module, path: str, module: nn.Module) -> None:
    parent, _, child = path.rpartition(".")
    setattr(network.get_submodule(parent), child, module)


def feature_channels(backbone: nn.Module, spec: BackboneSpec) -> int:
    """Count a backbone's feature channels by passing one black image through it.

    Raises:
        SettingsError: If the network cannot take an image of that size.
    """
    probe = torch.zeros(1, spec.channels, spec.image_size, spec.image_size)
    training = backbone.training
    backbone.eval()
    try:
        with torch.inference_mode():
            features: Tensor = backbone(probe)
        if 0 in features.shape:
            raise RuntimeError("an empty feature map")
    except (RuntimeError, AssertionError, ValueError, TypeError, IndexError, ZeroDivisionError) as error:
        raise _unsuitable(spec, error) from error
    finally:
        backbone.train(training)
    return int(features.shape[1])


def _unsuitable(spec: BackboneSpec, error: Exception) -> SettingsError:
    blamed = f"image_size={spec.image_size}" + (f" or model.spec.options={spec.options}" if spec.options else "")
    return SettingsError(
        f"{blamed} does not suit {spec.name} ({_first_line(error)}); "
        f"it was designed for {native_size(spec.library, spec.name)} px."
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".!")
