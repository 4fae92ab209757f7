"""How much of what a model learns from it has shown by its own choice."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from feature_store.schema.assignments import EXPLORATION, HOLDOUT, Mask
from streams.feedback.exposure_rows import ExposureRows

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
    exposures : latest revision of each exposure
    model : its name; ``model_version`` is ``<name>:<version>``
    """
    causes = label_causes(ExposureRows(exposures), np.ones(len(exposures), np.bool_))
    return SelfTraining(sum(causes.values()), causes.get(model, 0))


def label_causes(rows: ExposureRows, counted: Mask) -> dict[str, int]:
    """Who put labels where they were seen -> how many: a model's name, `exploration`, or `holdout`.

    Parameters
    ----------
    counted : (n,) rows to look at
    """
    seen = counted & rows.valid("request_id") & rows.valid("position_seen")
    by_chance, frozen = rows.explored, rows.held_out
    chosen = seen & ~by_chance & ~frozen
    causes = Counter({EXPLORATION: int(np.count_nonzero(seen & by_chance))})
    causes[HOLDOUT] = int(np.count_nonzero(seen & frozen & ~by_chance))
    causes[UNKNOWN] = int(np.count_nonzero(chosen & (rows.model.codes < 0)))
    for version, count in rows.model.where(chosen).counts().items():
        causes[version.partition(":")[0] or UNKNOWN] += count
    return dict(+causes)
