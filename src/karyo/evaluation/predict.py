"""From a network and a loader to class probabilities."""

from collections.abc import Iterable, Sequence, Sized
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch import Tensor

from karyo.data.datamodule import ChromosomeData
from karyo.data.dataset import WholeCell
from karyo.data.records import Record
from karyo.errors import DataError
from karyo.evaluation.predictions import Predictions
from karyo.inference.predictor import FEWEST_IN_CELL
from karyo.models.ensemble import Network

Batch = tuple[Tensor, Tensor, Tensor]


def predict(
    network: Network,
    batches: Iterable[Batch],
    records: Sequence[Record],
    device: torch.device | str = "cpu",
    limit: int | None = None,
    in_cells: bool = False,
) -> Predictions:
    """Compute the class probabilities of every image of a loader.

    Args:
        network: The network; it is moved to ``device`` and left in evaluation mode.
        batches: Images uint8 ``(B, C, H, W)``, labels ``(B,)`` and record indices ``(B,)``.
        records: What the indices refer to.
        device: Where to compute.
        limit: Batches at the most; None for all.
        in_cells: Whether the images of a :class:`~karyo.data.dataset.WholeCell` are seen beside each other.

    Returns:
        Labels and probabilities (softmax, float64) with their paths and cells, in the loader's order.

    Raises:
        DataError: If there is no image, or the network answers with something that is not a number.
    """
    network = network.to(device).eval()
    indices: list[NDArray[np.int64]] = []
    labels: list[NDArray[np.int64]] = []
    logits: list[Tensor] = []
    console = Console(stderr=True)
    shown = track(
        islice(batches, limit),
        "measuring",
        _length(batches, limit),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with torch.inference_mode():
        for batch in shown:
            images, truth, index = batch
            images = images.to(device).contiguous(memory_format=torch.channels_last)
            answer = network.forward_cell if in_cells and isinstance(batch, WholeCell) else network
            logits.append(answer(images).double().cpu())
            labels.append(truth.numpy())
            indices.append(index.numpy())
    if not logits:
        raise DataError("there is no image to measure.")
    probabilities = torch.softmax(torch.cat(logits), dim=1).numpy()
    if not np.isfinite(probabilities).all():
        raise DataError("the network's output is not a number: training diverged; choose a smaller lr.")
    chosen = [records[index] for index in np.concatenate(indices)]
    return Predictions(
        [record.path for record in chosen], [record.cell for record in chosen], np.concatenate(labels), probabilities
    )


def predict_in_cells(
    network: Network, data: ChromosomeData, positions: Sequence[int], device: torch.device | str = "cpu"
) -> Predictions:
    """Compute the class probabilities of images that are seen beside the others of their cell.

    Args:
        network: A network with a context, see :class:`~karyo.models.network.NetworkSpec`.
        data: The data.
        positions: Which images, by their positions in ``data.records``, each once; whole cells, as far as they are
            known. Of a cell with fewer than :data:`~karyo.inference.predictor.FEWEST_IN_CELL` each is seen alone.
        device: Where to compute.

    Returns:
        Predictions in the order of ``positions``.

    Raises:
        DataError: As :func:`predict`.
    """
    loader = data.cell_dataloader(positions, FEWEST_IN_CELL)
    found = predict(network, loader, data.records, device, in_cells=True)
    row_of = {path: row for row, path in enumerate(found.paths)}
    rows = np.array([row_of[data.records[position].path] for position in positions])
    return Predictions(
        [found.paths[row] for row in rows],
        [found.cells[row] for row in rows],
        found.labels[rows],
        found.probabilities[rows],
    )


def _length(batches: Iterable[Batch], limit: int | None) -> int | None:
    total = len(batches) if isinstance(batches, Sized) else None
    return min(total, limit) if total is not None and limit is not None else total
