"""How much of what a model learns from it has shown by its own choice."""

from collections import Counter
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from feature_store.schema.assignments import EXPLORATION, HOLDOUT, explored, held_out

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
    causes = label_causes(exposures)
    return SelfTraining(sum(causes.values()), causes.get(model, 0))


def label_causes(exposures: pa.Table) -> dict[str, int]:
    """Who put labels where they were seen -> how many: a model's name, `exploration`, or `holdout`."""
    rows = exposures.select(READ)
    seen = rows.filter(pc.and_(pc.is_valid(rows["request_id"]), pc.is_valid(rows["position_seen"])))
    by_chance, frozen = explored(seen), held_out(seen)
    chosen = seen["model_version"].filter(pa.array(~by_chance & ~frozen)).cast(pa.string())
    causes = Counter({EXPLORATION: int(by_chance.sum()), HOLDOUT: int((frozen & ~by_chance).sum())})
    for version in pc.value_counts(chosen).to_pylist():
        name = (version["values"] or UNKNOWN).partition(":")[0]
        causes[name] += version["counts"]
    return dict(+causes)
