"""Requests that arrive together go through the network together.

A few lanes run the network. While they work on their batches, images of other requests queue up, and the next batch
is a lane's share of whatever is there then: nobody waits for a batch to fill, and the batches grow by themselves when
there is much to do. A batch that is alone gets all cores. When there are several, each has a core of its own: cores
that work on one batch wait for each other after every layer, which costs much where requests want them too.
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
        classify: Runs the network over a batch that is alone, with all cores.
        largest: Images in one batch at most.
        queue: Images that may wait.
        observe: Called with the size of each batch, in the thread that runs it.
        crowded: Runs the network over one of several batches, with one core; None for ``classify`` there too.
        lanes: Batches that run side by side at most, 1 or more.
    """

    def __init__(
        self,
        classify: Classify,
        largest: int,
        queue: int,
        observe: Callable[[int], None] = lambda size: None,
        crowded: Classify | None = None,
        lanes: int = 1,
    ) -> None:
        self._classify = classify
        self._crowded = crowded or classify
        self._lanes = self._idle = lanes
        self._largest = largest
        self._limit = queue
        self._observe = observe
        self._parts: deque[_Part] = deque()
        self._waiting = 0
        self._stopping = False
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, name=f"karyo-batching-{lane}", daemon=True) for lane in range(lanes)
        ]
        for thread in self._threads:
            thread.start()

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
            self._changed.notify_all()
        return [prediction for part in parts for prediction in part.answer.result()]

    def stop(self) -> None:
        """Finish what waits, then end the threads."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while True:
            batch, alone = self._take()
            if not batch:
                return
            self._run(batch, self._classify if alone else self._crowded)
            with self._changed:
                self._idle += 1

    def _take(self) -> tuple[list[_Part], bool]:
        """Wait for work, and take this lane's share of it, as many parts as fit into a batch.

        Returns:
            The parts, none when it is time to end; and whether nothing else is to be done.
        """
        with self._changed:
            while not self._parts and not self._stopping:
                self._changed.wait()
            batch: list[_Part] = []
            size, share = 0, -(-self._waiting // self._idle)
            while self._parts and size < share and size + len(self._parts[0].images) <= self._largest:
                batch.append(self._parts.popleft())
                size += len(batch[-1].images)
            self._waiting -= size
            alone = self._idle == self._lanes and not self._parts
            self._idle -= 1
            return batch, alone

    def _run(self, batch: list[_Part], classify: Classify) -> None:
        images = [image for part in batch for image in part.images]
        self._observe(len(images))
        try:
            predictions = classify(images)
            if len(predictions) != len(images):
                raise RuntimeError(f"the network gave {len(predictions)} answers for {len(images)} images")
        except Exception as error:
            if len(batch) == 1:
                batch[0].answer.set_exception(error)
                return
            # One request's images may be at fault: each again by itself, so that its neighbours get their answers.
            for part in batch:
                self._run([part], classify)
            return
        position = 0
        for part in batch:
            part.answer.set_result(predictions[position : position + len(part.images)])
            position += len(part.images)
