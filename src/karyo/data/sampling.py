"""Which images of a folder to look at: some of every subfolder."""

from collections import defaultdict
from itertools import chain, zip_longest
from pathlib import Path, PurePosixPath

import numpy as np

from karyo.errors import SettingsError
from karyo.files import walk_files
from karyo.imaging.read import IMAGE_EXTENSIONS


def sample_images(root: Path, count: int, seed: int = 0, times: int = 1) -> tuple[list[str], int]:
    """Choose images below a folder at random, evenly from all folders that hold any.

    Args:
        root: The folder.
        count: How many at most, 1 or more.
        seed: 0 or more; the same seed chooses the same ones.
        times: How many times as many are given in the end.

    Returns:
        Paths relative to the folder, with ``/``, in such an order that every beginning of the list is even too; and how
        many images there are.

    Raises:
        SettingsError: If a number is out of range or there are no images.
        DataError: If a folder cannot be read.
    """
    if count < 1 or seed < 0:
        raise SettingsError(f"count must be 1 or more and seed 0 or more, not {count} and {seed}")
    folders = defaultdict(list)
    for path in sorted(walk_files(root)):
        if PurePosixPath(path).suffix.lower() in IMAGE_EXTENSIONS:
            folders[str(PurePosixPath(path).parent)].append(path)
    if not folders:
        raise SettingsError(f"{root} holds no image files ({', '.join(IMAGE_EXTENSIONS)}); is it the right folder?")
    rng = np.random.default_rng(seed)
    shuffled = [[paths[index] for index in rng.permutation(len(paths))] for paths in folders.values()]
    turns = [[path for path in turn if path is not None] for turn in zip_longest(*shuffled)]
    # Where there are more folders than images to choose, the first folders shall not be the only ones.
    mixed = [[turn[index] for index in rng.permutation(len(turn))] for turn in turns]
    return list(chain.from_iterable(mixed))[: count * times], sum(map(len, folders.values()))
