"""Training sets as Parquet (with their description), CSV and LibSVM files."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from ranker.training.datasets.dataset import FEATURE, FORMAT, LABEL, Dataset, DatasetError, Description, check

KEY = b"eddyline.dataset"
_ROWS_AT_ONCE = 4096


def write(dataset: Dataset, path: Path, label: str = "click") -> list[Path]:
    """Write a training set; the format is the suffix: ``.parquet``, ``.csv`` or ``.libsvm``.

    CSV and LibSVM cannot hold a description, which goes beside them as ``<name>.json``. ``label`` is the
    action that a LibSVM file is about; its features are numbered from 1 as the description lists them.

    Raises
    ------
    DatasetError
        There is no such format or label.
    """
    writers = {".parquet": _write_parquet, ".csv": _write_csv, ".libsvm": _write_libsvm}
    if path.suffix not in writers:
        raise DatasetError(f"{path.name}: the format is .parquet, .csv or .libsvm, not {path.suffix!r}")
    return writers[path.suffix](dataset, path, label)


def read(path: Path) -> Dataset:
    """The training set in a Parquet file that :func:`write` wrote, checked.

    Raises
    ------
    DatasetError
        When it is no such file, is of another format, or cannot be used; see `check`.
    """
    try:
        rows = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise DatasetError(f"{path.name} is no Parquet file: {error}") from None
    payload = (rows.schema.metadata or {}).get(KEY)
    if payload is None:
        raise DatasetError(f"{path.name} is no training set of ours; import it with a mapping of its columns")
    description = msgspec.json.decode(payload, type=Description)
    if description.format != FORMAT:
        raise DatasetError(
            f"{path.name} is of format {description.format}, and this version reads {FORMAT}: "
            "export or import it again"
        )
    dataset = Dataset(rows, description)
    check(dataset)
    return dataset


def _write_parquet(dataset: Dataset, path: Path, label: str) -> list[Path]:
    metadata = {KEY: msgspec.json.encode(dataset.description)}
    pq.write_table(dataset.rows.replace_schema_metadata(metadata), path, compression="zstd")
    return [path]


def _write_csv(dataset: Dataset, path: Path, label: str) -> list[Path]:
    pa_csv.write_csv(dataset.rows, path)
    return [path, _describe(dataset, path)]


def _write_libsvm(dataset: Dataset, path: Path, label: str) -> list[Path]:
    if LABEL + label not in dataset.rows.column_names:
        raise DatasetError(f"there is no label {label!r}; there are {', '.join(dataset.names(LABEL))}")
    with path.open("w") as file:
        file.writelines(_libsvm_lines(dataset, label))
    return [path, _describe(dataset, path)]


def _libsvm_lines(dataset: Dataset, label: str) -> Iterator[str]:
    """``label qid:n i:value …``, zeros left out; the rows of a request are adjacent and share a qid."""
    rows = dataset.rows
    request = rows["request_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    labels = rows[LABEL + label].to_numpy()
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part = rows.select(dataset.names(FEATURE)).slice(start, _ROWS_AT_ONCE)
        matrix = np.column_stack([column.to_numpy() for column in part.columns])
        for at, values in enumerate(matrix, start):
            pairs = "".join(f" {place + 1}:{values[place]:.9g}" for place in np.flatnonzero(values).tolist())
            yield f"{labels[at]:g} qid:{request[at] + 1}{pairs}\n"


def _describe(dataset: Dataset, path: Path) -> Path:
    beside = path.with_suffix(path.suffix + ".json")
    content = {**msgspec.to_builtins(dataset.description, str_keys=True), "features": dataset.names(FEATURE)}
    beside.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
    return beside
