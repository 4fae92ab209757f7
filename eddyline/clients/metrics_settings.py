"""Where metrics are read that no stack of this machine has."""

from pydantic import Field

from feature_store.settings import Settings


class MetricsSettings(Settings):
    """Of commands that show what processes measure, in a cluster."""

    prometheus_url: str | None = Field(
        None, description="Prometheus that reads the processes' metrics, where no local stack runs."
    )
