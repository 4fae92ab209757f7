"""What D4 observes of exposures: what production chose for users of either arm."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_store.schema.assignments import HOLDOUT
from streams.feedback.concentration import ArmCells
from streams.feedback.exposure_rows import ExposureRows
from streams.feedback.sifting import sifted

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ArmRows:
    """Rows of users who were drawn into an arm; (m,) columns.

    Attributes
    ----------
    item, model : string
    held_out : of the holdout
    chosen : shown by choice, not by chance
    """

    item: pa.Array
    model: pa.Array
    held_out: Mask
    chosen: Mask


def arm_rows(rows: ExposureRows) -> tuple[ArmRows, dict[str, int]]:
    """The rows, and why the others are left out: `not_ranked`, `revision` (a later one), `not_drawn`."""
    kept, dropped = sifted(
        len(rows),
        (
            ("not_ranked", rows.ranked),
            ("revision", rows.first),
            ("not_drawn", rows.draws.of(HOLDOUT).drew),
        ),
    )
    of_arms = ArmRows(
        item=rows.texts("item_id", kept),
        model=rows.texts("model_version", kept),
        held_out=rows.held_out[kept],
        chosen=~rows.explored[kept],
    )
    return of_arms, dropped


def joined(parts: Sequence[ArmRows]) -> ArmRows:
    """The rows of one part after the other."""
    return ArmRows(
        item=pa.concat_arrays([part.item for part in parts]),
        model=pa.concat_arrays([part.model for part in parts]),
        held_out=np.concatenate([part.held_out for part in parts]),
        chosen=np.concatenate([part.chosen for part in parts]),
    )


def arm_cells(rows: ArmRows, item_ids: pa.Array, epoch: int) -> ArmCells:
    """Exposures of one epoch by arm, over the items of ``item_ids``."""
    item = pc.index_in(rows.item, value_set=item_ids).fill_null(-1).to_numpy()
    chosen = rows.chosen & (item >= 0)
    arms = (~rows.held_out, rows.held_out)
    return ArmCells(epoch, *(np.bincount(item[chosen & arm], minlength=len(item_ids)) for arm in arms))
