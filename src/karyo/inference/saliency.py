"""Which parts of a chromosome a prediction rests on, and a picture of that."""

import cv2
import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.errors import SettingsError
from karyo.inference.predictor import Image, Predictor, PreparedImage

PARTS = 10
"""Steps across the picture and down it in which the covered square moves; it is two steps wide."""

_TOGETHER = 16
_LEAST = 1e-6
_PICTURE = 448
_STRONGEST = 0.75

FOR, AGAINST = (230, 97, 1), (94, 60, 153)
"""RGB of what speaks for a class and against it: the ends of ColorBrewer's PuOr, told apart by the colour-blind too."""


def explain(
    predictor: Predictor, image: Image | PreparedImage, label: str | None = None, parts: int = PARTS
) -> NDArray[np.float32]:
    """Measure how much each part of an image speaks for a class, by covering it with background.

    Occlusion (Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, section 4.2), by
    captum. It asks the model as it stands, so it works for every exported file, eight-bit ones too.

    Args:
        predictor: The model.
        image: What to explain, see :data:`~karyo.inference.predictor.Image`; or one that is prepared already.
        label: The class, a name from ``karyo.chromosomes.CLASSES``; None for the one that the model names.
        parts: Steps across and down, 2 or more: the work grows with its square.

    Returns:
        float32 (size, size), on the prepared image: by how much the log odds of the class fall where a square over the
        pixel is covered, averaged over the squares. Positive where the picture speaks for the class.

    Raises:
        SettingsError: If torch or captum is not installed, or the class or ``parts`` does not exist.
        DataError: If the image cannot be read.
    """
    try:
        import torch
        from captum.attr import Occlusion  # type: ignore[import-untyped]
    except ImportError as error:
        raise SettingsError("explaining needs torch and captum; pip install 'karyo[explain]'") from error
    if label is not None and label not in CLASSES:
        raise SettingsError(f"{label!r} is no class; the classes are {', '.join(CLASSES)}")
    size = predictor.passport.preparation.size
    if not 2 <= parts <= size:
        raise SettingsError(f"parts must be from 2 to {size}, the pixels across, not {parts}")
    prepared = image if isinstance(image, PreparedImage) else predictor.prepare(image)

    def log_odds(pictures: torch.Tensor) -> torch.Tensor:
        shares = predictor.probabilities(pictures[:, 0].numpy().astype(np.uint8)).clip(_LEAST, 1 - _LEAST)
        return torch.from_numpy(np.log(shares / (1 - shares)))

    picture = torch.from_numpy(prepared.pixels.astype(np.float32))[None, None]
    target = CLASSES.index(label) if label else int(log_odds(picture)[0].argmax())
    step = -(-size // parts)
    effect = Occlusion(log_odds).attribute(
        picture, (1, 2 * step, 2 * step), (1, step, step), target=target, perturbations_per_eval=_TOGETHER
    )
    return np.asarray(effect[0, 0].numpy(), np.float32)


def overlay(pixels: NDArray[np.uint8], effect: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Colour a chromosome by what its parts do.

    Args:
        pixels: uint8 (size, size), as prepared: background 0.
        effect: float32 (size, size), as :func:`explain` gives it.

    Returns:
        uint8 (side, side, 3), RGB, ``side`` at least 448: the chromosome dark on white, orange where it speaks for the
        class and violet where it speaks against it, the stronger the more; grey where it does neither.
    """
    side = max(_PICTURE, *pixels.shape)
    beneath = cv2.resize(255 - pixels, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    strength = np.asarray(cv2.resize(effect, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)
    # The squares that were covered are no finding: their edges need not show.
    strength = np.asarray(cv2.GaussianBlur(strength, (0, 0), side / PARTS / 3), np.float32)
    strength = strength / max(float(np.abs(strength).max()), 1e-9)
    colours = np.where(strength[..., None] > 0, np.array(FOR, np.float32), np.array(AGAINST, np.float32))
    cover = _STRONGEST * np.abs(strength)[..., None]
    # Bands stay visible beneath: the colour is darkened as they are.
    shade = (0.35 + 0.65 * beneath[..., None].clip(0, 255) / 255) * colours
    return np.asarray(((1 - cover) * beneath[..., None] + cover * shade).clip(0, 255) + 0.5, np.uint8)
