"""What a prepared picture looks like, in 400 numbers that need no training: where it is bright, where it has edges."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE = 64
"""Pictures are described at this many pixels, so that limits do not depend on the network's input."""

NUMBERS = 400
"""How many numbers describe a picture."""

_SCALES = 4
_PLACES = 4
_COARSE = 8
_FAINT = 0.08
"""Share of white above which a pixel belongs to the object: the background was set to 0."""


class Description(nn.Module):
    """Describe prepared pictures: edges of four kinds at four scales in 16 places, coarse brightness, coarse outline.

    Edges across, along and on the slant and blobs, at scales one octave apart, averaged over the cells of a grid: the
    gist of a scene (Oliva and Torralba, IJCV 42:145, 2001, section 3) with the smallest filters there are. Constant
    buffers, convolutions and products of matrices only, so that it exports to ONNX.

    Args:
        size: Side of the prepared pictures in pixels.
    """

    rows: Tensor
    filters: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("rows", torch.from_numpy(_averaging(size)))
        sobel = torch.tensor([[1.0, 2, 1], [0, 0, 0], [-1, -2, -1]]) / 8
        blob = torch.tensor([[1.0, 2, 1], [2, -12, 2], [1, 2, 1]]) / 16
        slant = torch.tensor([[1.0, 0, -1], [0, 0, 0], [-1, 0, 1]]) / 4
        self.register_buffer("filters", torch.stack([sobel, sobel.T, blob, slant])[:, None])

    def forward(self, images: Tensor) -> Tensor:
        """Describe pictures.

        Args:
            images: ``(N, 1, size, size)``, uint8, as prepared: background 0.

        Returns:
            ``(N, 400)``, float32, 0..1.
        """
        picture = self.rows @ (images.to(torch.float32) / 255) @ self.rows.T
        outline = (picture > _FAINT).to(torch.float32)
        parts = [functional.avg_pool2d(each, SIDE // _COARSE).flatten(1) for each in (picture, outline)]
        for scale in range(_SCALES):
            edges = functional.conv2d(functional.pad(picture, (1, 1, 1, 1), mode="replicate"), self.filters).abs()
            parts.append(functional.avg_pool2d(edges, SIDE // 2**scale // _PLACES).flatten(1))
            parts.append((edges.square().mean(dim=(2, 3)) + 1e-12).sqrt())
            picture = functional.avg_pool2d(picture, 2)
        return torch.cat(parts, dim=1)


def _averaging(size: int) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """Give the matrix (SIDE, size) that averages ``size`` pixels in a row to SIDE, each by the share that it covers."""
    edges = np.linspace(0, size, SIDE + 1)
    starts, ends = edges[:-1, None], edges[1:, None]
    pixels = np.arange(size)[None]
    covered = np.minimum(ends, pixels + 1) - np.maximum(starts, pixels)
    return (covered.clip(0) / (ends - starts)).astype(np.float32)
