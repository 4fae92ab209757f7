"""How much of what a model learns from it has shown by its own choice."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_store.schema.assignments import explored, held_out


@dataclass(frozen=True, slots=True)
class SelfTraining:
    """Labels of a model's next training.

    Attributes
    ----------
    labels : exposures that were served and seen
    caused : those that the model itself put where they were seen, not chance and not a frozen version
    """

    labels: int
    caused: int

    @property
    def share(self) -> float | None:
        """``caused / labels``; None without labels."""
        return self.caused / self.labels if self.labels else None

    def to_json(self) -> dict[str, object]:
        return {"labels": self.labels, "caused": self.caused, "share": self.share}


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
    own = pc.fill_null(pc.starts_with(seen["model_version"].cast(pa.string()), f"{model}:"), False)
    caused = own.to_numpy(zero_copy_only=False) & ~explored(seen) & ~held_out(seen)
    return SelfTraining(len(seen), int(np.count_nonzero(caused)))
