"""Exposures as columns, each of which is read once, however many detectors ask for it."""

from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_store.schema.assignments import Draws
from feature_store.schema.categorical import Categorical
from feature_store.schema.exposures import ON_TIME
from feature_store.schema.served import USER_SLICE

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

_CLICK = "click"


class ExposureRows:
    """n rows of `exposures`; nothing is read of columns that nobody asks for, and they may be absent.

    Parameters
    ----------
    rows : with the columns of `feature_store.schema.exposures`
    """

    def __init__(self, rows: pa.RecordBatch | pa.Table) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return int(self._rows.num_rows)

    @cached_property
    def ranked(self) -> Mask:
        """(n,) neither organic nor orphan."""
        return self.valid("served_time_ms")

    @cached_property
    def first(self) -> Mask:
        """(n,) first revision of an exposure: of all of them, each exposure has one."""
        return Categorical.of(self._column("status")).equal(ON_TIME)

    @cached_property
    def served_ms(self) -> Int64:
        """(n,) 0 where not ranked."""
        served_ms: Int64 = self._column("served_time_ms").fill_null(0).to_numpy()
        return served_ms

    @cached_property
    def draws(self) -> Draws:
        """What each row's request drew in our experiments."""
        return Draws(self._column("assignments"))

    @cached_property
    def slot(self) -> Int64:
        """(n,) position that each row's request gave away to chance, −1 where it gave none."""
        return self.draws.slots()

    @cached_property
    def explored(self) -> Mask:
        """(n,) chosen by chance: at the position that was given away."""
        explored: Mask = self.slot == self.position
        return explored

    @cached_property
    def held_out(self) -> Mask:
        """(n,) of users whom a frozen model answers."""
        return self.draws.held_out()

    @cached_property
    def position(self) -> Float64:
        """(n,) NaN where not ranked."""
        return self.numbers("position")

    @cached_property
    def model(self) -> Categorical:
        """Version that served, `<name>:<version>`."""
        return Categorical.of(self._column("model_version"))

    @cached_property
    def user_slice(self) -> Categorical:
        """Slice that the user was in."""
        return Categorical.of(self._column(USER_SLICE))

    @cached_property
    def clicked(self) -> Float64:
        """(n,) 1 where a row was clicked."""
        outcomes = self._column("outcomes")
        keys, values = outcomes.keys, outcomes.items
        offsets = outcomes.offsets.to_numpy()
        clicks = pc.and_(pc.equal(keys, _CLICK), pc.greater(values, 0.0)).to_numpy(zero_copy_only=False)
        # Offsets are into all keys, of which a slice of rows has some.
        before = np.concatenate([[0], np.cumsum(clicks)])[offsets]
        clicked: Float64 = (np.diff(before) > 0).astype(np.float64)
        return clicked

    @cached_property
    def predicted(self) -> Float64:
        """(n,) probability of a click by the model; NaN where it does not say."""
        heads = self._column("heads")
        if not pa.types.is_struct(heads.type) or heads.type.get_field_index(_CLICK) < 0:
            return np.full(len(self), np.nan)
        return _numbers(pc.struct_field(heads, _CLICK))

    def valid(self, column: str) -> Mask:
        """(n,) rows that have a value."""
        valid: Mask = self._column(column).is_valid().to_numpy(zero_copy_only=False)
        return valid

    def numbers(self, column: str) -> Float64:
        """(n,) NaN for null."""
        return _numbers(self._column(column))

    def texts(self, column: str, mask: Mask) -> pa.Array:
        """Strings of the rows of ``mask`` (n,)."""
        return self._column(column).filter(pa.array(mask)).cast(pa.string())

    def _column(self, name: str) -> pa.Array:
        column = self._rows.column(name)
        return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _numbers(column: pa.Array) -> Float64:
    numbers: Float64 = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers
