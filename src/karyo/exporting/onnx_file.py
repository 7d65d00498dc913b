"""Writing an exported graph as ONNX, and reading it back as onnxruntime will."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch

from karyo.exporting.graph import ExportedGraph
from karyo.inference.engines import CELL_INPUT, INPUT
from karyo.inference.passport import METADATA_KEY, Passport

OPSET = 18
"""Version of the ONNX operators: what torch writes without converting, read by onnxruntime 1.14 and later."""

_EXAMPLES = 2  # torch.export would take a batch of one for a constant


def trace(graph: ExportedGraph) -> torch.export.ExportedProgram:
    """Trace a graph, for batches of any size.

    Args:
        graph: In evaluation mode, on the CPU.
    """
    spec = graph.network.spec
    names = inputs_of(graph)
    # Of different lengths, or they would be taken for one.
    sizes = range(_EXAMPLES, _EXAMPLES + len(names))
    examples = tuple(torch.zeros(size, 1, spec.image_size, spec.image_size, dtype=torch.uint8) for size in sizes)
    shapes = tuple({0: torch.export.Dim(f"number_of_{name}", min=1)} for name in names)
    with quiet(), torch.no_grad():
        return torch.export.export(graph, examples, dynamic_shapes=shapes)


def inputs_of(graph: ExportedGraph) -> list[str]:
    """Name what a graph takes, in order."""
    return [INPUT, CELL_INPUT] if graph.sees_cells else [INPUT]


def to_onnx(graph: ExportedGraph) -> onnx.ModelProto:
    """Translate a graph to ONNX.

    Args:
        graph: In evaluation mode, on the CPU.

    Returns:
        A model of opset :data:`OPSET` that the checker of onnx accepts, without a passport.
    """
    with quiet():
        program = torch.onnx.export(
            trace(graph),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=inputs_of(graph),
            output_names=list(graph.outputs),
        )
        assert program is not None  # only the old exporter gives nothing
        model = program.model_proto
    _forget_the_exporter(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def write_onnx(model: onnx.ModelProto, passport: Passport, path: Path) -> None:
    """Write a model with its passport into one file.

    Args:
        model: What :func:`to_onnx` gives, or a quantised one; a passport that it has is replaced.
        passport: What travels inside.
        path: The file to write.

    Raises:
        OSError: If it cannot be written.
    """
    others = {each.key: each.value for each in model.metadata_props if each.key != METADATA_KEY}
    onnx.helper.set_model_props(model, others | {METADATA_KEY: passport.to_json()})
    path.write_bytes(model.SerializeToString())


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the exporters' remarks about themselves off the screen; their errors still come."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _forget_the_exporter(model: onnx.ModelProto) -> None:
    """Take out the notes for the exporter's authors: they hold stack traces with this machine's paths."""
    graph = model.graph
    for noted in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del noted.metadata_props[:]
        noted.doc_string = ""
