"""Settings of an ingest worker."""

from pydantic import Field

from feature_store.settings import Settings

_DAY_MS = 24 * 60 * 60 * 1000


class IngestSettings(Settings):
    """How much is read at once, what is too early or too late, how far back duplicates are known."""

    ingest_group: str = Field("eddyline-ingest", description="Consumer group of all ingest workers.")
    ingest_poll_events: int = Field(8_192, ge=1, description="Most events taken in one poll.")
    ingest_gather_ms_max: int = Field(
        100,
        ge=0,
        description="Longest time to gather events for a step, ms; else thrice as long as the last one took.",
    )
    ingest_commit_interval_ms: int = Field(
        200, ge=1, description="Time between two flushes with a commit of offsets, ms."
    )
    ingest_max_behind_ms: int = Field(
        30 * _DAY_MS, ge=0, description="An event's time may be this far behind its record's, ms."
    )
    ingest_duplicate_window: int = Field(
        200_000, ge=1, description="Offsets of a partition in which an event_id may not occur twice."
    )
    ingest_max_held_events: int = Field(
        32_768, ge=0, description="Most events held back for a partition that is behind in time."
    )
    ingest_max_held_mb: int = Field(64, ge=0, description="Most memory for events held back, MB.")
    ingest_max_hold_ms: int = Field(
        500, ge=0, description="Longest time that events are held back for a partition, ms."
    )
    ingest_item_wait_ms: int = Field(
        2_000, ge=0, description="Longest wait for an item that another ingest worker has yet to forward, ms."
    )
