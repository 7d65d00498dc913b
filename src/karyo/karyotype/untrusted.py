"""Reading values that a stranger may have written: each is what it should be, or one sentence says where it is not."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from karyo.errors import DataError, printable

_SHOWN = 40

Value = TypeVar("Value")


def read_mapping(content: Any, place: str) -> Mapping[str, Any]:
    """Give a mapping as it is.

    Args:
        content: Anything that JSON can hold.
        place: Where it stands, ``"objects[3]"``: the beginning of an error's sentence.

    Raises:
        DataError: If it is something else.
    """
    if not isinstance(content, Mapping):
        raise DataError(f"{place} must be a mapping, not {_brief(content)}")
    return content


def read_list(content: Any, place: str, most: int, least: int = 0) -> Sequence[Any]:
    """Give a list of ``least`` to ``most`` items; see :func:`read_mapping`."""
    if not isinstance(content, list | tuple):
        raise DataError(f"{place} must be a list, not {_brief(content)}")
    if not least <= len(content) <= most:
        wanted = f"{least}" if least == most else f"{least} to {most:,}"
        raise DataError(f"{place} must have {wanted} items, not {len(content):,}")
    return content


def read_number(content: Any, place: str, least: float, most: float) -> float:
    """Give a finite number from ``least`` to ``most``; see :func:`read_mapping`. Truth values are no numbers."""
    if isinstance(content, bool) or not isinstance(content, int | float):
        raise DataError(f"{place} must be a number, not {_brief(content)}")
    # What is not a number is in no order.
    if not least <= content <= most:
        raise DataError(f"{place} must be from {least:g} to {most:g}, not {_brief(content)}")
    return float(content)


def read_whole(content: Any, place: str, least: int, most: int) -> int:
    """Give a whole number from ``least`` to ``most``; see :func:`read_mapping`."""
    number = read_number(content, place, least, most)
    if number != int(number):
        raise DataError(f"{place} must be a whole number, not {_brief(content)}")
    return int(number)


def read_flag(content: Any, place: str) -> bool:
    """Give true or false; see :func:`read_mapping`."""
    if not isinstance(content, bool):
        raise DataError(f"{place} must be true or false, not {_brief(content)}")
    return content


def read_text(content: Any, place: str, longest: int) -> str:
    """Give a text of one line that has a character and at most ``longest`` of them; see :func:`read_mapping`."""
    if not isinstance(content, str):
        raise DataError(f"{place} must be a text, not {_brief(content)}")
    if not content.strip() or len(content) > longest or not content.isprintable():
        raise DataError(f"{place} must be one line of 1 to {longest} characters, not {_brief(content)}")
    return content


def read_choice(content: Any, place: str, choices: Mapping[str, Value]) -> Value:
    """Give what a name stands for; see :func:`read_mapping`."""
    if not isinstance(content, str) or content not in choices:
        raise DataError(f"{place} must be one of {', '.join(choices)}, not {_brief(content)}")
    return choices[content]


def optional(content: Any, read: Callable[[Any], Value]) -> Value | None:
    """Read what may be missing: None stays None."""
    return None if content is None else read(content)


def _brief(content: Any) -> str:
    if not isinstance(content, str | int | float | None):
        return f"a {type(content).__name__}"
    try:
        text = repr(content)
    except ValueError:  # a whole number of more digits than Python prints
        return "a number of thousands of digits"
    return printable(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
