"""From a source to batches: caches, bad images, leaks, order, workers, statistics."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from numpy.typing import NDArray

from karyo.data import prepared as prepared_room
from karyo.data.augmentation import Augmentation
from karyo.data.datamodule import ChromosomeData
from karyo.data.layouts import FolderSource
from karyo.data.prepared import prepare_images
from karyo.data.records import Record
from karyo.errors import DataError, SettingsError
from karyo.imaging.preparation import Preparation

CONF = Path(__file__).parents[1] / "conf"
PREPARATION = Preparation(16, crop=False, polarity="dark")
FLIP = [{"name": "HorizontalFlip", "p": 0.5}, {"name": "Affine", "rotate": [-20, 20], "p": 1.0}]


class Drawn:
    """A source of made-up pixels that counts how often it is read."""

    name = "drawn"

    def __init__(self, cells: int = 6, version: str = "0", bad: tuple[int, ...] = (), twins: bool = False) -> None:
        self.records = [Record(f"{c}/{k}", k % 24, str(c)) for c in range(cells) for k in range(46)]
        self.version, self.bad, self.twins, self.reads = version, bad, twins, 0

    def read(self, record: Record) -> NDArray[np.uint8]:
        self.reads += 1
        row = self.records.index(record)
        if row in self.bad:
            raise DataError(f"{record.path} is truncated")
        seed = row % 46 if self.twins else row
        return np.random.default_rng(seed).integers(0, 256, (16, 16), dtype=np.uint8)

    def locate(self, record: Record) -> str:
        return f"drawn:{record.path}"

    def fingerprint(self) -> str:
        return f"{self.version}-{len(self.records)}-{self.twins}-{self.bad}"


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    prepared_room._recent.clear()
    yield
    prepared_room._recent.clear()


def made(source: object = None, **settings: object) -> ChromosomeData:
    return ChromosomeData(source or Drawn(), PREPARATION, **settings)  # type: ignore[arg-type]


def epoch_of(data: ChromosomeData, epoch: int) -> list[tuple[torch.Tensor, ...]]:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
    return list(loader)


def test_batches_are_whole_and_typed() -> None:
    data = made(batch_size=10)
    images, labels, indices = next(iter(data.val_dataloader()))
    assert (images.shape, images.dtype) == ((10, 1, 16, 16), torch.uint8)
    assert (labels.dtype, indices.dtype) == (torch.int64, torch.int64)
    assert [data.records[i].label for i in indices.tolist()] == labels.tolist()
    source = data.source
    assert np.array_equal(images[0, 0].numpy(), PREPARATION(source.read(data.records[int(indices[0])])))


@pytest.mark.parametrize("augmented", [False, True])
def test_three_channels_repeat_the_grey_one(augmented: bool) -> None:
    data = made(channels=3, augmentation=Augmentation([], 3) if augmented else None)
    images = next(iter(data.train_dataloader()))[0]
    assert images.shape[1] == 3
    assert torch.equal(images[:, 0], images[:, 2])


def test_each_side_serves_its_records_once() -> None:
    data = made(batch_size=7)
    loaders = (data.train_dataloader(), data.val_dataloader(), data.test_dataloader())
    for loader, side in zip(loaders, data.split.sides().values(), strict=True):
        assert sorted(i for batch in loader for i in batch[2].tolist()) == side.tolist()
    assert [i for batch in data.predict_dataloader() for i in batch[2].tolist()] == list(range(len(data.records)))


@pytest.mark.parametrize(("batch_size", "dropped"), [(16, 0), (11, 0), (183, 1), (500, 0)])
def test_only_a_last_batch_of_one_is_dropped(batch_size: int, dropped: int) -> None:
    data = made(batch_size=batch_size)
    assert len(data.split.train) == 184
    assert sum(len(batch[0]) for batch in data.train_dataloader()) == 184 - dropped


def test_training_is_decided_by_seed_and_epoch_whatever_the_workers() -> None:
    settings = {"augmentation": Augmentation(FLIP), "split_seed": 0}
    alone = epoch_of(made(seed=3, **settings), 2)
    workers = epoch_of(made(seed=3, num_workers=2, **settings), 2)
    for one, other in zip(alone, workers, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    for different in (epoch_of(made(seed=3, **settings), 1), epoch_of(made(seed=4, **settings), 2)):
        assert not torch.equal(alone[0][2], different[0][2])


def test_living_workers_see_the_epoch_change() -> None:
    data = made(augmentation=Augmentation(FLIP), num_workers=1, batch_size=200)
    loader = data.train_dataloader()
    pictures = []
    for epoch in (0, 1, 0):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        images, _, indices = next(iter(loader))
        pictures.append(images[indices.argsort()])
    assert torch.equal(pictures[0], pictures[2])
    assert not torch.equal(pictures[0], pictures[1])


def test_validation_is_never_augmented() -> None:
    plain, augmented = made(), made(augmentation=Augmentation(FLIP))
    for one, other in zip(plain.val_dataloader(), augmented.val_dataloader(), strict=True):
        assert torch.equal(one[0], other[0])


def test_images_are_read_once_in_a_process() -> None:
    source = Drawn()
    data = made(source)
    for _ in range(2):
        list(data.train_dataloader())
    made(source, seed=5).setup()
    assert source.reads == len(source.records)
    ChromosomeData(source, Preparation(20)).setup()
    assert source.reads == 2 * len(source.records)


@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
def test_every_cache_gives_the_same(cache: str, tmp_path: Path) -> None:
    source = Drawn()
    images = prepare_images(source, PREPARATION, cache, tmp_path / "cache").take([5, 3])
    assert np.array_equal(images, [PREPARATION(source.read(source.records[row])) for row in (5, 3)])


def test_disk_cache_is_found_by_a_later_run_and_follows_the_content(tmp_path: Path) -> None:
    prepare_images(Drawn(), PREPARATION, "disk", tmp_path)
    prepared_room._recent.clear()
    later, changed = Drawn(), Drawn(version="1")
    found = prepare_images(later, PREPARATION, "disk", tmp_path)
    assert later.reads == 0
    assert np.array_equal(found.take([7])[0], PREPARATION(later.read(later.records[7])))
    prepare_images(changed, PREPARATION, "disk", tmp_path)
    assert changed.reads == len(changed.records)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_damaged_disk_cache_is_made_anew(tmp_path: Path, suffix: str) -> None:
    prepare_images(Drawn(), PREPARATION, "disk", tmp_path)
    prepared_room._recent.clear()
    victim = next(path for path in tmp_path.iterdir() if path.suffix == suffix)
    victim.write_bytes(victim.read_bytes()[:50])
    source = Drawn()
    prepared = prepare_images(source, PREPARATION, "disk", tmp_path)
    assert np.array_equal(prepared.take([7])[0], PREPARATION(source.read(source.records[7])))


def test_cache_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match=r"cannot be kept in .*file/cache.*data.cache_dir"):
        prepare_images(Drawn(), PREPARATION, "disk", tmp_path / "file" / "cache")


def test_default_cache_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    prepare_images(Drawn(), PREPARATION, "disk")
    assert {path.suffix for path in (tmp_path / "karyo").iterdir()} == {".npy", ".npz"}


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="no preallocation on this system")
def test_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DataError, match="No space left on device"):
        prepare_images(Drawn(), PREPARATION, "disk", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
def test_all_bad_images_are_listed(cache: str, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(DataError) as caught:
            prepare_images(Drawn(bad=(4, 50, 51)), PREPARATION, cache, tmp_path)
        assert "3 images of drawn cannot be read" in str(caught.value)
        assert all(name in str(caught.value) for name in ("0/4 is", "1/4 is", "1/5 is"))
        prepared_room._recent.clear()


@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
def test_bad_images_can_be_skipped(cache: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = Drawn(bad=(4, 50))
    data = made(source, on_bad_image="skip", cache=cache, cache_dir=tmp_path)
    assert len(data.records) == len(source.records) - 2
    assert "2 unreadable images left out" in caplog.text
    images, _, indices = next(iter(data.test_dataloader()))
    last = data.records[int(indices[-1])]
    assert np.array_equal(images[-1, 0].numpy(), PREPARATION(source.read(last)))


def test_many_bad_images_are_counted_and_all_bad_is_an_error() -> None:
    source = Drawn(cells=3, bad=tuple(range(138)))
    with pytest.raises(DataError, match="and 118 more"):
        prepare_images(source, PREPARATION)
    with pytest.raises(DataError, match="none of the 138 images"):
        prepare_images(source, PREPARATION, on_bad_image="skip")


def test_same_pixels_on_two_sides_are_an_error() -> None:
    with pytest.raises(DataError, match=r"same pixels on two sides.*drawn:\d/\d+ \(train\) = drawn:"):
        made(Drawn(twins=True)).setup()


def test_images_can_be_served_unsplit() -> None:
    data = made(Drawn(twins=True))
    assert sum(len(batch[0]) for batch in data.predict_dataloader()) == 276


def test_splitting_by_image_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        made(split_by="image").setup()
    assert "reads too high" in caplog.text


def test_statistics_are_those_of_the_training_side() -> None:
    data = made()
    pixels = np.stack([PREPARATION(data.source.read(data.records[i])) for i in data.split.train.tolist()]) / 255
    assert data.statistics() == pytest.approx((pixels.mean(), pixels.std()))


def test_facts_about_the_data() -> None:
    data = made()
    assert [row["side"] for row in data.describe()] == ["train", "validation", "test"]
    assert data.fingerprint == made().fingerprint
    assert data.fingerprint != made(Drawn(cells=7)).fingerprint


@pytest.mark.parametrize("channels", [1, 3])
def test_sample_grid_shows_originals_over_augmented(channels: int) -> None:
    data = made(augmentation=Augmentation(FLIP, channels), channels=channels)
    grid = data.sample_grid(5, rows=3)
    assert (grid.shape, grid.dtype) == ((4 * 16, 5 * 16, 3), np.uint8)
    assert not np.array_equal(grid[:16], grid[16:32])
    assert made().sample_grid(5).shape == (16, 80, 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_augmentation_moves_the_picture_but_not_the_ruler(channels: int) -> None:
    preparation = Preparation(32, "ruler", extent=32, crop=False, polarity="dark")
    turned = Augmentation([{"name": "Rotate", "limit": [90, 90], "p": 1.0}], channels)
    data = ChromosomeData(Drawn(), preparation, turned, channels=channels)
    images, _, indices = epoch_of(data, 0)[0]
    before, after = data.images(indices.tolist()), images.numpy()
    assert not np.array_equal(before[:, :, :28], after[:, 0, :, :28])
    assert all(np.array_equal(after[:, 0], other) for other in after.transpose(1, 0, 2, 3))
    # The bars stand where they stood; only their scale varies, anew in each epoch.
    heights = after[:, 0, :, 28].sum(axis=1) / 255
    assert 8 < heights.min() < 16 < heights.max() < 32
    assert np.array_equal(after[:, 0, 0, 28], np.full(len(after), 255))
    assert not np.array_equal(after[..., 28:], epoch_of(data, 1)[0][0].numpy()[..., 28:])
    assert np.array_equal(after, epoch_of(data, 0)[0][0].numpy())
    validation, _, chosen = next(iter(data.val_dataloader()))
    assert np.array_equal(validation[:, 0].numpy(), data.images(chosen.tolist()))


def test_settings_of_the_data_override_the_preparation() -> None:
    data = ChromosomeData(Drawn(), {"size": 16}, polarity="bright", crop=False)
    assert data.preparation == Preparation(16, polarity="bright", crop=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size must be"),
        ({"batch_size": 2.5}, "batch_size must be"),
        ({"seed": -1}, "seed must be"),
        ({"channels": 2}, "channels must be"),
        ({"num_workers": "many"}, "data.num_workers must be"),
        ({"num_workers": -1}, "data.num_workers must be"),
        ({"cache": "tape"}, "data.cache must be one of"),
        ({"on_bad_image": "weep"}, "data.on_bad_image must be"),
        ({"split_by": "case"}, "knows only cell, image"),
    ],
)
def test_settings_that_cannot_be_meant(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        made(**settings).setup()


@pytest.mark.parametrize("name", ["bioimlab", "cirnet", "folders", "gband65"])
def test_shipped_settings_build_their_data(name: str, tmp_path: Path) -> None:
    paths = {
        "gband65": "{k}/{k}_1_10{c}_2_3.tiff",
        "bioimlab": "{c}/{c} {k}a.bmp",
        "cirnet": "{c}.{c}.{k}.tiff",
        "folders": "{k}/{c}.png",
    }
    for cell in range(5):
        for label in range(1, 25):
            # CIR-Net's count from 0.
            path = tmp_path / paths[name].format(c=cell, k=label - (name == "cirnet"))
            path.parent.mkdir(exist_ok=True)
            pixels = np.random.default_rng(100 * cell + label).integers(0, 256, (9, 9), dtype=np.uint8)
            path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("train", [f"data={name}", f"data.root='{tmp_path}'", "batch_size=4"])
    data = instantiate(config.data, preparation=Preparation(16).to_dict(), augmentation=Augmentation(FLIP))
    assert isinstance(data.source, FolderSource)
    assert data.split.by == {"gband65": "case", "bioimlab": "cell"}.get(name, "image")
    assert len(data.records) == 120
    assert next(iter(data.train_dataloader()))[0].shape == (4, 1, 16, 16)


def test_shipped_synthetic_data_are_drawn_in_cells() -> None:
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("train", ["data=synthetic", "data.source.cells=4", "seed=7"])
    data = instantiate(config.data, preparation=Preparation(config.image_size).to_dict(), augmentation=None)
    assert config.image_size == 96
    assert data.split.by == "cell"
    assert len(data.records) == 4 * 46
    again = instantiate(config.data, preparation=Preparation(config.image_size).to_dict(), seed=8)
    assert again.fingerprint == data.fingerprint


def test_processes_of_a_distributed_run_share_the_training_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    seen = []
    for rank in (0, 1):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        data = made()
        seen.append([i for batch in epoch_of(data, 1) for i in batch[2].tolist()])
        assert sum(len(batch[0]) for batch in data.test_dataloader()) == len(data.split.test)
    assert set(seen[0]) | set(seen[1]) == set(data.split.train.tolist())
    assert not set(seen[0]) & set(seen[1])


def test_an_interrupted_reading_stops_at_once() -> None:
    class Interrupted(Drawn):
        def read(self, record: Record) -> NDArray[np.uint8]:
            super().read(record)
            raise KeyboardInterrupt

    source = Interrupted(cells=40)
    with pytest.raises(KeyboardInterrupt):
        prepare_images(source, PREPARATION)
    assert source.reads < len(source.records)
