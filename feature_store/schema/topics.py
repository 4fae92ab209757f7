"""Every topic, declared: partitions, retention, compaction, timestamps. Created and checked at start."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from feature_store.schema.ids import SEPARATOR
from feature_store.settings import MAX_MESSAGE_BYTES, Settings

EVENTS = "events"
DEAD_LETTER = "events.dead-letter"
ITEMS = "items"
FEEDBACK = "batches.feedback"
RANK_REQUESTS = "rank.requests"
RANK_RESPONSES = "rank.responses"
RANK_SERVED = "rank.served"
EXPOSURES = "exposures"
SCORE_PANEL = "score.panel"
FINDINGS = "findings"

_DAY_MS = 24 * 3600 * 1000

SEGMENT_BYTES = 16 * 1024**2
"""Of topics that are bounded by size: Kafka deletes whole segments, and one must hold the largest message."""

FINDINGS_AGAIN_MS = _DAY_MS
"""How often what is open is written again, long before the log forgets it."""


def batch_topic(entity: str) -> str:
    """Topic of an entity's batches; ``user|creator`` is `batches.user-creator` (Kafka allows no ``|``)."""
    return f"batches.{entity.replace(SEPARATOR, '-')}"


class DiskTooSmall(ValueError):  # noqa: N818  (a state of the world)
    """The disk that topics may take leaves one of them too little to work with."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What a topic must look like on the broker.

    Attributes
    ----------
    disk_share : its part of the disk that topics may take, beside the shares of the others; 0: not bounded
    retention_bytes : what a partition keeps; None: whatever the broker's owner wants
    """

    name: str
    partitions: int
    retention_ms: int = 7 * _DAY_MS
    cleanup: Literal["delete", "compact"] = "delete"
    timestamps: Literal["CreateTime", "LogAppendTime"] = "LogAppendTime"
    max_message_bytes: int = MAX_MESSAGE_BYTES
    disk_share: int = 1
    retention_bytes: int | None = None

    def config(self) -> dict[str, str]:
        """Kafka's topic settings, by their names."""
        bounded = {"retention.bytes": str(self.retention_bytes), "segment.bytes": str(SEGMENT_BYTES)}
        return {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_ms),
            "message.timestamp.type": self.timestamps,
            "max.message.bytes": str(self.max_message_bytes),
            "compression.type": "producer",
            **({} if self.retention_bytes is None else bounded),
        }


def topic_specs(settings: Settings, entities: tuple[str, ...]) -> tuple[TopicSpec, ...]:
    """All topics of a deployment whose views cover ``entities``.

    Of the disk that they may take, the logs that rows are rebuilt from get the most, then what models learn
    from.

    Raises
    ------
    DiskTooSmall
        A topic could not keep two segments of each partition.
    """
    batch, rank, month_ms = settings.batch_partitions, settings.rank_partitions, 30 * _DAY_MS
    specs = (
        TopicSpec(EVENTS, settings.events_partitions, retention_ms=month_ms, disk_share=4),
        TopicSpec(DEAD_LETTER, 1, retention_ms=month_ms),
        TopicSpec(ITEMS, 1, cleanup="compact", disk_share=0),
        *(TopicSpec(batch_topic(each), batch, retention_ms=month_ms, disk_share=4) for each in entities),
        TopicSpec(FEEDBACK, batch, retention_ms=month_ms, disk_share=2),
        TopicSpec(RANK_REQUESTS, rank),
        TopicSpec(RANK_RESPONSES, rank),
        TopicSpec(RANK_SERVED, batch, disk_share=3),
        TopicSpec(EXPOSURES, batch, retention_ms=month_ms, disk_share=3),
        TopicSpec(SCORE_PANEL, batch),
        TopicSpec(FINDINGS, 1, retention_ms=month_ms),
    )
    return within(settings.kafka_disk_gb, specs) if settings.kafka_disk_gb else specs


def within(disk_gb: float, specs: Sequence[TopicSpec]) -> tuple[TopicSpec, ...]:
    """The same topics, which together take ``disk_gb`` GB of a broker at most, by their shares.

    Raises
    ------
    DiskTooSmall
        A topic could not keep two segments of each partition.
    """
    a_share = disk_gb * 1e9 / sum(spec.disk_share for spec in specs)
    needed = max(2 * SEGMENT_BYTES * spec.partitions / spec.disk_share for spec in specs if spec.disk_share)
    if a_share < needed:
        least_gb = disk_gb * needed / a_share
        raise DiskTooSmall(
            f"EDDYLINE_KAFKA_DISK_GB: {disk_gb:g}, but these topics need {least_gb:.1f}, or 0: no bound"
        )
    return tuple(
        replace(spec, retention_bytes=int(a_share * spec.disk_share / spec.partitions) - SEGMENT_BYTES)
        if spec.disk_share
        else spec
        for spec in specs
    )
