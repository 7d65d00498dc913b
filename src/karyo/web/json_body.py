"""Bodies of JSON, read so that no client can make them large: neither by nesting nor by millions of tiny values."""

import json
import math
from typing import Any

from flask import Request

from karyo.web.refusal import JSON_TYPE, Refusal

MOST_VALUES = 1_000_000
"""Values of one body at most; the record of a cell of 92 chromosomes with all outlines has some 300,000."""

_LONGEST_NUMBER = 40
_MARKS = (b",", b"[", b"{", b":")


class _BadNumberError(ValueError):
    """A number that is none, or one that no computer holds."""


def check_json(request: Request) -> None:
    """Refuse a body that is not said to be JSON.

    Raises:
        Refusal: 415.
    """
    if request.mimetype != JSON_TYPE:
        raise Refusal(415, f"Send the body as {JSON_TYPE}.")


def read_json(request: Request, largest: int) -> dict[str, Any]:
    """Read the body of a request as a JSON object (RFC 8259: UTF-8, finite numbers).

    Args:
        request: Its body has not been read yet.
        largest: Bytes at most.

    Returns:
        The object; its numbers are finite.

    Raises:
        Refusal: 400 if it is no such JSON, 413 if it is larger or has more values than :data:`MOST_VALUES`.
    """
    if (request.content_length or 0) > largest:
        raise Refusal(413, f"Send at most {largest:,} bytes of JSON to this address.")
    body = request.get_data(cache=False)
    # An empty list takes two characters here and eighty bytes in memory.
    if sum(map(body.count, _MARKS)) > MOST_VALUES:
        raise Refusal(413, f"Send at most {MOST_VALUES:,} values of JSON in one request.")
    content = _parsed(body)
    if not isinstance(content, dict):
        raise Refusal(400, "Send a JSON object, {...}.", "invalid_json")
    return content


def _parsed(body: bytes) -> Any:
    try:
        text = body.decode()
        return json.loads(text, parse_int=_whole, parse_float=_decimal, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        reason = "it is not UTF-8"
    except json.JSONDecodeError as error:
        reason = f"{error.msg}, line {error.lineno}, column {error.colno}"
    except _BadNumberError as error:
        reason = str(error)
    except RecursionError:
        reason = "it is nested too deeply"
    raise Refusal(400, f"The body is not JSON: {reason}.", "invalid_json")


def _whole(digits: str) -> int:
    # Beyond some thousand digits Python refuses, and long before that the time grows with their square.
    if len(digits) > _LONGEST_NUMBER:
        raise _BadNumberError("it has a number of too many digits")
    return int(digits)


def _decimal(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _BadNumberError("it has a number that is too large")
    return number


def _refuse_constant(name: str) -> float:
    raise _BadNumberError(f"{name} is no number there")
