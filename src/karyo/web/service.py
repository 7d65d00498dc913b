"""What the routes share: the model, its batches, the counters, and whether the server is ready."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from flask import current_app
from werkzeug.datastructures import FileStorage

from karyo.inference.many import Unreadable
from karyo.inference.prediction import Prediction
from karyo.inference.predictor import Predictor, PreparedImage
from karyo.karyotype.karyotyper import Karyotyper
from karyo.web.batching import Batcher, QueueFullError, StoppedError
from karyo.web.desk import Desk
from karyo.web.metrics import Metrics
from karyo.web.refusal import Refusal
from karyo.web.settings import ServerSettings
from karyo.web.uploads import prepare

_AT_ONCE = 2
"""Cells that are looked at side by side: each takes seconds of one core, and much of the time is the network's."""

_PATIENCE = 20.0

EXTENSION = "karyo"
"""Under which name an application keeps its service."""


@dataclass(frozen=True, eq=False)
class Service:
    """What the routes share.

    Attributes:
        predictor: The model.
        settings: The server's.
        metrics: The counters.
        batcher: Takes prepared images of all threads to the network.
        karyotyper: Decides about whole cells; their images go through the same batches.
        cells: Where cells are looked at.
        records: Where records that clients send back are read and drawn.
        stopping: Set when the server has been told to stop.
    """

    predictor: Predictor
    settings: ServerSettings
    metrics: Metrics
    batcher: Batcher
    karyotyper: Karyotyper
    cells: Desk
    records: Desk
    stopping: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def start(cls, predictor: Predictor, settings: ServerSettings, crowded: Predictor | None = None) -> "Service":
        """Start the batching and run one empty image through the network, so that the first client need not.

        Args:
            predictor: The model.
            settings: The server's.
            crowded: The same model opened with one thread: as many of its batches as the network has threads run side
                by side when there is much to do. None for one batch at a time.

        Raises:
            DataError: If the network does not work.
        """
        metrics = Metrics(predictor.passport)
        size = predictor.passport.preparation.size
        predictor.classify([PreparedImage("warm-up", np.zeros((size, size), np.uint8), ())])
        batcher = Batcher(
            predictor.classify,
            settings.batch,
            settings.queue,
            metrics.batches.observe,
            crowded.classify if crowded else None,
            settings.lanes if crowded else 1,
        )
        metrics.waiting.set_function(lambda: batcher.waiting)
        # Half of the threads at most are with cells or wait for them; the others answer what takes no time.
        share = settings.threads // 4
        return cls(
            predictor,
            settings,
            metrics,
            batcher,
            Karyotyper(_SharingPredictor(predictor, batcher)),
            Desk(min(_AT_ONCE, max(1, share)), max(0, share - _AT_ONCE), _PATIENCE),
            Desk(1, max(0, share - 1), _PATIENCE),
        )

    def classify(self, files: Sequence[FileStorage]) -> list[Prediction | Unreadable]:
        """Classify the images of a request.

        Args:
            files: As the form brought them, at least one.

        Returns:
            What is known of each, in the same order.

        Raises:
            Refusal: 413 for too many images, 503 if the server has too much to do.
        """
        most = self.settings.max_images
        if len(files) > most:
            raise Refusal(413, f"Send at most {most} images in one request, not {len(files)}.", "too_many_images")
        known = [
            prepare(self.predictor, file, position, self.settings.max_pixels) for position, file in enumerate(files, 1)
        ]
        try:
            predictions = iter(self.batcher([each for each in known if isinstance(each, PreparedImage)]))
        except (QueueFullError, StoppedError) as error:
            raise Refusal(503, headers={"Retry-After": "1"}) from error
        outcomes = [each if isinstance(each, Unreadable) else next(predictions) for each in known]
        self.count(outcomes)
        return outcomes

    def count(self, outcomes: Sequence[Prediction | Unreadable]) -> None:
        """Count what came of images."""
        for each in outcomes:
            if isinstance(each, Unreadable):
                self.metrics.images.labels("unreadable").inc()
                continue
            self.metrics.images.labels("rejected" if each.rejected else "accepted").inc()
            for reason in each.reasons:
                self.metrics.rejected.labels(reason).inc()


class _SharingPredictor(Predictor):
    """A predictor whose images wait their turn with those of all other requests."""

    def __init__(self, predictor: Predictor, batcher: Batcher) -> None:
        super().__init__(predictor._engine)
        self._batcher = batcher

    def classify(self, images: Sequence[PreparedImage]) -> list[Prediction]:
        """Run the network over images; see :class:`~karyo.web.batching.Batcher` for what it raises."""
        return self._batcher(images)


def the_service() -> Service:
    """Give the service of the application that handles the current request."""
    service: Service = current_app.extensions[EXTENSION]
    return service
