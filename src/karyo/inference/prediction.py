"""What a model says about one image."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES

REASONS: dict[str, str] = {
    "empty": "nothing stands out from the background",
    "too_small": "the object is too small to show bands",
    "several_objects": "there is more than one chromosome in the image",
    "too_blurred": "the image is too blurred to show bands",
    "not_a_chromosome": "the image does not look like the chromosomes that the model was trained on",
    "low_confidence": "no class is probable enough",
}
"""Why an image can be rejected: the name that tables and the API carry, and the sentence for people."""


def calibrated(logits: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Turn logits into probabilities.

    Args:
        logits: (N, 24).
        temperature: What they are divided by, above 0 (Guo et al., "On calibration of modern neural networks", ICML
            2017, section 4.2).

    Returns:
        float64 (N, 24); each row's sum is 1.
    """
    scaled = logits.astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return shares


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What a model says about one image.

    Attributes:
        name: What the caller called the image: its path, or the name given for bytes and arrays.
        probabilities: float64 (24,), calibrated, in the order of ``karyo.chromosomes.CLASSES``, sum 1.
        reasons: Names from :data:`REASONS`; none for an accepted image.
    """

    name: str
    probabilities: NDArray[np.float64]
    reasons: tuple[str, ...] = field(default=())

    @property
    def label(self) -> str:
        """The most probable class: ``"1"`` .. ``"22"``, ``"X"``, ``"Y"``."""
        return CLASSES[int(self.probabilities.argmax())]

    @property
    def probability(self) -> float:
        """The probability of :attr:`label`, 1/24..1."""
        return float(self.probabilities.max())

    @property
    def rejected(self) -> bool:
        """Whether a person should look at the image instead of trusting :attr:`label`."""
        return bool(self.reasons)

    @property
    def reason(self) -> str | None:
        """Why it is rejected, as a sentence for people; None for an accepted image."""
        return "; ".join(REASONS[name] for name in self.reasons) or None

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """Give the most probable classes with their probabilities, the most probable first."""
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(CLASSES[index], float(self.probabilities[index])) for index in order]

    def to_dict(self, count: int = 5) -> dict[str, Any]:
        """Give everything as primitives, with the ``count`` most probable classes."""
        return {
            "name": self.name,
            "label": self.label,
            "probability": self.probability,
            "rejected": self.rejected,
            "reasons": list(self.reasons),
            "top": [{"label": label, "probability": probability} for label, probability in self.top(count)],
        }

    def __str__(self) -> str:
        doubt = f", rejected: {self.reason}" if self.rejected else ""
        return f"{self.name}: {self.label} ({self.probability:.1%}{doubt})"
