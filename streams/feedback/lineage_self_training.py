"""How much of what a model learns from it has shown by its own choice."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_store.schema.assignments import EXPLORATION, HOLDOUT, Mask, explored, held_out

READ = ("request_id", "position", "position_seen", "model_version", "assignments")
"""Columns of `feature_store.schema.exposures` that tell who put a row where it was seen."""
UNKNOWN = "unknown"


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
    exposures : latest revision of each exposure, at least the columns :data:`READ`
    model : its name; ``model_version`` is ``<name>:<version>``
    """
    causes = label_causes(exposures, np.ones(len(exposures), np.bool_))
    return SelfTraining(sum(causes.values()), causes.get(model, 0))


def label_causes(exposures: pa.Table, counted: Mask) -> dict[str, int]:
    """Who put labels where they were seen -> how many: a model's name, `exploration`, or `holdout`.

    Parameters
    ----------
    counted : (n,) rows to look at
    """
    seen = counted & _valid(exposures, "request_id") & _valid(exposures, "position_seen")
    by_chance, frozen = explored(exposures), held_out(exposures)
    causes = Counter({EXPLORATION: int(np.count_nonzero(seen & by_chance))})
    causes[HOLDOUT] = int(np.count_nonzero(seen & frozen & ~by_chance))
    version = exposures["model_version"].combine_chunks()
    chosen = version.filter(pa.array(seen & ~by_chance & ~frozen))
    for counts in pc.value_counts(chosen).to_pylist():
        causes[(counts["values"] or UNKNOWN).partition(":")[0]] += counts["counts"]
    return dict(+causes)


def _valid(exposures: pa.Table, column: str) -> Mask:
    valid: Mask = exposures[column].is_valid().to_numpy()
    return valid
