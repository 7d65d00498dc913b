"""What every download shares: mirrors for closed networks, patience, and what an error of a server says."""

import os
from urllib.error import HTTPError

from karyo.errors import SettingsError

PATIENCE = 10.0
"""Seconds to wait for a server's answer."""


def mirrored(url: str, variable: str) -> str:
    """Give the address to fetch a file from: its own, or the same file name on a mirror.

    Args:
        url: Where the file is published.
        variable: Environment variable that may hold the base URL of a mirror, ``https://``, ``http://`` or
            ``file://``.

    Raises:
        SettingsError: If the variable holds no address.
    """
    mirror = os.environ.get(variable)
    if not mirror:
        return url
    if "://" not in mirror:
        raise SettingsError(f"{variable}={mirror} is no address; it begins with https://, http:// or file://.")
    return f"{mirror.rstrip('/')}/{url.rpartition('/')[2]}"


def reason(error: BaseException) -> str:
    """Give the first line of what an error says, without its full stop."""
    found = error if isinstance(error, HTTPError) else getattr(error, "reason", None) or error
    return (str(found).strip() or type(found).__name__).splitlines()[0].rstrip(".")
