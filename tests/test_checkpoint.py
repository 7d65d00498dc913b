import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from karyo.chromosomes import CLASSES
from karyo.errors import DataError, SettingsError
from karyo.imaging.preparation import Preparation
from karyo.models.checkpoint import load_checkpoint
from karyo.models.classifier import Classifier
from karyo.models.network import ChromosomeNetwork, NetworkSpec
from karyo.training.fit import quiet_lightning

SMALL = NetworkSpec("timm", "test_resnet", 32)
PREPARATION = Preparation(size=32, canvas="letterbox", polarity="dark")
PROVENANCE = {"classes": list(CLASSES), "preparation": PREPARATION.to_dict(), "data_fingerprint": "0f"}
SGD = partial(torch.optim.SGD, lr=1e-3)


def trainer(**settings: Any) -> pl.Trainer:
    return pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **{"enable_checkpointing": False} | settings,
    )


def batches(size: int, *counts: int, channels: int = 1) -> DataLoader[Any]:
    """Random images with random labels, in batches of the given sizes."""
    generator = torch.Generator().manual_seed(7)
    made = [
        (
            torch.randint(0, 256, (count, channels, size, size), dtype=torch.uint8, generator=generator),
            torch.randint(0, 24, (count,), generator=generator),
            torch.arange(count),
        )
        for count in counts
    ]
    return DataLoader(made, batch_size=None)  # type: ignore[arg-type]


def saved(path: Path, spec: NetworkSpec = SMALL) -> ChromosomeNetwork:
    """Train one step and save, as Lightning does it."""
    torch.manual_seed(3)
    network = ChromosomeNetwork(spec)
    network.set_pixel_statistics(0.2, 0.3)
    classifier = Classifier(network, SGD, channels_last=False, provenance=PROVENANCE)
    keeping = ModelCheckpoint(path.parent, path.stem)
    with quiet_lightning():
        fitting = trainer(max_epochs=1, enable_checkpointing=True, callbacks=[keeping])
        fitting.fit(classifier, *[batches(spec.image_size, 4, channels=spec.channels)] * 2)
    return network.eval()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("läufe") / "best.ckpt"
    saved(path)
    return path


@pytest.mark.parametrize(
    "spec",
    [
        SMALL,
        NetworkSpec("timm", "test_resnet", 32, channels=3, head="chu", head_options={"dropout": 0.2, "relu": True}),
        NetworkSpec("timm", "test_nfnet", 64),
        NetworkSpec("timm", "test_vit", 48),
        pytest.param(NetworkSpec("torchvision", "inception_v3", 75, head="chu"), marks=pytest.mark.slow),
        pytest.param(NetworkSpec("torchvision", "mnasnet0_5", 64), marks=pytest.mark.slow),
    ],
)
def test_a_checkpoint_gives_the_network_back_to_the_last_digit(spec: NetworkSpec, tmp_path: Path) -> None:
    network = saved(tmp_path / "a.ckpt", spec)
    loaded = load_checkpoint(tmp_path / "a.ckpt")
    assert loaded.preparation == PREPARATION
    assert loaded.network.spec == spec
    assert loaded.epoch == 1
    assert loaded.data_fingerprint == "0f"
    assert not loaded.network.training
    pictures = torch.randint(0, 256, (3, spec.channels, spec.image_size, spec.image_size), dtype=torch.uint8)
    with torch.inference_mode():
        assert torch.equal(loaded.network(pictures), network(pictures))


def altered(checkpoint: Path, path: Path, **changes: Any) -> Path:
    """Copy a checkpoint with entries of its `karyo` part changed; None removes one."""
    content = torch.load(checkpoint, weights_only=True)
    content["karyo"] = {key: value for key, value in (content["karyo"] | changes).items() if value is not None}
    torch.save(content, path)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("classes", [None, [], ["cat", "dog"], list(CLASSES[::-1]), [*CLASSES, "Z"], 24])
def test_a_checkpoint_for_other_classes_is_refused(checkpoint: Path, tmp_path: Path, classes: Any) -> None:
    text = refusal(altered(checkpoint, tmp_path / "other.ckpt", classes=classes))
    assert "not for the 24 of this program" in text


@pytest.mark.parametrize(
    "changes",
    [
        {"network": None},
        {"network": {"library": "timm", "name": "test_resnet"}},
        {"network": SMALL.to_dict() | {"name": "resnet_of_tomorrow"}},
        {"network": SMALL.to_dict() | {"head": "of_tomorrow"}},
        {"network": SMALL.to_dict() | {"name": "test_convnext"}},
        {"network": SMALL.to_dict() | {"depth": 4}},
        {"network": "resnet18"},
        {"preparation": None},
        {"preparation": {"size": 32, "sharpen": True}},
    ],
)
def test_a_checkpoint_of_another_version_is_refused(checkpoint: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    refusal(altered(checkpoint, tmp_path / "other.ckpt", **changes))


def test_a_checkpoint_without_some_of_its_weights_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    for missing in ("network.head.2.bias", "network.pixel_mean", "network.backbone.conv1.0.weight"):
        state = {key: value for key, value in content["state_dict"].items() if key != missing}
        torch.save(content | {"state_dict": state}, tmp_path / "part.ckpt")
        assert missing.removeprefix("network.") in refusal(tmp_path / "part.ckpt")
    del content["state_dict"]
    torch.save(content, tmp_path / "none.ckpt")
    refusal(tmp_path / "none.ckpt")


def test_what_is_no_checkpoint_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.ckpt"
    for content in ([], {}, {"state_dict": {}}, {"karyo": "yes"}, torch.zeros(3)):
        torch.save(content, path)
        assert "no checkpoint of karyo" in refusal(path)
    whole = checkpoint.read_bytes()
    for damaged in (b"", b"text", bytes(1000), whole[:100], whole[: len(whole) // 2], whole[:-1000]):
        path.write_bytes(damaged)
        assert "damaged or of another kind" in refusal(path)
    for missing in (tmp_path / "missing.ckpt", tmp_path):
        with pytest.raises(SettingsError, match="no such checkpoint"):
            load_checkpoint(missing)


class Dangerous:
    """Unpickled, it would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def test_a_checkpoint_that_holds_a_function_is_refused_without_running_it(checkpoint: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    refusal(altered(checkpoint, tmp_path / "bad.ckpt", data_fingerprint=Dangerous(trap)))
    assert not trap.exists()


# Training


def measured(network: ChromosomeNetwork, loader: DataLoader[Any], smoothing: float) -> tuple[float, float]:
    """Loss and accuracy over all images at once."""
    pictures, labels = (torch.cat(part) for part in list(zip(*loader, strict=True))[:2])
    with torch.inference_mode():
        logits: Tensor = network.eval()(pictures)
    network.train()
    loss = functional.cross_entropy(logits, labels, label_smoothing=smoothing)
    return float(loss), float((logits.argmax(1) == labels).double().mean())


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_an_epoch_averages_over_images_not_over_batches(smoothing: float) -> None:
    torch.manual_seed(1)
    network = ChromosomeNetwork(SMALL)
    nn.init.normal_(network.head[-1].weight, std=5.0)
    loader = batches(32, 29, 2, 1)
    pictures, labels, _ = loader.dataset[2]
    labels[:] = network.eval()(pictures).argmax(1)  # the smallest batch is all right, the largest is not
    classifier = Classifier(network, SGD, label_smoothing=smoothing)
    with quiet_lightning():
        (logged,) = trainer().validate(classifier, loader, verbose=False)
    loss, accuracy = measured(network, loader, smoothing)
    assert logged["validation/loss"] == pytest.approx(loss, rel=1e-4)
    assert logged["validation/accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert 0 < accuracy < 0.5


def trained(network: ChromosomeNetwork, loader: DataLoader[Any], epochs: int = 1, **settings: Any) -> dict[str, Tensor]:
    classifier = Classifier(network, partial(torch.optim.AdamW, lr=1e-3), **settings)
    with quiet_lightning():
        fitting = trainer(max_epochs=epochs)
        fitting.fit(classifier, loader, loader)
    return dict(fitting.callback_metrics)


def test_training_fits_what_it_is_shown() -> None:
    torch.manual_seed(1)
    network = ChromosomeNetwork(SMALL)
    loader = batches(32, 12, 12)
    before, _ = measured(network, loader, 0.0)
    logged = trained(network, loader, epochs=20)
    assert before == pytest.approx(3.18, abs=0.1)  # ln 24: even odds at the start
    assert float(logged["train/loss"]) < before / 2
    assert float(logged["train/accuracy"]) > 0.8


def test_a_diverged_network_shows_in_its_loss() -> None:
    network = ChromosomeNetwork(SMALL)
    nn.init.constant_(network.head[-1].weight, float("nan"))
    assert float(trained(network, batches(32, 4))["train/loss"]) != pytest.approx(0, abs=1e9)


@pytest.mark.slow
def test_the_auxiliary_loss_trains_and_is_left_out_of_the_logged_loss() -> None:
    losses: Sequence[float] = []
    for weight in (0.0, 0.4):
        torch.manual_seed(2)
        network = ChromosomeNetwork(NetworkSpec("torchvision", "inception_v3", 75))
        before = network.auxiliary.layers[-1].weight.detach().clone()
        logged = trained(network, batches(75, 4), auxiliary_weight=weight)
        moved = not torch.allclose(before, network.auxiliary.layers[-1].weight, atol=5e-4)
        assert moved is (weight > 0)
        losses = [*losses, float(logged["train/loss"])]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
