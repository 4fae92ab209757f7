"""Settings of the panel, beside those of the ranker whose pipeline it follows."""

from pydantic import Field

from ranker.service.settings import RankerSettings


class PanelSettings(RankerSettings):
    """Who and what is scored again, and when."""

    rank_features_timeout_ms: int = Field(2_000, ge=1, description="Time for one read of rows, ms.")
    panel_users: int = Field(
        8,
        ge=1,
        le=1_000,
        description="Users, of each slice, whose scores are averaged, drawn once they were served.",
    )
    panel_items: int = Field(
        5_000, ge=1, description="Items scored; of a larger catalogue always the same ones."
    )
    panel_lead_s: float = Field(
        1.0, gt=0, description="How long before an epoch its rows are read, s: more than a read takes."
    )
    panel_rows: int = Field(4_096, ge=1, description="Rows in one call of the model.")
    panel_model_timeout_ms: float = Field(5_000.0, gt=0, description="Time for one call of the model, ms.")

    @property
    def slices(self) -> tuple[str, ...]:
        """Names of all slices of users; none: users are not told apart."""
        return () if self.slicing is None else self.slicing.names
