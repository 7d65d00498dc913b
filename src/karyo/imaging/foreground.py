"""Telling chromosomes from background in a whole metaphase spread or in a crop of one."""

import cv2
import numpy as np
from numpy.typing import NDArray

_REDUCED = 256
"""Longest side, in pixels, of the reduced picture on which the background is estimated."""

_UNEVEN_FROM = 200
"""Pictures with a shorter side below this have too little background for more than one level of it."""

_PALE = 0.6
"""Share of Otsu's threshold that is taken: pale telomeres and blurred outlines lie below the threshold itself."""

_EDGE = 0.42
"""An outline runs where the grey falls below this share of its object's median: half-way down a blurred edge."""

_RIM = 2.5
"""How far, in pixels, the outline of an object may move when it is set by the object's own level."""

_FAINTEST = 12
"""Grey levels above the background below which nothing is an object, whatever Otsu says of an empty picture."""

_SPECK = 0.2
"""Area, in squares of the typical width, below which an object is a speck: the smallest chromosomes have about 0.3."""

_PINHOLE = 0.05
"""Area, in squares of the typical width, below which a hole in an object is noise and gets filled."""

_NUCLEUS_RADIUS = 2.2
"""An interphase nucleus holds a disc of this many chromosome widths across."""


def foreground(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find the pixels of the objects in a whole spread or a crop.

    An uneven background is estimated and taken off, Otsu's threshold (Otsu, "A threshold selection method from
    gray-level histograms", 1979) of the rest is lowered a little so that pale ends stay in, and specks go.

    Args:
        grey: Array (H, W), uint8, background dark.

    Returns:
        Array (H, W), bool; nothing where the image is constant or holds no object. Nuclei are objects here:
        :func:`without_nuclei` takes them out.
    """
    if not grey.size:
        return np.zeros(grey.shape, np.bool_)
    lifted = lift(grey)
    otsu = cv2.threshold(lifted, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0]
    mask: NDArray[np.bool_] = lifted > max(_PALE * otsu, _FAINTEST)
    width = typical_width(mask)
    mask = _keep_from(mask, _SPECK * width**2)
    mask = _trim_outlines(lifted, mask)
    return _keep_from(~_keep_from(~mask, _PINHOLE * width**2), _SPECK * width**2)


def lift(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Take an uneven background off a picture.

    Args:
        grey: Array (H, W), uint8, background dark.

    Returns:
        Array (H, W), uint8: grey levels above the background, 0 at and below it.
    """
    if not grey.size or int(grey.min()) == int(grey.max()):
        return np.zeros_like(grey)
    smooth = cv2.GaussianBlur(grey, (0, 0), 0.7)
    return np.asarray(cv2.subtract(smooth, _background(grey)), np.uint8)


def without_nuclei(mask: NDArray[np.bool_], width: float | None = None) -> NDArray[np.bool_]:
    """Take interphase nuclei out of a foreground mask: round blobs much wider than any chromosome.

    What touches a nucleus stays: only the nucleus's own round body is taken.

    Args:
        mask: Array (H, W), bool.
        width: Typical width of a chromosome in pixels; None measures it.

    Returns:
        Array (H, W), bool.
    """
    width = width or typical_width(mask)
    if width <= 0:
        return mask.copy()
    depth = _depth(mask)
    cores = (depth > _NUCLEUS_RADIUS * width / 2).astype(np.uint8)
    if not cores.any():
        return mask.copy()
    size = 2 * int(np.ceil(_NUCLEUS_RADIUS * width / 2 + 0.35 * width)) + 1
    bodies = cv2.dilate(cores, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))) > 0
    return _keep_from(mask & ~bodies, _SPECK * width**2)


def typical_width(mask: NDArray[np.bool_]) -> float:
    """Measure how wide the objects of a mask typically are.

    An object's width is twice the depth of its ridge below its outline. The typical one is the median over objects
    weighted by the root of their area: neither a hundred specks nor two nuclei decide it.

    Args:
        mask: Array (H, W), bool.

    Returns:
        Pixels; 0 where there is no object.
    """
    if not mask.any():
        return 0.0
    count, numbers, parts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    depth = _depth(mask)
    ridge = mask & (depth >= cv2.dilate(depth, np.ones((3, 3), np.uint8)) - 1e-3)
    order = np.lexsort((depth[ridge], numbers[ridge]))
    depths, owners = depth[ridge][order], numbers[ridge][order]
    starts = np.searchsorted(owners, np.arange(1, count))
    ends = np.searchsorted(owners, np.arange(1, count), side="right")
    # Branches of the ridge run into every corner; its upper part is the body's.
    widths = 2 * depths[starts + (0.7 * (ends - starts)).astype(np.int64)]
    weights = np.sqrt(parts[1:, cv2.CC_STAT_AREA].astype(np.float64))
    by_width = np.argsort(widths)
    middle = np.searchsorted(np.cumsum(weights[by_width]), weights.sum() / 2)
    return float(widths[by_width[middle]])


def _depth(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance in pixels of each object pixel to the nearest one outside; the picture's edge counts as outside."""
    padded = np.pad(mask, 1).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)


def _background(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Estimate the background: a quadratic surface through what is not bright, one level for small pictures."""
    height, width = grey.shape
    factor = min(_REDUCED / max(height, width), 1.0)
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    otsu = cv2.threshold(small.astype(np.uint8), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0]
    dark = small <= otsu
    if min(height, width) < _UNEVEN_FROM:
        return np.full_like(grey, round(float(np.median(small[dark]))))
    terms = _surface_terms(*size)
    surface = np.full(small.shape, np.median(small[dark]), np.float32)
    for _ in range(4):
        surface = (terms @ np.linalg.lstsq(terms[dark.ravel()], small[dark], rcond=None)[0]).reshape(small.shape)
        residual = small - surface
        spread = 1.5 * float(np.median(np.abs(residual[dark]))) + 1
        dark = np.abs(residual) < 3 * spread
    whole = np.asarray(cv2.resize(surface.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR))
    return np.asarray(np.clip(whole + 0.5, 0, 255), np.uint8)


def _surface_terms(width: int, height: int) -> NDArray[np.float32]:
    """Give 1, x, y, x^2, xy, y^2 of every pixel, float32 (height * width, 6), coordinates from -1 to 1."""
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6).astype(np.float32)


def _trim_outlines(lifted: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Set each object's outline by its own level: a faint and a strong object have their edges at other grey values."""
    count, numbers = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    if count == 1:
        return mask
    order = np.lexsort((lifted[mask], numbers[mask]))
    owners, levels = numbers[mask][order], lifted[mask][order]
    starts = np.searchsorted(owners, np.arange(1, count))
    ends = np.searchsorted(owners, np.arange(1, count), side="right")
    level_of = np.concatenate([[0], levels[(starts + ends) // 2]]).astype(np.float32)
    distance, nearest = cv2.distanceTransformWithLabels((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    # OpenCV numbers the objects in its own way; one pixel of each tells which is which.
    names = np.zeros(int(nearest.max()) + 1, np.int64)
    names[nearest[mask]] = numbers[mask]
    bright = lifted > np.maximum(_EDGE * level_of[names[nearest]], _FAINTEST)
    trimmed: NDArray[np.bool_] = (bright & (distance < _RIM)) | (_depth(mask) > _RIM)
    return trimmed


def _keep_from(mask: NDArray[np.bool_], smallest: float) -> NDArray[np.bool_]:
    """Leave out connected parts of less than an area in pixels."""
    _, numbers, parts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    kept: NDArray[np.bool_] = parts[:, cv2.CC_STAT_AREA] >= max(smallest, 1)
    kept[0] = False
    result: NDArray[np.bool_] = kept[numbers]
    return result
