"""Explanations on request, where torch and captum are installed."""

import threading
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from karyo.errors import SettingsError
from karyo.inference.saliency import explain, overlay
from karyo.web.refusal import Refusal
from karyo.web.service import Service

_NEEDED = ("torch", "captum")
_PATIENCE = 20.0
_ONE = threading.Lock()


def can_explain(service: Service) -> bool:
    """Whether explanations are switched on and their libraries are installed; loads none of them."""
    return service.settings.explanations and all(find_spec(name) for name in _NEEDED)


def explanation(service: Service, grey: NDArray[np.uint8], name: str, label: str | None) -> NDArray[np.uint8]:
    """Colour an image by what its parts say about a class.

    One image at a time: it takes a hundred runs of the network, and the others shall get their answers meanwhile.

    Args:
        service: The server's.
        grey: uint8 (H, W), as stored.
        name: What to call it.
        label: The class; None for the one that the model names.

    Returns:
        uint8 (side, side, 3), RGB.

    Raises:
        Refusal: 501 where it cannot be done here, 503 if too many wait for it.
    """
    if not can_explain(service):
        raise Refusal(501, "Explanations are switched off, or torch and captum are not installed.", "cannot_explain")
    if not _ONE.acquire(timeout=_PATIENCE):
        raise Refusal(503, headers={"Retry-After": "5"})
    try:
        prepared = service.predictor.prepare(grey, name=name)
        return overlay(prepared.pixels, explain(service.predictor, prepared, label))
    except SettingsError as error:
        raise Refusal(501, f"{error}.", "cannot_explain") from error
    finally:
        _ONE.release()
