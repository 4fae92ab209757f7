"""From exposures to what D3 and D4 observe: which rows chance chose, and whose users are held out."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from streams.feedback.concentration import ArmCells

Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

NUDGES, EXPLORATION, HOLDOUT, DEPLOYS = "nudges", "exploration", "holdout", "deploys"
"""Experiments by their names in the column `assignments`."""

SLOT = "slot_"
"""How the variant of a request that gives a position away begins; its number follows."""


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


def arm_cells(rows: pa.Table, item_ids: pa.Array, epoch: int) -> ArmCells:
    """Exposures of one epoch by arm, over the items of ``item_ids``.

    What chance chose is left out, and so is what was seen without a request of ours.
    """
    item = pc.index_in(rows["item_id"].combine_chunks(), value_set=item_ids).to_numpy(zero_copy_only=False)
    served = rows["request_id"].combine_chunks().is_valid().to_numpy(zero_copy_only=False)
    out, chosen = held_out(rows), served & ~explored(rows) & ~np.isnan(item)
    arms = [np.bincount(item[chosen & arm].astype(np.intp), minlength=len(item_ids)) for arm in (~out, out)]
    return ArmCells(epoch, *arms)


def assigned(rows: pa.Table, experiment: str) -> tuple[pa.Array, NDArray[np.intp], Float64]:
    """Of each draw in one experiment: its variant, the number of its row, and its probability."""
    column = rows["assignments"].combine_chunks()
    drawn, row = pc.list_flatten(column), pc.list_parent_indices(column)
    mine = pc.equal(pc.struct_field(drawn, "experiment"), experiment)
    propensity = pc.struct_field(drawn, "propensity").filter(mine).to_numpy(zero_copy_only=False)
    numbers = row.filter(mine).to_numpy(zero_copy_only=False).astype(np.intp)
    return pc.struct_field(drawn, "variant").filter(mine), numbers, propensity.astype(np.float64)


def numbered(drawn: pa.Array, number_of: Callable[[str], int]) -> NDArray[np.int64]:
    """(n,) number that each variant names; each distinct one is looked at once."""
    encoded = drawn.cast(pa.string()).dictionary_encode()
    known = np.array([number_of(variant) for variant in encoded.dictionary.to_pylist()], np.int64)
    numbers: NDArray[np.int64] = known[encoded.indices.to_numpy(zero_copy_only=False)]
    return numbers


def clicked(rows: pa.Table) -> Float64:
    """(n,) 1 where a row was clicked."""
    clicks = pc.map_lookup(rows["outcomes"].combine_chunks(), "click", "first")
    values: Float64 = (
        pc.greater(pc.fill_null(clicks, 0.0), 0.0).to_numpy(zero_copy_only=False).astype(np.float64)
    )
    return values


def mask_of(n: int, numbers: NDArray[np.intp]) -> Mask:
    """(n,) True at ``numbers``."""
    mask = np.zeros(n, np.bool_)
    mask[numbers] = True
    return mask
