"""Settings of the detectors, beside those that every process shares."""

from pydantic import Field, field_validator

from feature_store.deploy_calendar import DeployCalendar
from feature_store.settings import Settings, listed
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.production.score_watch import Allowed

_OF_EXPOSURES = 4
"""Detectors with evidence of their own that look at no model in particular: D3 on presentation and on
selection, D4, D5."""


class DetectorSettings(Settings):
    """What counts as a loop, and how long an epoch is waited for."""

    detect_models: str = Field(
        "",
        description="Models that are followed, comma-separated, each with a panel and a salt of its own, and "
        "whether they answer to each other. Unset: the one that the panel scores.",
    )
    nudge_epoch_s: float = Field(60.0, ge=1, description="Length of an epoch, as the ranker has it, s.")
    explore_positions: int = Field(
        20, ge=1, description="First positions that may be given away, as the ranker has it."
    )
    deploy_slots: int = Field(
        0,
        ge=0,
        multiple_of=8,
        description="Moments of which a new champion begins to serve at a drawn one, as the ranker has it.",
    )
    deploy_step_s: float = Field(
        900.0, ge=1, description="From one of these moments to the next, as the ranker has it, s."
    )
    detect_grace_s: float = Field(
        660.0,
        gt=0,
        description="From the end of an epoch until its exposures are taken to be there, s: more than "
        "EDDYLINE_JOIN_WINDOW_S.",
    )
    detect_idle_s: float = Field(
        2.0, gt=0, description="A log read to its end is taken to have got nothing older than so long ago, s."
    )
    detect_allowed_gain: float = Field(
        0.01,
        ge=0,
        description="β, after any lag, from which on a column that belongs to no view counts as a loop.",
    )
    detect_allowed_total_gain: float = Field(
        0.05, ge=0, description="β of the total score from which on it counts as a loop."
    )
    detect_allowed_damping: float = Field(
        0.2,
        ge=0,
        description="-β of a feature or of the score from which on it counts as a loop: rates fall where "
        "more is shown, which steadies.",
    )
    detect_allowed_long_run_gain: float = Field(
        0.1,
        ge=0,
        description="Long-run gain, up or down, from which on a feature or the score counts as a loop.",
    )
    detect_tickets_per_30_days: float = Field(0.1, gt=0, description="False tickets expected at most.")
    detect_pages_per_30_days: float = Field(0.01, gt=0, description="False pages expected at most.")
    detect_starts_per_30_days: float = Field(
        1.0, gt=0, description="How often the detectors begin anew: each start spends of the budget."
    )
    detect_items: int = Field(200_000, ge=1, description="Items followed; about 6 kB each.")
    detect_gain_lags: int = Field(
        20,
        ge=0,
        le=200,
        description="Epochs over which the long-run gain is estimated; 0: it is not, and an item takes 3 kB.",
    )
    detect_pending_mb: int = Field(64, ge=1, description="Messages waiting to be taken in, MB.")
    detect_stuck_after_s: float = Field(
        60, gt=0, description="A partition behind and unmoved for so long makes the worker not alive, s."
    )
    detect_start_anew: bool = Field(
        False, description="Forget all evidence where it cannot be continued, and begin where the logs do."
    )

    @field_validator("detect_models")
    @classmethod
    def _named_once(cls, value: str) -> str:
        names = listed(value)
        if len(set(names)) < len(names):
            raise ValueError(f"EDDYLINE_DETECT_MODELS: {value!r} names a model twice")
        if odd := [name for name in names if ":" in name or "/" in name]:
            raise ValueError(f"EDDYLINE_DETECT_MODELS: {odd[0]!r} is not a name: without its version, please")
        return value

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that are followed; none: whichever the panel scores."""
        return listed(self.detect_models)

    @property
    def epoch_ms(self) -> int:
        """Length of an epoch, ms."""
        return int(self.nudge_epoch_s * 1000)

    @property
    def deploy_calendar(self) -> DeployCalendar:
        """When new models may begin to serve."""
        return DeployCalendar(self.deploy_slots, int(self.deploy_step_s * 1000))

    @property
    def grace_ms(self) -> int:
        """From the end of an epoch until it is closed, ms."""
        return int(self.detect_grace_s * 1000)

    @property
    def allowed(self) -> Allowed:
        """Gains that declared paths may have."""
        return Allowed(
            feature=self.detect_allowed_gain,
            total=self.detect_allowed_total_gain,
            damping=self.detect_allowed_damping,
            long_run=self.detect_allowed_long_run_gain,
            items=self.detect_items,
            gain_lags=self.detect_gain_lags,
        )

    @property
    def budget(self) -> AlarmBudget:
        """What thresholds are derived from."""
        return AlarmBudget(
            tickets_per_30_days=self.detect_tickets_per_30_days,
            pages_per_30_days=self.detect_pages_per_30_days,
            starts_per_30_days=self.detect_starts_per_30_days,
            streams=_OF_EXPOSURES + self._of_models,
        )

    @property
    def _of_models(self) -> int:
        """D1 (fused) of each model, and D2 of all together."""
        return max(len(self.models), 1) + (len(self.models) > 1)
