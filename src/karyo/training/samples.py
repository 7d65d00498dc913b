"""What training will see: a picture of augmented samples, drawn before the first epoch."""

from collections.abc import Iterable
from pathlib import Path

from pytorch_lightning.loggers import Logger, TensorBoardLogger

from karyo.data.datamodule import ChromosomeData
from karyo.imaging.write import write_png

FILE = "figures/samples.png"


def show_samples(data: ChromosomeData, directory: Path, loggers: Iterable[Logger]) -> None:
    """Write a grid of training images, each above its augmented versions, and log it as a picture.

    Args:
        data: The data, set up.
        directory: The run's directory; the picture becomes ``figures/samples.png`` in it.
        loggers: The run's loggers; TensorBoard ones get the picture.
    """
    grid = data.sample_grid()
    write_png(directory / FILE, grid)
    for logger in tensorboards(loggers):
        logger.experiment.add_image("samples/augmented", grid, dataformats="HWC")


def tensorboards(loggers: Iterable[Logger]) -> list[TensorBoardLogger]:
    """Pick the TensorBoard loggers."""
    return [logger for logger in loggers if isinstance(logger, TensorBoardLogger)]
