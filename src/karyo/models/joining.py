"""Making one of several trained networks, where their input is prepared alike."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from karyo.errors import SettingsError
from karyo.imaging.preparation import Preparation
from karyo.models.checkpoint import TrainedNetwork
from karyo.models.ensemble import Ensemble, networks_of

_SPOKEN = {"size": "image_size", "steps": "preprocessing"}


def join(trained: Sequence[TrainedNetwork], places: Sequence[Path]) -> TrainedNetwork:
    """Make one of several trained networks.

    Args:
        trained: One or more; of a single one it is that one itself.
        places: Where each is from, for the message.

    Returns:
        The ensemble with the preparation that all share; the fingerprint of the data is empty where they are not the
        same, and there is no epoch.

    Raises:
        SettingsError: If they do not want their images prepared alike.
    """
    first, *others = trained
    if not others:
        return first
    for other, place in zip(others, places[1:], strict=True):
        if difference := preparation_difference(first.preparation, other.preparation):
            raise SettingsError(
                f"{places[0]} and {place} cannot answer as one, their input is prepared differently: {difference}."
            )
    same_data = {each.data_fingerprint for each in trained} == {first.data_fingerprint}
    networks = [network for each in trained for network in networks_of(each.network)]
    fingerprint = first.data_fingerprint if same_data else ""
    return TrainedNetwork(Ensemble(networks), first.preparation, fingerprint, None)


def preparation_difference(one: Preparation, other: Preparation) -> str | None:
    """Say in which settings two preparations differ, ``"image_size is 96 and 224"``; None where they are one."""
    ours, theirs = _in_words(one), _in_words(other)
    if not {"pad", "ruler"} & {one.canvas, other.canvas}:
        ours.pop("extent")
    different = (name for name in ours if ours[name] != theirs[name])
    return ", ".join(f"{_SPOKEN.get(name, name)} is {ours[name]} and {theirs[name]}" for name in different) or None


def _in_words(preparation: Preparation) -> dict[str, Any]:
    settings = preparation.to_dict() | {"steps": preparation.steps.to_text() or "none"}
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in settings.items()}
