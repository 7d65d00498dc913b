"""Building a run's objects from its configuration."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.errors import HydraException, InstantiationException
from hydra.utils import instantiate
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback, LearningRateMonitor
from pytorch_lightning.loggers import Logger

from karyo.chromosomes import CLASSES
from karyo.data.datamodule import ChromosomeData
from karyo.errors import KaryoError, SettingsError
from karyo.imaging.preparation import Preparation
from karyo.imaging.steps import Chain
from karyo.inference.predictor import FEWEST_IN_CELL
from karyo.models.cell_context import CELL
from karyo.models.classifier import Classifier
from karyo.models.distillation import Distillation
from karyo.models.network import ChromosomeNetwork, NetworkSpec
from karyo.training.checkpoints import CheckpointFiles
from karyo.training.settings import NORMALISATIONS, input_size


def build_preparation(config: DictConfig) -> Preparation:
    """Build what the network and `preprocessing` ask for; the data module adds what the data ask for."""
    size = input_size(config)
    steps: Any = OmegaConf.to_container(config.preprocessing.steps or OmegaConf.create({}), resolve=True)
    return Preparation(size, config.canvas, config.extent or size, steps=Chain.from_config(steps))


def build_network(config: DictConfig, image_size: int, start: Path | None = None) -> ChromosomeNetwork:
    """Build the network, with weights where they are asked for.

    Args:
        config: The configuration.
        image_size: Side of the input in pixels.
        start: The checkpoint that training goes on from; it brings the weights, so no others are fetched.
    """
    spec = OmegaConf.to_container(config.model.spec, resolve=True)
    try:
        network_spec = NetworkSpec(
            image_size=image_size,
            channels=config.channels,
            context=config.get("context"),
            **spec,  # type: ignore[arg-type]
        )
    except TypeError as error:
        raise SettingsError(f"model={config.model}: {error}.") from error
    return ChromosomeNetwork(
        network_spec, pretrained=config.pretrained and not start, weights=None if start else config.weights
    )


def build_data(config: DictConfig, preparation: Preparation) -> ChromosomeData:
    """Build the data module of `data`, with its augmentation."""
    augmentation = build(config.augmentation, channels=config.channels)
    cells = {"fewest": FEWEST_IN_CELL} if config.get("context") == CELL else {}
    # As primitives: Hydra would take a dataclass for a configuration and its steps apart.
    data: ChromosomeData = build(config.data, preparation=preparation.to_dict(), augmentation=augmentation, **cells)
    return data


def build_classifier(
    config: DictConfig, network: ChromosomeNetwork, origin: dict[str, Any], distillation: Distillation | None = None
) -> Classifier:
    """Wrap the network with its optimizer, its schedule and what it learns from teachers."""
    # Lightning cannot clip the gradients of a fused optimizer under mixed precision.
    clips = config.trainer.get("gradient_clip_val") and "mixed" in str(config.trainer.get("precision"))
    plain = {"fused": False} if clips and "fused" in config.optimizer else {}
    return Classifier(
        network,
        optimizer=build(config.optimizer, **plain),
        scheduler=build(config.scheduler.schedule) if config.scheduler.schedule else None,
        interval=config.scheduler.interval,
        monitor=config.scheduler.monitor,
        label_smoothing=config.label_smoothing,
        mixup=config.get("mixup") or 0.0,
        distillation=distillation,
        average=config.get("average"),
        decay_norms=config.get("decay_norms") is not False,
        channels_last=config.channels_last,
        seed=config.seed,
        provenance=origin,
    )


def pixel_statistics(config: DictConfig, data: ChromosomeData) -> tuple[float, float]:
    """Give what the network subtracts from grey values on the scale 0..1, and what it then divides them by."""
    fixed = NORMALISATIONS[config.normalisation]
    return fixed or data.statistics()


def provenance(data: ChromosomeData) -> dict[str, Any]:
    """Give what a checkpoint must hold besides the network's own specification; primitives only."""
    return {
        "format": 1,
        "classes": list(CLASSES),
        "preparation": data.preparation.to_dict(),
        "data_fingerprint": data.fingerprint,
    }


def build_trainer(config: DictConfig, loggers: list[Logger], own: Sequence[Callback]) -> pl.Trainer:
    """Build the Lightning trainer with the run's callbacks: the configured ones, then its own."""
    # With `deterministic`, torch would also fill every new tensor with NaN, to show reads of memory that was never
    # written. There are none here, and it costs several per cent of a training on a CPU.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    callbacks: list[Callback] = [*build_all(config.callbacks), *own]
    if not loggers:
        # It refuses to work where there is nothing to write to.
        callbacks = [callback for callback in callbacks if not isinstance(callback, LearningRateMonitor)]
    try:
        trainer: pl.Trainer = build(
            config.trainer,
            strategy=_strategy(config),
            logger=loggers,
            callbacks=callbacks,
            plugins=[CheckpointFiles()],
            enable_model_summary=False,
            use_distributed_sampler=False,  # the data module's own sampler knows of ranks
        )
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        raise SettingsError(f"trainer: {str(error).splitlines()[0]}") from error
    return trainer


def _strategy(config: DictConfig) -> Any:
    """Give the strategy; one of several processes must know that batches of two kinds use different weights."""
    strategy = config.trainer.get("strategy", "auto")
    if config.get("context") != CELL:
        return strategy
    if config.trainer.get("sync_batchnorm"):
        raise SettingsError("context=cell and trainer.sync_batchnorm=true exclude each other; leave one of them out.")
    if strategy == "auto" and _has_several_processes(config):
        strategy = "ddp"
    several = strategy in ("ddp", "ddp_spawn", "ddp_fork", "ddp_notebook")
    return f"{strategy}_find_unused_parameters_true" if several else strategy


def _has_several_processes(config: DictConfig) -> bool:
    devices = config.trainer.get("devices", "auto")
    if devices in ("auto", -1, "-1"):
        number = torch.cuda.device_count() if config.trainer.get("accelerator") != "cpu" else 1
    else:
        number = int(devices) if isinstance(devices, int | str) else len(devices)
    return number > 1 or config.trainer.get("num_nodes", 1) > 1


def build_all(nodes: DictConfig | None) -> list[Any]:
    """Build every object of a group that holds several (callbacks, loggers); null entries are left out."""
    return [build(node) for node in (nodes or {}).values() if node is not None]


def build(node: DictConfig, **more: Any) -> Any:
    """Build one object from its configuration node.

    Raises:
        SettingsError: If the node does not fit what it names.
    """
    try:
        return instantiate(node, **more)
    except InstantiationException as error:
        if isinstance(error.__cause__, KaryoError):
            raise error.__cause__ from error
        cause = error.__cause__ or error
        raise SettingsError(f"{node.get('_target_', node)}: {str(cause).splitlines()[0]}") from error
    except HydraException as error:
        raise SettingsError(str(error).splitlines()[0]) from error
