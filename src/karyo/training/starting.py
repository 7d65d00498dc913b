"""What a run takes over from weights of another run, and where the two do not agree."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from karyo.imaging.preparation import Preparation
from karyo.models.weights import checkpoint_facts
from karyo.training.settings import NORMALISATIONS

_SPOKEN = {"size": "image_size"}
# What images need before they look alike is another matter in every data set.
_OF_THE_IMAGES = ("polarity", "crop", "align", "steps")


def differences_to_weights(config: DictConfig, preparation: Preparation) -> str | None:
    """Say in which settings the weights that a run starts from expect other images than it will give them.

    Args:
        config: The configuration.
        preparation: How the run prepares its images.

    Returns:
        One sentence; None where nothing differs, or where ``weights`` is no checkpoint of this program.
    """
    facts = checkpoint_facts(Path(config.weights)) if config.weights else None
    if facts is None:
        return None
    theirs, ours = dict(facts.get("preparation", {})), preparation.to_dict()
    if not {"pad", "ruler"} & {theirs.get("canvas"), ours["canvas"]}:
        theirs.pop("extent", None)
    known = [name for name in theirs if name in ours and name not in _OF_THE_IMAGES]
    different = {_SPOKEN.get(name, name): (theirs[name], ours[name]) for name in known if theirs[name] != ours[name]}
    normalisation = _normalisation(facts)
    if normalisation != config.normalisation:
        different["normalisation"] = (normalisation, config.normalisation)
    context = facts.get("network", {}).get("context")
    if context is not None and config.get("context") is None:
        different["context"] = (context, "null")
    if not different:
        return None
    said = ", ".join(f"{name}={old} there and {new} here" for name, (old, new) in different.items())
    taken = " ".join(f"{name}={old}" for name, (old, _) in different.items())
    return f"weights={config.weights} learned in another way: {said}; {taken} would take theirs over."


def _normalisation(facts: Mapping[str, Any]) -> str:
    """Name the normalisation that a checkpoint's pixel statistics are of."""
    found = (round(facts["pixel_mean"], 6), round(facts["pixel_std"], 6))
    return next((name for name, fixed in NORMALISATIONS.items() if fixed == found), "statistics")
