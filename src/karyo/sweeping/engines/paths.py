"""Letting the processes that do a sweep's jobs find this very code, installed or in a checkout."""

import os
import site
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_VARIABLE = "PYTHONPATH"


def code_path() -> str:
    """Give the ``PYTHONPATH`` with which another Python imports the same karyo as this one.

    Returns:
        The folder that holds the package, in front of what the variable names already; only the latter where karyo is
        installed among all other packages, which every process finds by itself.
    """
    home = str(Path(__file__).resolve().parents[3])
    known = [path for path in os.environ.get(_VARIABLE, "").split(os.pathsep) if path]
    if home in (*site.getsitepackages(), site.getusersitepackages()):
        return os.pathsep.join(known)
    return os.pathsep.join([home, *(path for path in known if path != home)])


@contextmanager
def importable_in_children() -> Iterator[None]:
    """Have processes that are started meanwhile import the same karyo as this one."""
    before = os.environ.get(_VARIABLE)
    if path := code_path():
        os.environ[_VARIABLE] = path
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_VARIABLE, None)
        else:
            os.environ[_VARIABLE] = before
