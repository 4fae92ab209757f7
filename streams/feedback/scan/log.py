"""Reads a log of exposures, CSV (also gzipped) or Parquet, as columns in the order of time."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from streams.feedback.scan.mapping import ColumnMapping

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Index = NDArray[np.intp]


class LogError(ValueError):
    """A log cannot be used; the message names the column, and the row where there is one."""


@dataclass(frozen=True, slots=True)
class ExposureLog:
    """n exposures, oldest first.

    Attributes
    ----------
    item : n texts
    reward : (n,) finite
    time_ms : (n,) milliseconds UTC; the row's number where the log has no time
    position : n texts, empty where the log has none
    propensity : (n,) in (0, 1], or None where the log has none
    cluster : (n,) number of the user, or of the row where the log names no user
    has_users : whether clusters are users
    """

    item: pa.Array
    reward: Float64
    time_ms: Int64
    position: pa.Array
    propensity: Float64 | None
    cluster: Index
    has_users: bool

    def __len__(self) -> int:
        return len(self.reward)


def read_log(path: Path, mapping: ColumnMapping) -> ExposureLog:
    """The log in ``path``.

    Raises
    ------
    LogError
        A column is absent or holds what it must not, or there are no rows.
    OSError
        The file cannot be read.
    """
    table = _table(path, mapping)
    if not len(table):
        raise LogError(f"{path}: no rows")
    time_ms = _times(table, mapping.time)
    order = np.argsort(time_ms, kind="stable")
    table = table.take(pa.array(order))
    return ExposureLog(
        item=_texts(table, mapping.item),
        reward=_numbers(table, mapping.reward),
        time_ms=time_ms[order],
        position=_positions(table, mapping.position),
        propensity=None if mapping.propensity is None else _propensities(table, mapping.propensity),
        cluster=_clusters(table, mapping.user),
        has_users=bool(mapping.user),
    )


def _table(path: Path, mapping: ColumnMapping) -> pa.Table:
    columns = list(dict.fromkeys(mapping.columns))
    try:
        if path.suffix == ".parquet":
            return pq.read_table(path, columns=_present(path, pq.read_schema(path).names, columns))
        return _csv(path, columns, mapping)
    except pa.ArrowInvalid as error:
        raise LogError(f"{path}: {error}") from error


def _csv(path: Path, columns: list[str], mapping: ColumnMapping) -> pa.Table:
    """Ids stay text as they are written: `007` is no 7."""
    names = {name: pa.string() for name in (mapping.item, *mapping.user)}
    with pa.input_stream(path, compression="detect") as stream:
        table = pa_csv.read_csv(stream, convert_options=pa_csv.ConvertOptions(column_types=names))
    return table.select(_present(path, table.column_names, columns))


def _present(path: Path, found: list[str], wanted: list[str]) -> list[str]:
    for name in wanted:
        if name not in found:
            raise LogError(f"{path}: column {name!r} is absent; there are {', '.join(map(repr, found[:20]))}")
    return wanted


def _times(table: pa.Table, name: str | None) -> Int64:
    if name is None:
        return np.arange(len(table), dtype=np.int64)
    column = table[name]
    try:
        if not pa.types.is_integer(column.type):
            column = column.cast(pa.timestamp("ms", tz="UTC"), safe=False)
        values = column.cast(pa.int64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise LogError(f"column {name!r}: no time: {error}") from error
    _refuse_nulls(name, values)
    return np.asarray(values.to_numpy(), dtype=np.int64)


def _numbers(table: pa.Table, name: str) -> Float64:
    try:
        values = np.asarray(table[name].cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise LogError(f"column {name!r}: no number: {error}") from error
    _refuse_rows(name, ~np.isfinite(values), "is no finite number", values)
    return values


def _propensities(table: pa.Table, name: str) -> Float64:
    values = _numbers(table, name)
    _refuse_rows(name, (values <= 0) | (values > 1), "is not in (0, 1]", values)
    return values


def _texts(table: pa.Table, name: str) -> pa.Array:
    values = table[name].cast(pa.string()).combine_chunks()
    _refuse_nulls(name, values)
    return values


def _positions(table: pa.Table, name: str | None) -> pa.Array:
    return pa.array([""] * len(table)) if name is None else _texts(table, name)


def _codes(table: pa.Table, name: str) -> Index:
    """(n,) number of each row's distinct value."""
    codes = table[name].combine_chunks().dictionary_encode().indices
    _refuse_nulls(name, codes)
    return np.asarray(codes, dtype=np.intp)


def _clusters(table: pa.Table, names: tuple[str, ...]) -> Index:
    if not names:
        return np.arange(len(table), dtype=np.intp)
    numbers = [_codes(table, name) for name in names]
    return np.unique(np.stack(numbers), axis=1, return_inverse=True)[1].reshape(-1)


def _refuse_nulls(name: str, values: pa.Array) -> None:
    if values.null_count:
        raise LogError(f"column {name!r}: {values.null_count} rows are empty")


def _refuse_rows(name: str, wrong: NDArray[np.bool_], what: str, values: Float64) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise LogError(f"column {name!r}: {values[row]!r} {what} ({int(wrong.sum())} rows)")
