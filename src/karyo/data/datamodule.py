"""The Lightning data module: a source, prepared, split, checked for leaks and served in batches."""

import hashlib
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader

from karyo.data.arguments import check_counts, check_split, worker_count
from karyo.data.augmentation import Augmentation
from karyo.data.dataset import (
    AlternatingBatches,
    Batch,
    CellPositions,
    ChromosomeImages,
    TrainingSampler,
    whole_batch,
)
from karyo.data.folds.fold_list import FoldList, read_fold_list
from karyo.data.leaks import check_leaks
from karyo.data.limiting import check_cells, limit_training
from karyo.data.prepared import PreparedImages, prepare_images
from karyo.data.records import Record
from karyo.data.sources import Source
from karyo.data.splits import Split, split_records
from karyo.errors import SettingsError
from karyo.imaging.preparation import Preparation

log = logging.getLogger(__name__)

_CHUNK = 1024


class ChromosomeData(LightningDataModule):
    """Chromosome images in batches of (images uint8 (B, C, S, S), labels int64 (B,), record indices int64 (B,)).

    Images leave as uint8, 0..255; the model scales them. Training images are shuffled and augmented anew each epoch.
    In a distributed run each process trains on its part, while validation and test are read whole by every process, so
    that their figures are exact.

    Args:
        source: Where the records and images are from.
        preparation: What is done to each image once; a mapping of its settings is taken too.
        augmentation: What is done to each training image each time; None for nothing.
        batch_size: Images per batch (and process).
        seed: Seed of order and augmentation, and of the split unless ``split_seed`` is set.
        split_by: ``case``, ``cell`` or ``image``; None for the strictest that the data know.
        folds: Number of folds of a cross-validation, or what fixes them: the name of a list that is shipped or the path
            of a file (:mod:`karyo.data.folds.fold_list`); None for one split.
        fold: Which fold is the test side.
        fractions: Shares of training, validation and test.
        split_seed: Seed of the split alone, to compare runs of several seeds on one split.
        cache: ``memory``, ``disk`` or ``none``; see :func:`karyo.data.prepared.prepare_images`.
        cache_dir: Folder of the disk cache.
        on_bad_image: ``error`` or ``skip``.
        num_workers: Loader processes; ``auto`` is none without a GPU (preparing a batch is cheap beside a CPU's
            training step), else one less than the cores, at most 8.
        channels: 1 for grey, 3 to repeat the grey channel.
        polarity: Background of the images as stored, ``auto``, ``bright`` or ``dark``; None to leave the preparation's.
        crop: Whether images are cut down to their object; None to leave the preparation's.
        align: Whether objects are turned upright; None to leave the preparation's.
        root: The folder of images, where a configuration hands it to ``source``; kept for the record only.
        train_cells: How many cells of the training side to learn from, or below 1 which share of them, drawn by the
            split's seed; None for all.
        fewest: Images that make a cell a context: with a number, training serves whole cells of at least so many beside
            batches of many cells, and validation serves whole cells; None for neither.

    Raises:
        SettingsError: If a setting is out of its range.
    """

    def __init__(
        self,
        source: Source,
        preparation: Preparation | Mapping[str, Any],
        augmentation: Augmentation | None = None,
        batch_size: int = 16,
        seed: int = 0,
        split_by: str | None = None,
        folds: int | str | None = None,
        fold: int = 0,
        fractions: Sequence[float] = (0.7, 0.2, 0.1),
        split_seed: int | None = None,
        cache: str = "memory",
        cache_dir: str | Path | None = None,
        on_bad_image: str = "error",
        num_workers: int | str = "auto",
        channels: int = 1,
        polarity: str | None = None,
        crop: bool | None = None,
        align: bool | None = None,
        root: str | Path | None = None,
        train_cells: float | None = None,
        fewest: int | None = None,
    ) -> None:
        super().__init__()
        check_counts(batch_size, seed, channels)
        check_split(split_by, folds, fold, fractions, split_seed)
        check_cells(train_cells)
        self._folds = read_fold_list(folds) if isinstance(folds, str) else folds
        if isinstance(self._folds, FoldList):
            self._folds.check_fold(fold)
        self.source = source
        self.preparation = _with_overrides(preparation, polarity=polarity, crop=crop, align=align)
        self.augmentation = augmentation
        self.root = root
        self.batch_size, self.seed, self.channels = batch_size, seed, channels
        self.num_workers = worker_count(num_workers)
        self._split_settings: dict[str, Any] = {
            "by": split_by,
            "fractions": tuple(fractions),
            "folds": self._folds,
            "fold": fold,
            "seed": seed if split_seed is None else split_seed,
        }
        self._train_cells = train_cells
        self._fewest = fewest
        self._reading: dict[str, Any] = {"cache": cache, "cache_dir": cache_dir, "on_bad_image": on_bad_image}
        self._prepared: PreparedImages | None = None
        self._records: list[Record] = []
        self._labels: NDArray[np.int64] = np.empty(0, np.int64)
        self._split: Split | None = None

    def setup(self, stage: str | None = None) -> None:
        """Prepare all images and, unless ``stage`` is ``predict``, split them and check the split for leaks.

        Whatever is done already is not done again.

        Raises:
            SettingsError: If the split's settings do not fit the data.
            DataError: If images are unreadable, labels unknown, or pixels are on two sides of the split.
        """
        if self._prepared is None:
            self._prepared = prepare_images(self.source, self.preparation, **self._reading)
            self._records = [self.source.records[row] for row in self._prepared.rows.tolist()]
            self._labels = np.array([record.label for record in self._records], dtype=np.int64)
        if self._split is None and stage != "predict":
            split = split_records(self._records, **self._split_settings)
            if self._train_cells is not None:
                split = limit_training(split, self._records, self._train_cells, self._split_settings["seed"])
            for warning in split.warnings:
                log.warning(warning)
            check_leaks(split, self._prepared.digests, [self.source.locate(record) for record in self._records])
            self._split = split

    @property
    def records(self) -> list[Record]:
        """The readable records; a batch's indices are positions in this list."""
        self.setup("predict")
        return self._records

    @property
    def split(self) -> Split:
        """The three sides, as positions in :attr:`records`."""
        self.setup()
        assert self._split is not None
        return self._split

    @property
    def fingerprint(self) -> str:
        """A SHA-256 in hexadecimal over the paths, labels and decoded pixels: the same data anywhere, the same text."""
        digest = hashlib.sha256()
        for record, pixels in zip(self.records, self._images().digests, strict=True):
            digest.update(repr((record.path, record.label, record.cell, record.case)).encode("utf-8", "replace"))
            digest.update(pixels.tobytes())
        return digest.hexdigest()

    def describe(self) -> list[dict[str, Any]]:
        """Count what is on each side of the split; see :meth:`karyo.data.splits.Split.describe`."""
        return self.split.describe(self.records)

    def statistics(self) -> tuple[float, float]:
        """Mean and standard deviation of the training side's prepared pixels, in 0..1."""
        counts = np.zeros(256, np.int64)
        indices = self.split.train
        for start in range(0, len(indices), _CHUNK):
            counts += np.bincount(self._images().take(indices[start : start + _CHUNK]).ravel(), minlength=256)
        levels, total = np.arange(256) / 255, counts.sum()
        mean = float((counts * levels).sum() / total)
        return mean, float(np.sqrt((counts * (levels - mean) ** 2).sum() / total))

    def sample_grid(self, count: int = 12, rows: int = 4) -> NDArray[np.uint8]:
        """Draw a picture of training images, one column each: the prepared image, below it augmented versions.

        Args:
            count: Number of columns; less where there are fewer training images.
            rows: Number of augmented versions under each.

        Returns:
            Array (height, width, 3), uint8 RGB.
        """
        indices = np.random.default_rng(self.seed).permutation(self.split.train)[:count]
        dataset = self._dataset(indices, self.augmentation)
        columns = range(len(indices))
        grid = [self._dataset(indices, None).__getitems__(columns)[0]]
        for epoch in range(rows if self.augmentation else 0):
            dataset.set_epoch(epoch)
            grid.append(dataset.__getitems__(columns)[0])
        stacked = torch.stack(grid).expand(-1, -1, 3, -1, -1).numpy()
        lines, count, _, side, _ = stacked.shape
        return np.ascontiguousarray(stacked.transpose(0, 3, 1, 4, 2).reshape(lines * side, count * side, 3))

    def train_dataloader(self) -> DataLoader[Batch]:
        """Serve the training side, shuffled and augmented."""
        dataset = self._dataset(self.split.train, self.augmentation)
        sampler = TrainingSampler(dataset, self.seed)
        if self._fewest is not None:
            self.check_whole_cells(self._fewest)
            cells = [cell for cell in self.group_by_cell(self.split.train.tolist()) if len(cell) >= self._fewest]
            batches = AlternatingBatches(sampler, cells, self.batch_size, self.seed)
            return self._loader(dataset, batch_sampler=batches)
        # Batch normalisation cannot learn from a batch of one.
        lonely = len(sampler) > self.batch_size and len(sampler) % self.batch_size == 1
        return self._loader(dataset, sampler=sampler, drop_last=lonely)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Serve the validation side in order, or cell by cell where cells are a context."""
        if self._fewest is not None:
            return self.cell_dataloader(self.split.validation.tolist(), self._fewest)
        return self._loader(self._dataset(self.split.validation, None))

    def test_dataloader(self) -> DataLoader[Batch]:
        """Serve the test side in order."""
        return self._loader(self._dataset(self.split.test, None))

    def predict_dataloader(self) -> DataLoader[Batch]:
        """Serve every readable image in order, whatever its side; needs no split."""
        return self.ordered_dataloader(range(len(self.records)))

    def ordered_dataloader(self, indices: Sequence[int]) -> DataLoader[Batch]:
        """Serve chosen images, by their positions in :attr:`records`, in that order and unaugmented."""
        return self._loader(self._dataset(np.asarray(indices, dtype=np.int64), None))

    def cell_dataloader(self, indices: Sequence[int], fewest: int) -> DataLoader[Batch]:
        """Serve chosen images cell by cell, unaugmented.

        Args:
            indices: Positions in :attr:`records`.
            fewest: Images that make a cell; the images of smaller ones, and of none, come in batches of many cells.

        Returns:
            Batches of one :class:`~karyo.data.dataset.WholeCell` each, then the other images.
        """
        cells = self.group_by_cell(indices)
        whole = [CellPositions(cell) for cell in cells if len(cell) >= fewest]
        others = [place for cell in cells if len(cell) < fewest for place in cell]
        rest = [others[start : start + self.batch_size] for start in range(0, len(others), self.batch_size)]
        return self._loader(self._dataset(np.asarray(indices, np.int64), None), batch_sampler=[*whole, *rest])

    def check_whole_cells(self, fewest: int) -> None:
        """Refuse sides of the split that hold no cell of so many images to learn from, or to calibrate with.

        Raises:
            SettingsError: With what to do.
        """
        for side, indices in (("training", self.split.train), ("validation", self.split.validation)):
            if max(map(len, self.group_by_cell(indices.tolist())), default=0) < fewest:
                raise SettingsError(
                    f"context=cell needs whole cells, and no cell of the {side} side has {fewest} images; divide the "
                    "data by cell, or set context=null."
                )

    def group_by_cell(self, indices: Sequence[int]) -> list[list[int]]:
        """Group images by their cell.

        Args:
            indices: N positions in :attr:`records`.

        Returns:
            For each cell the places 0..N-1 of its images in ``indices``; an image without a cell is alone.
        """
        places: dict[tuple[str, str] | int, list[int]] = {}
        for place, index in enumerate(indices):
            record = self.records[index]
            key = place if record.cell is None else (record.case or "", record.cell)
            places.setdefault(key, []).append(place)
        return list(places.values())

    def images(self, indices: Sequence[int]) -> NDArray[np.uint8]:
        """Give prepared images, (N, S, S) uint8, by their positions in :attr:`records`."""
        return self._images().take(np.asarray(indices, dtype=np.int64))

    def facts(self) -> dict[str, Any]:
        """Say which data these are and, once they are split, how; as a run's record keeps it, primitives only."""
        facts: dict[str, Any] = {
            "name": self.source.name,
            "root": None if self.root is None else str(self.root),
            "fingerprint": self.fingerprint,
            "images": len(self.records),
        }
        if self._split is None:
            return facts
        if isinstance(self._folds, FoldList):
            facts["folds"] = {"name": self._folds.name, "digest": self._folds.digest, "count": len(self._folds.folds)}
        return facts | {
            "split_by": self._split.by,
            "split": self._split.digest(self.records),
            "sides": self.describe(),
        }

    def _images(self) -> PreparedImages:
        self.setup("predict")
        assert self._prepared is not None
        return self._prepared

    def _dataset(self, indices: NDArray[np.int64], augmentation: Augmentation | None) -> ChromosomeImages:
        ruler = self.preparation.ruler
        return ChromosomeImages(self._images(), self._labels, indices, augmentation, self.channels, self.seed, ruler)

    def _loader(self, dataset: ChromosomeImages, **settings: Any) -> DataLoader[Batch]:
        settings.setdefault("batch_size", 1 if "batch_sampler" in settings else self.batch_size)
        return DataLoader(
            dataset,
            collate_fn=whole_batch,
            num_workers=self.num_workers,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.num_workers > 0,
            # Forked workers share the prepared images; others would each get a copy.
            multiprocessing_context="fork" if self.num_workers and sys.platform == "linux" else None,
            worker_init_fn=_start_worker,
            # Its own random numbers: an iterator draws one, and a resumed run makes its first at another moment than
            # an unbroken one, whose dropout would then differ.
            generator=torch.Generator(),
            **settings,
        )


def _start_worker(_: int) -> None:
    """Keep OpenCV to one thread per worker: the workers are the parallelism."""
    cv2.setNumThreads(0)


def _with_overrides(preparation: Preparation | Mapping[str, Any], **overrides: str | bool | None) -> Preparation:
    settings = preparation.to_dict() if isinstance(preparation, Preparation) else dict(preparation)
    return Preparation.from_dict(settings | {key: value for key, value in overrides.items() if value is not None})
