"""How much of what a model learns from it has shown by its own choice."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

EXPLORATION = "exploration"
"""How the policy of rows begins that chance chose, not a score."""


@dataclass(frozen=True, slots=True)
class SelfTraining:
    """Labels of a model's next training.

    Attributes
    ----------
    labels : exposures that were served and seen
    caused : those that the model itself put where they were seen, not by exploration
    """

    labels: int
    caused: int

    @property
    def share(self) -> float | None:
        """``caused / labels``; None without labels."""
        return self.caused / self.labels if self.labels else None


def self_training(exposures: pa.Table, model: str) -> SelfTraining:
    """Count the labels that ``model`` caused.

    Parameters
    ----------
    exposures : latest revision of each exposure, columns of `feature_store.schema.exposures`
    model : its name; ``model_version`` is ``<name>:<version>``
    """
    seen = exposures.filter(
        pc.and_(pc.is_valid(exposures["request_id"]), pc.is_valid(exposures["position_seen"]))
    )
    own = pc.starts_with(seen["model_version"].cast(pa.string()), f"{model}:")
    explored = pc.starts_with(seen["policy"].cast(pa.string()), EXPLORATION)
    caused = pc.and_(pc.fill_null(own, False), pc.invert(pc.fill_null(explored, False)))
    return SelfTraining(len(seen), pc.sum(caused).as_py() or 0)
