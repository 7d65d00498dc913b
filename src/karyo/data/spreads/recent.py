"""The last few results of a slow function, each made once, whichever threads ask for it."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """A small cache in which threads that ask for the same thing at the same time wait for the first of them.

    It travels to other processes empty.

    Args:
        make: Gives the value of a key. An error that it raises is kept like a value.
        size: How many values are kept.
    """

    def __init__(self, make: Callable[[Key], Value], size: int) -> None:
        self._make, self._size = make, size
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, Future[Value]] = OrderedDict()

    def __call__(self, key: Key) -> Value:
        """Give the value of a key, made by this call or by an earlier one."""
        with self._lock:
            missing = key not in self._kept
            kept = self._kept.setdefault(key, Future())
            self._kept.move_to_end(key)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        if missing:
            try:
                kept.set_result(self._make(key))
            except BaseException as error:
                kept.set_exception(error)
        return kept.result()

    def __getstate__(self) -> dict[str, Any]:
        return {"make": self._make, "size": self._size}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["make"], state["size"])  # type: ignore[misc]
