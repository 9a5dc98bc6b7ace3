"""Figures of a running registry in Prometheus's text format (version 0.0.4).

Counters and histograms grow with each request; gauges are read when somebody asks. Labels are
routes as they are declared, never what a client sends: their number is bounded.
"""

from __future__ import annotations

import bisect
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from zkwm_protocols.errors import ZkwmError

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 10.0, 60.0)
"""Upper bounds of the histogram of latencies, in seconds; 0.2 is the bar of registrations."""
_REQUESTS = "zkwm_http_requests_total"
_SECONDS = "zkwm_http_request_seconds"
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gauge:
    """A value of now."""

    name: str
    help: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


Gauges = Callable[[], Iterable[Gauge]]
"""Reads values of now. Raises ZkwmError where they cannot be had: they are then left out."""


class _Histogram:
    """Latencies of one route."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect.bisect_left(BOUNDS, seconds)] += 1
        self.sum += seconds

    def lines(self, labels: Mapping[str, str]) -> Iterable[str]:
        """Its samples: cumulative buckets, sum and count."""
        total = 0
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), self.counts, strict=True):
            total += count
            yield _sample(f"{_SECONDS}_bucket", total, {**labels, "le": bound})
        yield _sample(f"{_SECONDS}_sum", self.sum, labels)
        yield _sample(f"{_SECONDS}_count", total, labels)


class Metrics:
    """What a registry has counted. For several threads."""

    def __init__(self, *gauges: Gauges) -> None:
        self._gauges = gauges
        self._lock = threading.Lock()
        self._requests: dict[tuple[str, str, int], int] = {}
        self._seconds: dict[tuple[str, str], _Histogram] = {}

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        with self._lock:
            key = (method, route, status)
            self._requests[key] = self._requests.get(key, 0) + 1
            self._seconds.setdefault((method, route), _Histogram()).add(seconds)

    def render(self) -> bytes:
        """All of it."""
        lines = [f"# HELP {_REQUESTS} Answered requests.", f"# TYPE {_REQUESTS} counter"]
        with self._lock:
            for (method, route, status), number in sorted(self._requests.items()):
                labels = {"method": method, "route": route, "status": str(status)}
                lines.append(_sample(_REQUESTS, number, labels))
            lines += [
                f"# HELP {_SECONDS} Time from a request's head to the end of its answer.",
                f"# TYPE {_SECONDS} histogram",
            ]
            for (method, route), histogram in sorted(self._seconds.items()):
                lines += histogram.lines({"method": method, "route": route})
        told = ""
        for gauge in self._read():
            if gauge.name != told:
                lines += [f"# HELP {gauge.name} {gauge.help}", f"# TYPE {gauge.name} gauge"]
                told = gauge.name
            lines.append(_sample(gauge.name, gauge.value, gauge.labels))
        return ("\n".join(lines) + "\n").encode()

    def _read(self) -> Iterable[Gauge]:
        """All gauges that can be read."""
        for read in self._gauges:
            try:
                yield from list(read())
            except ZkwmError as error:
                _LOGGER.warning("metrics are left out: %s", error.message)


def _sample(name: str, value: float, labels: Mapping[str, str]) -> str:
    """One line."""
    inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {value:g}" if inside else f"{name} {value:g}"


def _escaped(text: str) -> str:
    """A label's value as the format wants it."""
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
