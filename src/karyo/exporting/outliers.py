"""How far a prepared picture is from those that the network was trained on: what it may be asked about."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from karyo.errors import SettingsError
from karyo.evaluation.exposure import draw_exposure
from karyo.exporting.description import NUMBERS, Description
from karyo.imaging.preparation import Preparation

AXES = 128
"""Principal axes of the descriptions in which distances are measured."""

_HIDDEN, _DROPPED, _EPOCHS, _BATCH, _RATE, _DECAY = 128, 0.5, 40, 256, 4e-3, 0.05
_LEAST_VARIANCE = 1e-3
_LEAST_DEVIATION = 1e-5
_FAR = 30.0
_FEWEST = 20
_MOST = 1200
_USUAL = (0.997, 0.99)
"""Share of the validation images whose distance is at most 1, in each of the two ways: the second sees more."""


class OutlierDistance(nn.Module):
    """How strange prepared pictures are, in two ways of which the stranger one counts.

    One is the Mahalanobis distance of their description along principal axes of the training images (Lee et al., "A
    simple unified framework for detecting out-of-distribution samples", NeurIPS 2018, equation 2, here with one class)
    and what these leave unexplained (Wang et al., "ViM", CVPR 2022, section 4.1); it sees what is like nothing known.
    The other is a small network that learned to tell training images from drawn strangers (Hendrycks et al., "Deep
    anomaly detection with outlier exposure", ICLR 2019), and sees what is nearly right: a nucleus, two chromosomes that
    touch. Both are scaled so that nearly all images of chromosomes lie below 1.

    It looks at pictures and not at the network's features: a classifier keeps what tells classes apart and hardly
    anything of what tells a chromosome from a nucleus. Where the graph around it is quantised, it must stay in float32.

    Args:
        size: Side of the prepared pictures in pixels.
    """

    mean: Tensor
    scale: Tensor
    axes: Tensor
    shares: Tensor
    off_share: Tensor
    usual: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.describe = Description(size)
        sizes = {"mean": NUMBERS, "scale": NUMBERS, "shares": AXES, "off_share": 1, "usual": 2}
        for name, numbers in sizes.items():
            self.register_buffer(name, torch.ones(numbers))
        self.register_buffer("axes", torch.zeros(NUMBERS, AXES))
        self.judge = nn.Sequential(nn.Linear(NUMBERS, _HIDDEN), nn.ReLU(), nn.Dropout(_DROPPED), nn.Linear(_HIDDEN, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Measure the distances.

        Args:
            images: ``(N, 1, size, size)``, uint8, as prepared.

        Returns:
            ``(N,)``, float32, 0 or more; about 1 is the border of what is usual.
        """
        described = self.standardise(self.describe(images))
        return torch.maximum(self.unlike(described) / self.usual[0], self.judged(described) / self.usual[1])

    def standardise(self, described: Tensor) -> Tensor:
        """Bring descriptions ``(N, 400)`` to mean 0 and deviation 1 of the training images, nothing beyond 30."""
        return ((described - self.mean) / self.scale).clamp(-_FAR, _FAR)

    def unlike(self, described: Tensor) -> Tensor:
        """Give the Mahalanobis distance of standardised descriptions ``(N, 400)``, ``(N,)``."""
        places = described @ self.axes
        off = (described.square().sum(dim=1) - places.square().sum(dim=1)).clamp(min=0)
        return ((places.square() * self.shares).sum(dim=1) + off * self.off_share).sqrt()

    def judged(self, described: Tensor) -> Tensor:
        """Give what the small network holds of standardised descriptions ``(N, 400)``: ln(1 + odds of a stranger)."""
        return functional.softplus(self.judge(described)[:, 0])


def fit_outliers(
    images: NDArray[np.uint8],
    validation: NDArray[np.uint8],
    greys: Sequence[NDArray[np.uint8]],
    preparation: Preparation,
    seed: int = 0,
) -> OutlierDistance:
    """Learn what prepared pictures of single chromosomes look like, and what does not.

    Args:
        images: uint8 (N, size, size), training images as prepared.
        validation: uint8 (M, size, size), validation images as prepared: they set the scale of both ways.
        greys: Training images as stored, each (H, W), uint8: some hundred are enough; strangers are made of them.
        preparation: How they were prepared, and strangers shall be.
        seed: Of the strangers and of the small network.

    Returns:
        The distance, on the CPU, in evaluation mode. Limits are chosen by :func:`choose_limit`.

    Raises:
        SettingsError: If there are fewer than 20 training images, or no validation images.
    """
    if min(len(images), len(greys) and _FEWEST) < _FEWEST:
        raise SettingsError(f"{len(images)} training images are too few to tell what chromosomes look like")
    if not len(validation):
        raise SettingsError("there are no validation images to choose a limit with")
    strangers = draw_exposure(greys, preparation, min(len(images), _MOST) // 4, seed)
    with torch.random.fork_rng(devices=[]):
        distance = OutlierDistance(preparation.size).eval()
    with torch.no_grad():
        real, mirrored, strange, aside = (
            torch.cat([distance.describe(part) for part in _batches(each)])
            for each in (images, images[:, :, ::-1], strangers, validation)
        )
        _fit_unlike(distance, real)
        real, mirrored, strange, aside = (distance.standardise(each) for each in (real, mirrored, strange, aside))
    _fit_judge(distance, torch.cat([real, mirrored]), strange, seed)
    with torch.no_grad():
        ways = (distance.unlike(aside), distance.judged(aside))
        distance.usual.copy_(
            torch.stack([way.quantile(share).clamp(min=1e-6) for way, share in zip(ways, _USUAL, strict=True)])
        )
    return distance.eval().requires_grad_(False)


def choose_limit(distances: NDArray[np.float32], false_rejection: float = 0.01) -> float:
    """Choose the distance above which an image is refused.

    Args:
        distances: float32 (N,), of validation images, which the distance was not fitted to.
        false_rejection: Share of real chromosomes that may be refused, above 0 and below 1.

    Returns:
        The limit: at most this share of ``distances`` lies above it.

    Raises:
        SettingsError: If there are no distances or the share is out of its range.
    """
    if not 0 < false_rejection < 1:
        raise SettingsError(f"the share of refused chromosomes must lie between 0 and 1, not {false_rejection!r}")
    if not len(distances):
        raise SettingsError("there are no validation images to choose a limit with")
    return float(np.quantile(distances.astype(np.float64), 1 - false_rejection, method="higher"))


def _batches(images: NDArray[np.uint8], length: int = 256) -> list[Tensor]:
    return list(torch.from_numpy(np.ascontiguousarray(images))[:, None].split(length))  # type: ignore[no-untyped-call]


def _fit_unlike(distance: OutlierDistance, described: Tensor) -> None:
    """Fit the Mahalanobis distance to descriptions ``(N, 400)`` of real images."""
    distance.mean.copy_(described.mean(dim=0))
    distance.scale.copy_(described.std(dim=0) + _LEAST_DEVIATION)
    standard = distance.standardise(described).to(torch.float64)
    variances, vectors = torch.linalg.eigh(standard.T @ standard / len(standard))
    variances, vectors = variances.flip(0), vectors.flip(1)
    floor = _LEAST_VARIANCE * variances.mean()
    distance.axes.copy_(vectors[:, :AXES])
    distance.shares.copy_(1 / (variances[:AXES] + floor))
    # What lies off the axes counts as much as they do together: with its full weight it would drown them.
    distance.off_share.copy_(AXES / (variances[AXES:].sum() + floor))


def _fit_judge(distance: OutlierDistance, real: Tensor, strange: Tensor, seed: int) -> None:
    """Teach the small network to tell standardised descriptions of real images from those of strangers."""
    inputs = torch.cat([real, strange])
    answers = torch.cat([torch.zeros(len(real)), torch.ones(len(strange))])
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        for layer in (distance.judge[0], distance.judge[-1]):
            layer.reset_parameters()  # type: ignore[operator]
        optimizer = torch.optim.AdamW(distance.judge.parameters(), lr=_RATE, weight_decay=_DECAY)
        steps = _EPOCHS * -(-len(inputs) // _BATCH)
        rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps)
        distance.judge.train()
        for _ in range(_EPOCHS):
            for chosen in torch.randperm(len(inputs)).split(_BATCH):  # type: ignore[no-untyped-call]
                optimizer.zero_grad()
                odds = distance.judge(inputs[chosen])[:, 0]
                functional.binary_cross_entropy_with_logits(odds, answers[chosen]).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                rates.step()
        distance.judge.eval()
