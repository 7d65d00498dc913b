"""Writing an exported graph for programs that have torch, as ``.pt2``.

Reading such a file is left to ``torch.export.load`` in programs of the user's own. It unpickles weights, constants and
example inputs where the file asks for it, looks up any name below ``torch``, and has sympy evaluate the expressions of
symbolic shapes: whoever loads a stranger's file runs a stranger's program. ONNX has none of that, and it is what
:func:`karyo.load` reads. Here only a file that was written a moment ago is read again, to verify it.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from karyo.exporting.graph import ExportedGraph
from karyo.exporting.onnx_file import quiet, trace
from karyo.inference.engines import Answer
from karyo.inference.passport import METADATA_KEY, Passport


def write_program(graph: ExportedGraph, passport: Passport, path: Path) -> None:
    """Write a graph with its passport, the extra file ``karyo``.

    Args:
        graph: In evaluation mode, on the CPU.
        passport: What travels inside.
        path: The file to write, ``.pt2``.

    Raises:
        OSError: If it cannot be written.
    """
    program = trace(graph)
    for node in program.graph.nodes:
        # Stack traces hold this machine's paths.
        node.meta.pop("stack_trace", None)
    with quiet():
        torch.export.save(program, path, extra_files={METADATA_KEY: passport.to_json()})


class ProgramEngine:
    """A ``.pt2`` file that this process has written, opened with torch; an :class:`~karyo.inference.engines.Engine`.

    Args:
        path: The file. Never one from elsewhere: see above.
    """

    def __init__(self, path: Path) -> None:
        extra = {METADATA_KEY: ""}
        with quiet():
            self._module = torch.export.load(path, extra_files=extra).module()
        self.passport = Passport.from_json(extra[METADATA_KEY])

    def __call__(self, images: NDArray[np.uint8]) -> Answer:
        """Run the network; see :class:`~karyo.inference.engines.Engine`."""
        logits, _, *further = self._run(images, self._blank())
        return Answer(logits, None if self.passport.scope.distance is None else further[0])

    def see_cell(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network over a whole cell; see :class:`~karyo.inference.engines.Engine`."""
        return self._run(self._blank(), images)[-1]

    def _blank(self) -> NDArray[np.uint8]:
        # An exported program takes no batch of none.
        size = self.passport.preparation.size
        return np.zeros((1, size, size), np.uint8)

    def _run(self, images: NDArray[np.uint8], cell: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        given = [images] if self.passport.cell_temperature is None else [images, cell]
        with torch.inference_mode():
            return [each.numpy() for each in self._module(*(torch.from_numpy(each[:, None]) for each in given))]
