"""One function over many items in several processes, in order, with bounded memory."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

import cv2

from karyo.errors import DataError, SettingsError

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 4
"""Chunks per worker that are handed out before the oldest one's results are taken."""


def available_cores() -> int:
    """Give the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_workers(workers: int | None) -> int:
    """Give the number of worker processes: as asked for, or one per core.

    Raises:
        SettingsError: If the number is not 1..256.
    """
    if workers is None:
        return available_cores()
    if not 1 <= workers <= 256:
        raise SettingsError(f"--workers must be a whole number from 1 to 256, not {workers}")
    return workers


def map_ordered(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int = 1, chunk: int = 1
) -> Iterator[Result]:
    """Apply a function to many items and give the results in the items' order.

    No more than a few chunks per worker are under way at a time, so that memory does not grow with the number of items.
    OpenCV is kept to one thread in each process: the processes are the parallelism. When the results are no longer
    wanted (an error, Ctrl-C, the iterator closed), chunks that have not begun are dropped and those under way
    finish; another Ctrl-C meanwhile changes nothing.

    Args:
        work: A function of a module, or a partial of one, so that it can travel to another process.
        items: What it is applied to.
        workers: Number of processes; 1 works in this process.
        chunk: Items sent to a worker at a time; more than 1 where one takes less than a few milliseconds.

    Yields:
        One result for each item.

    Raises:
        DataError: If a worker process dies, for lack of memory as a rule.
    """
    if workers == 1:
        yield from _map_here(work, items)
        return
    pool = ProcessPoolExecutor(workers, mp_context=_context(), initializer=_start_worker)
    try:
        yield from _map_in_pool(pool, work, iter(items), workers * _AHEAD, chunk)
    except BrokenProcessPool as error:
        raise DataError("a worker process died, perhaps for lack of memory; try again with fewer workers") from error
    finally:
        with _undisturbed():
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ignore Ctrl-C for a while: a second one would leave a pool half shut down, and Python waits for it at its end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        # None stands for a handler that is not Python's.
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


def _map_in_pool(
    pool: ProcessPoolExecutor, work: Callable[[Item], Result], items: Iterator[Item], ahead: int, chunk: int
) -> Iterator[Result]:
    under_way: deque[Future[list[Result]]] = deque()
    while True:
        while len(under_way) < ahead and (some := list(islice(items, chunk))):
            under_way.append(pool.submit(_work_on, work, some))
        if not under_way:
            return
        yield from under_way.popleft().result()


def _map_here(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        for item in items:
            yield work(item)
    finally:
        cv2.setNumThreads(threads)


def _work_on(work: Callable[[Item], Result], items: list[Item]) -> list[Result]:
    return [work(item) for item in items]


def _context() -> multiprocessing.context.BaseContext:
    # Forking this process would be quicker, but OpenCV's threads, once used, leave locks behind that a fork waits for
    # for ever. A server that never used them forks the workers instead, with the large libraries imported.
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, which stops in good order; keep OpenCV to one thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """End this process when its parent is gone: killed, it cannot tell its workers to go."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
