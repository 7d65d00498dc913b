"""Many images through a model: files are read and prepared while the network works, and memory stays small."""

import glob
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from karyo.errors import DataError, SettingsError
from karyo.files import walk_files
from karyo.imaging.read import IMAGE_EXTENSIONS
from karyo.inference.prediction import Prediction
from karyo.inference.predictor import Image, Predictor, PreparedImage

_BATCHES_AHEAD = 3


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An image that could not be read.

    Attributes:
        name: What the caller called it: its path.
        message: Why, one sentence that names it.
    """

    name: str
    message: str


def predict_many(
    predictor: Predictor, images: Sequence[Image], batch_size: int = 32, readers: int | None = None
) -> Iterator[Prediction | Unreadable]:
    """Classify any number of images, in their order.

    At most a few batches are held at a time, however many images there are.

    Args:
        predictor: The model.
        images: Paths, files' bytes or arrays; see :data:`~karyo.inference.predictor.Image`.
        batch_size: Images that go through the network together, at least 1.
        readers: Threads that read and prepare; None for as many as the machine has cores, at most 8.

    Yields:
        A prediction for each image that can be read, an :class:`Unreadable` for each other.

    Raises:
        SettingsError: If ``batch_size`` or ``readers`` is below 1.
    """
    readers = min(8, os.cpu_count() or 1) if readers is None else readers
    if batch_size < 1 or readers < 1:
        raise SettingsError("batch_size and readers must be at least 1")
    waiting: deque[Future[PreparedImage | Unreadable]] = deque()
    rest = enumerate(images, 1)
    with ThreadPoolExecutor(readers) as pool:
        try:
            while True:
                wanted = _BATCHES_AHEAD * batch_size - len(waiting)
                waiting.extend(pool.submit(_prepared, predictor, image, place) for place, image in islice(rest, wanted))
                if not waiting:
                    return
                batch = [waiting.popleft().result() for _ in range(min(batch_size, len(waiting)))]
                yield from _classified(predictor, batch)
        finally:
            # Whoever stops listening, with Ctrl-C or by `break`, does not wait for images that nobody will see.
            pool.shutdown(wait=False, cancel_futures=True)


def find_images(places: Sequence[str | Path]) -> list[Path]:
    """Find image files: in folders at any depth, by patterns such as ``cells/*/7_*.png``, or as they are named.

    In folders only files that end like images count; names that begin with a dot are left out.

    Args:
        places: Folders, patterns and files.

    Returns:
        The files in the order of the places, within a folder sorted by name; each once.

    Raises:
        SettingsError: If a place does not exist, or a folder or pattern holds no image.
    """
    found: dict[Path, None] = {}
    for place in places:
        found.update(dict.fromkeys(_images_of(Path(place))))
    if not found:
        raise SettingsError("no image was named; give files, folders or patterns")
    return list(found)


def _images_of(place: Path) -> list[Path]:
    if place.is_dir():
        images = [place / name for name in sorted(walk_files(place)) if Path(name).suffix.lower() in IMAGE_EXTENSIONS]
        if not images:
            raise SettingsError(f"{place} holds no image ({', '.join(IMAGE_EXTENSIONS)})")
        return images
    if place.exists():
        return [place]
    # Not Path.glob: that takes no absolute pattern.
    matches = sorted(Path(match) for match in glob.iglob(str(place), recursive=True))  # noqa: PTH207
    if not matches:
        raise SettingsError(f"{place} does not exist, as a file, a folder or a pattern")
    return [image for match in matches for image in (_images_of(match) if match.is_dir() else [match])]


def _prepared(predictor: Predictor, image: Image, position: int) -> PreparedImage | Unreadable:
    try:
        return predictor.prepare(image, position)
    except DataError as error:
        name = str(image) if isinstance(image, str | Path) else f"image {position}"
        return Unreadable(name, str(error))


def _classified(predictor: Predictor, batch: Sequence[PreparedImage | Unreadable]) -> Iterator[Prediction | Unreadable]:
    predictions = iter(predictor.classify([image for image in batch if isinstance(image, PreparedImage)]))
    for image in batch:
        yield image if isinstance(image, Unreadable) else next(predictions)
