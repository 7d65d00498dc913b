"""The predictor: a model file and images in, classes with probabilities and doubts out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from karyo.errors import DataError, SettingsError, printable
from karyo.imaging.read import MAX_PIXELS, array_to_grey, decode_grey, read_grey
from karyo.inference.engines import Answer, Engine, OnnxEngine
from karyo.inference.passport import Passport
from karyo.inference.prediction import Prediction, calibrated
from karyo.inference.scope import doubts

Image = str | Path | bytes | NDArray[np.uint8] | NDArray[np.uint16]
"""An image: the path of a file, a file's bytes, or an array, (H, W) grey or (H, W, 3) RGB."""


FEWEST_IN_CELL = 16
"""Images of a cell below which it is no context: statistics of so few tell more of them than of their cell."""

MOST_THREADS = 256
"""Threads for one batch at most."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedImage:
    """An image on its way into the network.

    Attributes:
        name: What the caller called it.
        pixels: uint8 (size, size).
        doubts: What is wrong with it already, names from :data:`~karyo.inference.prediction.REASONS`.
    """

    name: str
    pixels: NDArray[np.uint8]
    doubts: tuple[str, ...]


class Predictor:
    """A model, ready for images. Safe to use from several threads at once.

    Args:
        engine: The opened model file.

    Attributes:
        passport: What travels inside the file.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.passport: Passport = engine.passport

    # A text is a sequence of texts to the type checker; it is one path here.
    @overload
    def predict(self, images: Image) -> Prediction: ...  # type: ignore[overload-overlap]

    @overload
    def predict(self, images: Sequence[Image]) -> list[Prediction]: ...

    def predict(self, images: Image | Sequence[Image]) -> Prediction | list[Prediction]:
        """Classify an image, or several in one batch.

        Args:
            images: A path, a file's bytes, or an array (see :data:`Image`); or a list of them.

        Returns:
            A prediction for each, in the same order.

        Raises:
            DataError: If an image cannot be read; the message names it.
        """
        if isinstance(images, str | Path | bytes | np.ndarray):
            return self.classify([self.prepare(images)])[0]
        return self.classify([self.prepare(image, position) for position, image in enumerate(images, 1)])

    def predict_cell(self, images: Sequence[Image]) -> list[Prediction]:
        """Classify the chromosomes of one cell, each by itself but seen beside the others, if the model can.

        A model that was trained with ``context=cell`` does, and is right more often than about each image alone; any
        other, and any about fewer than :data:`FEWEST_IN_CELL` images, answers as :meth:`predict` does. What is no whole
        chromosome for its pixels is answered alone, and the others are not seen beside it. Answers of either kind
        are accepted from a probability on that was chosen for their kind.

        Args:
            images: Chromosomes of a single cell, whatever their number and order; no other cell's among them.

        Returns:
            A prediction for each, in the same order. That a cell has two of most chromosomes is not used; see
            :class:`karyo.karyotype.karyotyper.Karyotyper`.

        Raises:
            DataError: If an image cannot be read; the message names it.
        """
        prepared = [self.prepare(image, position) for position, image in enumerate(images, 1)]
        if not prepared:
            return []
        answer = self._engine(np.stack([image.pixels for image in prepared]))
        alone = calibrated(answer.logits, self.passport.temperature)
        thresholds = np.full(len(prepared), self.passport.threshold)
        if self.passport.cell_threshold is not None:
            thresholds[self._seen_in_cell(prepared)] = self.passport.cell_threshold
        return self._predictions(prepared, answer, self.see_in_cell(prepared, alone), thresholds)

    def see_in_cell(self, images: Sequence[PreparedImage], alone: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the probabilities of the images of one cell, each seen beside the others as far as that can be.

        Args:
            images: Prepared, each once.
            alone: float64 (N, 24), what the model says about each alone.

        Returns:
            float64 (N, 24); rows of ``alone`` for images that are no whole chromosome for their pixels, and for all
            where the model does not see cells or too few are left.
        """
        rows = self._seen_in_cell(images)
        if not rows:
            return alone
        probabilities = alone.copy()
        probabilities[rows] = self.probabilities_in_cell(np.stack([images[row].pixels for row in rows]))
        return probabilities

    def _seen_in_cell(self, images: Sequence[PreparedImage]) -> list[int]:
        """List the images of a cell that are seen beside each other; none where model or number forbid it."""
        rows = [row for row, each in enumerate(images) if not each.doubts]
        return rows if self.sees_cells and len(rows) >= FEWEST_IN_CELL else []

    @property
    def sees_cells(self) -> bool:
        """Whether the model can see a chromosome beside the others of its cell."""
        return self.passport.cell_temperature is not None

    def prepare(self, image: Image, position: int = 1, name: str | None = None) -> PreparedImage:
        """Read an image, look for what is wrong with it, and bring it to the network's input.

        Args:
            image: See :data:`Image`.
            position: Its number among several, from 1, for the name of what has no path.
            name: What to call it; None for its path, or ``"image 1"``.

        Raises:
            DataError: If it cannot be read.
        """
        known = name or (str(image) if isinstance(image, str | Path) else f"image {position}")
        grey = _read(image, known)
        pixels, state = self.passport.preparation.follow(grey)
        return PreparedImage(known, pixels, doubts(grey, self.passport, state))

    def classify(self, images: Sequence[PreparedImage]) -> list[Prediction]:
        """Run the network over prepared images as one batch.

        Raises:
            DataError: If the network answers with something that is not a number.
        """
        if not images:
            return []
        answer = self._engine(np.stack([image.pixels for image in images]))
        thresholds = np.full(len(images), self.passport.threshold)
        return self._predictions(images, answer, calibrated(answer.logits, self.passport.temperature), thresholds)

    def _predictions(
        self,
        images: Sequence[PreparedImage],
        answer: Answer,
        probabilities: NDArray[np.float64],
        thresholds: NDArray[np.float64],
    ) -> list[Prediction]:
        if not np.isfinite(probabilities).all():
            raise DataError("the model's output is not a number; the file is damaged")
        sure = (probabilities.max(axis=1) >= thresholds) & (thresholds < 1)  # 1: nothing may be accepted
        return [
            Prediction(image.name, probabilities[row], self._reasons(image, answer, row, bool(sure[row])))
            for row, image in enumerate(images)
        ]

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Ask the network about pictures as they are, without looking for what is wrong with them.

        Args:
            pixels: uint8 (N, size, size), as prepared.

        Returns:
            float64 (N, 24), calibrated; each row's sum is 1.
        """
        return calibrated(self._engine(pixels).logits, self.passport.temperature)

    def probabilities_in_cell(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Ask the network about the pictures of one cell, each seen beside the others.

        Args:
            pixels: uint8 (N, size, size), as prepared; at least :data:`FEWEST_IN_CELL`.

        Returns:
            float64 (N, 24), calibrated; each row's sum is 1.

        Raises:
            ValueError: If the model does not see cells.
            DataError: If the network answers with something that is not a number.
        """
        if self.passport.cell_temperature is None:
            raise ValueError("the model does not see whole cells")
        probabilities = calibrated(self._engine.see_cell(pixels), self.passport.cell_temperature)
        if not np.isfinite(probabilities).all():
            raise DataError("the model's output is not a number; the file is damaged")
        return probabilities

    def _reasons(self, image: PreparedImage, answer: Answer, row: int, sure: bool) -> tuple[str, ...]:
        limit = self.passport.scope.distance
        # What is not a number does not pass.
        far = limit is not None and answer.distance is not None and not float(answer.distance[row]) <= limit
        named = {"not_a_chromosome": far, "low_confidence": not sure}
        return (*image.doubts, *(name for name, holds in named.items() if holds))


def load(path: str | Path, threads: int | None = None) -> Predictor:
    """Open an exported model.

    Args:
        path: A file that ``karyo export`` wrote.
        threads: Threads for one batch; None for as many as the machine has cores.

    Returns:
        The predictor.

    Raises:
        SettingsError: If there is no such file, or ``threads`` is not 1..256.
        DataError: If it is damaged, or not one of this program's.
    """
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise SettingsError(f"threads must be from 1 to {MOST_THREADS}, not {threads}")
    if Path(path).suffix == ".pt2":
        raise SettingsError(
            f"{printable(path)} is for programs with torch (torch.export.load), and opening it runs code that is in "
            "it; karyo opens ONNX: export the run again with -o NAME.onnx"
        )
    return Predictor(OnnxEngine(Path(path), threads))


def _read(image: Image, name: str) -> NDArray[np.uint8]:
    if isinstance(image, str | Path):
        return read_grey(image)
    if isinstance(image, bytes):
        return decode_grey(image, name, MAX_PIXELS)
    if not isinstance(image, np.ndarray):
        raise TypeError(f"an image is a path, the bytes of a file or an array, not {type(image).__name__}")
    return array_to_grey(image, name)
