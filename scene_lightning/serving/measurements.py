"""What a server counts of itself, in Prometheus' text format."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_IMAGES = (1, 2, 4, 8, 16, 32, 64)


class Measurements:
    """Counters, histograms and gauges of one server."""

    def __init__(self) -> None:
        self._registry = own = CollectorRegistry()
        self.requests = Counter("scene_lightning_requests", "Requests answered.", ("path", "status"), registry=own)
        self.request_seconds = Histogram(
            "scene_lightning_request_seconds",
            "From a request's headers to the end of its answer.",
            ("path",),
            buckets=_SECONDS,
            registry=own,
        )
        self.batch_images = Histogram(
            "scene_lightning_batch_images", "Photographs that the model saw together.", buckets=_IMAGES, registry=own
        )
        self.images = Counter(
            "scene_lightning_images", "Photographs, by what became of them.", ("outcome",), registry=own
        )
        self.classes = Counter(
            "scene_lightning_answers", "Photographs answered, by their class.", ("predicted",), registry=own
        )
        self.images_under_way = Gauge(
            "scene_lightning_images_under_way", "Photographs in decoders and before the model.", registry=own
        )
        self.ready = Gauge("scene_lightning_ready", "1 when requests are answered.", registry=own)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self._registry)
