"""Dead letters: the bytes as they arrived, and in headers why and from where."""

from feature_store.outbound import Headers, Outbound
from feature_store.schema.events import MAX_EVENT_BYTES, Refusal
from feature_store.schema.topics import DEAD_LETTER, EVENTS
from streams.ingest.records import Run

KEPT_BYTES = 64 * 1024
"""How much is kept of an event or a key that is too large for any topic."""


def dead_letter(run: Run, i: int, refusal: Refusal) -> Outbound:
    """The dead letter of the i-th record of a run.

    A record that is too large as a whole keeps its beginning, and says so in ``truncated_from_bytes``.
    """
    key, value = run.keys[i], run.values[i]
    headers: Headers = [
        ("reason", refusal.reason.encode()),
        ("field", refusal.field.encode()),
        ("message", refusal.message.encode(errors="replace")),
        ("source_topic", EVENTS.encode()),
        ("source_partition", str(run.partition).encode()),
        ("source_offset", str(run.offsets[i]).encode()),
    ]
    size = len(key or b"") + len(value or b"")
    if size > MAX_EVENT_BYTES:
        headers.append(("truncated_from_bytes", str(size).encode()))
        key, value = (key and key[:KEPT_BYTES]), (value and value[:KEPT_BYTES])
    return Outbound(DEAD_LETTER, value, key=key, headers=headers)
