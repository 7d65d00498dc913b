"""Whether an exported file says what the checkpoint says: from image file to probability, both ways."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.data.records import Record
from karyo.exporting.run import TrainedRun
from karyo.inference import Image, Prediction, Predictor
from karyo.inference.prediction import calibrated
from karyo.inference.predictor import FEWEST_IN_CELL
from karyo.progress import progress_bar

LIMIT = 1e-4
"""The largest difference between two probabilities of the same image that is taken for rounding."""

MOST_IMAGES = 500

_MOST_CELLS = 4

_BATCHES = (1, 2, 3, 7, 16, 33)


@dataclass(frozen=True, slots=True)
class Verification:
    """How a file compares with its checkpoint.

    Attributes:
        images: Validation images that went both ways.
        batches: Sizes of the batches they went in.
        largest: The largest difference between two probabilities, 0..1.
        agreeing: Share of images with the same most probable class, 0..1.
    """

    images: int
    batches: tuple[int, ...]
    largest: float
    agreeing: float


def verify(predictor: Predictor, run: TrainedRun) -> Verification:
    """Send validation images through the exported file and through the checkpoint.

    One way is the predictor's: it reads the file, prepares the image and runs the exported graph. The other is
    training's: the data source reads, the checkpoint's preparation prepares, and torch runs its network. Only the
    temperature is the same number in both. A file that sees cells is sent some whole cells as well.

    Args:
        predictor: The exported file, opened.
        run: Where it comes from.
    """
    positions = run.some("validation", MOST_IMAGES)
    records = [run.data.records[position] for position in positions]
    found: list[Prediction] = []
    expected: list[NDArray[np.float64]] = []
    sizes = []
    with progress_bar("verifying", len(records), only_on_terminals=True) as advance:
        for batch in _batches(records):
            found += predictor.predict([_image(run, record) for record in batch])
            expected.append(_by_checkpoint(run, batch, predictor.passport.temperature))
            sizes.append(len(batch))
            for _ in batch:
                advance()
    answers, truth = np.stack([each.probabilities for each in found]), np.concatenate(expected)
    if predictor.passport.cell_temperature is not None:
        by_file, by_checkpoint = _whole_cells(predictor, run, predictor.passport.cell_temperature)
        answers, truth = np.concatenate([answers, by_file]), np.concatenate([truth, by_checkpoint])
    same = answers.argmax(axis=1) == truth.argmax(axis=1)
    largest = float(np.abs(answers - truth).max())
    return Verification(len(found), tuple(sorted(set(sizes))), largest, float(same.mean()))


def _whole_cells(
    predictor: Predictor, run: TrainedRun, temperature: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Send some whole validation cells both ways; give the probabilities by file and by checkpoint, (N, 24) each."""
    records = run.records("validation")
    cells = [cell for cell in run.data.group_by_cell(run.sides["validation"]) if len(cell) >= FEWEST_IN_CELL]
    chosen = [[records[place] for place in cell] for cell in cells[:_MOST_CELLS]]
    prepared = [np.stack([predictor.prepare(_image(run, record)).pixels for record in cell]) for cell in chosen]
    by_file = [predictor.probabilities_in_cell(cell) for cell in prepared]
    expected = [_by_checkpoint(run, cell, temperature, run.trained.network.forward_cell) for cell in chosen]
    none = np.empty((0, len(CLASSES)))
    return (np.concatenate(by_file), np.concatenate(expected)) if chosen else (none, none)


def _batches(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """Divide records into batches of one, two and odd sizes."""
    start = 0
    for size in cycle(_BATCHES):
        if start >= len(records):
            return
        yield records[start : start + size]
        start += size


def _image(run: TrainedRun, record: Record) -> Image:
    """Give what a user would: the image's file, or its pixels where it is drawn or cut out of a larger one."""
    path = Path(run.data.source.locate(record))
    return path if path.is_file() else run.data.source.read(record)


def _by_checkpoint(
    run: TrainedRun,
    records: Sequence[Record],
    temperature: float,
    network: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> NDArray[np.float64]:
    """Compute calibrated probabilities as training would, float64 (N, 24)."""
    network = network or run.trained.network
    prepared = np.stack([run.trained.preparation(run.data.source.read(record)) for record in records])
    channels = run.trained.network.spec.channels
    with torch.inference_mode():
        logits = network(torch.from_numpy(prepared[:, None]).expand(-1, channels, -1, -1))
    return calibrated(logits.numpy(), temperature)
