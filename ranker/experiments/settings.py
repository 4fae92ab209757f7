"""Settings of the randomisation that the ranker and the panel share."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from feature_store.deploy_calendar import DeployCalendar
from feature_store.settings import Settings


class ExperimentSettings(Settings):
    """What is randomised, by how much, and with which salt. Everything is off by default."""

    nudge_delta: float = Field(
        0.0, ge=0, le=1e6, description="Size of the nudge on published scores, score units; 0: none."
    )
    nudge_epoch_s: float = Field(60.0, ge=1, description="How long an item keeps the sign of its nudge, s.")
    nudge_salt: SecretStr = Field(SecretStr(""), description="Secret of the nudges' signs.")

    explore_share: float = Field(
        0.0, ge=0, lt=1, description="Share of requests in which one position is given away; 0: none."
    )
    explore_positions: int = Field(20, ge=1, le=2_000, description="First positions that may be given away.")
    explore_salt: SecretStr = Field(SecretStr(""), description="Secret of the exploration's draws.")

    holdout_share: float = Field(
        0.0, ge=0, lt=1, description="Share of users that the frozen model answers; 0: none."
    )
    holdout_model: str | None = Field(None, description="The frozen model, name/version.")
    holdout_salt: SecretStr = Field(SecretStr(""), description="Secret of who is in the holdout.")

    deploy_slots: int = Field(
        0,
        ge=0,
        multiple_of=8,
        description="Moments of which a new champion begins to serve at a drawn one; 0: at once.",
    )
    deploy_step_s: float = Field(900.0, ge=1, description="From one of these moments to the next, s.")
    deploy_salt: SecretStr = Field(SecretStr(""), description="Secret of the moments drawn.")

    experiments_except: str = Field(
        "replay", description="Surfaces, comma-separated, that no experiment touches."
    )
    experiments_cost_max: float = Field(
        0.005,
        gt=0,
        le=1,
        description="Share of the expected value of answers that experiments may cost; above it they stop.",
    )

    @model_validator(mode="after")
    def _salted(self) -> Self:
        wanted = {
            "nudge_salt": self.nudge_delta,
            "explore_salt": self.explore_share,
            "holdout_salt": self.holdout_share,
            "deploy_salt": self.deploy_slots,
        }
        salts = [getattr(self, name).get_secret_value() for name, on in wanted.items() if on]
        unset = [f"EDDYLINE_{name.upper()}" for name, on in wanted.items() if on and not self._of(name)]
        if unset:
            raise ValueError(f"{', '.join(unset)}: must be set, or signs could be foreseen")
        if len(set(salts)) < len(salts):
            raise ValueError(
                "nudge_salt, explore_salt, holdout_salt and deploy_salt must differ from each other"
            )
        if self.holdout_share and self.holdout_model is None:
            raise ValueError("EDDYLINE_HOLDOUT_MODEL: must name the frozen model, such as timeline_ranker/3")
        return self

    @property
    def nudge_epoch_ms(self) -> int:
        """Length of an epoch, ms."""
        return int(self.nudge_epoch_s * 1000)

    @property
    def deploy_calendar(self) -> DeployCalendar:
        """When new models may begin to serve."""
        return DeployCalendar(self.deploy_slots, int(self.deploy_step_s * 1000))

    def _of(self, name: str) -> str:
        salt: SecretStr = getattr(self, name)
        return salt.get_secret_value()
