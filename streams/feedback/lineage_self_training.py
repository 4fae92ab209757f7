"""How much of what a model learns from it has shown by its own choice."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

EXPLORATION, HOLDOUT = "exploration", "holdout"
"""Experiments, by their names in `assignments`, whose rows the model did not choose."""


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


def self_training(exposures: pa.Table, model: str) -> SelfTraining:
    """Count the labels that ``model`` caused.

    Parameters
    ----------
    exposures : latest revision of each exposure, columns of `feature_store.schema.exposures`
    model : its name; ``model_version`` is ``<name>:<version>``
    """
    seen = exposures.filter(
        pc.and_(pc.is_valid(exposures["request_id"]), pc.is_valid(exposures["position_seen"]))
    ).combine_chunks()
    own = pc.fill_null(pc.starts_with(seen["model_version"].cast(pa.string()), f"{model}:"), False)
    caused = seen.filter(own)
    return SelfTraining(len(seen), len(caused) - len(_not_chosen(caused)))


def _not_chosen(rows: pa.Table) -> set[int]:
    """Numbers of the rows that chance chose (the slot given away), or whose user is held out."""
    assignments = rows["assignments"].combine_chunks()
    row = pc.list_parent_indices(assignments)
    drawn = pc.list_flatten(assignments)
    experiment, variant = pc.struct_field(drawn, "experiment"), pc.struct_field(drawn, "variant")
    position = rows["position"].combine_chunks().take(row)
    slot = pc.binary_join_element_wise("slot", position.cast(pa.string()), "_")
    explored = pc.and_(pc.equal(experiment, EXPLORATION), pc.equal(variant, slot))
    held_out = pc.and_(pc.equal(experiment, HOLDOUT), pc.equal(variant, HOLDOUT))
    return set(row.filter(pc.fill_null(pc.or_(explored, held_out), False)).to_pylist())
