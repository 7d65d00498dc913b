"""The progress bar within an epoch, for people at a terminal."""

import sys
from typing import Any

from pytorch_lightning.callbacks import TQDMProgressBar


class EpochBar(TQDMProgressBar):
    """Lightning's bar while an epoch runs; it vanishes for the epoch's line, and stays away from log files."""

    def __init__(self) -> None:
        super().__init__(leave=False)
        if not sys.stderr.isatty():
            self.disable()

    def get_metrics(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Leave out the version number, which says nothing here."""
        return {key: value for key, value in super().get_metrics(*args, **kwargs).items() if key != "v_num"}
