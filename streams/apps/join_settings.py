"""Settings of the exposure join, beside those that every process shares."""

from pydantic import Field, model_validator

from feature_store.settings import Settings
from streams.apps.skips import Skips, skipped
from streams.processors.join_window import JoinWindow

JOIN_SKIP = "EDDYLINE_JOIN_SKIP"
"""The setting that names messages to leave out."""


class JoinSettings(Settings):
    """How long the join waits, how much it holds, and what an operator tells it to do."""

    join_window_s: float = Field(
        600, ge=0, description="From an impression until its exposure is written, in log time, s."
    )
    join_late_s: float = Field(
        900,
        ge=0,
        description="From an impression until no outcome is joined any more, in log time, s. A join that "
        "starts again reads the logs from three times this before where it was.",
    )
    join_idle_s: float = Field(
        2,
        gt=0,
        description="A partition read to its end is taken to have got no message older than so long ago, s: "
        "more than the clocks of brokers differ and an append takes.",
    )
    join_held_mb: int = Field(256, ge=1, description="Memory that the window of one partition takes, MB.")
    join_pending_mb: int = Field(64, ge=1, description="Messages waiting to be joined, MB.")
    join_stuck_after_s: float = Field(
        30, gt=0, description="A partition behind and unmoved for so long makes the worker not alive, s."
    )
    join_accept_loss: bool = Field(
        False, description="Go on with what the logs hold where the checkpoint does not fit them."
    )

    join_skip: Skips = Field(
        "",
        description="Messages to leave out, topic:partition:offset, comma-separated; what they hold is lost.",
    )

    @model_validator(mode="after")
    def _late_covers_window(self) -> "JoinSettings":
        if self.join_late_s < self.join_window_s:
            raise ValueError(
                f"EDDYLINE_JOIN_LATE_S ({self.join_late_s}) is less than "
                f"EDDYLINE_JOIN_WINDOW_S ({self.join_window_s})"
            )
        return self

    def skipped(self, topic: str) -> frozenset[tuple[int, int]]:
        """(partition, offset) of messages that the operator decided to leave out."""
        return skipped(self.join_skip, topic)

    @property
    def window(self) -> JoinWindow:
        """The spans, in ms."""
        return JoinWindow(int(self.join_window_s * 1000), int(self.join_late_s * 1000))
