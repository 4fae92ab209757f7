"""Settings of training, beside those that every process shares."""

from pathlib import Path

from pydantic import Field

from feature_store.settings import Settings

UPDATE_GATE = Path(__file__).with_name("gate-update.toml")
FULL_GATE = UPDATE_GATE.with_name("gate.toml")


class LearningSettings(Settings):
    """What `eddyline train` and `eddyline datasets export` take for a label, and what a version must show."""

    label_window_s: float | None = Field(
        None,
        ge=0,
        description="From an impression until its outcomes are taken to be complete, s; younger exposures "
        "are left out. At most EDDYLINE_JOIN_LATE_S; unset: EDDYLINE_JOIN_WINDOW_S, before which none is "
        "written.",
    )
    gate: Path = Field(FULL_GATE, description="Gate of versions that `eddyline train` makes, a TOML file.")


class TrainerSettings(Settings):
    """How often the champion is taught what happened since, and how much of what happened before."""

    trainer_poll_s: float = Field(2.0, gt=0, description="Between two looks at `exposures`, s.")
    trainer_every_s: float = Field(15.0, ge=0, description="Between two versions at least, s.")
    trainer_min_requests: int = Field(
        50, ge=10, description="New rankings with an exposure that make a version worth while."
    )
    trainer_replay_requests: int = Field(
        1_000, ge=0, description="Earlier rankings learned again beside the new ones, so as not to forget."
    )
    trainer_kept_requests: int = Field(
        20_000, ge=1, description="Earlier rankings kept in memory to draw from, the newest."
    )
    trainer_learning_rate: float = Field(3e-4, gt=0, description="Peak learning rate of an update.")
    trainer_gate: Path = Field(UPDATE_GATE, description="Gate of versions that go on from the champion.")
    trainer_seed: int = Field(1, ge=0, description="Same exposures, champion and seed: same version.")
