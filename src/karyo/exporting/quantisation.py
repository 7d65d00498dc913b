"""Eight-bit integers in place of floats: several times as fast on processors that multiply them by fours.

Static quantisation of onnxruntime: the range of each activation is observed on training images (the smallest and the
largest value), weights are scaled channel by channel, and pairs of quantise and dequantise nodes (QDQ) say where.
Activations are unsigned and weights signed: onnxruntime has fast kernels for that pair alone on x86.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from karyo.exporting.answers import Pixels
from karyo.exporting.onnx_file import quiet
from karyo.inference.engines import FEATURES

OPERATORS = ("Add", "AveragePool", "Concat", "Conv", "Gemm", "GlobalAveragePool", "MatMul", "MaxPool", "Relu")
"""What is worth quantising. The normalisation of grey values stays in float, and so do softmax and its kind."""

_BATCH = 16


def quantise(model: onnx.ModelProto, images: Pixels) -> onnx.ModelProto:
    """Make the eight-bit version of a model.

    Args:
        model: What :func:`karyo.exporting.onnx_file.to_onnx` gives.
        images: uint8 (N, S, S), prepared training images without augmentation; a few hundred.

    Returns:
        The quantised model. Only the backbone is; the head and the distance remain in float: they are small, and the
        distance would lose its meaning.
    """
    with tempfile.TemporaryDirectory() as folder, quiet():
        path = Path(folder) / "int8.onnx"
        quantize_static(
            model,
            path,
            _Images(images, [each.name for each in model.graph.input]),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(OPERATORS),
            nodes_to_exclude=_not_needed_for(model, FEATURES),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        quantised = onnx.load(path)
    onnx.checker.check_model(quantised, full_check=True)
    return quantised


class _Images(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime ships no types
    """Images in batches, as onnxruntime asks for them, for every input the same: until there is None."""

    def __init__(self, images: Pixels, inputs: Sequence[str]) -> None:
        self._inputs = inputs
        self._batches: Iterator[Pixels] = iter(np.array_split(images[:, None], -(-len(images) // _BATCH)))

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self._batches, None)
        return None if batch is None else dict.fromkeys(self._inputs, batch)


def _not_needed_for(model: onnx.ModelProto, value: str) -> list[str]:
    """Name the nodes on which a value does not depend; nodes stand in the order in which they are computed."""
    needed, names = {value}, []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
        else:
            names.append(node.name)
    return names
