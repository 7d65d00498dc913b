"""Requests that arrive together go through the network together.

One thread runs the network. While it works on a batch, images of other requests queue up, and the next batch is
whatever is there then: nobody waits for a batch to fill, and the batches grow by themselves when there is much to do.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from karyo.inference.prediction import Prediction
from karyo.inference.predictor import PreparedImage

Classify = Callable[[Sequence[PreparedImage]], list[Prediction]]


class QueueFullError(Exception):
    """More images wait already than may wait."""


class StoppedError(Exception):
    """The batcher takes nothing any more."""


@dataclass(slots=True, eq=False)
class _Part:
    """Images of one request that go through the network together."""

    images: Sequence[PreparedImage]
    answer: Future[list[Prediction]]


class Batcher:
    """Classifies the images of many threads in common batches.

    Args:
        classify: Runs the network over a batch.
        largest: Images in one batch at most.
        queue: Images that may wait.
        observe: Called with the size of each batch, in the batching thread.
    """

    def __init__(
        self, classify: Classify, largest: int, queue: int, observe: Callable[[int], None] = lambda size: None
    ) -> None:
        self._classify = classify
        self._largest = largest
        self._limit = queue
        self._observe = observe
        self._parts: deque[_Part] = deque()
        self._waiting = 0
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="karyo-batching", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Images that wait for the network now."""
        return self._waiting

    def __call__(self, images: Sequence[PreparedImage]) -> list[Prediction]:
        """Classify images; returns when they are done.

        Args:
            images: Of one request, any number.

        Returns:
            A prediction for each, in the same order.

        Raises:
            QueueFullError: If too many wait already.
            StoppedError: If the batcher has been stopped.
            Exception: Whatever the network raised over these images.
        """
        starts = range(0, len(images), self._largest)
        parts = [_Part(images[start : start + self._largest], Future()) for start in starts]
        with self._changed:
            if self._stopping:
                raise StoppedError
            # An empty queue takes any request, also one that is larger than the queue.
            if self._waiting and self._waiting + len(images) > self._limit:
                raise QueueFullError
            self._parts.extend(parts)
            self._waiting += len(images)
            self._changed.notify()
        return [prediction for part in parts for prediction in part.answer.result()]

    def stop(self) -> None:
        """Finish what waits, then end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while batch := self._take():
            self._run(batch)

    def _take(self) -> list[_Part]:
        """Wait for work, and take as many parts as fit into a batch; nothing when it is time to end."""
        with self._changed:
            while not self._parts and not self._stopping:
                self._changed.wait()
            batch: list[_Part] = []
            size = 0
            while self._parts and size + len(self._parts[0].images) <= self._largest:
                batch.append(self._parts.popleft())
                size += len(batch[-1].images)
            self._waiting -= size
            return batch

    def _run(self, batch: list[_Part]) -> None:
        images = [image for part in batch for image in part.images]
        self._observe(len(images))
        try:
            predictions = self._classify(images)
            if len(predictions) != len(images):
                raise RuntimeError(f"the network gave {len(predictions)} answers for {len(images)} images")
        except Exception as error:
            if len(batch) == 1:
                batch[0].answer.set_exception(error)
                return
            # One request's images may be at fault: each again by itself, so that its neighbours get their answers.
            for part in batch:
                self._run([part])
            return
        position = 0
        for part in batch:
            part.answer.set_result(predictions[position : position + len(part.images)])
            position += len(part.images)
