"""Every topic, declared: partitions, retention, compaction, timestamps. Created and checked at start."""

from dataclasses import dataclass
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

FINDINGS_AGAIN_MS = _DAY_MS
"""How often what is open is written again, long before the log forgets it."""


def batch_topic(entity: str) -> str:
    """Topic of an entity's batches; ``user|creator`` is `batches.user-creator` (Kafka allows no ``|``)."""
    return f"batches.{entity.replace(SEPARATOR, '-')}"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What a topic must look like on the broker."""

    name: str
    partitions: int
    retention_ms: int = 7 * _DAY_MS
    cleanup: Literal["delete", "compact"] = "delete"
    timestamps: Literal["CreateTime", "LogAppendTime"] = "LogAppendTime"
    max_message_bytes: int = MAX_MESSAGE_BYTES

    def config(self) -> dict[str, str]:
        """Kafka's topic settings, by their names."""
        return {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_ms),
            "message.timestamp.type": self.timestamps,
            "max.message.bytes": str(self.max_message_bytes),
            "compression.type": "producer",
        }


def topic_specs(settings: Settings, entities: tuple[str, ...]) -> tuple[TopicSpec, ...]:
    """All topics of a deployment whose views cover ``entities``."""
    batch, rank = settings.batch_partitions, settings.rank_partitions
    return (
        TopicSpec(EVENTS, settings.events_partitions, retention_ms=30 * _DAY_MS),
        TopicSpec(DEAD_LETTER, 1, retention_ms=30 * _DAY_MS),
        TopicSpec(ITEMS, 1, cleanup="compact"),
        *(TopicSpec(batch_topic(entity), batch, retention_ms=30 * _DAY_MS) for entity in entities),
        TopicSpec(FEEDBACK, batch, retention_ms=30 * _DAY_MS),
        TopicSpec(RANK_REQUESTS, rank),
        TopicSpec(RANK_RESPONSES, rank),
        TopicSpec(RANK_SERVED, batch),
        TopicSpec(EXPOSURES, batch, retention_ms=30 * _DAY_MS),
        TopicSpec(SCORE_PANEL, batch),
        TopicSpec(FINDINGS, 1, retention_ms=30 * _DAY_MS),
    )
