"""From exposures to what D3 and D4 observe: which rows chance chose, and whose users are held out."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from streams.feedback.concentration import ArmCells
from streams.feedback.exploration_presentation import ExplorationRows

Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

EXPLORATION, HOLDOUT = "exploration", "holdout"
"""Experiments by their names in the column `assignments`."""

_SLOT = "slot"


def explored(rows: pa.Table) -> Mask:
    """(n,) rows at the position that their request gave away to chance.

    Parameters
    ----------
    rows : exposures, with the columns ``assignments`` and ``position``
    """
    drawn, row = _assignments(rows, EXPLORATION)
    position = rows["position"].combine_chunks().take(row).cast(pa.string())
    given_away = pc.equal(drawn, pc.binary_join_element_wise(_SLOT, position, "_"))
    return _mask(len(rows), row.filter(pc.fill_null(given_away, False)))


def held_out(rows: pa.Table) -> Mask:
    """(n,) rows of users whom a frozen model answers; columns as for :func:`explored`."""
    drawn, row = _assignments(rows, HOLDOUT)
    return _mask(len(rows), row.filter(pc.equal(drawn, HOLDOUT)))


def arm_cells(rows: pa.Table, item_ids: pa.Array, epoch: int) -> ArmCells:
    """Exposures of one epoch by arm, over the items of ``item_ids``.

    What chance chose is left out, and so is what was seen without a request of ours.
    """
    item = pc.index_in(rows["item_id"].combine_chunks(), value_set=item_ids).to_numpy(zero_copy_only=False)
    served = rows["request_id"].combine_chunks().is_valid().to_numpy(zero_copy_only=False)
    out, chosen = held_out(rows), served & ~explored(rows) & ~np.isnan(item)
    arms = [np.bincount(item[chosen & arm].astype(np.intp), minlength=len(item_ids)) for arm in (~out, out)]
    return ArmCells(epoch, *arms)


def exploration_rows(rows: pa.Table, expected: Float64, positions: int) -> ExplorationRows:
    """Rows of requests that drew a slot or none, where it could have been given away.

    The unit that is assigned is the request: all its rows are one cluster. A row is explored with the
    share of requests that explore, over ``positions``.

    Parameters
    ----------
    expected : (n,) click rate of each row's item, known before the epoch
    positions : first positions that may be given away
    """
    _, assigned = _assignments(rows, EXPLORATION)
    position = rows["position"].combine_chunks().fill_null(positions).to_numpy(zero_copy_only=False)
    eligible = _mask(len(rows), assigned) & (position < positions)
    request = rows["request_id"].combine_chunks().dictionary_encode().indices
    cluster = request.fill_null(0).to_numpy(zero_copy_only=False).astype(np.intp)
    return ExplorationRows(
        explored(rows)[eligible], _clicked(rows)[eligible], expected[eligible], cluster[eligible]
    )


def _assignments(rows: pa.Table, experiment: str) -> tuple[pa.Array, pa.Array]:
    """Variants drawn in one experiment, and the numbers of their rows."""
    column = rows["assignments"].combine_chunks()
    drawn, row = pc.list_flatten(column), pc.list_parent_indices(column)
    mine = pc.equal(pc.struct_field(drawn, "experiment"), experiment)
    return pc.struct_field(drawn, "variant").filter(mine), row.filter(mine)


def _clicked(rows: pa.Table) -> Float64:
    clicks = pc.map_lookup(rows["outcomes"].combine_chunks(), "click", "first")
    values: Float64 = (
        pc.greater(pc.fill_null(clicks, 0.0), 0.0).to_numpy(zero_copy_only=False).astype(np.float64)
    )
    return values


def _mask(n: int, numbers: pa.Array) -> Mask:
    mask = np.zeros(n, np.bool_)
    mask[numbers.to_numpy(zero_copy_only=False).astype(np.intp)] = True
    return mask
