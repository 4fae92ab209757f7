"""What the exposure join counts: exposures by status, orphans, repeats, what it holds, seconds per stage."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from feature_store.clock import Clock
from feature_store.telemetry.stages import StageSeconds


class JoinMetrics:
    """The metrics of one process; stage times are taken on ``clock``."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self._exposures = Counter(
            "eddyline_join_exposures", "Revisions of exposures written.", ["status"], registry=registry
        )
        self._orphans = Counter(
            "eddyline_join_orphans",
            "Impressions whose request was never served to their user, interactions without an impression in "
            "time.",
            ["reason"],
            registry=registry,
        )
        self._repeats = Counter(
            "eddyline_join_repeats",
            "What had come before: answers to a request, impressions of an exposure, rows of feedback.",
            ["kind"],
            registry=registry,
        )
        self._messages = Counter("eddyline_join_messages", "Messages read.", ["topic"], registry=registry)
        self._restamped = Counter(
            "eddyline_join_restamped",
            "Messages stamped before what their log had come to, which they count as of: clocks disagree.",
            ["topic"],
            registry=registry,
        )
        self._forgotten = Counter(
            "eddyline_join_forgotten",
            "Rows, outcomes and repeats dropped before their time to stay within the memory allowed.",
            ["kind"],
            registry=registry,
        )
        self._open = Gauge(
            "eddyline_join_open_exposures", "Exposures not yet written.", ["partition"], registry=registry
        )
        self._held = Gauge(
            "eddyline_join_held_bytes", "Memory held by the window.", ["partition"], registry=registry
        )
        self._decided = Gauge(
            "eddyline_join_decided_time_seconds",
            "Log time up to which exposures are written, seconds since the Unix epoch.",
            ["partition"],
            registry=registry,
        )
        self.stage = StageSeconds("join", registry, clock).of

    def joined(self, by_status: Mapping[str, int]) -> None:
        """Count revisions of exposures."""
        for status, count in by_status.items():
            self._exposures.labels(status).inc(count)

    def orphaned(self, reason: str, count: int) -> None:
        """Count what could not be joined: ``not_served`` impressions, ``no_impression`` interactions."""
        self._orphans.labels(reason).inc(count)

    def repeated(self, kind: str, count: int) -> None:
        """Count what had come before: ``answer``, ``impression``, ``row``."""
        self._repeats.labels(kind).inc(count)

    def read(self, topic: str, messages: int) -> None:
        """Count messages taken in."""
        self._messages.labels(topic).inc(messages)

    def restamped(self, topic: str, messages: int) -> None:
        """Count messages that count as of later than they are stamped."""
        self._restamped.labels(topic).inc(messages)

    def holds(self, partition: int, *, unclosed: int, nbytes: int, decided_to_ms: int) -> None:
        """Note what the window of a partition holds and how far it has come."""
        self._open.labels(partition).set(unclosed)
        self._held.labels(partition).set(nbytes)
        if decided_to_ms:  # else no message has told the time yet
            self._decided.labels(partition).set(decided_to_ms / 1000)

    def hold_nothing(self) -> None:
        """What was noted of partitions is another worker's to say from now on."""
        for gauge in (self._open, self._held, self._decided):
            gauge.clear()

    def forgot(self, kind: str, count: int) -> None:
        """Count what was dropped early: ``served``, ``impression``, ``outcome`` that waited, ``repeat``."""
        self._forgotten.labels(kind).inc(count)
