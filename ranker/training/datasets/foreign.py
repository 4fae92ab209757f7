"""Training sets from somebody else's log: a CSV or Parquet file, and which column of it is what."""

from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from ranker.training.datasets.dataset import (
    FEATURE,
    FIXED,
    LABEL,
    OURS,
    Dataset,
    DatasetError,
    Description,
    check,
    importance_weights,
    in_order,
)

MAPPINGS = Path(__file__).parent / "mappings"
"""Mappings of public data sets that come with Eddyline, by name."""


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which columns of a log mean what; one row per item shown.

    Attributes
    ----------
    request : columns that together name a request; empty: each row is one
    user : columns that together name a user
    time : when it was shown: a timestamp, ISO text, or integer milliseconds since 1970
    position, propensity : as in a training set; ``first_position`` is what the log calls the top
    outcome_time : of the last thing that the user did, in the form of ``time``
    labels : action -> column of its number (or true and false)
    features : columns of numbers
    categories : columns of texts, each value of which becomes a number in the order of the alphabet
    """

    item: str
    time: str
    labels: dict[str, str]
    user: tuple[str, ...]
    request: tuple[str, ...] = ()
    position: str | None = None
    first_position: int = 0
    propensity: str | None = None
    outcome_time: str | None = None
    features: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """All columns named, each once."""
        single = (self.item, self.time, self.position, self.propensity, self.outcome_time)
        several = (*self.labels.values(), *self.user, *self.request, *self.features, *self.categories)
        return list(dict.fromkeys(name for name in (*single, *several) if name is not None))


def read_mapping(path: Path) -> Mapping:
    """The mapping in a TOML file of the fields of :class:`Mapping`.

    Raises
    ------
    DatasetError
        The file is no TOML, or a field is missing, unknown or of the wrong type.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Mapping)
    except msgspec.DecodeError as error:
        raise DatasetError(f"{path.name}: {error}") from None


def import_log(path: Path, mapping: Mapping, *, weight_max: float) -> Dataset:
    """The training set in a CSV (also gzipped) or Parquet file, checked.

    Raises
    ------
    DatasetError
        A column is absent or holds what it must not, or the rows cannot be used; see `check`.
    """
    log = _read(path, mapping)
    time_ms = _times(log, mapping.time)
    propensity = _numbers(log, mapping.propensity) if mapping.propensity else _nulls(log, pa.float64())
    fixed = {
        "request_id": _joined(log, mapping.request) if mapping.request else _row_numbers(log),
        "user_id": _joined(log, mapping.user),
        "item_id": _texts(log, mapping.item),
        "time_ms": time_ms,
        "position": _positions(log, mapping),
        "propensity": propensity,
        "importance_weight": importance_weights(propensity, weight_max),
        "impression_time_ms": time_ms,
        "outcome_time_ms": _times(log, mapping.outcome_time)
        if mapping.outcome_time
        else _nulls(log, pa.int64()),
        "status": pc.if_else(pc.is_valid(time_ms), "on_time", ""),
        **{name: _nulls(log, kind) for name, kind in OURS.items()},
    }
    labels = {
        LABEL + action: _numbers(log, name).cast(pa.float32()) for action, name in mapping.labels.items()
    }
    features = {FEATURE + name: _numbers(log, name).cast(pa.float32()) for name in mapping.features}
    features |= {FEATURE + name: _categories(log, name) for name in mapping.categories}
    rows = in_order(
        pa.table({**{name: fixed[name].cast(kind) for name, kind in FIXED.items()}, **labels, **features})
    )
    times = pc.min_max(rows["time_ms"]).as_py()
    description = Description(
        path.name, impressions_from_ms=times["min"], impressions_until_ms=times["max"], weight_max=weight_max
    )
    dataset = Dataset(rows, description)
    check(dataset)
    return dataset


def _read(path: Path, mapping: Mapping) -> pa.Table:
    try:
        if path.suffix == ".parquet":
            return _chosen(pq.read_table(path), path, mapping)
        texts = (mapping.item, *mapping.user, *mapping.request, *mapping.categories)
        options = pa_csv.ConvertOptions(column_types={name: pa.string() for name in texts})
        with pa.input_stream(path, compression="detect") as stream:
            return _chosen(pa_csv.read_csv(stream, convert_options=options), path, mapping)
    except pa.ArrowInvalid as error:
        raise DatasetError(f"{path.name}: {error}") from None


def _chosen(table: pa.Table, path: Path, mapping: Mapping) -> pa.Table:
    for name in mapping.columns:
        if name not in table.column_names:
            found = ", ".join(map(repr, table.column_names[:20]))
            raise DatasetError(f"{path.name}: column {name!r} is absent; there are {found}")
    return table.select(mapping.columns)


def _numbers(log: pa.Table, name: str) -> pa.ChunkedArray:
    try:
        values = log[name].cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DatasetError(f"column {name!r}: no number: {error}") from None
    return _full(name, values)


def _times(log: pa.Table, name: str) -> pa.ChunkedArray:
    column = log[name]
    try:
        if not pa.types.is_integer(column.type):
            column = column.cast(pa.timestamp("ms", tz="UTC"), safe=False)
        return column.cast(pa.int64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DatasetError(f"column {name!r}: no time: {error}") from None


def _texts(log: pa.Table, name: str) -> pa.ChunkedArray:
    return _full(name, log[name].cast(pa.string()))


def _full(name: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
    if values.null_count:
        raise DatasetError(f"column {name!r}: {values.null_count} rows are empty")
    return values


def _joined(log: pa.Table, names: tuple[str, ...]) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(*(_texts(log, name) for name in names), "/")


def _row_numbers(log: pa.Table) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(np.arange(len(log))).cast(pa.string())])


def _positions(log: pa.Table, mapping: Mapping) -> pa.ChunkedArray:
    if mapping.position is None:
        return _nulls(log, pa.int32())
    return pc.subtract(_numbers(log, mapping.position), float(mapping.first_position))


def _categories(log: pa.Table, name: str) -> pa.ChunkedArray:
    texts = _texts(log, name)
    words = pc.unique(texts).sort()
    return pc.index_in(texts, words).cast(pa.float32())


def _nulls(log: pa.Table, kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.nulls(len(log), kind)])
