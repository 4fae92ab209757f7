"""Settings of the local stack, beside those that every process shares."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from eddyline.stack.parts import ROOT
from feature_store.settings import Settings


def _port(of: str) -> int:
    port: int = Field(0, ge=0, le=65535, description=f"Port of {of}; 0: a free one, chosen once.")
    return port


class StackSettings(Settings):
    """What `eddyline up` starts, and how."""

    parts: Path = Field(ROOT / ".parts", description="Folder that `make setup` puts the parts in.")

    kafka_port: int = _port("the broker")
    kafka_controller_port: int = _port("the broker's controller")
    redis_port: int = _port("Redis")
    triton_http_port: int = _port("Triton's HTTP endpoint")
    triton_grpc_port: int = _port("Triton's gRPC endpoint")
    triton_metrics_port: int = _port("Triton's metrics")
    prometheus_port: int = _port("Prometheus")
    alertmanager_port: int = _port("Alertmanager")
    http_port: int = _port("the first ranker's HTTP front door")

    ingest_workers: int = Field(1, ge=0, description="Processes of streams.ingest.")
    features_workers: int = Field(1, ge=0, description="Processes of streams.apps.features.")
    join_workers: int = Field(1, ge=0, description="Processes of streams.apps.join.")
    ranker_workers: int = Field(1, ge=0, description="Processes of ranker.service.")
    parity_workers: int = Field(1, ge=0, le=1, description="Processes of eddyline.parity.")
    lineage_workers: int = Field(1, ge=0, le=1, description="Processes of eddyline.lineage.")

    trainer_workers: int = Field(
        0, ge=0, le=1, description="Processes of ranker.training, which keeps the champion fresh."
    )

    nudge_delta: float = Field(
        0.0,
        ge=0,
        description="Size of the nudge on published scores, score units; above 0 panel and detectors run.",
    )
    explore_share: float = Field(
        0.0, ge=0, lt=1, description="Share of requests that explore; above 0 the loop detectors run."
    )
    holdout_share: float = Field(
        0.0, ge=0, lt=1, description="Share of users held out; above 0 the loop detectors run."
    )
    deploy_slots: int = Field(
        0, ge=0, description="Moments that deploys are drawn from; above 0 the loop detectors run."
    )

    join_window_s: float = Field(
        10,
        ge=0,
        description="From an impression until its exposure is written, seconds; short, for quick feedback.",
    )

    kafka_heap_mb: int = Field(512, ge=256, description="Java heap of the broker, MB.")
    kafka_disk_gb: float = Field(
        8,
        ge=0,
        description="Disk that topics may take, GB, most of it for batches.*; 0: no bound but times.",
    )
    redis_appendfsync: Literal["always", "everysec", "no"] = Field(
        "everysec", description="When Redis forces its append-only file to disk."
    )
    redis_maxmemory_mb: int = Field(
        4096, ge=0, description="Memory at which Redis refuses writes (it never evicts), MB; 0: no limit."
    )
    prometheus_scrape_interval_s: int = Field(5, ge=1, description="How often metrics are read, seconds.")
    prometheus_retention_hours: int = Field(48, ge=1, description="How long metrics are kept, hours.")
    prometheus_retention_mb: int = Field(512, ge=64, description="How much of metrics is kept, MB.")

    start_within_s: float = Field(
        180.0, gt=0, description="Time that the stack has to become ready, seconds."
    )
    drain_within_s: float = Field(15.0, gt=0, description="Time that a worker has to drain, seconds.")
    stuck_after_s: float = Field(
        20.0, gt=0, description="A worker whose loop is stuck for longer is killed, seconds."
    )
    log_max_mb: int = Field(64, ge=1, description="Size at which a log is moved to <log>.1, MB.")
    min_free_disk_gb: float = Field(
        2.0,
        ge=0,
        description="Free disk that `doctor` asks for beside what Kafka and Prometheus may take, GB.",
    )
    min_free_memory_gb: float = Field(4.0, ge=0, description="Available memory that `doctor` asks for, GB.")

    @property
    def disk_gb(self) -> float:
        """Disk that the stack may come to take, GB."""
        return self.kafka_disk_gb + self.prometheus_retention_mb / 1000 + self.min_free_disk_gb

    @property
    def panel_workers(self) -> int:
        """Processes of ranker.panel: without nudges there is nothing to score again."""
        return int(self.nudge_delta > 0)

    @property
    def detectors_workers(self) -> int:
        """Processes of streams.apps.detectors: without any experiment they would be blind."""
        return int(any((self.nudge_delta, self.explore_share, self.holdout_share, self.deploy_slots)))

    @property
    def fixed_ports(self) -> dict[str, int]:
        """Prescribed ports by their names in `Ports`; 0 where the choice is free."""
        named = ("kafka", "kafka_controller", "redis", "triton_http", "triton_grpc", "triton_metrics")
        ports = {name: int(getattr(self, f"{name}_port")) for name in (*named, "prometheus", "alertmanager")}
        return {**ports, "ranker-0.http": self.http_port, "supervisor.metrics": self.metrics_port}
