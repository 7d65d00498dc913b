"""Prepared images as a PyTorch data set that gives whole batches, and the order in which training sees them."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler, Sampler

from karyo.data.augmentation import Augmentation
from karyo.data.prepared import Pixels, PreparedImages
from karyo.imaging.canvas import rescale_rulers

Batch = tuple[Tensor, Tensor, Tensor]
"""Images (B, C, S, S) uint8, labels (B,) int64 and record indices (B,) int64."""


class WholeCell(NamedTuple):
    """A batch that is one cell: a network may see each of its images beside the others."""

    images: Tensor
    labels: Tensor
    indices: Tensor


_SCALE_VARIES = 0.06
"""Standard deviation of the logarithm of what a ruler is multiplied by in training: a cell contracts as a whole."""

_RULER_STREAM = 1
"""Keeps the random numbers of rulers apart from those of the augmentation."""


class ChromosomeImages(Dataset[Batch]):
    """One side of a split.

    Augmentation depends on the seed, the epoch and a batch's first record only, so a run with other workers, or one
    that was stopped and resumed, sees the same pictures.

    Args:
        prepared: All prepared images.
        labels: Class of each prepared image, (M,) int64.
        indices: Which of them are on this side, (N,) int64.
        augmentation: Random changes; None for none.
        channels: 1, or 3 to repeat the grey channel.
        seed: Seed of the augmentation.
        ruler: Columns at the right of each image that tell the chromosome's size: not a picture, so the augmentation
            leaves them alone, and only their scale varies by a few per cent.
    """

    def __init__(
        self,
        prepared: PreparedImages,
        labels: NDArray[np.int64],
        indices: NDArray[np.int64],
        augmentation: Augmentation | None = None,
        channels: int = 1,
        seed: int = 0,
        ruler: int = 0,
    ) -> None:
        self._prepared, self._labels, self._indices, self._ruler = prepared, labels, indices, ruler
        self._augmentation, self._channels, self._seed = augmentation, channels, seed
        # Shared memory: workers that live through many epochs must see the number change.
        self._epoch = torch.zeros(1, dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        """Return the number of images on this side."""
        return len(self._indices)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch that the augmentation is drawn for, in the workers too."""
        self._epoch[0] = epoch

    def __getitem__(self, position: int) -> Batch:
        """Return a batch of one."""
        return self.__getitems__([position])

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        """Return the batch of some positions 0..N-1; a :class:`WholeCell` of :class:`CellPositions`."""
        indices = self._indices[np.asarray(positions, dtype=np.int64)]
        images = self._prepared.take(indices)
        if self._augmentation is None:
            batch = torch.from_numpy(images)[:, None]
            batch = batch.expand(-1, self._channels, -1, -1).contiguous() if self._channels > 1 else batch
        else:
            batch = torch.from_numpy(self._varied(images, self._augmentation, int(indices[0])))
        parts = batch, torch.from_numpy(self._labels[indices]), torch.from_numpy(indices)
        return WholeCell(*parts) if isinstance(positions, CellPositions) else parts

    def _varied(self, images: Pixels, augmentation: Augmentation, first: int) -> Pixels:
        """Augment a batch (B, S, S) to (B, C, S, S), rulers apart."""
        seed = (self._seed, int(self._epoch[0]), first)
        if not self._ruler:
            return augmentation(images, seed)
        picture, strips = np.split(images, [images.shape[2] - self._ruler], axis=2)
        scales = np.exp(np.random.default_rng([*seed, _RULER_STREAM]).normal(0, _SCALE_VARIES, len(images)))
        rulers = np.repeat(rescale_rulers(strips, scales)[:, None], self._channels, axis=1)
        return np.concatenate([augmentation(np.ascontiguousarray(picture), seed), rulers], axis=3)


class TrainingSampler(DistributedSampler[Batch]):
    """A new order in every epoch, divided among the processes of a distributed run.

    Args:
        dataset: The training side; told the epoch whenever the sampler is.
        seed: Same seed and epoch, same order.
    """

    def __init__(self, dataset: ChromosomeImages, seed: int) -> None:
        distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
        processes = torch.distributed.get_world_size() if distributed else 1
        rank = torch.distributed.get_rank() if distributed else 0
        super().__init__(dataset, num_replicas=processes, rank=rank, shuffle=True, seed=seed)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order, and the augmentation, of an epoch."""
        super().set_epoch(epoch)
        if isinstance(self.dataset, ChromosomeImages):
            self.dataset.set_epoch(epoch)


class CellPositions(list[int]):
    """Positions of the images of one cell."""


class AlternatingBatches(Sampler[list[int]]):
    """Batches of images of many cells and batches that are one whole cell, all of both once an epoch, mixed.

    In a distributed run each process has its part of both, and as many of each as any other.

    Args:
        images: The order of the images.
        cells: Positions of the images of each cell, at least one cell.
        size: Images of a batch of many cells.
        seed: Same seed and epoch, same order.
    """

    def __init__(self, images: TrainingSampler, cells: Sequence[Sequence[int]], size: int, seed: int) -> None:
        self.sampler = images  # Lightning tells it the epoch
        self._cells = [CellPositions(cell) for cell in cells]
        self._size, self._seed = size, seed

    def __len__(self) -> int:
        """Return the number of batches of this process."""
        return len(self._starts) + self._own_cells

    def __iter__(self) -> Iterator[list[int]]:
        """Give the batches of an epoch."""
        images = list(self.sampler)
        # Of every process the same draw, of which it takes its part.
        draw = np.random.default_rng([self._seed, self.sampler.epoch])
        cells = draw.permutation(len(self._cells)).tolist()
        cells = (cells * self.sampler.num_replicas)[self.sampler.rank :: self.sampler.num_replicas][: self._own_cells]
        batches = [images[start : start + self._size] for start in self._starts]
        batches += [self._cells[cell] for cell in cells]
        for place in draw.permutation(len(batches)).tolist():
            yield batches[place]

    @property
    def _starts(self) -> range:
        starts = range(0, len(self.sampler), self._size)
        # Batch normalisation cannot learn from a batch of one.
        return starts[:-1] if len(starts) > 1 and len(self.sampler) % self._size == 1 else starts

    @property
    def _own_cells(self) -> int:
        return -(-len(self._cells) // self.sampler.num_replicas)


def whole_batch(batch: Any) -> Any:
    """Pass on what :meth:`ChromosomeImages.__getitems__` made: it is a batch already."""
    return batch
