"""Every metric's name and meaning in one place. Counters count as things happen; what has to be
looked up (queues, pools, lag) is looked up when Prometheus asks, and at no other time.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

REQUESTS = Counter(
    "http_requests_total",
    "Requests answered, by template of the path",
    ["method", "route", "status"],
)
SECONDS = Histogram(
    "http_request_seconds",
    "Time to answer",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
UPSTREAM_FAILURES = Counter(
    "ketnoi_upstream_failures_total",
    "Calls to a service that failed: unreachable, slow, full (bulkhead), open (breaker)",
    ["upstream", "kind"],
)
UPSTREAM_RETRIES = Counter(
    "ketnoi_upstream_retries_total", "Calls to a service that were repeated", ["upstream"]
)


@dataclass(frozen=True, slots=True)
class Metric:
    """What is looked up at a scrape; `label` names its only label, if it has one."""

    name: str
    help: str
    label: str | None = None
    counts: bool = False
    """Only grows while the process lives."""


CHECK = Metric("ketnoi_check", "A health check: 0 pass, 1 warn, 2 fail", "check")
LOOP_LAG = Metric("ketnoi_loop_lag_seconds", "How late the event loop is, worst of 10 s")
POOL_IN_USE = Metric("ketnoi_pool_in_use", "Database connections in use")
POOL_SIZE = Metric("ketnoi_pool_size", "Database connections that may be in use")
OUTBOX_UNPUBLISHED = Metric("ketnoi_outbox_unpublished", "Events not yet with the broker")
OUTBOX_OLDEST = Metric("ketnoi_outbox_oldest_seconds", "Age of the oldest of them")
CONSUMER_PENDING = Metric(
    "ketnoi_consumer_pending", "Messages that a consumer has not yet handled", "consumer"
)
CONSUMER_REDELIVERED = Metric(
    "ketnoi_consumer_redelivered", "Messages handed out again and not yet settled", "consumer"
)
DEAD_LETTERS_OPEN = Metric("ketnoi_dead_letters_open", "Dead letters that wait for a person")
MATCH_FRESHNESS = Metric(
    "ketnoi_match_freshness_seconds", "How long the oldest unmatched change has waited"
)
RECONCILE_REPAIRS = Metric(
    "ketnoi_reconcile_repairs", "Repairs by the reconciler; any is a fault elsewhere", "kind", True
)
TASK_RESTARTS = Metric(
    "ketnoi_task_restarts", "Times a background task died and was started again", "task", True
)
BREAKER = Metric("ketnoi_breaker_state", "0 closed, 1 half-open, 2 open", "upstream")
UPSTREAM_IN_FLIGHT = Metric(
    "ketnoi_upstream_in_flight", "Calls to a service that run or wait for a slot", "upstream"
)
CLOCK_SKEW = Metric("ketnoi_clock_skew_seconds", "This clock ahead of another", "other")
DISK_FREE = Metric("ketnoi_disk_free_bytes", "Free space where the data lies", "folder")


@dataclass(slots=True, eq=False)
class Reading:
    """Values found at one scrape; what a process does not have, it does not show."""

    values: list[tuple[Metric, str | None, float]] = field(default_factory=list)

    def put(self, metric: Metric, value: float, label: str | None = None) -> None:
        self.values.append((metric, label, value))

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Return the families, as a registry of prometheus_client wants them."""
        families: dict[Metric, GaugeMetricFamily | CounterMetricFamily] = {}
        for metric, label, value in self.values:
            if metric not in families:
                kind = CounterMetricFamily if metric.counts else GaugeMetricFamily
                labels = [metric.label] if metric.label else []
                families[metric] = kind(metric.name, metric.help, labels=labels)
            families[metric].add_metric([] if label is None else [label], value)
        yield from families.values()


Collector = Callable[[Reading], Awaitable[None]]


def exposition(reading: Reading) -> bytes:
    """Return everything in Prometheus' text format: what was counted, and what was looked up."""
    looked_up = CollectorRegistry()
    looked_up.register(reading)
    return generate_latest() + generate_latest(looked_up)


@lru_cache(maxsize=4096)
def _children(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(method, route, status), SECONDS.labels(method, route)


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request."""
    counter, histogram = _children(method, route, status)
    counter.inc()
    histogram.observe(seconds)
