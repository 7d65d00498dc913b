"""One chromosome of a split cluster."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Relation = Literal["isolated", "touching", "crossing"]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A whole chromosome found in a foreground mask.

    Attributes:
        mask: bool (H, W), of the whole picture's size; where chromosomes cross, both have the shared area.
        relation: ``isolated`` if it made up an object of its own, ``crossing`` if it shares pixels with another part,
            otherwise ``touching``.
        confidence: 0..1: how much it looks like one chromosome, and how well its cuts are founded.
    """

    mask: NDArray[np.bool_]
    relation: Relation
    confidence: float
