"""The whole network: from 8-bit images to logits, built again from primitives alone."""

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from karyo.chromosomes import CLASSES
from karyo.errors import SettingsError
from karyo.models.backbones import (
    BackboneSpec,
    InceptionBackbone,
    build_library_network,
    feature_channels,
    strip,
)
from karyo.models.cell_context import CELL, add_cell_context, fitted_to_context, seen_as_cells
from karyo.models.heads import HEADS, initialise_dense
from karyo.models.weights import fill, load_weights


@dataclass(frozen=True)
class NetworkSpec:
    """Everything that is needed to build a network again, as primitives that a checkpoint can hold.

    Attributes:
        library: ``"torchvision"`` or ``"timm"``.
        name: The library's name of the network.
        image_size: Side of the square input in pixels.
        channels: Input channels, 1 or 3.
        head: ``"linear"`` or ``"chu"``.
        head_options: Keyword arguments of the head (``dropout``, ``relu``).
        n_classes: Number of logits.
        options: Further keyword arguments of the library's builder; weights of the library then fit no more.
        context: ``"cell"``: it can be asked about the images of a whole cell at once too; None: about each alone.
    """

    library: str
    name: str
    image_size: int
    channels: int = 1
    head: str = "linear"
    head_options: dict[str, float | bool] = field(default_factory=dict)
    n_classes: int = len(CLASSES)
    options: dict[str, Any] = field(default_factory=dict)
    context: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give the attributes as primitives."""
        return asdict(self)

    @property
    def backbone(self) -> BackboneSpec:
        """The part of the specification that the backbone needs."""
        return BackboneSpec(self.library, self.name, self.channels, self.image_size, self.options)


class ChromosomeNetwork(nn.Module):
    """Normalisation, backbone and head in one module.

    The module takes images as the data room prepares them (8-bit, background dark) and normalises them itself, so
    that the numbers that belong to the weights travel with the weights.

    Args:
        spec: What to build.
        pretrained: Whether to download the library's ImageNet weights.
        weights: A local file of weights (safetensors or a torch state dict) to start from instead.

    Attributes:
        spec: What was built.
        pixel_mean: Buffer, mean of the training pixels on the scale 0..1.
        pixel_std: Buffer, their standard deviation.

    Raises:
        SettingsError: If the specification cannot be built (unknown name or head, image too small).
        DataError: If weights cannot be had or do not fit.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, spec: NetworkSpec, pretrained: bool = False, weights: str | None = None) -> None:
        super().__init__()
        _check(spec, pretrained, weights)
        self.spec = spec
        library_network = build_library_network(spec.backbone)
        own_state = load_weights(library_network, spec.backbone, pretrained, weights)
        self.backbone = strip(library_network, spec.backbone)
        if spec.context == CELL:
            add_cell_context(self.backbone, spec.name)
        features = feature_channels(self.backbone, spec.backbone)
        self.head = _build_head(spec, features)
        self.auxiliary = (
            self.backbone.auxiliary_head(spec.n_classes) if isinstance(self.backbone, InceptionBackbone) else None
        )
        self.register_buffer("pixel_mean", torch.tensor(0.5))
        self.register_buffer("pixel_std", torch.tensor(0.5))
        if own_state is not None:
            fitted = fitted_to_context(own_state, self.state_dict())
            fill(self, fitted, f"weights={weights}", optional=("head.", "auxiliary."))

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits.

        Args:
            images: ``(N, channels, image_size, image_size)``, uint8 or float on the scale 0..255.

        Returns:
            Logits ``(N, n_classes)``, float.
        """
        logits: Tensor = self.head(self.backbone(self.normalise(images)))
        return logits

    def forward_cell(self, images: Tensor) -> Tensor:
        """Compute logits of the images of one cell, each seen beside the others.

        Args:
            images: As :meth:`forward` takes them: a whole cell, of at least
                :data:`~karyo.inference.predictor.FEWEST_IN_CELL` images.

        Returns:
            Logits ``(N, n_classes)``, float. A network without ``context`` answers as :meth:`forward` does.
        """
        with seen_as_cells(self):
            logits: Tensor = self(images)
        return logits

    def forward_training(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Compute logits and, for InceptionV3, the auxiliary classifier's logits as well (else None)."""
        if self.auxiliary is None or not isinstance(self.backbone, InceptionBackbone):
            return self(images), None
        features, auxiliary = self.backbone.forward_maps(self.normalise(images))
        return self.head(features), self.auxiliary(auxiliary)

    def set_pixel_statistics(self, mean: float, std: float) -> None:
        """Set the normalisation, on the scale 0..1; ``std`` is kept above 1/255."""
        self.pixel_mean.fill_(mean)
        self.pixel_std.fill_(max(std, 1 / 255))

    def normalise(self, images: Tensor) -> Tensor:
        """Bring images on the scale 0..255, any shape, to the mean and deviation that the weights expect; float."""
        return (images.float() / 255 - self.pixel_mean) / self.pixel_std


def _build_head(spec: NetworkSpec, features: int) -> nn.Module:
    try:
        head = HEADS[spec.head](features, spec.n_classes, **spec.head_options)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"model.spec.head_options do not fit model.spec.head={spec.head}: {error}.") from error
    initialise_dense(head)
    return head


def _check(spec: NetworkSpec, pretrained: bool, weights: str | None) -> None:
    if spec.head not in HEADS:
        raise SettingsError(f"model.spec.head={spec.head} is unknown; it can be {' or '.join(HEADS)}.")
    if spec.channels not in (1, 3):
        raise SettingsError(f"channels={spec.channels} cannot be; it is 1 (grey) or 3.")
    if spec.context not in (None, CELL):
        raise SettingsError(f"context={spec.context} is unknown; it is {CELL} or null.")
    if spec.image_size < 1:
        raise SettingsError(f"image_size={spec.image_size} cannot be; it is a number of pixels above 0.")
    if pretrained and weights:
        raise SettingsError("pretrained=true and weights=FILE exclude each other; give one of them.")
