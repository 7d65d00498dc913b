"""What a data set must be able to do, wherever its images come from."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from karyo.data.records import Record


@runtime_checkable
class Source(Protocol):
    """Records and a way to read each one's image.

    Attributes:
        name: Short name of the data set, for messages and run records.
    """

    name: str

    @property
    def records(self) -> Sequence[Record]:
        """All records, always in the same order."""
        ...

    def read(self, record: Record) -> NDArray[np.uint8]:
        """Read one image as stored, (H, W) uint8 grey, before polarity; safe to call from several threads.

        Raises:
            DataError: If the image cannot be read.
        """
        ...

    def locate(self, record: Record) -> str:
        """Say where the image is, for messages: an absolute file path or a virtual name."""
        ...

    def fingerprint(self) -> str:
        """Return a SHA-256 in hexadecimal over what identifies the content; equal means nothing has changed."""
        ...
