"""Running an exported network: images in, logits out."""

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.errors import DataError, SettingsError, printable
from karyo.inference import onnx_file
from karyo.inference.passport import METADATA_KEY, Passport

if TYPE_CHECKING:
    import onnxruntime

INPUT, LOGITS, FEATURES, DISTANCE = "images", "logits", "features", "distance"
"""Names of the input and the outputs of an exported graph."""

CELL_INPUT, CELL_LOGITS = "cell", "cell_logits"
"""Names of the further input and output of a graph that sees cells: the images of one cell, and what they are. Runtimes
compute every output, so each way has an input of its own, and the one that is not asked is given no image."""

_LONGEST_REASON = 150


@dataclass(frozen=True, slots=True)
class Answer:
    """What a network says about a batch.

    Attributes:
        logits: float32 (N, 24), before the temperature.
        distance: float32 (N,), how far the pictures are from the training images; None where the file does not measure
            it.
        in_cell: float32 (N, 24), logits of each image seen beside the others of its cell; None where not asked.
        seen: bool (N,), of which images ``in_cell`` is that: cells of too few are seen alone; None where not asked.
    """

    logits: NDArray[np.float32]
    distance: NDArray[np.float32] | None
    in_cell: NDArray[np.float32] | None = None
    seen: NDArray[np.bool_] | None = None


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

    def see_cell(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run a network that can see a whole cell, as its passport's ``cell_temperature`` says.

        Args:
            images: uint8 (N, size, size), the images of one cell.

        Returns:
            float32 (N, 24), logits of each image seen beside the others.
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
        shown = printable(path)
        content = _content(path)
        try:
            found = onnx_file.metadata(content)
            if METADATA_KEY not in found:
                raise DataError("is no model of karyo: it carries no settings; make one with karyo export")
            self._passport = Passport.from_json(found[METADATA_KEY])
        except DataError as error:
            raise DataError(f"{shown} {error}") from None
        self._session = _opened(content, threads, shown)
        self._inputs = [INPUT] if self._passport.cell_temperature is None else [INPUT, CELL_INPUT]
        self._outputs = self._checked_outputs(shown)
        self._try(shown)

    @property
    def passport(self) -> Passport:
        """What travels inside the file."""
        return self._passport

    def __call__(self, images: NDArray[np.uint8]) -> Answer:
        """Run the network; see :class:`Engine`.

        Raises:
            DataError: If it fails, or answers in another shape than its file declares.
        """
        results = self._run(self._outputs, {INPUT: images})
        answer = Answer(results[0], results[1] if len(results) > 1 else None)
        if not _fits(answer.logits, (len(images), len(CLASSES))):
            raise DataError(f"the model does not answer with {len(CLASSES)} numbers an image; its file is damaged")
        if answer.distance is not None and not _fits(answer.distance, (len(images),)):
            raise DataError("the model does not measure one distance an image; its file is damaged")
        return answer

    def see_cell(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network over a whole cell; see :class:`Engine`.

        Raises:
            DataError: As :meth:`__call__`.
        """
        logits: NDArray[np.float32] = self._run([CELL_LOGITS], {CELL_INPUT: images})[0]
        if not _fits(logits, (len(images), len(CLASSES))):
            raise DataError(f"the model does not answer with {len(CLASSES)} numbers an image; its file is damaged")
        return logits

    def _run(self, outputs: list[str], given: dict[str, NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        none = np.empty((0, *next(iter(given.values())).shape[1:]), np.uint8)
        try:
            fed = {name: given.get(name, none)[:, None] for name in self._inputs}
            return list(self._session.run(outputs, fed))
        except Exception as error:  # onnxruntime's own exceptions have no common base
            raise DataError("the model cannot be run; its file is damaged") from error

    def _try(self, shown: str) -> None:
        """Run it once: what fails shall fail when the file is opened, and the first image need not wait."""
        size = self._passport.preparation.size
        try:
            self(np.zeros((2, size, size), np.uint8))
            if self._passport.cell_temperature is not None:
                self.see_cell(np.zeros((2, size, size), np.uint8))
        except DataError as error:
            raise DataError(f"{shown}: {error}") from error

    def _checked_outputs(self, shown: str) -> list[str]:
        """Refuse a graph that does not fit its own settings."""
        try:
            inputs = {each.name: (each.type, list(each.shape)) for each in self._session.get_inputs()}
            outputs = {each.name: list(each.shape) for each in self._session.get_outputs()}
        except UnicodeDecodeError:
            raise DataError(f"{shown} names its inputs and outputs with what is no text; it is damaged") from None
        size = self._passport.preparation.size
        if set(inputs) != set(self._inputs):
            raise DataError(f"{shown} does not take what its settings say, {' and '.join(self._inputs)}; it is damaged")
        for kind, shape in inputs.values():
            if kind != "tensor(uint8)" or shape[1:] != [1, size, size]:
                raise DataError(f"{shown} does not take what its settings say, {size} x {size} pixels; it is damaged")
            if isinstance(shape[0], int):
                raise DataError(f"{shown} takes {shape[0]} images at a time, not any number; export it anew")
        if outputs.get(LOGITS, [])[1:] != [len(CLASSES)]:
            raise DataError(f"{shown} does not answer with {len(CLASSES)} classes; it is damaged")
        measures = self._passport.scope.distance is not None
        if measures and DISTANCE not in outputs:
            raise DataError(f"{shown} does not measure the distance that its settings limit; it is damaged")
        if self._passport.cell_temperature is not None and CELL_LOGITS not in outputs:
            raise DataError(f"{shown} does not see whole cells as its settings say; it is damaged")
        return [LOGITS, DISTANCE] if measures else [LOGITS]


def _content(path: Path) -> bytes:
    try:
        state = path.stat()
        # A pipe or a device may go on for ever.
        if not stat.S_ISREG(state.st_mode) and not stat.S_ISDIR(state.st_mode):
            raise SettingsError(f"{printable(path)} cannot be read: it is no file")
        if state.st_size > onnx_file.LARGEST:
            raise DataError(f"{printable(path)} is too large for a model: {state.st_size:,} bytes")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise SettingsError(f"{printable(path)} cannot be read: {reason or 'its name cannot be one'}") from error


def _opened(content: bytes, threads: int | None, shown: str) -> "onnxruntime.InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 4
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        # From bytes, not from the path: an untrusted file must not make the runtime read its neighbours.
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions have no common base
        reason = printable(error)[:_LONGEST_REASON]
        raise DataError(
            f"{shown} cannot be run as an ONNX model; it is damaged or of another kind ({reason})"
        ) from error


def _fits(values: object, shape: tuple[int, ...]) -> bool:
    return isinstance(values, np.ndarray) and values.dtype == np.float32 and values.shape == shape
