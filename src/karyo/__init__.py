"""karyo: recognise human chromosomes."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from karyo.inference import Prediction as Prediction
    from karyo.inference import Predictor as Predictor
    from karyo.inference import load as load

__version__ = "0.1.0"

_INFERENCE = ("load", "Prediction", "Predictor")


def __getattr__(name: str) -> Any:
    """Import the predictor when it is first asked for: training and `karyo --help` need not wait for it."""
    if name not in _INFERENCE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from karyo import inference

    return getattr(inference, name)


def __dir__() -> list[str]:
    return [*globals(), *_INFERENCE]
