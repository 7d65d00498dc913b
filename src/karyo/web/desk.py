"""Places to work at: what takes seconds is done for a few clients at a time, the next wait a little, the others go."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from karyo.web.refusal import Refusal


class Desk:
    """A few places and a short queue before them.

    The queue is bounded, not only the places: every request that waits keeps one of the server's threads, and some of
    those must stay free for requests that take no time, such as whether the server is alive.

    Args:
        places: How many work at a time, 1 or more.
        queue: How many may wait for a place, 0 or more.
        patience: Seconds that they wait at most.
    """

    def __init__(self, places: int, queue: int, patience: float) -> None:
        self._places = threading.BoundedSemaphore(places)
        self._entrance = threading.BoundedSemaphore(places + queue)
        self._patience = patience

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place while the work is done.

        Raises:
            Refusal: 503 if too many wait already, or no place became free in time.
        """
        if not self._entrance.acquire(blocking=False):
            raise _busy()
        try:
            if not self._places.acquire(timeout=self._patience):
                raise _busy()
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._entrance.release()


def _busy() -> Refusal:
    return Refusal(
        503, "The server has too many cells to look at; try again in some seconds.", "busy", {"Retry-After": "10"}
    )
