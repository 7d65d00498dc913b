"""One line of JSON for each request: no image contents, no file names, no queries, no keys."""

import json
import logging
import sys
import time
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any

from karyo.errors import SettingsError

ACCESS = logging.getLogger("karyo.web.access")
"""Where the requests go."""

TROUBLE = logging.getLogger("karyo.web.trouble")
"""Where unexpected errors go, with their traceback."""

_LONGEST_PATH = 200


class _JsonLines(logging.Formatter):
    """Writes a record as one line of JSON: the time, the level, and its ``content`` or its message."""

    def format(self, record: logging.LogRecord) -> str:
        moment = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z"
        line: dict[str, Any] = {"time": moment, "level": record.levelname.lower()}
        content = getattr(record, "content", None)
        line |= content if content is not None else {"message": record.getMessage()}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True, default=str)


def start_logging(target: str) -> None:
    """Send the logs where they belong: requests to ``target``, troubles to standard error.

    Args:
        target: A file, ``-`` for standard error, ``off`` for nowhere. A file that is moved away is opened anew.

    Raises:
        SettingsError: If the file cannot be written.
    """
    errors = logging.StreamHandler(sys.stderr)
    errors.setFormatter(_JsonLines())
    for logger in (TROUBLE, logging.getLogger("waitress")):
        _replace_handler(logger, errors, logging.WARNING)
    # waitress warns whenever a request has to wait for a thread; how many wait is a metric.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    try:
        requests = errors if target in ("-", "off") else WatchedFileHandler(Path(target).absolute(), encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"the access log {target} cannot be written: {error.strerror or error}") from error
    requests.setFormatter(_JsonLines())
    _replace_handler(ACCESS, requests, logging.CRITICAL if target == "off" else logging.INFO)


def log_request(**content: Any) -> None:
    """Write a request's line.

    Args:
        content: What is known: ``method``, ``path``, ``status``, ``ms``, ``bytes_in``, ``bytes_out``, ``images``,
            ``request_id``, ``client``.
    """
    if ACCESS.isEnabledFor(logging.INFO):
        content["path"] = str(content.get("path", ""))[:_LONGEST_PATH]
        ACCESS.info("", extra={"content": content})


def log_trouble(message: str, request_id: str) -> None:
    """Write what went wrong, with the traceback of the exception that is being handled."""
    TROUBLE.error(message, exc_info=True, extra={"content": {"message": message, "request_id": request_id}})


def _replace_handler(logger: logging.Logger, handler: logging.Handler, level: int) -> None:
    for old in list(logger.handlers):
        logger.removeHandler(old)
        old.close()
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
