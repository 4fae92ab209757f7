"""Logs from elsewhere: what is read, and what is refused with the column's name."""

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streams.feedback.scan.log import LogError, read_log
from streams.feedback.scan.mapping import ColumnMapping, MappingError, read_mapping

MAPPING = ColumnMapping(
    item="i", reward="r", time="t", position="slot", propensity="p", user=("u", "v"), catalogue_size=5
)
HEADER = "t,i,slot,r,p,u,v\n"
ROWS = (
    "2024-01-01 00:00:02+00:00,007,1,1,0.5,a,x\n"
    "2024-01-01 00:00:01+00:00,7,2,0,0.25,a,y\n"
    "2024-01-01 00:00:03+00:00,7,1,0,1.0,a,x\n"
)


def written(folder: Path, rows: str) -> Path:
    path = folder / "log.csv"
    path.write_text(HEADER + rows)
    return path


def test_rows_come_in_the_order_of_time_with_ids_as_they_are_written(tmp_path: Path) -> None:
    log = read_log(written(tmp_path, ROWS), MAPPING)
    assert log.item.to_pylist() == ["7", "007", "7"]
    assert np.diff(log.time_ms).tolist() == [1000, 1000]
    assert log.cluster[0] != log.cluster[1] == log.cluster[2]
    assert log.propensity is not None and log.propensity.tolist() == [0.25, 0.5, 1.0]


def test_gzip_and_parquet_read_as_csv_does(tmp_path: Path) -> None:
    plain = read_log(written(tmp_path, ROWS), MAPPING)
    packed = tmp_path / "log.csv.gz"
    packed.write_bytes(gzip.compress((HEADER + ROWS).encode()))
    parquet = tmp_path / "log.parquet"
    table = pa.table(
        {
            "t": pa.array([2000, 1000, 3000]),
            "i": ["007", "7", "7"],
            "slot": [1, 2, 1],
            "r": [1, 0, 0],
            "p": [0.5, 0.25, 1.0],
            "u": ["a", "a", "a"],
            "v": ["x", "y", "x"],
        }
    )
    pq.write_table(table, parquet)
    for other in (read_log(packed, MAPPING), read_log(parquet, MAPPING)):
        assert other.item == plain.item
        assert other.reward.tolist() == plain.reward.tolist()
        assert np.diff(other.time_ms).tolist() == np.diff(plain.time_ms).tolist()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("2024-01-01,a,1,1,0,u,v\n", r"column 'p': .*0\.0.* is not in \(0, 1\] \(1 rows\)"),
        ("2024-01-01,a,1,1,1.5,u,v\n", r"column 'p': .*1\.5.* is not in \(0, 1\]"),
        ("2024-01-01,a,1,1,,u,v\n2024-01-01,a,1,1,.5,u,v\n", "column 'p': .*nan.* is no finite number"),
        ("2024-01-01,a,1,yes,1,u,v\n", "column 'r': no number"),
        ("soon,a,1,1,1,u,v\n", "column 't': no time"),
        (",a,1,1,1,u,v\n2024-01-01,a,1,1,1,u,v\n", "column 't': 1 rows are empty"),
        ("", "no rows"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(LogError, match=message):
        read_log(written(tmp_path, rows), MAPPING)


def test_an_absent_column_is_named_beside_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="column 'nope' is absent; there are 't', 'i'"):
        read_log(written(tmp_path, ROWS), ColumnMapping(item="i", reward="nope"))


def test_without_users_every_row_is_its_own_cluster(tmp_path: Path) -> None:
    log = read_log(written(tmp_path, ROWS), ColumnMapping(item="i", reward="r"))
    assert len(set(log.cluster.tolist())) == 3
    assert not log.has_users
    assert log.propensity is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item = 'i'", "missing required field `reward`"),
        ("item = 'i'\nreward = 3", r"Expected `str`, got `int` - at `\$.reward`"),
        ("item = 'i'\nreward = 'r'\nuesr = ['u']", "unknown field `uesr`"),
        ("item = ", "Invalid value"),
    ],
)
def test_a_wrong_mapping_is_refused_by_field(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(text)
    with pytest.raises(MappingError, match=message):
        read_mapping(path)
