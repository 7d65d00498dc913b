"""The application, run in this process as its command line would."""

import sys

from karyo.training import application

TINY = ("model=timm", "model.name=test_resnet", "image_size=32")
"""A network of half a million weights, to try the benchmark itself."""


def train(*overrides: str) -> None:
    """Run `train` in the working directory.

    Raises:
        RuntimeError: If it ends with an exit code other than 0.
    """
    sys.argv = ["train", *overrides]
    try:
        application.train()
    except SystemExit as leaving:
        if leaving.code:
            raise RuntimeError(f"train ended with exit code {leaving.code}") from leaving
