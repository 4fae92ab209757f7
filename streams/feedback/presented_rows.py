"""What D3 observes of exposures: rows of chance, and rows of choice; for presentation, those that are alike.

Alike: of one cut, one model and one place, and as likely to be clicked by the model's own word, which knows
item and user. A click rate of the item alone would not do: who ranks for each user shows items to those who
like them, and chance does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_store.schema.assignments import EXPLORATION
from streams.feedback.exploration_presentation import ExplorationRows
from streams.feedback.exposure_rows import ExposureRows
from streams.feedback.sifting import sifted

Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

MIN_CHOSEN = 9
"""Chosen rows that there must be for each explored one: what it is held against must be known better."""

_BIN = 0.25
"""Width, in log odds, within which predictions are alike."""


@dataclass(frozen=True, slots=True)
class PlacedRows:
    """Rows of requests that drew a slot or none, at places that could have been given away; (m,) columns.

    Attributes
    ----------
    request, model, item : string
    position : 0-based
    slotted : of requests that drew a slot
    explored : at that slot
    click : 1 where it was clicked
    predicted : probability of a click, by the model, within (0, 1)
    share : of requests that explore, as this row's request logged it
    """

    request: pa.Array
    model: pa.Array
    item: pa.Array
    position: NDArray[np.int64]
    slotted: Mask
    explored: Mask
    click: Float64
    predicted: Float64
    share: Float64


def joined(parts: Sequence[PlacedRows]) -> PlacedRows:
    """The rows of one part after the other."""
    return PlacedRows(
        request=pa.concat_arrays([part.request for part in parts]),
        model=pa.concat_arrays([part.model for part in parts]),
        item=pa.concat_arrays([part.item for part in parts]),
        position=np.concatenate([part.position for part in parts]),
        slotted=np.concatenate([part.slotted for part in parts]),
        explored=np.concatenate([part.explored for part in parts]),
        click=np.concatenate([part.click for part in parts]),
        predicted=np.concatenate([part.predicted for part in parts]),
        share=np.concatenate([part.share for part in parts]),
    )


def placed_rows(rows: ExposureRows, positions: int) -> tuple[PlacedRows, dict[str, int]]:
    """The rows, and why the others are left out.

    `not_ranked` (organic, orphan), `revision` (a later one), `not_drawn` (no experiment, or another one, had
    the request), `elsewhere` (behind the places that may be given away), `no_prediction` (of a click).

    Parameters
    ----------
    positions : first ones that may be given away
    """
    drawn, predicted = rows.draws.of(EXPLORATION), rows.predicted
    slotted = rows.slot >= 0
    share = np.where(slotted, drawn.propensity * positions, 1.0 - drawn.propensity)
    kept, dropped = sifted(
        len(rows),
        (
            ("not_ranked", rows.ranked),
            ("revision", rows.first),
            ("not_drawn", np.isfinite(share)),
            ("elsewhere", rows.position < positions),
            ("no_prediction", (predicted > 0) & (predicted < 1)),
        ),
    )
    placed = PlacedRows(
        request=rows.texts("request_id", kept),
        model=rows.texts("model_version", kept),
        item=rows.texts("item_id", kept),
        position=rows.position[kept].astype(np.int64),
        slotted=slotted[kept],
        explored=rows.explored[kept],
        click=rows.clicked[kept],
        predicted=predicted[kept],
        share=share[kept],
    )
    return placed, dropped


def contradicted(rows: PlacedRows) -> bool:
    """Whether those that drew a slot log another share than those that drew none.

    So it is when fewer, or more, places may be given away than is believed here.
    """
    told, drawn = np.unique(rows.share[~rows.slotted]), np.unique(rows.share[rows.slotted])
    known = np.isclose(drawn[:, None], told, rtol=1e-6, atol=0.0).any(axis=1)
    return bool(len(told)) and not known.all()


def compared(rows: PlacedRows, positions: int) -> ExplorationRows:
    """Those of the rows of a cut that can be compared, with what is expected of them.

    Expected is the prediction, scaled to the clicks of all rows alike: under "no effect" chance and choice
    then differ by chance alone, whatever the hour, the place and the model's errors. Rows alike of which
    fewer than :data:`MIN_CHOSEN` for each explored one were chosen are left out.
    """
    stratum = _strata(rows)
    total, by_chance = np.bincount(stratum), np.bincount(stratum, weights=rows.explored)
    clicks, believed = np.bincount(stratum, weights=rows.click), np.bincount(stratum, weights=rows.predicted)
    expected = rows.predicted * (clicks / np.maximum(believed, np.finfo(np.float64).tiny))[stratum]
    alike = ((by_chance > 0) & (total - by_chance >= MIN_CHOSEN * by_chance))[stratum]
    return ExplorationRows(
        explored=rows.explored[alike],
        click=rows.click[alike],
        expected=expected[alike],
        cluster=_codes(rows.request)[alike],
        propensity=rows.share[alike] / positions,
    )


def _strata(rows: PlacedRows) -> NDArray[np.intp]:
    """(m,) number of the rows alike that each belongs to."""
    odds = np.floor(np.log(rows.predicted / (1.0 - rows.predicted)) / _BIN).astype(np.int64)
    odds -= odds.min(initial=0)
    places, likelihoods = rows.position.max(initial=0) + 1, odds.max(initial=0) + 1
    keys = (_codes(rows.model) * places + rows.position) * likelihoods + odds
    strata: NDArray[np.intp] = np.unique(keys, return_inverse=True)[1].astype(np.intp)
    return strata


def _codes(texts: pa.Array) -> NDArray[np.intp]:
    codes: NDArray[np.intp] = texts.dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.intp)
    return codes
