"""What is produced, before it is given to Kafka."""

from dataclasses import dataclass
from typing import Protocol

Headers = list[tuple[str, str | bytes | None]]


@dataclass(frozen=True, slots=True)
class Outbound:
    """One message; ``partition`` None: by the key."""

    topic: str
    value: bytes | None
    key: bytes | None = None
    partition: int | None = None
    headers: Headers | None = None


class Sink(Protocol):
    """Takes messages and keeps them in order, or raises."""

    def produce(self, message: Outbound) -> None:
        """Hand over one message."""

    def flush(self) -> None:
        """Wait until everything handed over is safe."""
