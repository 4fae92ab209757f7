"""Where a stack listens."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Addresses:
    """Where a stack listens; the fields that `eddyline status --json` prints."""

    kafka: str
    redis: str
    triton_grpc: str | None
    triton_http: str | None
    http: str
    prometheus: str
    alertmanager: str
    inference: str
    metrics: dict[str, str]

    def environment(self, home: Path) -> dict[str, str]:
        """`EDDYLINE_*` variables with which a client finds this stack."""
        found = {
            "EDDYLINE_HOME": str(home),
            "EDDYLINE_KAFKA_BOOTSTRAP": self.kafka,
            "EDDYLINE_REDIS_URL": self.redis,
        }
        triton = {"EDDYLINE_TRITON_GRPC": self.triton_grpc, "EDDYLINE_TRITON_HTTP": self.triton_http}
        return found | {name: address for name, address in triton.items() if address is not None}
