"""Running an exported network: images in, logits out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.errors import DataError, SettingsError
from karyo.inference.passport import METADATA_KEY, Passport

INPUT, LOGITS, FEATURES, DISTANCE = "images", "logits", "features", "distance"
"""Names of the input and the outputs of an exported graph."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a network says about a batch.

    Attributes:
        logits: float32 (N, 24), before the temperature.
        distance: float32 (N,), how far the features are from those of the training images; None where the file does
            not measure it.
    """

    logits: NDArray[np.float32]
    distance: NDArray[np.float32] | None


class Engine(Protocol):
    """An opened model file; safe to call from several threads at once."""

    @property
    def passport(self) -> Passport:
        """What travels inside the file."""

    def __call__(self, images: NDArray[np.uint8]) -> Answer:
        """Run the network.

        Args:
            images: uint8 (N, size, size), as :class:`~karyo.imaging.preparation.Preparation` gives them.
        """


class OnnxEngine:
    """An ONNX file in onnxruntime, on the CPU.

    Args:
        path: The file.
        threads: Threads for one batch; None for as many as the machine has cores.

    Raises:
        SettingsError: If there is no such file.
        DataError: If it is damaged or not one of this program's.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        import onnxruntime

        try:
            content = path.read_bytes()
        except OSError as error:
            raise SettingsError(f"{path} cannot be read: {error.strerror or error}") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 4
        try:
            # From bytes, not from the path: an untrusted file must not make the runtime read its neighbours.
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            metadata = self._session.get_modelmeta().custom_metadata_map
        except Exception as error:  # onnxruntime's own exceptions have no common base
            raise DataError(f"{path} cannot be run as an ONNX model; it is damaged or of another kind") from error
        if METADATA_KEY not in metadata:
            raise DataError(f"{path} is no model of karyo: it carries no settings; make one with karyo export")
        try:
            self._passport = Passport.from_json(metadata[METADATA_KEY])
        except DataError as error:
            raise DataError(f"{path} {error}") from error
        self._outputs = self._checked_outputs(path)

    @property
    def passport(self) -> Passport:
        """What travels inside the file."""
        return self._passport

    def __call__(self, images: NDArray[np.uint8]) -> Answer:
        """Run the network; see :class:`Engine`."""
        results = self._session.run(self._outputs, {INPUT: images[:, None]})
        return Answer(results[0], results[1] if len(results) > 1 else None)

    def _checked_outputs(self, path: Path) -> list[str]:
        """Refuse a graph that does not fit its own settings."""
        inputs = {each.name: (each.type, list(each.shape)) for each in self._session.get_inputs()}
        outputs = {each.name: list(each.shape) for each in self._session.get_outputs()}
        size = self._passport.preparation.size
        kind, shape = inputs.get(INPUT, ("", []))
        if len(inputs) != 1 or kind != "tensor(uint8)" or shape[1:] != [1, size, size]:
            raise DataError(f"{path} does not take what its settings say, {size} x {size} pixels; it is damaged")
        if outputs.get(LOGITS, [])[1:] != [len(CLASSES)]:
            raise DataError(f"{path} does not answer with {len(CLASSES)} classes; it is damaged")
        measures = self._passport.scope.distance is not None
        if measures and DISTANCE not in outputs:
            raise DataError(f"{path} does not measure the distance that its settings limit; it is damaged")
        return [LOGITS, DISTANCE] if measures else [LOGITS]
