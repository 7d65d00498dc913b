"""What the server counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from karyo.inference.passport import Passport

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5, 10, 30)
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST"})
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The counters of one server, in a registry of their own.

    Args:
        passport: Of the model that is served.
    """

    def __init__(self, passport: Passport) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "karyo_requests",
            "Requests by route, method and status.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "karyo_request_seconds", "Time to answer a request.", ("route",), buckets=_SECONDS, registry=self.registry
        )
        self.images = Counter(
            "karyo_images", "Images by outcome: accepted, rejected, unreadable.", ("outcome",), registry=self.registry
        )
        self.rejected = Counter(
            "karyo_rejected_images",
            "Rejected images by reason; one image may have several.",
            ("reason",),
            registry=self.registry,
        )
        self.batches = Histogram(
            "karyo_batch_images", "Images in a batch of the network.", buckets=_SIZES, registry=self.registry
        )
        self.waiting = Gauge("karyo_waiting_images", "Images that wait for the network.", registry=self.registry)
        self.errors = Counter("karyo_errors", "Answers with an error, by its code.", ("code",), registry=self.registry)
        model = Info("karyo_model", "The model that is served.", registry=self.registry)
        model.info(
            {
                "name": passport.model,
                "precision": passport.precision,
                "checkpoint": passport.checkpoint,
                "exported_by": passport.karyo,
            }
        )
        ProcessCollector(registry=self.registry)

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answered request.

        Args:
            route: The route's pattern, or ``unknown``: an address that anybody can invent is no name for a counter.
            method: Its HTTP method.
            status: Of the answer.
            seconds: From the first look at the request to the answer.
        """
        self.requests.labels(route, method if method in _METHODS else "other", str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Write everything in Prometheus's text format."""
        return generate_latest(self.registry)
