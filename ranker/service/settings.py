"""Settings of `ranker.service`, beside those that every process shares."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from feature_store.settings import listed
from feature_store.slices import Slicing
from ranker.experiments.settings import ExperimentSettings
from ranker.policies.config import DEFAULT_POLICY


class RankerSettings(ExperimentSettings):
    """Front doors, deadlines, admission and what is logged."""

    http_port: int = Field(0, ge=0, le=65535, description="Port of the HTTP front door; 0: any.")
    http_max_body_bytes: int = Field(1024**2, ge=1024, description="Largest request body of /v1/rank, bytes.")
    http_max_events_bytes: int = Field(
        8 * 1024**2, ge=1024, description="Largest request body of /v1/events, bytes."
    )
    http_max_events: int = Field(10_000, ge=1, description="Events in one POST /v1/events.")

    rank_lanes: int = Field(2, ge=1, le=64, description="Requests ranked at the same time.")
    rank_waiting: int = Field(32, ge=0, description="Requests that may wait for a lane; more are shed.")
    rank_deadline_ms: float = Field(
        500.0, gt=0, description="Time for a whole ranking, waiting included, ms."
    )
    rank_features_timeout_ms: int = Field(200, ge=1, description="Time for the read of rows, ms.")
    rank_model_timeout_ms: float = Field(250.0, gt=0, description="Time for one model call, ms.")
    rank_max_candidates: int = Field(2_000, ge=1, description="Candidates in one request; more are refused.")
    rank_by_topic: bool = Field(
        True, description="Whether rank.requests is answered, too; off where another model answers it."
    )
    rank_max_age_ms: int = Field(
        5_000, ge=1, description="A request older than this when read from rank.requests is shed, ms."
    )
    rank_policy: Path = Field(DEFAULT_POLICY, description="TOML file of value weights and surfaces.")
    model_age_max_s: float = Field(
        3_600.0,
        gt=0,
        description="An alert says when the learned model that serves is older, s; more without a trainer.",
    )
    rank_service: str = Field("timeline_v1", description="Feature service that models read.")

    slice_by: str = Field(
        "",
        description="Attribute of users, kept by one of their views, by whose values loops are told apart; "
        "unset: they are not. The same in rankers and panel.",
    )
    slice_values: str = Field(
        "",
        description="Values of it, comma-separated, that have a slice each; all other users are one more.",
    )

    sources_refresh_ms: int = Field(1_000, ge=10, description="How often recent and trending are found, ms.")
    sources_items: int = Field(200, ge=1, description="Items that each source finds.")
    sources_among: int = Field(20_000, ge=1, description="Newest items that trending looks at.")

    served_sample_rate: float = Field(
        0.01, ge=0, le=1, description="Share of requests whose every candidate's features are logged."
    )
    side_effects_waiting: int = Field(
        1_024, ge=1, description="Answers whose timeline and rank.served rows may wait to be written."
    )
    side_effects_gather_ms: int = Field(
        100, ge=0, description="How long answers are gathered to write what follows them together, ms."
    )
    publish_timeout_ms: int = Field(
        10_000, ge=100, description="Time for Kafka to acknowledge an event or rank.served, ms."
    )
    timeline_ttl_s: int = Field(7 * 24 * 3600, ge=1, description="How long a ready timeline is kept, s.")
    drain_s: float = Field(10.0, gt=0, description="Time to finish what is in flight on SIGTERM, s.")

    @model_validator(mode="after")
    def _sliced(self) -> Self:
        if self.slice_values and not self.slice_by:
            raise ValueError(
                "EDDYLINE_SLICE_BY: must name the attribute of which EDDYLINE_SLICE_VALUES are values"
            )
        _ = self.slicing
        return self

    @property
    def slicing(self) -> Slicing | None:
        """How users are told apart; None: they are not."""
        return Slicing(self.slice_by, listed(self.slice_values)) if self.slice_by else None
