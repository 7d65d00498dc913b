"""How a script without a plan does it, and how the report's code did: every step reads files and writes files."""

from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np


def crop_and_clean(spreads: Path, out: Path) -> None:
    """Crop every annotated box, then denoise, equalise, mask and pad, a folder of files for each step."""
    for step in ("crops", "denoised", "equalised", "masks", "clean"):
        (out / step).mkdir(parents=True)
    names = _crop(spreads, out / "crops")
    for name in names:
        grey = cv2.imread(str(out / "crops" / name), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(out / "denoised" / name), cv2.fastNlMeansDenoising(grey, None, 10, 7, 21))
    for name in names:
        grey = cv2.imread(str(out / "denoised" / name), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(out / "equalised" / name), cv2.createCLAHE(2.0, (8, 8)).apply(grey))
    for name in names:
        grey = cv2.imread(str(out / "equalised" / name), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(out / "masks" / name), _largest(grey))
    for name in names:
        grey = cv2.imread(str(out / "equalised" / name), cv2.IMREAD_GRAYSCALE)
        mask = cv2.imread(str(out / "masks" / name), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(out / "clean" / name), _padded(np.where(mask > 0, grey, 255).astype(np.uint8), 224))


def _crop(spreads: Path, out: Path) -> list[str]:
    names = []
    for annotation in sorted((spreads / "annotations").glob("*.xml")):
        boxes = ElementTree.parse(annotation).getroot().findall("object")
        for number, item in enumerate(boxes, start=1):
            # The whole picture again for each of its boxes, as it stood in the report's loop.
            picture = cv2.imread(str(spreads / "images" / f"{annotation.stem}.png"), cv2.IMREAD_GRAYSCALE)
            left, top, right, bottom = (int(edge.text or 0) for edge in item.find("bndbox") or [])
            names.append(f"{annotation.stem}_{number}.png")
            cv2.imwrite(str(out / names[-1]), picture[top:bottom, left:right])
    return names


def _largest(grey: np.ndarray) -> np.ndarray:
    _, mask = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    _, numbers, parts, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = parts[1:, cv2.CC_STAT_AREA]
    return np.where(numbers == 1 + areas.argmax(), 255, 0).astype(np.uint8) if len(areas) else mask


def _padded(grey: np.ndarray, size: int) -> np.ndarray:
    square = np.full((size, size), 255, np.uint8)
    grey = grey[:size, :size]
    top, left = (size - grey.shape[0]) // 2, (size - grey.shape[1]) // 2
    square[top : top + grey.shape[0], left : left + grey.shape[1]] = grey
    return square
