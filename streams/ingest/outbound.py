"""What ingest produces, before it is given to Kafka."""

from dataclasses import dataclass

Headers = list[tuple[str, str | bytes | None]]


@dataclass(frozen=True, slots=True)
class Outbound:
    """One message; ``partition`` None: by the key."""

    topic: str
    value: bytes | None
    key: bytes | None = None
    partition: int | None = None
    headers: Headers | None = None
