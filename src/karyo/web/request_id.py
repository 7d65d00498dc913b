"""The name of a request: in the answer, in the log, in every error."""

import re
import secrets

HEADER = "X-Request-ID"
_SANE = re.compile(r"[A-Za-z0-9._\-]{1,64}")


def request_id(offered: str | None) -> str:
    """Take the client's own id where it is harmless in logs and headers, else make one of 16 hexadecimal digits."""
    return offered if offered and _SANE.fullmatch(offered) else secrets.token_hex(8)
