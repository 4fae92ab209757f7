"""Settings of the feature workers, beside those that every process shares."""

from pydantic import Field

from feature_store.settings import Settings
from streams.apps.skips import Skips, skipped


class FeaturesSettings(Settings):
    """How much a feature worker holds, and what an operator tells it to do."""

    features_cache_mb: int = Field(1024, ge=1, description="Rows kept in memory by one worker, MB.")
    features_pending_mb: int = Field(64, ge=1, description="Batches waiting to be folded, MB.")
    features_run_rows: int = Field(32_768, ge=1, description="Rows of batches folded before one write.")
    features_confirm_every_s: float = Field(
        2.0, gt=0, description="How often a worker makes sure that Redis still has what it wrote, s."
    )
    features_stuck_after_s: float = Field(
        30.0, gt=0, description="A partition behind and unmoved for so long makes the worker not alive, s."
    )
    features_accept_incomplete: bool = Field(
        False, description="Let a view without a checkpoint begin where the log does, though not at 0."
    )
    features_skip: Skips = Field(
        "",
        description="Messages to leave out, topic:partition:offset, comma-separated; their events are lost.",
    )

    def skipped(self, topic: str) -> frozenset[tuple[int, int]]:
        """(partition, offset) of messages that the operator decided to leave out."""
        return skipped(self.features_skip, topic)
