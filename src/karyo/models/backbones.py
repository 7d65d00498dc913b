"""Feature extractors by name, from torchvision or timm, with the number of input channels that is asked for.

A backbone maps images ``(N, channels, size, size)`` to features ``(N, C)``, ``(N, C, L)`` or ``(N, C, H, W)``. It is
the library's own network with its classifier taken off, so the library's weights fit it.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import timm
import torch
import torchvision
from torch import Tensor, nn

from karyo.errors import SettingsError
from karyo.models.heads import AuxiliaryHead

LIBRARIES = ("torchvision", "timm")


@dataclass(frozen=True)
class BackboneSpec:
    """Which network, and for which input.

    Attributes:
        library: ``"torchvision"`` or ``"timm"``.
        name: The library's own name of the network.
        channels: Input channels, 1 (grey) or 3.
        image_size: Side of the square input in pixels.
    """

    library: str
    name: str
    channels: int
    image_size: int


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
        raise SettingsError(f"model.library={library} is unknown; it can be {' or '.join(LIBRARIES)}.")
    if library == "timm":
        known: Sequence[str] = timm.list_models()
        found = timm.is_model(name)
    else:
        known = torchvision.models.list_models(module=torchvision.models)
        found = name in known
    if not found:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else f"there are {len(known)}; {library} lists them."
        raise SettingsError(f"model.name={name} is no network of {library}: {hint}")


def build_library_network(spec: BackboneSpec) -> nn.Module:
    """Build the library's complete network with random weights and three input channels.

    Weights of the library (1,000 ImageNet classes) fit it as they are; :func:`strip` then makes it a backbone.
    """
    check_name(spec.library, spec.name)
    if spec.library == "timm":
        config = timm.get_pretrained_cfg(spec.name)
        fixed: dict[str, Any] = {"img_size": spec.image_size} if config is not None and config.fixed_input_size else {}
        return timm.create_model(spec.name, pretrained=False, **fixed)
    if spec.name == "inception_v3":
        # The published initialisation draws from a truncated normal, which alone takes longer than a short training;
        # PyTorch's default suits networks with batch norm as well.
        network: nn.Module = torchvision.models.inception_v3(weights=None, init_weights=False, transform_input=False)
    else:
        network = torchvision.models.get_model(spec.name, weights=None)
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

    def __init__(self, network: torchvision.models.Inception3) -> None:
        super().__init__()
        channels = network.fc.in_features
        network.AuxLogits = None
        network.aux_logits = False
        network.avgpool = nn.Identity()
        network.dropout = nn.Identity()
        network.fc = nn.Unflatten(1, (channels, -1))
        self.network = network
        self._auxiliary_features: Tensor | None = None
        network.Mixed_6e.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self._auxiliary_features = output if self.training else None

    def take_auxiliary_features(self) -> Tensor:
        """Hand over the map ``(N, 768, H, W)`` of the last forward pass in training mode, once."""
        features, self._auxiliary_features = self._auxiliary_features, None
        if features is None:
            raise RuntimeError("auxiliary features exist only after a forward pass in training mode")
        return features

    def forward(self, images: Tensor) -> Tensor:
        """Map images ``(N, channels, H, W)`` to features ``(N, 2048, L)``."""
        features: Tensor = self.network(images)
        return features

    def auxiliary_head(self, n_classes: int) -> AuxiliaryHead:
        """Build the auxiliary classifier that belongs to this backbone."""
        return AuxiliaryHead(self.auxiliary_channels, n_classes)


def set_input_channels(network: nn.Module, channels: int) -> None:
    """Replace the first convolution by one of ``channels`` input channels, its filters summed over the old ones."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            if module.in_channels != channels:
                _replace(network, name, _summed(module, channels))
            return
    raise SettingsError("This network has no convolution to feed an image into; choose another model.name.")


def _summed(convolution: nn.Conv2d, channels: int) -> nn.Conv2d:
    summed = nn.Conv2d(
        channels,
        convolution.out_channels,
        convolution.kernel_size,  # type: ignore[arg-type]
        stride=convolution.stride,  # type: ignore[arg-type]
        padding=convolution.padding,  # type: ignore[arg-type]
        dilation=convolution.dilation,  # type: ignore[arg-type]
        bias=convolution.bias is not None,
    )
    with torch.no_grad():
        # Split evenly over the new channels: equal channels then give what the old network gave.
        weight = convolution.weight.sum(dim=1, keepdim=True) / channels
        summed.weight.copy_(weight.expand_as(summed.weight))
        if convolution.bias is not None and summed.bias is not None:
            summed.bias.copy_(convolution.bias)
    return summed


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
    except (RuntimeError, AssertionError, ValueError) as error:
        raise SettingsError(
            f"image_size={spec.image_size} does not suit {spec.name} ({_first_line(error)}); "
            f"it was designed for {native_size(spec.library, spec.name)} px."
        ) from error
    finally:
        backbone.train(training)
    return int(features.shape[1])


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
