"""What travels inside an exported model: everything needed to use it, and where it comes from.

It is one JSON text in the file's metadata. A file may come from anywhere: every value is checked on the way in, and
nothing in it is ever evaluated, imported or followed as a path.
"""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from karyo.chromosomes import CLASSES
from karyo.errors import DataError, SettingsError, printable
from karyo.imaging.preparation import Preparation
from karyo.inference.sizes import SizeNorms

METADATA_KEY = "karyo"
"""Under which name the passport stands in the metadata of an exported file."""

FORMAT = 1
"""Raised whenever an older program could no longer use the file rightly."""

PRECISIONS: tuple[str, ...] = ("float32", "int8")

_LARGEST_TEXT = 1_000_000
_LONGEST_WORD = 200
_LONGEST_NOTE = 10_000
_DEEPEST_NOTE = 6
_MOST_STEPS = 100
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
"""What JSON can carry and no file, log or page can."""


@dataclass(frozen=True)
class Scope:
    """Within what limits an image is one that the model can speak about.

    Attributes:
        shortest: Pixels that the object's longer side must have at least, in the image as it comes, 0..10000.
        sharpness: The least sharpness, as :func:`karyo.imaging.quality.sharpness` measures it; 0 for no limit.
        distance: The largest distance of the prepared picture from the training images, the graph's third output; None
            where the model does not measure it.
    """

    shortest: int = 0
    sharpness: float = 0.0
    distance: float | None = None


@dataclass(frozen=True)
class Passport:
    """What travels inside an exported model.

    Attributes:
        model: The network's name, ``"resnet18"``.
        preparation: What is done to an image before the network sees it.
        precision: ``"float32"`` or ``"int8"``.
        temperature: What logits are divided by before softmax so that probabilities are calibrated, above 0; fitted on
            the validation side (Guo et al., ICML 2017).
        threshold: The least probability of an accepted image, 0..1.
        selection: What all limits together do: ``wanted_error``, on the validation side ``coverage`` and ``error``, on
            the test side ``test_coverage`` and ``test_error``, 0..1; the same of images that are seen beside the others
            of their cell, with ``cell_`` before; what is not known is left out.
        scope: Limits for images that are no single chromosome.
        sizes: The usual sizes of chromosomes within a cell; None where it was trained on images without cells.
        training: What it was trained on and what it reached, for people: primitives only.
        data_fingerprint: SHA-256 of the training data.
        checkpoint: SHA-256 of the checkpoint that was exported; of several as one, that of the list of theirs.
        created: When it was exported, ISO 8601.
        karyo: The version that exported it.
        licence: A note on what the file may be used for.
        cell_temperature: The same as ``temperature`` for images that are seen beside the others of their cell; None
            where the network cannot do that.
        cell_threshold: The same as ``threshold`` for images that are seen beside the others of their cell; None for the
            same threshold, as in files of before there was one.

    Raises:
        SettingsError: If a value is out of its range.
    """

    model: str
    preparation: Preparation
    precision: str = "float32"
    temperature: float = 1.0
    threshold: float = 0.0
    selection: Mapping[str, float] = field(default_factory=dict)
    scope: Scope = field(default_factory=Scope)
    sizes: SizeNorms | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    data_fingerprint: str = ""
    checkpoint: str = ""
    created: str = ""
    karyo: str = ""
    licence: str = ""
    cell_temperature: float | None = None
    cell_threshold: float | None = None

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant."""
        for name in ("model", "data_fingerprint", "checkpoint", "created", "karyo"):
            _check_word(name, getattr(self, name))
        if self.precision not in PRECISIONS:
            raise SettingsError(f"precision must be one of {', '.join(PRECISIONS)}, not {self.precision!r}")
        _check_number("temperature", self.temperature, 1e-3, 1e3)
        if self.cell_temperature is not None:
            _check_number("cell_temperature", self.cell_temperature, 1e-3, 1e3)
        _check_number("threshold", self.threshold, 0, 1)
        if self.cell_threshold is not None:
            _check_number("cell_threshold", self.cell_threshold, 0, 1)
        _check_licence(self.licence)
        _check_notes("training", self.training)
        _check_notes("selection", self.selection)
        for name in self.selection:
            _check_number(f"selection.{name}", self.selection[name], 0, 1)
        _check_number("scope.shortest", self.scope.shortest, 0, 10_000)
        _check_number("scope.sharpness", self.scope.sharpness, 0, 1e6)
        if self.scope.distance is not None:
            _check_number("scope.distance", self.scope.distance, 0, 1e12)

    def to_json(self) -> str:
        """Give the text that stands in the file's metadata."""
        content = {each.name: getattr(self, each.name) for each in fields(self)}
        content |= {
            "format": FORMAT,
            "classes": list(CLASSES),
            "preparation": self.preparation.to_dict(),
            "selection": dict(self.selection),
            "scope": {each.name: getattr(self.scope, each.name) for each in fields(self.scope)},
            "sizes": None if self.sizes is None else self.sizes.to_dict(),
            "training": dict(self.training),
        }
        return json.dumps(content, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Passport":
        """Read a passport, believing nothing.

        Args:
            text: What :meth:`to_json` gave.

        Raises:
            DataError: If it is damaged, from another program or for other classes. The message is the end of a
                sentence that begins with the file's name.
        """
        content = _read_mapping(text)
        form = content.get("format")
        if isinstance(form, bool) or form != FORMAT:
            raise DataError(f"has format {_brief(form)}, this karyo reads format {FORMAT}; update karyo")
        if content.get("classes") != list(CLASSES):
            raise DataError("was made for other classes, not for the 24 of this program (1..22, X, Y)")
        own = {name: content[name] for name in (each.name for each in fields(cls)) if name in content}
        try:
            own["preparation"] = _read_preparation(own["preparation"])
            own["scope"] = Scope(**own.get("scope", {}))
            own["sizes"] = None if own.get("sizes") is None else SizeNorms(**own["sizes"])
            return cls(**own)
        except (SettingsError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            first = printable(str(error).strip() or type(error).__name__)[:_LONGEST_WORD]
            raise DataError(f"carries settings that cannot be used ({first})") from error


def _read_preparation(settings: Any) -> Preparation:
    """Check how much there is before it is looked at: names are compared with what they may have meant."""
    steps = settings.get("steps", [])
    if not isinstance(steps, list) or len(steps) > _MOST_STEPS:
        raise SettingsError(f"steps must be a list of at most {_MOST_STEPS}")
    _check_notes("preparation", settings)
    return Preparation.from_dict(settings)


def _read_mapping(text: str) -> dict[str, Any]:
    if len(text) > _LARGEST_TEXT:
        raise DataError(f"carries {len(text):,} characters of settings; no file of karyo has so many")
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise DataError("carries settings that are no JSON; it is damaged") from error
    if not isinstance(content, dict):
        raise DataError("carries settings that are no mapping; it is damaged")
    return content


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _brief(value: Any) -> str:
    return repr(value)[:20] if isinstance(value, str | int | float | None) else type(value).__name__


def _check_notes(name: str, notes: Any) -> None:
    """Refuse notes that are not what people would read: a mapping of numbers, short texts, lists and mappings."""
    if not isinstance(notes, Mapping):
        raise SettingsError(f"{name} must be a mapping, not {type(notes).__name__}")
    level: list[Any] = [notes]
    for _ in range(_DEEPEST_NOTE):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, Mapping):
                inner += [*each, *each.values()]
            elif isinstance(each, list | tuple):
                inner += each
            elif not _is_plain(each):
                raise SettingsError(f"{name} holds something that is no number and no short text")
        level = inner
    if level:
        raise SettingsError(f"{name} is nested too deep")


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= _LONGEST_NOTE and not _NO_TEXT.search(value)
    if isinstance(value, int | float):
        return abs(value) <= sys.float_info.max
    return value is None


def _check_licence(text: Any) -> None:
    if not isinstance(text, str) or not _is_plain(text):
        raise SettingsError(f"licence must be a text of at most {_LONGEST_NOTE:,} characters")


def _check_word(name: str, value: Any) -> None:
    if not isinstance(value, str) or len(value) > _LONGEST_WORD or not value.isprintable():
        raise SettingsError(f"{name} must be a short text, not {value!r:.40}")


def _check_number(name: str, value: Any, least: float, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_plain(value):
        raise SettingsError(f"{name} must be a number, not {value!r:.40}")
    if not least <= value <= most:
        raise SettingsError(f"{name} must be from {least:g} to {most:g}, not {value!r:.40}")
