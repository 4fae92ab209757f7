"""Settings of `eddyline.lineage`, beside those that every process shares."""

from pathlib import Path

from pydantic import Field

from feature_store.settings import Settings


class LineageSettings(Settings):
    """What is declared outside, and how often the broker is asked who reads."""

    lineage_outside: Path | None = Field(
        None, description="TOML file of what systems outside read and write: docs/lineage.md."
    )
    lineage_every_s: float = Field(
        15.0, gt=0, description="Time between two looks at the broker's consumer groups, s."
    )
