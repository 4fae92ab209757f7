"""Settings that every process shares: where Kafka, Redis and Triton are, and how to talk to them.

Each field is the environment variable ``EDDYLINE_<FIELD>`` in upper case. A process adds its own
fields in a subclass.
"""

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MAX_MESSAGE_BYTES = 12 * 1024 * 1024
"""What topics accept and producers send at most: an event of 10 MB, or every row of a large request."""


class Settings(BaseSettings):
    """Connections, partition counts and the model to serve."""

    model_config = SettingsConfigDict(
        env_prefix="EDDYLINE_", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    home: Path = Field(Path(".eddyline"), description="State folder of a stack.")
    instance: int = Field(0, ge=0, description="Index of this worker among its kind.")
    metrics_port: int = Field(0, ge=0, le=65535, description="Port of /metrics, /healthz, /readyz; 0: any.")
    bind_host: str = Field("127.0.0.1", description="Address that servers of this process bind to.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest level logged."
    )

    definitions: Path | None = Field(
        None, description="Folder of feature definitions (*.toml); unset: those that are shipped."
    )

    definitions_retiring: Path | None = Field(
        None, description="Folder of definitions that an older model still reads; their rows are kept fresh."
    )

    kafka_bootstrap: str = Field("127.0.0.1:9092", description="Comma-separated host:port of brokers.")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="As Kafka's security.protocol."
    )
    kafka_sasl_mechanism: str | None = Field(None, description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.")
    kafka_sasl_username: str | None = Field(None, description="SASL user name.")
    kafka_sasl_password: SecretStr | None = Field(None, description="SASL password.")
    kafka_ssl_ca: Path | None = Field(None, description="PEM file of the authorities trusted.")
    kafka_ssl_certificate: Path | None = Field(None, description="PEM file of the client certificate.")
    kafka_ssl_key: Path | None = Field(None, description="PEM file of the client key.")
    kafka_session_timeout_ms: int = Field(8_000, ge=1_000, description="Consumer session timeout, ms.")
    kafka_compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = Field(
        "lz4", description="Codec of what we produce."
    )

    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"), description="redis:// or rediss:// URL, credentials included."
    )
    redis_cluster: bool = Field(False, description="Whether redis_url is a node of a Redis Cluster.")
    redis_timeout_ms: int = Field(1_000, ge=1, description="Socket timeout of writers, ms.")

    inference: Literal["triton", "embedded"] = Field("triton", description="Where models run.")
    model: str | None = Field(None, description="Model to serve; unset: the champion.")
    mlflow_uri: SecretStr | None = Field(
        None,
        description="MLflow that remembers versions, as a URI; unset: mlflow.db in the state folder.",
    )
    triton_grpc: str = Field("127.0.0.1:8001", description="host:port of Triton's gRPC endpoint.")
    triton_http: str = Field("127.0.0.1:8000", description="host:port of Triton's HTTP endpoint.")
    triton_ssl: bool = Field(False, description="Whether to talk TLS to Triton.")
    triton_ssl_ca: Path | None = Field(None, description="PEM file of the authorities trusted for Triton.")

    events_partitions: int = Field(4, ge=1, description="Partitions of `events`.")
    batch_partitions: int = Field(
        2, ge=1, description="Partitions of batches.*, rank.served, exposures: also the Redis hash tags."
    )
    ingest_max_ahead_ms: int = Field(
        300_000,
        ge=0,
        description="An event may be this far ahead of its record, and a rank request of the clock, ms.",
    )
    rank_partitions: int = Field(4, ge=1, description="Partitions of rank.requests and rank.responses.")
    replication_factor: int = Field(1, ge=1, description="Replicas of each topic.")
    kafka_disk_gb: float = Field(
        0,
        ge=0,
        description="Disk of a broker that topics may take, GB; 0: no bound of ours, times alone count.",
    )

    @field_validator("redis_url")
    @classmethod
    def _port_is_a_number(cls, url: SecretStr) -> SecretStr:
        """redis-py takes a password up to a plain / or # for the port, and its error shows it."""
        try:
            _ = urlsplit(url.get_secret_value()).port
        except ValueError:
            raise ValueError("the port is no number: percent-encode /, # and ? in the password") from None
        return url

    @property
    def mlflow(self) -> str:
        """Where MLflow keeps versions, as MLflow takes it."""
        if self.mlflow_uri is not None:
            return self.mlflow_uri.get_secret_value()
        return f"sqlite:///{self.home.resolve() / 'mlflow.db'}"

    @property
    def model_repository(self) -> Path:
        """Folder of model versions."""
        return self.home / "models"

    @property
    def model_servers(self) -> Path:
        """Triton's model repository: for each model what serves its versions."""
        return self.home / "model-servers"


def listed(words: str) -> tuple[str, ...]:
    """What a setting names, comma-separated."""
    return tuple(name for word in words.split(",") if (name := word.strip()))


NOTICE = 5
"""Of syslog's levels: 6, the client's own default, tells people at a terminal how its queues were emptied."""


def kafka_client_config(settings: Settings) -> dict[str, str | int | bool]:
    """Connection part of a librdkafka configuration (bootstrap, TLS, SASL)."""
    optional: dict[str, str | None] = {
        "sasl.mechanism": settings.kafka_sasl_mechanism,
        "sasl.username": settings.kafka_sasl_username,
        "sasl.password": settings.kafka_sasl_password.get_secret_value()
        if settings.kafka_sasl_password
        else None,
        "ssl.ca.location": str(settings.kafka_ssl_ca) if settings.kafka_ssl_ca else None,
        "ssl.certificate.location": str(settings.kafka_ssl_certificate)
        if settings.kafka_ssl_certificate
        else None,
        "ssl.key.location": str(settings.kafka_ssl_key) if settings.kafka_ssl_key else None,
    }
    return {
        "log_level": NOTICE,
        "bootstrap.servers": settings.kafka_bootstrap,
        "security.protocol": settings.kafka_security_protocol,
        **{name: value for name, value in optional.items() if value is not None},
    }


def gapless_producer_config(settings: Settings) -> dict[str, str | int | bool]:
    """A producer that either keeps every message in order or dies (no gaps, no time limit)."""
    return {
        **kafka_client_config(settings),
        "acks": "all",
        "enable.idempotence": True,
        "enable.gapless.guarantee": True,
        "message.max.bytes": MAX_MESSAGE_BYTES,
        "message.timeout.ms": 0,
        "compression.type": settings.kafka_compression,
        "partitioner": "murmur2_random",
    }
