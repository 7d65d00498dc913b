"""How often a model refuses what is no chromosome, and how often it refuses a chromosome."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyo.data.synthetic import CellSettings, draw_cell
from karyo.errors import DataError, SettingsError
from karyo.evaluation.misfits import PAIRED, SPOILED, lift_chromosome
from karyo.evaluation.shares import wilson_interval
from karyo.evaluation.strangers import DRAWN
from karyo.imaging.read import read_grey
from karyo.inference.many import Unreadable, find_images, predict_many
from karyo.inference.predictor import Image, Predictor

Picture = NDArray[np.uint8]

CHROMOSOMES = "chromosomes"
"""The kind that should be accepted."""

UNSURE = "low_confidence"
"""The reason that says nothing of what is in the image."""

_SLOW = {"whole spreads": 10, "karyograms": 10}
"""Kinds of which a tenth as many are drawn: each takes a tenth of a second."""

_MEMBERS = 46


@dataclass(frozen=True, slots=True)
class Refusals:
    """What a model did with images of one kind.

    Attributes:
        kind: What they are.
        images: How many were tried.
        refused: How many were refused for any reason but low confidence.
        unsure: How many were refused for low confidence alone.
        reasons: How often each reason was given; an image may have several.
        unreadable: How many could not be read; they are not among ``images``.
    """

    kind: str
    images: int
    refused: int
    unsure: int
    reasons: dict[str, int]
    unreadable: int = 0

    @property
    def share(self) -> float:
        """Refused ones, low confidence left out, 0..1; 0 where there are no images."""
        return self.refused / max(self.images, 1)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of :attr:`share`."""
        return wilson_interval(self.refused, self.images)

    def to_dict(self) -> dict[str, Any]:
        """Give everything as primitives."""
        low, high = self.interval
        return asdict(self) | {"share": self.share, "low": low, "high": high}


def measure_rejecting(
    predictor: Predictor,
    chromosomes: Sequence[Path] = (),
    strangers: Sequence[Path] = (),
    count: int = 200,
    seed: int = 0,
    advance: Callable[[], None] = lambda: None,
) -> list[Refusals]:
    """Show a model strangers of every kind, and chromosomes.

    Args:
        predictor: The model.
        chromosomes: Images of single chromosomes that it was not trained on; none draws some.
        strangers: Further images that it should refuse.
        count: Images of each kind that is made, 1..100000; a tenth of it for whole spreads and karyograms.
        seed: 0 or more; same seed, same images.
        advance: Called for each image.

    Returns:
        The chromosomes' first, then the strangers of the caller, if any, then each kind that is made.

    Raises:
        SettingsError: If ``count`` or ``seed`` is out of its range.
        DataError: If none of the chromosomes can be read.
    """
    if not 1 <= count <= 100_000 or seed < 0:
        raise SettingsError(f"--count must be from 1 to 100000 and --seed 0 or more, not {count} and {seed}")
    polarity = predictor.passport.preparation.polarity
    known: Sequence[Image] = chromosomes or draw_chromosomes(count, seed, polarity)
    lifted = _lifted(known, polarity)
    found = [_shown(predictor, CHROMOSOMES, known, advance)]
    if strangers:
        found.append(_shown(predictor, "given as strangers", strangers, advance))
    for position, kind in enumerate([*DRAWN, *PAIRED, *SPOILED]):
        rng = np.random.default_rng([seed, position])
        made = list(_made(kind, how_many(kind, count), lifted, polarity, rng))
        found.append(_shown(predictor, kind, made, advance))
    return found


def how_many(kind: str, count: int) -> int:
    """Give how many images of a kind are made where ``count`` were asked for."""
    return max(count // _SLOW.get(kind, 1), 1)


def images_in_all(chromosomes: int, strangers: int, count: int) -> int:
    """Give how often :func:`measure_rejecting` calls ``advance``."""
    return (chromosomes or count) + strangers + sum(how_many(kind, count) for kind in [*DRAWN, *PAIRED, *SPOILED])


def draw_chromosomes(count: int, seed: int, polarity: str = "auto") -> list[Picture]:
    """Draw single chromosomes, the classes in turn, cell after cell.

    Args:
        count: How many.
        seed: 0 or more.
        polarity: ``auto``, ``bright`` or ``dark``: the background.

    Returns:
        Each uint8 (H, W), as stored.
    """
    settings = CellSettings(polarity="mixed" if polarity == "auto" else polarity)
    cells = range(seed, seed + -(-count // _MEMBERS))
    return [each.image for cell in cells for each in draw_cell(cell, settings)][:count]


def read_places(places: Sequence[Path]) -> list[Path]:
    """Find the images of folders, files and patterns; nothing for none.

    Raises:
        SettingsError: If a place does not exist or holds no image.
    """
    return find_images(places) if places else []


def _lifted(chromosomes: Sequence[Image], polarity: str) -> list[Picture]:
    """Cut chromosomes out, leaving out what cannot be read or shows nothing."""
    lifted = []
    for image in chromosomes:
        try:
            grey = read_grey(image) if isinstance(image, Path) else np.asarray(image, np.uint8)
        except DataError:
            continue
        cut = lift_chromosome(grey, polarity)
        lifted += [cut] if cut.any() and min(cut.shape) > 1 else []
    if not lifted:
        raise DataError("none of the images of chromosomes can be read, so nothing can be made of them")
    return lifted


def _made(
    kind: str, count: int, chromosomes: Sequence[Picture], polarity: str, rng: np.random.Generator
) -> Iterator[Picture]:
    """Make pictures of a kind, as stored: on a bright ground, a dark one, or either."""
    for _ in range(count):
        one, other = (chromosomes[int(index)] for index in rng.integers(len(chromosomes), size=2))
        if kind in DRAWN:
            picture = DRAWN[kind](rng)
        else:
            picture = PAIRED[kind](one, other, rng) if kind in PAIRED else SPOILED[kind](one, rng)
        bright = bool(rng.random() < 0.5) if polarity == "auto" else polarity == "bright"
        yield np.asarray(255 - picture if bright else picture, np.uint8)


def _shown(predictor: Predictor, kind: str, images: Sequence[Image], advance: Callable[[], None]) -> Refusals:
    """Show a model images of one kind and count."""
    reasons: Counter[str] = Counter()
    refused = unsure = unreadable = 0
    for outcome in predict_many(predictor, images):
        advance()
        if isinstance(outcome, Unreadable):
            unreadable += 1
            continue
        reasons.update(outcome.reasons)
        refused += bool(set(outcome.reasons) - {UNSURE})
        unsure += outcome.reasons == (UNSURE,)
    return Refusals(kind, len(images) - unreadable, refused, unsure, dict(reasons.most_common()), unreadable)
