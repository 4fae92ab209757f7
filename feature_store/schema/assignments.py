"""What our own experiments did to rows of `exposures`: reads `assignments`, `position` and `nudge`."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

NUDGES, EXPLORATION, HOLDOUT, DEPLOYS = "nudges", "exploration", "holdout", "deploys"
"""Experiments by their names in the column `assignments`."""

SLOT = "slot_"
"""How the variant of a request that gives a position away begins; its number follows."""


def marks(rows: pa.Table) -> dict[str, Mask]:
    """`nudged`, `explored` and `held_out`, each (n,): what no row may be learned from without knowing.

    Parameters
    ----------
    rows : exposures, with the columns ``nudge``, ``assignments`` and ``position``
    """
    nudged = pc.fill_null(pc.not_equal(rows["nudge"], 0.0), False)
    return {
        "nudged": nudged.to_numpy().astype(np.bool_),
        "explored": explored(rows),
        "held_out": held_out(rows),
    }


def explored(rows: pa.Table) -> Mask:
    """(n,) rows at the position that their request gave away to chance.

    Parameters
    ----------
    rows : exposures, with the columns ``assignments`` and ``position``
    """
    drawn, row, _ = assigned(rows, EXPLORATION)
    position = rows["position"].combine_chunks().take(pa.array(row)).cast(pa.string())
    given_away = pc.equal(drawn, pc.binary_join_element_wise(SLOT, position, ""))
    return mask_of(len(rows), row[pc.fill_null(given_away, False).to_numpy(zero_copy_only=False)])


def held_out(rows: pa.Table) -> Mask:
    """(n,) rows of users whom a frozen model answers; columns as for :func:`explored`."""
    drawn, row, _ = assigned(rows, HOLDOUT)
    return mask_of(len(rows), row[pc.equal(drawn, HOLDOUT).to_numpy(zero_copy_only=False)])


def arms(rows: pa.Table) -> dict[str, pa.Array]:
    """experiment -> (n,) string, the arm of each row, null where it is in none; in alphabetical order."""
    drawn = pc.list_flatten(rows["assignments"].combine_chunks())
    experiments = sorted(pc.unique(pc.struct_field(drawn, "experiment")).to_pylist())
    return {experiment: _arm(rows, experiment) for experiment in experiments}


def assigned(rows: pa.Table, experiment: str) -> tuple[pa.Array, NDArray[np.intp], Float64]:
    """Of each draw in one experiment: its variant, the number of its row, and its probability."""
    column = rows["assignments"].combine_chunks()
    drawn, row = pc.list_flatten(column), pc.list_parent_indices(column)
    mine = pc.equal(pc.struct_field(drawn, "experiment"), experiment)
    propensity = pc.struct_field(drawn, "propensity").filter(mine).to_numpy(zero_copy_only=False)
    numbers = row.filter(mine).to_numpy(zero_copy_only=False).astype(np.intp)
    return pc.struct_field(drawn, "variant").filter(mine), numbers, propensity.astype(np.float64)


def mask_of(n: int, numbers: NDArray[np.intp]) -> Mask:
    """(n,) True at ``numbers``."""
    mask = np.zeros(n, np.bool_)
    mask[numbers] = True
    return mask


def _arm(rows: pa.Table, experiment: str) -> pa.Array:
    drawn, row, _ = assigned(rows, experiment)
    place = np.full(len(rows), -1)
    place[row] = np.arange(len(row))
    return drawn.take(pa.array(place, mask=place < 0))
