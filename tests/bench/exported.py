"""Exported models for the benchmark: ResNet18 at 224 px, as it is and in eight-bit integers.

Their weights are random: how long a network takes does not depend on what it has learned. How much accuracy the
integers cost is measured by `karyo export --int8` on real images.
"""

from pathlib import Path

import numpy as np
import torch

from karyo.data.synthetic import SyntheticSource
from karyo.exporting.graph import ExportedGraph
from karyo.exporting.onnx_file import to_onnx, write_onnx
from karyo.exporting.quantisation import quantise
from karyo.imaging.preparation import Preparation
from karyo.imaging.write import write_png
from karyo.inference import Passport
from karyo.models.network import ChromosomeNetwork, NetworkSpec


def write_models(folder: Path, size: int) -> tuple[Path, Path]:
    """Write the float and the eight-bit model of a ResNet18."""
    torch.manual_seed(0)
    network = ChromosomeNetwork(NetworkSpec("torchvision", "resnet18", size)).eval()
    preparation, source = Preparation(size), SyntheticSource(cells=2)
    model = to_onnx(ExportedGraph(network))
    images = np.stack([preparation(source.read(record)) for record in source.records])
    names = folder / "float.onnx", folder / "int8.onnx"
    write_onnx(model, Passport("resnet18", preparation), names[0])
    write_onnx(quantise(model, images), Passport("resnet18", preparation, precision="int8"), names[1])
    return names


def write_images(folder: Path, cells: int) -> list[Path]:
    """Write the drawn chromosomes of some cells."""
    source = SyntheticSource(cells=cells)
    paths = [folder / f"{number:05}.png" for number in range(len(source.records))]
    for path, record in zip(paths, source.records, strict=True):
        write_png(path, source.read(record))
    return paths
