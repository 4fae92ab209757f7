"""From exposures to what D3 and D4 observe: which rows chance chose, and whose users are held out."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_store.schema.assignments import explored, held_out
from streams.feedback.concentration import ArmCells

Float64 = NDArray[np.float64]


def arm_cells(rows: pa.Table, item_ids: pa.Array, epoch: int) -> ArmCells:
    """Exposures of one epoch by arm, over the items of ``item_ids``.

    What chance chose is left out, and so is what was seen without a request of ours.
    """
    item = pc.index_in(rows["item_id"].combine_chunks(), value_set=item_ids).to_numpy(zero_copy_only=False)
    served = rows["request_id"].combine_chunks().is_valid().to_numpy(zero_copy_only=False)
    out, chosen = held_out(rows), served & ~explored(rows) & ~np.isnan(item)
    arms = [np.bincount(item[chosen & arm].astype(np.intp), minlength=len(item_ids)) for arm in (~out, out)]
    return ArmCells(epoch, *arms)


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
