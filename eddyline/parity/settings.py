"""Settings of `eddyline.parity`, beside those of the ranker that it checks."""

from pydantic import Field

from ranker.service.settings import RankerSettings


class ParitySettings(RankerSettings):
    """How much of what is served is checked while it runs."""

    parity_sample: float = Field(
        0.05, gt=0, le=1, description="Share of entities whose rows are folded again; memory grows with it."
    )
    parity_requests: int = Field(50, ge=1, description="Requests checked in one turn at most.")
    parity_every_s: float = Field(
        5.0, gt=0, description="Time between two turns, s; feature workers further behind go unverified."
    )
