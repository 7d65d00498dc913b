"""Drawn cells and spreads written to a folder, with the truth beside them."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karyo.chromosomes import CLASSES
from karyo.data.synthetic.cell import draw_cell
from karyo.data.synthetic.chromosome import DrawnChromosome
from karyo.data.synthetic.source import RENDERER_VERSION, derive_seed
from karyo.data.synthetic.spread import Spread, SpreadSettings, draw_spread
from karyo.data.synthetic.style import CellSettings
from karyo.data.synthetic.voc import spread_annotation
from karyo.errors import SettingsError
from karyo.imaging.write import write_png

Progress = Callable[[], None]


def write_cells(
    folder: Path, cells: int, seed: int = 0, settings: CellSettings | None = None, advance: Progress | None = None
) -> None:
    """Write cells as ``<cell>/<label><homolog>.png`` with ``truth.json`` beside them.

    The images are those of a ``SyntheticSource`` with the same settings.

    Args:
        folder: Where to; must not exist or be empty. It appears only when it is complete.
        cells: Number of cells, 1 or more.
        seed: 0 or more.
        settings: What to draw; the defaults if None.
        advance: Called after each cell.

    Raises:
        SettingsError: If a number is out of range, or the folder is not empty or cannot be written.
    """
    settings = settings or CellSettings()
    _check_count("cells", cells, seed)
    with _new_folder(folder) as target:
        truth: dict[str, Any] = {}
        for cell in range(cells):
            name = f"cell-{cell:04d}"
            (target / name).mkdir()
            for drawn in draw_cell(derive_seed(seed, cell), settings):
                path = f"{name}/{CLASSES[drawn.label]}{drawn.homolog}.png"
                write_png(target / path, drawn.image)
                truth[path] = _chromosome_truth(drawn)
            if advance:
                advance()
        content = {"renderer": RENDERER_VERSION, **_planted(settings), "chromosomes": truth}
        _write_json(target / "truth.json", content)


def write_spreads(
    folder: Path, count: int, seed: int = 0, settings: SpreadSettings | None = None, advance: Progress | None = None
) -> None:
    """Write spreads as ``images/<id>.png`` with the truth beside them.

    ``annotations/<id>.xml`` holds the boxes as Pascal VOC, ``truth/<id>.json`` everything else, and ``masks/<id>.npz``
    a bool array per chromosome, ``mask_00`` onwards in the order of the other two, each the size of its box, and
    ``nuclei``, the size of the picture.

    Args:
        folder: Where to; must not exist or be empty. It appears only when it is complete.
        count: Number of spreads, 1 or more.
        seed: 0 or more.
        settings: What to draw; the defaults if None.
        advance: Called after each spread.

    Raises:
        SettingsError: If a number is out of range, or the folder is not empty or cannot be written.
    """
    settings = settings or SpreadSettings()
    _check_count("count", count, seed)
    with _new_folder(folder) as target:
        for part in ("images", "annotations", "masks", "truth"):
            (target / part).mkdir()
        for index in range(count):
            spread = draw_spread(derive_seed(seed, index), settings)
            _write_spread(target, f"spread-{index:04d}", spread, _planted(settings.cell))
            if advance:
                advance()


def _write_spread(target: Path, name: str, spread: Spread, planted: dict[str, Any]) -> None:
    """Write one spread and its truth."""
    write_png(target / "images" / f"{name}.png", spread.image)
    annotation = spread_annotation(spread, f"{name}.png")
    (target / "annotations" / f"{name}.xml").write_text(annotation, encoding="utf-8")
    masks: dict[str, Any] = {f"mask_{index:02d}": item.mask for index, item in enumerate(spread.chromosomes)}
    masks["nuclei"] = spread.nuclei
    np.savez_compressed(target / "masks" / f"{name}.npz", **masks)
    chromosomes = [
        {
            "label": CLASSES[item.label],
            "homolog": item.homolog,
            "box": item.box,
            "relation": item.relation,
            "touches": item.touches,
            "crosses": item.crosses,
            "centromere": _round(item.centromere),
            "centre_line": _round(item.centre_line),
        }
        for item in spread.chromosomes
    ]
    truth = {"renderer": RENDERER_VERSION, "sex": spread.sex, **planted, "chromosomes": chromosomes}
    _write_json(target / "truth" / f"{name}.json", truth)


def _planted(settings: CellSettings) -> dict[str, Any]:
    """Say which numbers of copies a cell had before any got lost, where they were asked for."""
    return {} if settings.copies is None else {"copies": dict(zip(CLASSES, settings.copies, strict=True))}


def _chromosome_truth(drawn: DrawnChromosome) -> dict[str, Any]:
    """Say what is known of one chromosome."""
    return {
        "label": CLASSES[drawn.label],
        "homolog": drawn.homolog,
        "box": drawn.box,
        "centromere": _round(drawn.centromere),
        "centre_line": _round(drawn.centre_line),
    }


def _round(points: NDArray[np.float32]) -> Any:
    """Turn points into lists of numbers with two decimals."""
    return np.round(points.astype(np.float64), 2).tolist()


def _write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON."""
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


def _check_count(name: str, count: int, seed: int) -> None:
    """Refuse numbers that cannot be meant."""
    if count < 1:
        raise SettingsError(f"{name} must be 1 or more, not {count}")
    if seed < 0:
        raise SettingsError(f"seed must be 0 or more, not {seed}")


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Fill a folder beside the wanted one and rename it when it is complete; leave nothing behind after an error."""
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise SettingsError(f"{folder} exists and is not an empty folder; name a new one")
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise SettingsError(f"cannot write to {folder}: {error.strerror}; choose another place") from error
    try:
        yield beside
        # A temporary folder is private; the result is as readable as any new folder.
        beside.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        beside.rename(folder)
    except OSError as error:
        raise SettingsError(f"cannot write to {folder}: {error.strerror}; choose another place") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
